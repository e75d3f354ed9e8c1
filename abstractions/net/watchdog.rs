// SPDX-License-Identifier: GPL-2.0

//! A timer that checks on transmission while packets are in flight.
//!
//! The network core's own watchdog only checks whether the queue is stopped. The byte queue limits
//! stop it for a single packet in flight, but may not for others that are never completed.

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

/// The watchdog timer of a transmit queue.
#[repr(C)]
pub(super) struct Watchdog {
    timer: Timer,
    /// Whether the timer is pending, or its function is about to restart or disarm it. Changed with
    /// the lock of the transmit queue held.
    armed: AtomicFlag,
    /// Whether the watchdog was enabled since the timer's function last ran.
    restarted: AtomicFlag,
}

impl Watchdog {
    /// Initializes a watchdog, disabled. Process context.
    ///
    /// # Safety
    ///
    /// `this` must point to zeroes that nothing else refers to, and that stay where they are.
    pub(super) unsafe fn init(this: *mut Self, tick: Tick) {
        // SAFETY: By the safety requirements, `this` is valid; only the address of a part of it is
        // taken.
        let timer = unsafe { &raw mut (*this).timer };
        // SAFETY: By the safety requirements, the timer is zeroed, stays where it is and is not
        // used yet. A packet that is sent before the watchdog is enabled does not start it.
        unsafe { Timer::init(timer, tick) };
    }

    /// Returns the watchdog of a timer.
    ///
    /// # Safety
    ///
    /// `timer` must be the timer of a watchdog.
    pub(super) unsafe fn of(timer: *mut bindings::timer_list) -> *mut Self {
        let timer: *mut Timer = timer.cast();
        // SAFETY: By the safety requirements, the timer is that of a watchdog.
        unsafe { container_of!(timer, Self, timer) }
    }

    /// Enables the watchdog of a device, which must be disabled, and starts the timer.
    ///
    /// # Safety
    ///
    /// `dev` must be valid, and the lock of its transmit queue be held, which lockdep checks. What
    /// `tick` uses must be valid until [`disable`](Self::disable).
    pub(super) unsafe fn enable(&self, dev: *mut bindings::net_device, tick: Tick, ms: c_uint) {
        // SAFETY: By the safety requirements, the device is valid; it has a transmit queue.
        unsafe { bindings::helper_assert_netif_tx_locked(dev) };
        self.restarted.store(true, Relaxed);
        self.armed.store(true, Relaxed);
        // SAFETY: The timer is shut down, and the lock that is held for all other uses of it is
        // held here.
        unsafe { self.timer.enable(tick) };
        self.start(ms);
    }

    /// Disables the watchdog if it is enabled, and waits for the timer's function to end; nothing
    /// starts the timer again before [`enable`](Self::enable). Process context, without the lock of
    /// the transmit queue.
    pub(super) fn disable(&self) {
        self.timer.disable();
    }

    /// Starts the timer after a packet was sent, unless it is armed.
    #[inline]
    pub(super) fn arm(&self, _locked: &TxQueue<'_>, ms: c_uint) {
        if !self.armed.load(Relaxed) {
            self.armed.store(true, Relaxed);
            self.start(ms);
        }
    }

    /// Restarts the timer, or disarms it until the next packet. Called by the timer's function.
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
