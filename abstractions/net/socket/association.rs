// SPDX-License-Identifier: GPL-2.0

//! Actions of the network on a socket.

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

/// The outcome of delivering a packet.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Delivery {
    /// The packet was queued.
    Queued,
    /// The packet was queued, and the queue has reached the size of the receive buffer.
    Full,
    /// The packet was dropped: the queue has twice the size of the receive buffer.
    Overrun,
    /// The packet was dropped by the socket's filter.
    Unwanted,
    /// The packet was dropped: the association is not the socket's current one.
    Stale,
}

/// Most memory, in bytes, of the packets in a receive queue: an `int` counts it.
const MOST_MEMORY: usize = i32::MAX as usize / 2;

/// An association of a socket with its peer: the right to act on the socket on behalf of the peer,
/// in any context, as long as it is the socket's current one. A socket has one at a time.
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
    /// the result of `f`, or `None`.
    fn if_current<R>(&self, f: impl FnOnce(&mut QueueGuard<'_, P>) -> R) -> Option<R> {
        let mut queue = self.socket.lock_queue();
        (*queue.epoch() == self.epoch).then(|| f(&mut queue))
    }

    /// Wakes all waiters of the socket.
    fn wake_all(&self) {
        // SAFETY: By the invariant of `Socket`, the socket is valid.
        unsafe { bindings::helper_sk_state_change(self.socket.as_raw()) }
    }

    /// Adds a packet to the receive queue, and wakes its waiters.
    pub(crate) fn deliver(&self, skb: SkBuff) -> Delivery {
        let sk = self.socket.as_raw();
        let limit = self.socket.receive_buffer();
        // Packets that arrive at the same time may all pass, so that the limit is exceeded by a
        // few.
        if self.socket.received_memory() >= limit.saturating_mul(2).min(MOST_MEMORY) {
            // SAFETY: By the invariant of `Socket`, the socket is valid.
            unsafe { bindings::helper_sk_drops_inc(sk) };
            return Delivery::Overrun;
        }
        // SAFETY: By their type invariants, both are valid, and nothing else refers to the packet,
        // which the filter may shorten.
        if !unsafe { bindings::helper_sk_filter(sk, skb.as_raw()) } {
            return Delivery::Unwanted;
        }
        // SAFETY: By their type invariants, both are valid, and nothing else refers to the packet.
        unsafe { bindings::helper_skb_set_owner_r(skb.as_raw(), sk) };
        let mut skb = Some(skb);
        let queued = self.if_current(|queue| {
            if let Some(skb) = skb.take() {
                // SAFETY: The queue is locked, and the packet passes to it.
                unsafe { bindings::helper_sk_queue_tail(queue.socket.as_raw(), skb.into_raw()) };
            }
        });
        // A packet that was not queued is dropped here, without the lock.
        drop(skb);
        if queued.is_none() {
            return Delivery::Stale;
        }
        // SAFETY: By the invariant of `Socket`, the socket is valid.
        unsafe { bindings::helper_sk_data_ready(sk) };
        if self.socket.received_memory() >= limit {
            Delivery::Full
        } else {
            Delivery::Queued
        }
    }

    /// Marks the socket as connected, and sets whether the peer takes data. Returns whether the
    /// association is the socket's current one.
    pub(crate) fn established(&self, sendable: bool) -> bool {
        let done = self.if_current(|queue| {
            queue.set_state(SocketState::Connected);
            queue.socket.sendable.store(sendable, Relaxed);
        });
        self.wake_all();
        done.is_some()
    }

    /// Fails the socket's attempt to connect with an error. Returns whether the association is the
    /// socket's current one.
    pub(crate) fn refused(&self, error: Error) -> bool {
        let done = self.if_current(|queue| {
            queue.set_state(SocketState::Closed);
            queue.shut(error);
            // Wakes those that wait to send, so that they see the error.
            queue.socket.sendable.store(true, Relaxed);
        });
        self.wake_all();
        done.is_some()
    }

    /// Ends the socket's connection with an error, of which programs that asked for signals get
    /// one. Returns whether the association is the socket's current one.
    pub(crate) fn hung_up(&self, error: Error) -> bool {
        let done = self.if_current(|queue| queue.shut(error));
        self.wake_all();
        if done.is_some() {
            // SAFETY: By the invariant of `Socket`, the socket is valid.
            unsafe { bindings::helper_sk_error_report(self.socket.as_raw()) };
        }
        done.is_some()
    }

    /// Sets whether the peer takes data, and wakes those that wait for it.
    pub(crate) fn set_sendable(&self, sendable: bool) {
        let was = self.if_current(|queue| queue.socket.sendable.xchg(sendable, Relaxed));
        if sendable && was == Some(false) {
            self.wake_all();
        }
    }
}

impl<P: SocketOps> QueueGuard<'_, P> {
    /// Sets the state of the association.
    pub(super) fn set_state(&mut self, state: SocketState) {
        // SAFETY: By the invariant of `Socket`, the socket is valid.
        unsafe { bindings::helper_sk_set_state(self.socket.as_raw(), state.to_raw()) }
    }

    /// Ends both directions, with an error.
    fn shut(&mut self, error: Error) {
        let sk = self.socket.as_raw();
        // SAFETY: By the invariant of `Socket`, the socket is valid.
        unsafe { bindings::helper_sk_set_err(sk, error.to_errno().saturating_neg()) };
        // SAFETY: By the invariant of `Socket`, the socket is valid.
        unsafe { bindings::helper_sk_set_shutdown(sk, bindings::SHUTDOWN_MASK as u8) };
    }

    /// Clears the error and the shutdown of an earlier association.
    pub(super) fn open(&mut self) {
        let sk = self.socket.as_raw();
        // SAFETY: By the invariant of `Socket`, the socket is valid.
        unsafe { bindings::helper_sk_set_err(sk, 0) };
        // SAFETY: By the invariant of `Socket`, the socket is valid.
        unsafe { bindings::helper_sk_set_shutdown(sk, 0) };
    }
}
