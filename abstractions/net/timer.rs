// SPDX-License-Identifier: GPL-2.0

//! Timers that run only while they are enabled.
//!
//! C header: [`include/linux/timer.h`](srctree/include/linux/timer.h)

use crate::abstractions::bindings;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// The function of a timer. Softirq context: must not sleep.
pub(super) type Tick = unsafe extern "C" fn(*mut bindings::timer_list);

/// A timer.
///
/// # Invariants
///
/// The timer is initialized. It is pending, or its function runs, only from
/// [`enable`](Self::enable) until [`disable`](Self::disable).
#[repr(transparent)]
pub(super) struct Timer(Opaque<bindings::timer_list>);

impl Timer {
    /// Initializes a timer, disabled. Process context.
    ///
    /// # Safety
    ///
    /// `this` must point to zeroes that nothing else refers to, and that stay where they are.
    pub(super) unsafe fn init(this: *mut Self, tick: Tick) {
        // SAFETY: The memory is valid, and nothing else uses the timer.
        // INVARIANT: It is initialized now, and not pending.
        unsafe { bindings::helper_timer_setup(this.cast(), Some(tick)) };
        // Starting it before it is enabled must have no effect.
        // SAFETY: The timer was just initialized.
        unsafe { bindings::timer_shutdown_sync(this.cast()) };
    }

    /// Enables the timer, which must be disabled.
    ///
    /// # Safety
    ///
    /// Nothing may use the timer meanwhile. What `tick` uses must be valid until
    /// [`disable`](Self::disable).
    pub(super) unsafe fn enable(&self, tick: Tick) {
        // SAFETY: The timer is shut down, and nothing else uses it.
        unsafe { bindings::helper_timer_setup(self.0.get(), Some(tick)) };
    }

    /// Disables the timer if it is enabled, and waits for its function to end; nothing starts it
    /// again before [`enable`](Self::enable). Process context, without a lock that the function
    /// takes.
    pub(super) fn disable(&self) {
        // SAFETY: By the type invariant, the timer is initialized.
        unsafe { bindings::timer_shutdown_sync(self.0.get()) };
    }

    /// Starts or restarts the timer, to expire in `ms` milliseconds. Does nothing while it is
    /// disabled. Any context.
    pub(super) fn start(&self, ms: c_uint) {
        // SAFETY: By the type invariant, the timer is initialized.
        unsafe { bindings::helper_timer_start(self.0.get(), ms) };
    }

    /// Starts the timer like [`start`](Self::start), but keeps an earlier expiry.
    pub(super) fn start_unless_pending(&self, ms: c_uint) {
        // SAFETY: By the type invariant, the timer is initialized.
        unsafe { bindings::helper_timer_start_unless_pending(self.0.get(), ms) };
    }
}
