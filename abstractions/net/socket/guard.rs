// SPDX-License-Identifier: GPL-2.0

//! System calls on a socket, its lock, and its waiters.

use super::{
    association::Association,
    message::{
        ReceiveMessage,
        SendMessage, //
    },
    sock::{
        Socket,
        SocketState, //
    },
    SocketOps, //
};
use crate::abstractions::{
    bindings,
    compat::prelude::*,
    net::skbuff::SkBuff, //
};
use core::{
    mem::MaybeUninit,
    ptr::NonNull, //
};
use kernel::{
    sync::atomic::Relaxed,
    types::NotThreadSafe, //
};

/// A system call on a socket. Process context: may sleep.
///
/// # Invariants
///
/// The file of the socket is open, or being closed, as long as the value exists.
pub(crate) struct Call<'a, P: SocketOps> {
    socket: &'a Socket<P>,
    _not_send: NotThreadSafe,
}

impl<'a, P: SocketOps> Call<'a, P> {
    /// Describes a system call.
    ///
    /// # Safety
    ///
    /// The file of the socket must be open, or being closed, as long as the value exists.
    pub(super) unsafe fn new(socket: &'a Socket<P>) -> Self {
        // INVARIANT: By the safety requirements, the file is open, or being closed.
        Self {
            socket,
            _not_send: NotThreadSafe,
        }
    }

    /// Returns the socket.
    pub(crate) fn socket(&self) -> &'a Socket<P> {
        self.socket
    }

    /// Takes the socket's lock. Sleeps.
    pub(crate) fn lock(&mut self) -> Guard<'_, P> {
        // SAFETY: By the invariant of `Socket`, the socket is valid, and this is process context.
        unsafe { bindings::helper_lock_sock(self.socket.as_raw()) };
        // INVARIANT: The lock was just taken; the file is open, or being closed, by our invariant.
        Guard {
            socket: self.socket,
            _not_send: NotThreadSafe,
        }
    }

    /// Sends the calling task `SIGPIPE`.
    pub(crate) fn send_sigpipe(&self) {
        // SAFETY: This is a system call of the current task.
        unsafe { bindings::helper_send_sigpipe() }
    }

    /// Returns how long the call may wait to send (`SO_SNDTIMEO`).
    pub(crate) fn send_timeout(&self, nonblock: bool) -> Timeout {
        // SAFETY: By the invariant of `Socket`, the socket is valid.
        Timeout(unsafe { bindings::helper_sock_sndtimeo(self.socket.as_raw(), nonblock) })
    }

    /// Returns how long the call may wait to receive (`SO_RCVTIMEO`).
    pub(crate) fn receive_timeout(&self, nonblock: bool) -> Timeout {
        // SAFETY: By the invariant of `Socket`, the socket is valid.
        Timeout(unsafe { bindings::helper_sock_rcvtimeo(self.socket.as_raw(), nonblock) })
    }

    /// Returns the number of bytes that a call with room for `len` waits for (`SO_RCVLOWAT`): at
    /// least one, and all if `all` is set.
    pub(crate) fn receive_target(&self, all: bool, len: usize) -> usize {
        let len = c_int::try_from(len).unwrap_or(c_int::MAX);
        // SAFETY: By the invariant of `Socket`, the socket is valid.
        let bytes = unsafe { bindings::helper_sock_rcvlowat(self.socket.as_raw(), all, len) };
        usize::try_from(bytes).unwrap_or(1)
    }
}

/// Returns whether a signal is pending for the current task.
pub(crate) fn signal_pending() -> bool {
    kernel::current!().signal_pending()
}

/// The time that is left to wait.
#[derive(Clone, Copy)]
pub(crate) struct Timeout(c_long);

impl Timeout {
    /// Returns whether no time is left.
    pub(crate) fn is_over(&self) -> bool {
        self.0 <= 0
    }

    /// Returns the error of a call that a signal interrupted: the call is restarted only if it had
    /// no timeout.
    pub(crate) fn interrupted(&self) -> Error {
        // SAFETY: The function only compares.
        Error::from_errno(unsafe { bindings::helper_sock_intr_errno(self.0) })
    }
}

