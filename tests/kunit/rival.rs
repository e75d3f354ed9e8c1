// SPDX-License-Identifier: GPL-2.0

//! A task that does something over and over while the test does something else.

use crate::{
    abstractions::event::Event,
    control,
    fake::TIMEOUT_MS,
    scope::Point, //
};
use kernel::{
    impl_has_work,
    new_work,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Completion, //
    },
    workqueue::{
        self,
        Work,
        WorkItem, //
    }, //
};

#[pin_data]
struct Task {
    point: Point,
    ends: Atomic<bool>,
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
        while !this.ends.load(Relaxed) {
            this.point.run();
            control::relax();
        }
        this.ended.complete_all();
    }
}

/// What one of both tells the other.
pub struct Signal {
    event: Pin<KBox<Event>>,
}

impl Signal {
    /// One that was not given.
    pub fn new() -> Result<Self> {
        Ok(Self {
            event: KBox::pin_init(Event::new(), GFP_KERNEL)?,
        })
    }

    /// Gives it. Any context.
    pub fn set(&self) {
        self.event.as_ref().get_ref().set();
    }

    /// Waits for it. Returns whether it was given. May sleep.
    pub fn wait(&self) -> bool {
        self.event.wait(TIMEOUT_MS)
    }
}

/// Runs `body` while another task runs `f`, which must not sleep, over and over. May sleep.
pub fn beside<R>(f: &(dyn Fn() + Sync), body: impl FnOnce() -> Result<R>) -> Result<R> {
    let task = Arc::pin_init(
        pin_init!(Task {
            point: Point::unused(),
            ends: Atomic::new(false),
            begun <- Completion::new(),
            ended <- Completion::new(),
            work <- new_work!("caif_kunit_rival"),
        }),
        GFP_KERNEL,
    )?;
    task.point.during(f, || {
        let queued = workqueue::system_unbound().enqueue(task.clone());
        check!(queued.is_ok(), "the other task could not begin");
        task.begun.wait_for_completion();
        let ret = body();
        task.ends.store(true, Relaxed);
        task.ended.wait_for_completion();
        ret
    })
}
