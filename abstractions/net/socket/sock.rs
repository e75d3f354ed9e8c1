// SPDX-License-Identifier: GPL-2.0

//! A socket.

use super::SocketOps;
use crate::abstractions::bindings;
use core::{
    cell::UnsafeCell,
    ptr::{
        from_ref,
        NonNull, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::AlwaysRefCounted,
        atomic::{
            AtomicFlag,
            Relaxed, //
        }, //
    },
    types::NotThreadSafe, //
};

/// State of a socket's association with its peer (`sk_state`).
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum SocketState {
    /// No association.
    Closed,
    /// An association that the peer was asked for.
    Connecting,
    /// An association that was established, even if the peer has ended it.
    Connected,
}

impl SocketState {
    pub(super) fn to_raw(self) -> u8 {
        (match self {
            Self::Closed => bindings::TCP_CLOSE,
            Self::Connecting => bindings::TCP_SYN_SENT,
            Self::Connected => bindings::TCP_ESTABLISHED,
        }) as u8
    }

    fn from_raw(raw: u8) -> Self {
        match u32::from(raw) {
            bindings::TCP_SYN_SENT => Self::Connecting,
            bindings::TCP_ESTABLISHED => Self::Connected,
            _ => Self::Closed,
        }
    }
}

/// The private part of a socket, behind its `struct sock`.
///
/// # Invariants
///
/// An instance is at [`HELPER_SOCK_PRIVATE`](bindings::HELPER_SOCK_PRIVATE) bytes behind an
/// initialized `struct sock` of the family `P`, whose reference count includes the references to
/// the instance.
#[repr(C)]
pub(crate) struct Socket<P: SocketOps> {
    /// The number of the socket's current association. Protected by the lock of the receive queue.
    pub(super) epoch: UnsafeCell<u64>,
    /// Whether the peer takes data. Changed under the lock of the receive queue.
    pub(super) sendable: AtomicFlag,
    /// Bytes of the first packet of the receive queue that were consumed. Protected by the socket's
    /// lock.
    pub(super) consumed: UnsafeCell<u32>,
    pub(super) state: UnsafeCell<P::State>,
    ops: P,
}

// SAFETY: The cells are protected by the locks named there; their contents are `Send`, and the
// shared part is `Send` and `Sync`.
unsafe impl<P: SocketOps> Sync for Socket<P> {}

// SAFETY: The contents of the cells and the shared part are `Send`.
unsafe impl<P: SocketOps> Send for Socket<P> {}

impl<P: SocketOps> Socket<P> {
    /// The size of a socket's memory.
    pub(super) const SIZE: usize =
        bindings::HELPER_SOCK_PRIVATE as usize + core::mem::size_of::<Self>();

    /// Returns a pointer to the private part of a `struct sock` of the family.
    pub(super) fn of(sk: *mut bindings::sock) -> *mut Self {
        const { assert!(core::mem::align_of::<Self>() <= core::mem::align_of::<u64>()) };
        sk.wrapping_byte_add(bindings::HELPER_SOCK_PRIVATE as usize)
            .cast()
    }

    /// Creates the private part of a socket that has no association.
    ///
    /// # Safety
    ///
    /// It must be written to the place of a socket's private part, see [`of`](Self::of), and not be
    /// referred to before that socket is initialized.
    pub(super) unsafe fn new(ops: P, state: P::State) -> Self {
        // INVARIANT: By the safety requirements, it goes behind a `struct sock`, which is
        // initialized before there is a reference to this.
        Self {
            epoch: UnsafeCell::new(0),
            sendable: AtomicFlag::new(false),
            consumed: UnsafeCell::new(0),
            state: UnsafeCell::new(state),
            ops,
        }
    }

    /// Returns the C object.
    #[inline]
    pub(super) fn as_raw(&self) -> *mut bindings::sock {
        from_ref(self)
            .wrapping_byte_sub(bindings::HELPER_SOCK_PRIVATE as usize)
            .cast_mut()
            .cast()
    }

    /// Returns the shared part.
    #[inline]
    pub(crate) fn ops(&self) -> &P {
        &self.ops
    }

    /// Returns the state of the association.
    pub(crate) fn state(&self) -> SocketState {
        // SAFETY: By the type invariant, the socket is valid.
        SocketState::from_raw(unsafe { bindings::helper_sk_state(self.as_raw()) })
    }

    /// Returns whether an error is pending, without clearing it.
    pub(crate) fn has_error(&self) -> bool {
        // SAFETY: By the type invariant, the socket is valid.
        unsafe { bindings::helper_sk_err(self.as_raw()) != 0 }
    }

    /// Returns the pending error as `Err`, and clears it.
    pub(crate) fn take_error(&self) -> Result {
        // SAFETY: By the type invariant, the socket is valid.
        kernel::error::to_result(unsafe { bindings::helper_sock_error(self.as_raw()) })
    }

    /// Returns whether the association has ended, so that no data is sent or received any more.
    pub(crate) fn is_shut(&self) -> bool {
        // SAFETY: By the type invariant, the socket is valid.
        unsafe { bindings::helper_sk_shutdown(self.as_raw()) != 0 }
    }

