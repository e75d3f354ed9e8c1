// SPDX-License-Identifier: GPL-2.0

//! What the network does to a socket.

use super::{
    sock::{
        QueueGuard,
        Socket,
        SocketState, //
    },
    SocketOps, //
};
use crate::abstractions::{
    bindings,
    net::skbuff::SkBuff, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Relaxed, //
    }, //
};

/// What became of a packet.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Delivery {
    /// It can be received.
    Queued,
    /// It can be received, but what waits has reached the size of the receive buffer.
    Full,
    /// It was dropped: twice the receive buffer waits.
    Overrun,
    /// It was dropped: the socket's filter does not want it.
    Unwanted,
    /// It was dropped: the socket has another association by now, or none.
    Stale,
}

/// One of the associations that a socket has with its peer over its life, one at a time: the right
/// to act on the socket on behalf of the peer, in any context, as long as it is the socket's
/// current one.
pub(crate) struct Association<P: SocketOps> {
    socket: ARef<Socket<P>>,
    epoch: u64,
}

impl<P: SocketOps> Association<P> {
    pub(super) fn new(socket: &Socket<P>, epoch: u64) -> Self {
        Self {
            socket: socket.into(),
            epoch,
        }
    }

    /// Returns the socket.
    pub(crate) fn socket(&self) -> &Socket<P> {
        &self.socket
    }

    /// Calls `f` with the receive queue locked if this is the socket's current association. Returns
    /// what that returns, and `None` otherwise.
    fn if_current<R>(&self, f: impl FnOnce(&mut QueueGuard<'_, P>) -> R) -> Option<R> {
        let mut queue = self.socket.lock_queue();
        (*queue.epoch() == self.epoch).then(|| f(&mut queue))
    }

    /// Wakes whoever waits for the socket, whatever for.
    fn wake_all(&self) {
        // SAFETY: The socket is valid.
        unsafe { bindings::helper_sk_state_change(self.socket.as_raw()) }
    }

    /// Adds a packet to what can be received, and wakes who waits for it.
    pub(crate) fn deliver(&self, skb: SkBuff) -> Delivery {
        let sk = self.socket.as_raw();
        let limit = self.socket.receive_buffer();
        // Packets that come at the same time may pass together, a few more than the limit.
        if self.socket.received_memory() >= limit.saturating_mul(2) {
            // SAFETY: The socket is valid.
            unsafe { bindings::helper_sk_drops_inc(sk) };
            return Delivery::Overrun;
        }
        // SAFETY: Both are valid, and nobody else has the packet, which the filter may shorten.
        if !unsafe { bindings::helper_sk_filter(sk, skb.as_raw()) } {
            return Delivery::Unwanted;
        }
        // SAFETY: As above.
        unsafe { bindings::helper_skb_set_owner_r(skb.as_raw(), sk) };
        let mut skb = Some(skb);
        let queued = self.if_current(|queue| {
            if let Some(skb) = skb.take() {
                // SAFETY: The queue is locked, and the packet passes to it.
                unsafe { bindings::helper_sk_queue_tail(queue.socket.as_raw(), skb.into_raw()) };
            }
        });
        // One that was not queued is dropped here, without the lock.
        drop(skb);
        if queued.is_none() {
            return Delivery::Stale;
        }
        // SAFETY: The socket is valid.
        unsafe { bindings::helper_sk_data_ready(sk) };
        if self.socket.received_memory() >= limit {
            Delivery::Full
        } else {
            Delivery::Queued
        }
    }

    /// Makes the socket a connected one, and says whether the peer takes data. Returns whether the
    /// association is the socket's.
    pub(crate) fn established(&self, sendable: bool) -> bool {
        let done = self.if_current(|queue| {
            queue.set_state(SocketState::Connected);
            queue.socket.sendable.store(sendable, Relaxed);
        });
        self.wake_all();
        done.is_some()
    }

    /// Ends a socket's attempt to connect with an error. Returns whether the association is the
    /// socket's.
    pub(crate) fn refused(&self, error: Error) -> bool {
        let done = self.if_current(|queue| {
            queue.set_state(SocketState::Closed);
            queue.shut(error);
            // So that who waits to be able to send learns of it.
            queue.socket.sendable.store(true, Relaxed);
        });
        self.wake_all();
        done.is_some()
    }

    /// Ends a socket's connection with an error. Returns whether the association is the socket's.
    pub(crate) fn hung_up(&self, error: Error) -> bool {
        let done = self.if_current(|queue| queue.shut(error));
        self.wake_all();
        done.is_some()
    }

    /// Says whether the peer takes data, and wakes who waits for that.
    pub(crate) fn set_sendable(&self, sendable: bool) {
        let was = self.if_current(|queue| queue.socket.sendable.xchg(sendable, Relaxed));
        if sendable && was == Some(false) {
            self.wake_all();
        }
    }
}

impl<P: SocketOps> QueueGuard<'_, P> {
    /// Says how far the association is.
    pub(super) fn set_state(&mut self, state: SocketState) {
        // SAFETY: The socket is valid.
        unsafe { bindings::helper_sk_set_state(self.socket.as_raw(), state.to_raw()) }
    }

    /// Ends both directions, with an error.
    fn shut(&mut self, error: Error) {
        let sk = self.socket.as_raw();
        // SAFETY: The socket is valid.
        unsafe { bindings::helper_sk_set_err(sk, error.to_errno().saturating_neg()) };
        // SAFETY: As above.
        unsafe { bindings::helper_sk_set_shutdown(sk, bindings::SHUTDOWN_MASK as u8) };
    }

    /// Forgets errors and ends of an earlier association.
    pub(super) fn open(&mut self) {
        let sk = self.socket.as_raw();
        // SAFETY: The socket is valid.
        unsafe { bindings::helper_sk_set_err(sk, 0) };
        // SAFETY: As above.
        unsafe { bindings::helper_sk_set_shutdown(sk, 0) };
    }
}
