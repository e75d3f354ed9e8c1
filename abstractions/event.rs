// SPDX-License-Identifier: GPL-2.0

//! An event that a task waits for, for a limited time.
//!
//! C header: [`include/linux/completion.h`](srctree/include/linux/completion.h)

use super::bindings;
use core::ptr::from_ref;
use kernel::{
    prelude::*,
    sync::Completion,
    time::msecs_to_jiffies, //
};

/// A [`Completion`] that can be reset, and waited for with a timeout.
#[pin_data]
pub(crate) struct Event {
    #[pin]
    inner: Completion,
}

impl Event {
    /// Creates an initializer for an event that has not happened.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- Completion::new(),
        })
    }

    /// Returns the C structure.
    fn as_raw(&self) -> *mut bindings::completion {
        const { assert!(size_of::<Completion>() == size_of::<bindings::completion>()) };
        // CAST: A `Completion` is an `Opaque` of the C structure and nothing else.
        from_ref(&self.inner).cast_mut().cast()
    }

    /// Marks the event as not happened. Any context.
    pub(crate) fn reset(&self) {
        // SAFETY: `Event::new()` initialized the completion, which lives as long as `self`; only
        // the address of a part of it is taken.
        let done = unsafe { &raw mut (*self.as_raw()).done };
        // SAFETY: The pointer is to a part of a valid completion. `reinit_completion()` writes it
        // in the same way, without its lock.
        unsafe { done.write_volatile(0) };
    }

    /// Marks the event as happened, and wakes its waiters. Any context.
    pub(crate) fn set(&self) {
        self.inner.complete_all();
    }

    /// Waits until the event has happened, at most for `ms` milliseconds. Returns whether it has.
    /// Process context: sleeps.
    pub(crate) fn wait(&self, ms: u32) -> bool {
        // SAFETY: `Event::new()` initialized the completion, which lives as long as `self`.
        unsafe { bindings::wait_for_completion_timeout(self.as_raw(), msecs_to_jiffies(ms)) != 0 }
    }
}