/// The lock of a socket, held by the current system call.
///
/// # Invariants
///
/// The socket's lock is held. Its file is open or being closed, so that it is not orphaned: it has
/// a `struct socket` with a wait queue.
pub(crate) struct Guard<'a, P: SocketOps> {
    socket: &'a Socket<P>,
    _not_send: NotThreadSafe,
}

impl<'a, P: SocketOps> Guard<'a, P> {
    /// Returns the socket.
    pub(crate) fn socket(&self) -> &'a Socket<P> {
        self.socket
    }

    /// Returns the state that the lock protects.
    pub(crate) fn state(&mut self) -> &mut P::State {
        // SAFETY: By the type invariant, the lock is held, which protects the state.
        unsafe { &mut *self.socket.state.get() }
    }

    /// Begins another association: drops what was received before, clears errors, and makes an
    /// earlier association ineffective.
    pub(crate) fn associate(&mut self) -> Association<P> {
        let epoch = self.supersede(SocketState::Connecting);
        Association::new(self.socket, epoch)
    }

    /// Ends the socket's association, if there is one, and drops what was received.
    pub(crate) fn dissociate(&mut self) {
        self.supersede(SocketState::Closed);
    }

    fn supersede(&mut self, state: SocketState) -> u64 {
        let mut queue = self.socket.lock_queue();
        let epoch = queue.epoch();
        *epoch = epoch.wrapping_add(1);
        let epoch = *epoch;
        queue.set_state(state);
        queue.open();
        self.socket.sendable.store(false, Relaxed);
        drop(queue);
        // No packet of the earlier association can be queued any more.
        // SAFETY: By the invariant of `Socket`, the socket is valid; nothing else uses the first
        // packet, since we hold the socket's lock.
        unsafe { bindings::helper_sk_queue_purge(self.socket.as_raw()) };
        *self.consumed() = 0;
        epoch
    }

    /// Waits until the socket is woken, a signal comes or the time is over, unless `ready` returns
    /// `true`. The lock is not held meanwhile, so the caller must check its conditions again.
    pub(crate) fn wait(&mut self, timeout: &mut Timeout, ready: impl FnOnce(&mut Self) -> bool) {
        let sk = self.socket.as_raw();
        let mut entry = MaybeUninit::<bindings::wait_queue_entry>::uninit();
        let entry = entry.as_mut_ptr();
        // SAFETY: By the type invariant, the socket is not orphaned, so that it has a wait queue;
        // the entry stays where it is until it is removed from that queue below.
        unsafe { bindings::helper_sock_wait_begin(sk, entry) };
        if !ready(self) {
            // SAFETY: By the type invariant, the lock is held. Nothing that it protects is
            // borrowed.
            unsafe { bindings::release_sock(sk) };
            let mode = bindings::HELPER_TASK_INTERRUPTIBLE;
            // SAFETY: The entry is on the queue, and belongs to the current task.
            timeout.0 = unsafe { bindings::wait_woken(entry, mode, timeout.0) };
            // SAFETY: By the invariant of `Socket`, the socket is valid, and this is process
            // context.
            unsafe { bindings::helper_lock_sock(sk) };
        }
        // SAFETY: The entry is on the queue.
        unsafe { bindings::helper_sock_wait_end(sk, entry) };
    }

    /// Creates a packet with the next `len` bytes of a message, with headroom and tailroom, charged
    /// to the socket's send buffer. Fails with `EAGAIN` if that is full.
    pub(crate) fn packet(
        &mut self,
        message: &mut SendMessage<'_>,
        headroom: u16,
        len: u32,
        tailroom: u16,
    ) -> Result<SkBuff> {
        message.keep();
        // The sum with both rooms must fit into 32 bits.
        c_int::try_from(len).map_err(|_| EMSGSIZE)?;
        let mut error = 0;
        // SAFETY: By the type invariant, the socket is not orphaned, so that it has a
        // `struct socket`.
        let skb = unsafe {
            bindings::helper_sock_alloc_packet(
                self.socket.as_raw(),
                headroom.into(),
                len,
                tailroom.into(),
                &mut error,
            )
        };
        let Some(skb) = NonNull::new(skb) else {
            return Err(Error::from_errno(error));
        };
        // SAFETY: The packet was just allocated, and is ours.
        let skb = unsafe { SkBuff::from_raw(skb) };
        message.copy_to(&skb, len)?;
        Ok(skb)
    }

    /// Creates a further packet of the message that [`packet`](Self::packet) began. It is charged
    /// as well, but does not fail if the send buffer is full.
    pub(crate) fn packet_more(
        &mut self,
        message: &mut SendMessage<'_>,
        headroom: u16,
        len: u32,
        tailroom: u16,
    ) -> Result<SkBuff> {
        // The sum with both rooms must fit into 32 bits.
        c_int::try_from(len).map_err(|_| EMSGSIZE)?;
        // SAFETY: By the type invariant, the socket is valid.
        let skb = unsafe {
            bindings::helper_sock_alloc_more(
                self.socket.as_raw(),
                headroom.into(),
                len,
                tailroom.into(),
            )
        };
        // SAFETY: The packet was just allocated, and is ours.
        let skb = unsafe { SkBuff::from_raw(NonNull::new(skb).ok_or(ENOBUFS)?) };
        message.copy_to(&skb, len)?;
        Ok(skb)
    }

    fn consumed(&mut self) -> &mut u32 {
        // SAFETY: By the type invariant, the lock is held, which protects the number.
        unsafe { &mut *self.socket.consumed.get() }
    }

    /// Returns the first packet that waits to be received.
    fn first(&mut self) -> Option<NonNull<bindings::sk_buff>> {
        let _queue = self.socket.lock_queue();
        // SAFETY: The queue is locked.
        NonNull::new(unsafe { bindings::helper_sk_queue_first(self.socket.as_raw()) })
    }

    /// Returns the number of bytes of the first packet that are not consumed.
    pub(crate) fn first_len(&mut self) -> Option<u32> {
        let skb = self.first()?;
        // SAFETY: Only the holder of the socket's lock removes packets from the queue, and the
        // lengths of those on it are not changed.
        let len = unsafe { (*skb.as_ptr()).len };
        Some(len.saturating_sub(*self.consumed()))
    }

    /// Copies up to `len` bytes of the first packet, from the first that is not consumed. Returns
    /// how many were copied.
    pub(crate) fn copy_first(
        &mut self,
        message: &mut ReceiveMessage<'_>,
        len: usize,
    ) -> Result<usize> {
        let Some(skb) = self.first() else {
            return Ok(0);
        };
        let rest = self.first_len().unwrap_or(0);
        let len = rest.min(u32::try_from(len).unwrap_or(u32::MAX));
        let offset = *self.consumed();
        // SAFETY: Only the holder of the socket's lock removes packets from the queue; lengths and
        // data of those on it are not changed, and this one has as many bytes.
        unsafe { message.copy_from(skb, offset, len) }?;
        usize::try_from(len).map_err(|_| EMSGSIZE)
    }

    /// Consumes `len` bytes of the first packet, and frees it when none is left.
    pub(crate) fn consume(&mut self, len: usize) {
        let rest = self.first_len().unwrap_or(0);
        match u32::try_from(len) {
            Ok(len) if len < rest => {
                let consumed = self.consumed();
                *consumed = consumed.saturating_add(len);
            }
            _ => self.drop_first(),
        }
    }

    /// Frees the first packet.
    pub(crate) fn drop_first(&mut self) {
        *self.consumed() = 0;
        let queue = self.socket.lock_queue();
        // SAFETY: The queue is locked.
        let skb = unsafe { bindings::helper_sk_queue_pop(self.socket.as_raw()) };
        drop(queue);
        // SAFETY: The packet was on the queue, which owned a reference; NULL is allowed.
        unsafe { bindings::helper_consume_skb(skb) };
    }
}

impl<P: SocketOps> Drop for Guard<'_, P> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the lock is held.
        unsafe { bindings::release_sock(self.socket.as_raw()) }
    }
}
