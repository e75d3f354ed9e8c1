// SPDX-License-Identifier: GPL-2.0

//! The test as the peer of a [`Toy`] socket, and as a user of one.

use crate::{
    abstractions::net::{
        skbuff::SkBuff,
        socket::Association, //
    },
    bindings,
    toy::{
        Toy,
        FAMILY, //
    }, //
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        global_lock,
        rcu,
        Arc, //
    }, //
};

global_lock! {
    // SAFETY: `init()` is called when the module is loaded, before there is a socket.
    pub(crate) unsafe(uninit) static LAST: SpinLock<Option<Arc<Association<Toy>>>> = None;
}

/// Initializes what the sockets use.
///
/// # Safety
///
/// To be called once, before there is a socket.
unsafe fn init_lock() {
    // SAFETY: By the safety requirements, this is called once, before a socket locks it.
    unsafe { LAST.init() }
}

/// The part of the module for the sockets.
pub(crate) struct Ready(());

impl Ready {
    /// Initializes it. `EBUSY` if that was done before.
    pub(crate) fn new() -> Result<Self> {
        use kernel::sync::atomic::{
            AtomicFlag,
            Full, //
        };
        static DONE: AtomicFlag = AtomicFlag::new(false);
        if DONE.xchg(true, Full) {
            return Err(EBUSY);
        }
        // SAFETY: This happens once, and the family is registered after it.
        unsafe { init_lock() };
        Ok(Self(()))
    }
}

/// Takes the association that a socket began last, of any socket.
pub(crate) fn last() -> Result<Arc<Association<Toy>>> {
    LAST.lock().take().ok_or(ENOENT)
}

/// Waits until RCU has freed all objects.
pub(crate) fn settle() {
    // Freeing one may drop the last reference to another one.
    for _ in 0..3 {
        rcu::rcu_barrier();
    }
}

/// Makes a packet whose bytes count from `first` on; all but `head` of them are in pages.
pub(crate) fn packet(len: u32, head: u32, first: u8) -> Result<SkBuff> {
    // SAFETY: Process context.
    let skb = unsafe { bindings::caif_kunit_packet(len, head.min(len), first) };
    let skb = NonNull::new(skb).ok_or(ENOMEM)?;
    // SAFETY: The packet was just made, and is ours.
    Ok(unsafe { SkBuff::from_raw(skb) })
}

/// A socket of the kernel's own.
///
/// # Invariants
///
/// The socket is open.
pub(crate) struct Kernel(NonNull<bindings::socket>);

// SAFETY: Sockets can be used from any task.
unsafe impl Send for Kernel {}

// SAFETY: As for `Send`, by several at the same time.
unsafe impl Sync for Kernel {}

impl Kernel {
    /// Makes a socket.
    pub(crate) fn new(kind: u32) -> Result<Self> {
        Self::of(FAMILY, kind, 0)
    }

