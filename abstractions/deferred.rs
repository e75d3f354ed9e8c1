// SPDX-License-Identifier: GPL-2.0

//! Tasks that run later, in process context.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::abstractions::{
    bindings,
    module::{
        Registered,
        Unregister, //
    }, //
};
use kernel::{
    container_of,
    prelude::*,
    sync::LockClassKey,
    types::Opaque, //
};

/// Creates a [`Deferred`] with a lockdep class of its own.
macro_rules! new_deferred {
    ($task:expr, $name:expr) => {
        $crate::abstractions::deferred::Deferred::new($task, $name, kernel::static_lock_class!())
    };
}
pub(crate) use new_deferred;

/// A task that runs in process context.
pub(crate) trait Task: Send + Sync + 'static {
    /// Runs the task. Process context: may sleep. Never runs twice at the same time.
    fn run(&self);
}

#[pin_data]
#[repr(C)]
struct Inner<T> {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    task: T,
}

// SAFETY: A delayed work has no ties to a thread, and the task is `Send`.
unsafe impl<T: Task> Send for Inner<T> {}

// SAFETY: A delayed work can be used from any context, and the task is `Sync`.
unsafe impl<T: Task> Sync for Inner<T> {}

// SAFETY: Disabling the work waits for the task to end, and nothing queues it afterwards.
unsafe impl<T: Task> Unregister for Inner<T> {
    fn unregister(&self) {
        // SAFETY: `Deferred::new()` initialized the work.
        unsafe { bindings::disable_delayed_work_sync(self.work.get()) };
    }
}

/// A task that can be scheduled to run later.
///
/// Dropping it waits for the task to end: that is for process context, without a lock that the task
/// takes, and not for the task itself.
pub(crate) struct Deferred<T: Task>(Registered<Inner<T>>);

impl<T: Task> Deferred<T> {
    /// Creates a deferred task that is not scheduled.
    pub(crate) fn new(
        task: T,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> Result<Self> {
        let inner = try_pin_init!(Inner {
            work <- Opaque::ffi_init(|work| {
                // SAFETY: The place is valid for a delayed work, and name and key are static.
                unsafe {
                    bindings::net_helper_init_delayed_work(
                        work,
                        Some(run::<T>),
                        name.as_char_ptr(),
                        key.as_ptr(),
                    )
                }
            }),
            task,
        }? Error);
        Registered::new(inner).map(Self)
    }

    /// Schedules the task to run in `ms` milliseconds, whatever was scheduled before. If it is
    /// running, it runs once more. Any context.
    pub(crate) fn schedule(&self, ms: u32) {
        // SAFETY: `Deferred::new()` initialized the work, and disabled before it is freed.
        unsafe { bindings::net_helper_mod_delayed_work(self.0.work.get(), ms) }
    }
}

/// Runs a task.
///
/// # Safety
///
/// `work` must be the work of an [`Inner`].
unsafe extern "C" fn run<T: Task>(work: *mut bindings::work_struct) {
    // SAFETY: By the safety requirements, the work is part of a delayed work.
    let work = unsafe { container_of!(work, bindings::delayed_work, work) };
    // CAST: `Opaque` is a transparent wrapper.
    let work: *mut Opaque<bindings::delayed_work> = work.cast();
    // SAFETY: By the safety requirements, the delayed work is that of an `Inner`.
    let inner = unsafe { container_of!(work, Inner<T>, work) };
    // SAFETY: The object is freed after the work was disabled, by `Registered`, which waits for
    // this function. Only the task is referred to, to which there are no mutable references.
    let task = unsafe { &(*inner).task };
    task.run();
}
