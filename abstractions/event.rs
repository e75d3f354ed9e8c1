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

/// A [`Completion`] that can be waited for again, and not for ever.
#[pin_data]
pub struct Event {
    #[pin]
    inner: Completion,
}

impl Event {
    /// Creates an initializer for an event that has not happened.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- Completion::new(),
        })
    }

    /// The C structure.
    fn as_raw(&self) -> *mut bindings::completion {
        // CAST: A `Completion` is an `Opaque` of the C structure and nothing else.
        from_ref(&self.inner).cast_mut().cast()
    }

    /// Lets the event not have happened. May be called in any context.
    pub fn reset(&self) {
        // SAFETY: The completion is valid; only the address of a part of it is taken.
        let done = unsafe { &raw mut (*self.as_raw()).done };
        // SAFETY: As `reinit_completion()` does; whoever sets the event at the same time may as
        // well have done so before.
        unsafe { done.write_volatile(0) };
    }

    /// Lets the event have happened, and wakes who waits for it. May be called in any context.
    pub fn set(&self) {
        self.inner.complete_all();
    }

    /// Waits until the event has happened, at most for `ms` milliseconds, and returns whether it
    /// has. May sleep.
    pub fn wait(&self, ms: u32) -> bool {
        // SAFETY: The completion is valid.
        unsafe { bindings::wait_for_completion_timeout(self.as_raw(), msecs_to_jiffies(ms)) != 0 }
    }
}
