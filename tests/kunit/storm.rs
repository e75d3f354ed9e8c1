// SPDX-License-Identifier: GPL-2.0

//! Interrupts without end, from a task that can be preempted in the middle of one.

use crate::{
    abstractions::remoteproc::Rproc,
    control,
    fake::Fake, //
};
use kernel::{
    impl_has_work,
    new_work,
    prelude::*,
    sync::{
        aref::ARef,
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

/// A storm; it ends when this is dropped.
pub(crate) struct Storm(Arc<Task>);

#[pin_data]
struct Task {
    rproc: ARef<Rproc>,
    vrings: &'static [u32],
    ends: Atomic<bool>,
    /// Interrupts that found a virtqueue with something to do.
    hits: Atomic<u64>,
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
            for vring in this.vrings {
                if this.rproc.vq_interrupt(*vring) {
                    this.hits.add(1, Relaxed);
                }
            }
            control::relax();
        }
        this.ended.complete_all();
    }
}

impl Storm {
    /// Starts to interrupt for these vrings. The task runs when this returns.
    pub(crate) fn begin(fake: &Fake, vrings: &'static [u32]) -> Result<Self> {
        let task = Arc::pin_init(
            pin_init!(Task {
                rproc: fake.rproc().clone(),
                vrings,
                ends: Atomic::new(false),
                hits: Atomic::new(0),
                begun <- Completion::new(),
                ended <- Completion::new(),
                work <- new_work!("caif_kunit_storm"),
            }),
            GFP_KERNEL,
        )?;
        let queued = workqueue::system_unbound().enqueue(task.clone());
        check!(queued.is_ok(), "the storm could not begin");
        task.begun.wait_for_completion();
        Ok(Self(task))
    }

    /// Interrupts that found a virtqueue with something to do.
    pub(crate) fn hits(&self) -> u64 {
        self.0.hits.load(Relaxed)
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.0.ends.store(true, Relaxed);
        self.0.ended.wait_for_completion();
    }
}