    /// Returns whether the peer takes data.
    pub(crate) fn is_sendable(&self) -> bool {
        self.sendable.load(Relaxed)
    }

    /// Returns whether the send buffer has enough room to wake a sender.
    pub(crate) fn is_writeable(&self) -> bool {
        // SAFETY: By the type invariant, the socket is valid.
        unsafe { bindings::helper_sock_writeable(self.as_raw()) }
    }

    /// Returns whether packets wait to be received.
    pub(crate) fn has_packets(&self) -> bool {
        // SAFETY: By the type invariant, the socket is valid.
        unsafe { !bindings::helper_sk_queue_empty(self.as_raw()) }
    }

    /// Returns the memory, in bytes, of the packets in the receive queue.
    pub(crate) fn received_memory(&self) -> usize {
        // SAFETY: By the type invariant, the socket is valid.
        let bytes = unsafe { bindings::helper_sk_rmem_alloc(self.as_raw()) };
        usize::try_from(bytes).unwrap_or(0)
    }

    /// Returns `SO_RCVBUF`.
    pub(crate) fn receive_buffer(&self) -> usize {
        // SAFETY: By the type invariant, the socket is valid.
        let bytes = unsafe { bindings::helper_sk_rcvbuf(self.as_raw()) };
        usize::try_from(bytes).unwrap_or(0)
    }

    /// Returns `SO_SNDBUF`.
    pub(crate) fn send_buffer(&self) -> usize {
        // SAFETY: By the type invariant, the socket is valid.
        let bytes = unsafe { bindings::helper_sk_sndbuf(self.as_raw()) };
        usize::try_from(bytes).unwrap_or(0)
    }

    /// Returns `SO_PRIORITY`.
    pub(crate) fn priority(&self) -> u32 {
        // SAFETY: By the type invariant, the socket is valid.
        unsafe { bindings::helper_sk_priority(self.as_raw()) }
    }

    /// Returns the number of the socket's inode; `None` if its file was closed.
    pub(crate) fn inode(&self) -> Option<u64> {
        // SAFETY: By the type invariant, the socket is valid.
        let inode = unsafe { bindings::helper_sock_i_ino(self.as_raw()) };
        Some(inode).filter(|inode| *inode != 0)
    }

    /// Returns the index of the interface of `SO_BINDTODEVICE`.
    pub(crate) fn bound_interface(&self) -> Option<u32> {
        // SAFETY: By the type invariant, the socket is valid.
        let index = unsafe { bindings::helper_sk_bound_dev_if(self.as_raw()) };
        u32::try_from(index).ok().filter(|&index| index != 0)
    }

    /// Returns the network namespace of the socket, to which the socket holds a reference.
    pub(crate) fn net(&self) -> NonNull<bindings::net> {
        // SAFETY: By the type invariant, the socket is valid.
        let net = unsafe { bindings::helper_sock_net(self.as_raw()) };
        // SAFETY: A socket always has a network namespace.
        unsafe { NonNull::new_unchecked(net) }
    }

    /// Takes the lock of the receive queue. Any context.
    pub(super) fn lock_queue(&self) -> QueueGuard<'_, P> {
        // SAFETY: By the type invariant, the socket is valid.
        let flags = unsafe { bindings::helper_sk_queue_lock(self.as_raw()) };
        // INVARIANT: The lock was just taken.
        QueueGuard {
            socket: self,
            flags,
            _not_send: NotThreadSafe,
        }
    }
}

// SAFETY: By the type invariant, instances are parts of counted sockets, which a reference keeps
// alive.
unsafe impl<P: SocketOps> AlwaysRefCounted for Socket<P> {
    fn inc_ref(&self) {
        // SAFETY: `self` is a reference, so that the count is not zero.
        unsafe { bindings::helper_sock_hold(self.as_raw()) }
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the safety requirements, there is a reference until here.
        let sk = unsafe { obj.as_ref() }.as_raw();
        // SAFETY: By the safety requirements, the reference passes to the callee.
        unsafe { bindings::helper_sock_put(sk) }
    }
}

/// The lock of a socket's receive queue, held by this CPU with interrupts off.
///
/// # Invariants
///
/// The lock of the socket's receive queue is held, and `flags` is what taking it returned.
pub(super) struct QueueGuard<'a, P: SocketOps> {
    pub(super) socket: &'a Socket<P>,
    flags: c_ulong,
    _not_send: NotThreadSafe,
}

impl<P: SocketOps> QueueGuard<'_, P> {
    /// Returns the number of the socket's current association.
    pub(super) fn epoch(&mut self) -> &mut u64 {
        // SAFETY: By the type invariant, the lock is held, which protects the number.
        unsafe { &mut *self.socket.epoch.get() }
    }
}

impl<P: SocketOps> Drop for QueueGuard<'_, P> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the lock is held, and these are its flags.
        unsafe { bindings::helper_sk_queue_unlock(self.socket.as_raw(), self.flags) }
    }
}
