// SPDX-License-Identifier: GPL-2.0

//! A timer that schedules a NAPI instance, for a poll function that must run again shortly.

use super::{
    napi::Napi,
    timer::Timer, //
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

/// Milliseconds from a poll to the next.
const REPOLL_MS: c_uint = 10;

/// A timer that schedules a NAPI instance.
///
/// # Invariants
///
/// From [`enable`](Self::enable) until [`disable`](Self::disable), `napi` is valid.
#[repr(C)]
pub(super) struct Repoll {
    timer: Timer,
    napi: *mut bindings::napi_struct,
    /// Whether the timer has expired since it was last started, and no run of the poll function has
    /// begun since.
    is_over: AtomicFlag,
}

impl Repoll {
    /// Initializes a timer, disabled, for an instance.
    ///
    /// # Safety
    ///
    /// `this` must point to zeroes that nothing else refers to, and that stay where they are.
    pub(super) unsafe fn init(this: *mut Self, napi: *mut bindings::napi_struct) {
        // SAFETY: By the safety requirements, `this` is valid; only the address of a part of it is
        // taken.
        let timer = unsafe { &raw mut (*this).timer };
        // SAFETY: By the safety requirements, the timer is zeroed, stays where it is and is not
        // used yet.
        unsafe { Timer::init(timer, tick) };
        // SAFETY: By the safety requirements, `this` is valid, and nothing else refers to it.
        unsafe { (*this).napi = napi };
    }

    /// Enables the timer, which must be disabled.
    ///
    /// # Safety
    ///
    /// The poll function must not run. The instance must be valid until [`disable`](Self::disable).
    pub(super) unsafe fn enable(&self) {
        // SAFETY: Only the poll function uses the timer, which does not run. The rest is by the
        // safety requirements.
        unsafe { self.timer.enable(tick) };
    }

    /// Disables the timer if it is enabled, and waits for the timer's function to end; nothing
    /// starts the timer again before [`enable`](Self::enable). Process context.
    pub(super) fn disable(&self) {
        self.timer.disable();
    }

    /// Schedules the instance in [`REPOLL_MS`]. Called by its poll function, before that completes.
    #[cold]
    pub(super) fn start(&self) {
        self.timer.start_unless_pending(REPOLL_MS);
    }

    /// Returns whether the timer has expired since the last call. Called at the begin of each run
    /// of the poll function.
    #[inline]
    pub(super) fn take_is_over(&self) -> bool {
        // Not an exchange, which would lock the bus in each run; what that would cost was not
        // measured. If the timer expires between the load and the store, the store undoes that: the
        // caller then waits once more than it has to.
        let is_over = self.is_over.load(Relaxed);
        if is_over {
            self.is_over.store(false, Relaxed);
        }
        is_over
    }
}

/// # Safety
///
/// `timer` must be that of a [`Repoll`].
unsafe extern "C" fn tick(timer: *mut bindings::timer_list) {
    let timer: *mut Timer = timer.cast();
    // SAFETY: By the safety requirements, the timer is that of a `Repoll`.
    let this = unsafe { container_of!(timer, Repoll, timer) };
    // SAFETY: The timer is embedded in it; only shared references to it are ever made.
    let this = unsafe { &*this };
    this.is_over.store(true, Relaxed);
    // SAFETY: By the type invariant, the instance is valid while the timer's function runs.
    unsafe { Napi::from_raw(this.napi) }.schedule();
}
