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
    /// `this` must point to zeroes, of which nobody else knows, and which stay where they are.
    pub(super) unsafe fn init(this: *mut Self, tick: Tick) {
        // SAFETY: The memory is valid, and nobody else uses the timer.
        // INVARIANT: It is initialized now, and not pending.
        unsafe { bindings::helper_timer_setup(this.cast(), Some(tick)) };
        // What starts it before it is enabled must have no effect.
        // SAFETY: The timer was just initialized.
        unsafe { bindings::timer_shutdown_sync(this.cast()) };
    }

    /// Enables the timer, disabled before.
    ///
    /// # Safety
    ///
    /// Nobody may use the timer meanwhile. What `tick` uses must be valid until
    /// [`disable`](Self::disable).
    pub(super) unsafe fn enable(&self, tick: Tick) {
        // SAFETY: The timer is shut down, and nobody else uses it.
        unsafe { bindings::helper_timer_setup(self.0.get(), Some(tick)) };
    }

    /// Disables the timer, or does nothing. Waits for its function to end; nothing starts it again
    /// before [`enable`](Self::enable). Process context, without a lock that the function takes.
    pub(super) fn disable(&self) {
        // SAFETY: By the type invariant, the timer is initialized.
        unsafe { bindings::timer_shutdown_sync(self.0.get()) };
    }

    /// Starts the timer, or starts it anew, to expire in so many milliseconds. Does nothing while
    /// it is disabled. Any context.
    pub(super) fn start(&self, ms: c_uint) {
        // SAFETY: By the type invariant, the timer is initialized.
        unsafe { bindings::helper_timer_start(self.0.get(), ms) };
    }

    /// As [`start`](Self::start), unless it expires earlier than that anyway.
    pub(super) fn start_unless_pending(&self, ms: c_uint) {
        // SAFETY: By the type invariant, the timer is initialized.
        unsafe { bindings::helper_timer_start_unless_pending(self.0.get(), ms) };
    }
}