    /// Makes a socket of any family.
    pub(crate) fn of(family: c_int, kind: u32, protocol: c_int) -> Result<Self> {
        let (kind, mut error) = (kind as c_int, 0);
        // SAFETY: Process context.
        let sock = unsafe { bindings::caif_kunit_socket(family, kind, protocol, &mut error) };
        // INVARIANT: It is open, unless NULL was returned.
        NonNull::new(sock)
            .map(Self)
            .ok_or_else(|| Error::from_errno(error))
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::socket {
        self.0.as_ptr()
    }

    /// Connects it.
    pub(crate) fn connect(&self, how: u8, nonblock: bool) -> Result {
        // SAFETY: By the type invariant, the socket is open.
        to_result(unsafe { bindings::caif_kunit_socket_connect(self.as_raw(), how, nonblock) })
    }

    /// Sends bytes.
    pub(crate) fn send(&self, bytes: &[u8]) -> Result<usize> {
        self.send_flags(bytes, 0)
    }

    /// Sends bytes, with `MSG_*`.
    pub(crate) fn send_flags(&self, bytes: &[u8], flags: u32) -> Result<usize> {
        let data = bytes.as_ptr().cast();
        // SAFETY: By the type invariant, the socket is open, and there are as many bytes.
        let sent =
            unsafe { bindings::caif_kunit_socket_send(self.as_raw(), data, bytes.len(), flags) };
        to_result(sent)?;
        Ok(usize::try_from(sent)?)
    }

    /// Receives bytes. Returns how many, and `MSG_*` of the message.
    pub(crate) fn receive(&self, room: &mut [u8], flags: u32) -> Result<(usize, u32)> {
        let (data, len) = (room.as_mut_ptr().cast(), room.len());
        let mut said = 0;
        // SAFETY: By the type invariant, the socket is open, and there is as much room.
        let got = unsafe {
            bindings::caif_kunit_socket_receive(self.as_raw(), data, len, flags, &mut said)
        };
        to_result(got)?;
        Ok((usize::try_from(got)?, said))
    }

    /// Counts the errors that are reported to the socket from now on, of one socket at a time.
    pub(crate) fn count_errors(&self) {
        // SAFETY: By the type invariant, the socket is open.
        unsafe { bindings::caif_kunit_socket_count_errors(self.as_raw()) }
    }

    /// Returns the number of errors that were reported to the socket that counts them.
    pub(crate) fn errors() -> i32 {
        // SAFETY: There are no requirements.
        unsafe { bindings::caif_kunit_socket_errors() }
    }

    /// Puts a packet into the socket's error queue, and closes it. Returns whether the packet was
    /// freed within `ms` milliseconds.
    pub(crate) fn close_with_error(self, ms: u32) -> Result<bool> {
        // SAFETY: By the type invariant, the socket is open.
        to_result(unsafe { bindings::caif_kunit_socket_put_error(self.as_raw()) })?;
        drop(self);
        // SAFETY: A packet was put there.
        Ok(unsafe { bindings::caif_kunit_error_is_freed(ms) })
    }

    /// Returns `EPOLL*`.
    pub(crate) fn events(&self) -> u32 {
        // SAFETY: By the type invariant, the socket is open.
        unsafe { bindings::caif_kunit_socket_events(self.as_raw()) }
    }

    /// Sets how long calls wait.
    pub(crate) fn set_timeouts(&self, ms: u32) {
        // SAFETY: By the type invariant, the socket is open.
        unsafe { bindings::caif_kunit_socket_timeouts(self.as_raw(), ms) }
    }

    /// Sets `SO_PRIORITY`.
    pub(crate) fn set_priority(&self, priority: u32) {
        // SAFETY: By the type invariant, the socket is open.
        unsafe { bindings::caif_kunit_socket_priority(self.as_raw(), priority) }
    }

    /// Sets the size of the receive buffer.
    pub(crate) fn set_room(&self, bytes: i32) {
        // SAFETY: By the type invariant, the socket is open.
        unsafe { bindings::caif_kunit_socket_room(self.as_raw(), bytes) }
    }

    /// Returns the memory of packets that wait to be received.
    pub(crate) fn memory(&self) -> i32 {
        // SAFETY: By the type invariant, the socket is open.
        unsafe { bindings::caif_kunit_socket_memory(self.as_raw()) }
    }

    /// Returns how many packets were dropped.
    pub(crate) fn drops(&self) -> i32 {
        // SAFETY: By the type invariant, the socket is open.
        unsafe { bindings::caif_kunit_socket_drops(self.as_raw()) }
    }

    /// Sets an option.
    pub(crate) fn set_option(&self, value: &mut [u8]) -> Result {
        let (data, len) = (value.as_mut_ptr().cast(), value.len() as c_uint);
        // SAFETY: By the type invariant, the socket is open, and there are as many bytes.
        to_result(unsafe { bindings::caif_kunit_socket_set(self.as_raw(), 99, 1, data, len) })
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the socket is open, and not used any more.
        unsafe { bindings::caif_kunit_socket_release(self.as_raw()) }
    }
}
