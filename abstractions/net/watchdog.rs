// SPDX-License-Identifier: GPL-2.0

//! A timer that looks after transmission while there is something to look after.
//!
//! The network core's own watchdog only sees whether the queue is stopped, which the byte queue
//! limits do for a single packet, and do not do for others that are never completed.

use super::{
    device::TxQueue,
    timer::{
        Tick,
        Timer, //
    }, //
};
use crate::abstractions::bindings;
use kernel::{
    container_of,
    prelude::*,
    sync::atomic::{
        AtomicFlag,
        Relaxed, //
    }, //
};

/// A timer for a transmit queue.
#[repr(C)]
pub(super) struct Watchdog {
    timer: Timer,
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
        // SAFETY: By the safety requirements. A packet that is sent before the watchdog is enabled
        // does not start the timer.
        unsafe { Timer::init(timer, tick) };
    }

    /// Returns the watchdog of a timer.
    ///
    /// # Safety
    ///
    /// `timer` must be the timer of a watchdog.
    pub(super) unsafe fn of(timer: *mut bindings::timer_list) -> *mut Self {
        let timer: *mut Timer = timer.cast();
        // SAFETY: By the safety requirements.
        unsafe { container_of!(timer, Self, timer) }
    }

    /// Enables the watchdog of a device, disabled before, and starts the timer.
    ///
    /// # Safety
    ///
    /// `dev` must be valid, and the lock of its transmit queue be held, which lockdep checks. What
    /// `tick` uses must be valid until [`disable`](Self::disable).
    pub(super) unsafe fn enable(&self, dev: *mut bindings::net_device, tick: Tick, ms: c_uint) {
        // SAFETY: By the safety requirements.
        unsafe { bindings::helper_assert_netif_tx_locked(dev) };
        self.restarted.store(true, Relaxed);
        self.armed.store(true, Relaxed);
        // SAFETY: The timer is shut down, and the lock that is held for all other uses of it is
        // held here.
        unsafe { self.timer.enable(tick) };
        self.start(ms);
    }

    /// Disables the watchdog, or does nothing. Waits for the timer's function to end; nothing
    /// starts the timer again before [`enable`](Self::enable). Process context, without the lock of
    /// the transmit queue.
    pub(super) fn disable(&self) {
        self.timer.disable();
    }

    /// Sees to it that the timer's function runs, after a packet was sent.
    #[inline]
    pub(super) fn arm(&self, _locked: &TxQueue<'_>, ms: c_uint) {
        if !self.armed.load(Relaxed) {
            self.armed.store(true, Relaxed);
            self.start(ms);
        }
    }

    /// Starts the timer once more, or lets it rest until the next packet. For the timer's function.
    pub(super) fn ticked(&self, _locked: &TxQueue<'_>, again: bool, ms: c_uint) {
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
        self.timer.start(ms);
    }
}
