// SPDX-License-Identifier: GPL-2.0

//! A timer that looks after transmission while there is something to look after.
//!
//! The network core's own watchdog only sees whether the queue is stopped, which the byte queue
//! limits do for a single packet, and do not do for others that are never completed.
//!
//! C header: [`include/linux/timer.h`](srctree/include/linux/timer.h)

use crate::abstractions::bindings;
use kernel::{
    container_of,
    prelude::*,
    sync::atomic::{
        AtomicFlag,
        Relaxed, //
    },
    types::Opaque, //
};

/// The timer's function.
pub(super) type Tick = unsafe extern "C" fn(*mut bindings::timer_list);

/// A timer for a transmit queue.
///
/// # Invariants
///
/// The timer is initialized. It is pending, or its function runs, only from
/// [`enable`](Self::enable) until [`disable`](Self::disable).
#[repr(C)]
pub(super) struct Watchdog {
    timer: Opaque<bindings::timer_list>,
    /// Whether the timer is pending, or its function is about to decide on that. Changed with the
    /// lock of the transmit queue held.
    armed: AtomicFlag,
    /// Whether it was disabled since the timer's function ran.
    restarted: AtomicFlag,
}

impl Watchdog {
    /// Initializes a watchdog, disabled. Process context.
    ///
    /// # Safety
    ///
    /// `this` must point to zeroes, of which nobody else knows, and which stay where they are.
    pub(super) unsafe fn init(this: *mut Self, tick: Tick) {
        // SAFETY: By the safety requirements; only the address of a part of it is taken.
        let timer = unsafe { &raw mut (*this).timer };
        // SAFETY: The memory is valid, and nobody else uses the timer.
        // INVARIANT: It is initialized now, and not pending.
        unsafe { bindings::helper_timer_setup(timer.cast(), Some(tick)) };
        // A packet may be sent before it is enabled, which must not start it.
        // SAFETY: The timer was just initialized.
        unsafe { bindings::timer_shutdown_sync(timer.cast()) };
    }

    /// Returns the watchdog of a timer.
    ///
    /// # Safety
    ///
    /// `timer` must be the timer of a watchdog.
    pub(super) unsafe fn of(timer: *mut bindings::timer_list) -> *mut Self {
        let timer: *mut Opaque<bindings::timer_list> = timer.cast();
        // SAFETY: By the safety requirements.
        unsafe { container_of!(timer, Self, timer) }
    }

    /// Enables the watchdog, disabled before, and starts the timer.
    ///
    /// # Safety
    ///
    /// The lock of the transmit queue must be held. What `tick` uses must be valid until
    /// [`disable`](Self::disable).
    pub(super) unsafe fn enable(&self, tick: Tick, ms: c_uint) {
        self.restarted.store(true, Relaxed);
        self.armed.store(true, Relaxed);
        // SAFETY: The timer is shut down, and the lock that is held for all other uses of it is
        // held here.
        unsafe { bindings::helper_timer_setup(self.timer.get(), Some(tick)) };
        self.start(ms);
    }

    /// Disables the watchdog, or does nothing. Waits for the timer's function to end; nothing
    /// starts the timer again before [`enable`](Self::enable). Process context, without the lock of
    /// the transmit queue.
    pub(super) fn disable(&self) {
        // SAFETY: By the type invariant, the timer is initialized; its function takes no lock but
        // that of the transmit queue.
        unsafe { bindings::timer_shutdown_sync(self.timer.get()) };
    }

    /// Sees to it that the timer's function runs, after a packet was sent. With the lock of the
    /// transmit queue held.
    #[inline]
    pub(super) fn arm(&self, ms: c_uint) {
        if !self.armed.load(Relaxed) {
            self.armed.store(true, Relaxed);
            self.start(ms);
        }
    }

    /// Starts the timer once more, or lets it rest until the next packet. For the timer's function,
    /// with the lock of the transmit queue held.
    pub(super) fn ticked(&self, again: bool, ms: c_uint) {
        if again {
            self.start(ms);
        } else {
            self.armed.store(false, Relaxed);
        }
    }

    /// Returns whether this is the first call since the watchdog was enabled.
    pub(super) fn take_restarted(&self) -> bool {
        self.restarted.xchg(false, Relaxed)
    }

    /// Starts the timer, unless it was shut down.
    #[cold]
    fn start(&self, ms: c_uint) {
        // SAFETY: By the type invariant, the timer is initialized.
        unsafe { bindings::helper_timer_start(self.timer.get(), ms) };
    }
}
