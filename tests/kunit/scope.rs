// SPDX-License-Identifier: GPL-2.0

//! Points at which code of a test can run: in a kick, when a packet arrives, when one that was sent
//! is freed.
//!
//! The code may use the test's stack, as it is set only for the time of a call.

use crate::{
    abstractions::event::Event,
    fake::TIMEOUT_MS, //
};
use core::ptr::{
    from_ref,
    null, //
};
use kernel::{
    impl_has_work,
    new_spinlock_irq,
    new_work,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        rcu,
        Arc,
        Completion,
        SpinLockIrq, //
    },
    workqueue::{
        self,
        Work,
        WorkItem, //
    }, //
};

/// The function of a point; its real lifetime is that of the call that set it.
type Call = &'static (dyn Fn() + Sync);

/// A point where code of a test can run.
///
/// # Invariants
///
/// `call` is null, or points to what is valid until it is null and an RCU grace period is over.
pub(crate) struct Point {
    call: Atomic<*const Call>,
}

impl Point {
    /// Returns a point without a function.
    pub(crate) const fn unused() -> Self {
        // INVARIANT: It is null.
        Self {
            call: Atomic::new(null()),
        }
    }

    /// Runs the point's function. Any context.
    pub(crate) fn run(&self) {
        let _guard = rcu::read_lock();
        let call = self.call.load(Acquire);
        if call.is_null() {
            return;
        }
        // SAFETY: By the type invariant, as the RCU read lock is held.
        let call = unsafe { &*call };
        call();
    }

    /// Runs `f` each time that the point is reached while `body` runs. `f` must not sleep; it runs
    /// in the context of the point, perhaps several times at once. May sleep.
    pub(crate) fn during<R>(&self, f: &(dyn Fn() + Sync), body: impl FnOnce() -> R) -> R {
        // INVARIANT: `f` and the reference to it live until the grace period below is over; code
        // of the kernel does not unwind.
        self.call.store(from_ref(&f).cast(), Release);
        let ret = body();
        self.call.store(null(), Relaxed);
        rcu::synchronize_rcu();
        ret
    }

    /// Runs `f`, which must not sleep, the first time that the point is reached from the begin of
    /// `body` on, and returns what it returns. May sleep.
    pub(crate) fn once<T: Send + Unpin>(
        &self,
        f: impl FnOnce() -> Result<T> + Send + Unpin,
        body: impl FnOnce() -> Result,
    ) -> Result<T> {
        let once = KBox::pin_init(
            pin_init!(Once {
                f <- new_spinlock_irq!(Some(f)),
                result <- new_spinlock_irq!(None),
                event <- Event::new(),
            }),
            GFP_KERNEL,
        )?;
        let body = self.during(&|| once.run(), || {
            body()?;
            check!(once.event.wait(TIMEOUT_MS), "a point was not reached");
            Ok(())
        });
        let result = once.result.lock().take();
        // An error at the point explains those after it.
        let result = result.unwrap_or(Err(ETIMEDOUT));
        match body {
            Err(error) => result.and(Err(error)),
            Ok(()) => result,
        }
    }
}

/// Runs `f` in another task, which begins before `body` and ends before this returns. May sleep.
pub(crate) fn beside<R>(f: &(dyn Fn() + Sync), body: impl FnOnce() -> R) -> Result<R> {
    // Not in the initializer, which is a closure that has a copy of `f`.
    let call: *const Call = from_ref(&f).cast();
    let task = Arc::pin_init(
        pin_init!(Task {
            // INVARIANT: `f` and the reference to it live until the task has ended, which is waited
            // for below; code of the kernel does not unwind.
            call: Atomic::new(call),
            begun <- Completion::new(),
            ended <- Completion::new(),
            work <- new_work!("caif_kunit_beside"),
        }),
        GFP_KERNEL,
    )?;
    let queued = workqueue::system_unbound().enqueue(task.clone());
    check!(queued.is_ok(), "the task could not begin");
    task.begun.wait_for_completion();
    let ret = body();
    task.ended.wait_for_completion();
    Ok(ret)
}

/// Another task.
///
/// # Invariants
///
/// `call` is valid until `ended` is complete.
#[pin_data]
struct Task {
    call: Atomic<*const Call>,
    #[pin]
    begun: Completion,
    #[pin]
    ended: Completion,
    #[pin]
    work: Work<Task>,
}

impl_has_work! {
    impl HasWork<Self> for Task { self.work }
}

impl WorkItem for Task {
    type Pointer = Arc<Task>;

    fn run(this: Arc<Task>) {
        this.begun.complete_all();
        // SAFETY: By the type invariant.
        let call = unsafe { &*this.call.load(Relaxed) };
        call();
        this.ended.complete_all();
    }
}

/// A function that runs once.
#[pin_data]
struct Once<F, T> {
    #[pin]
    f: SpinLockIrq<Option<F>>,
    #[pin]
    result: SpinLockIrq<Option<Result<T>>>,
    #[pin]
    event: Event,
}

impl<F: FnOnce() -> Result<T> + Unpin, T: Unpin> Once<F, T> {
    fn run(&self) {
        let Some(f) = self.f.lock().take() else {
            return;
        };
        let result = f();
        *self.result.lock() = Some(result);
        self.event.set();
    }
}
