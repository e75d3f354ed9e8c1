// SPDX-License-Identifier: GPL-2.0

//! Kicks, which tell the remote processor to look at a vring.
//!
//! Frames are sent and buffers returned in atomic context, but the `kick` of some platforms sleeps
//! until the last kick was received. So kicks go through a work item, unless the platform's driver
//! is known to kick without sleeping.

use super::{
    bindings,
    Link,
    PerVring,
    Vring, //
};
use crate::abstractions::compat::barrier;
use core::{
    pin::Pin,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        AtomicFlag,
        Full,
        Relaxed, //
    },
    types::Opaque, //
};

/// The remote processor to kick, and the numbers to kick it with.
///
/// # Invariants
///
/// Both pointers are valid, and the remote processor has a `kick`.
#[derive(Clone, Copy)]
struct Target {
    rproc: NonNull<bindings::rproc>,
    vdev: NonNull<bindings::virtio_device>,
    notify_ids: PerVring<c_int>,
}

impl Target {
    /// Kicks by the platform's driver, which may sleep.
    #[inline]
    fn kick(&self, vring: Vring) {
        let number = vring.number() as c_uint;
        // SAFETY: By the type invariant, `rproc` and `vdev` are valid and `rproc->ops->kick` is
        // set.
        unsafe {
            bindings::caif_virtio_kick(
                self.rproc.as_ptr(),
                *self.notify_ids.get(vring),
                self.vdev.as_ptr(),
                number,
            )
        };
    }
}

/// Kicks of the vrings of a link.
pub(super) struct Kicker {
    target: Target,
    /// `None` if kicks do not sleep.
    deferred: Option<Pin<KBox<Deferred>>>,
}

/// Kicks that wait for process context.
///
/// # Invariants
///
/// `work` is initialized with [`run`], and embedded in an instance that is dropped only after it
/// was cancelled.
#[repr(C)]
struct Deferred {
    work: Opaque<bindings::work_struct>,
    due: PerVring<AtomicFlag>,
    /// Whether the work item is disabled. Changed by virtio's callbacks, which run one at a time,
    /// with the device's lock held.
    held: AtomicFlag,
    target: Target,
}

impl Kicker {
    /// Creates the kicks of a link's vrings.
    ///
    /// # Safety
    ///
    /// The new object must be dropped before the link's lifetime ends.
    pub(super) unsafe fn new(link: &Link<'_>) -> Result<Self> {
        // INVARIANT: By the invariant of `Link`, both are valid as long as the new object, by the
        // safety requirements. remoteproc creates virtio devices only if there is a `kick`.
        let target = Target {
            rproc: link.rproc,
            vdev: NonNull::new(link.vdev().as_raw()).ok_or(ENODEV)?,
            notify_ids: PerVring::try_from_fn(|vring| Ok(link.notify_id(vring)))?,
        };
        let deferred = if link.platform().kicks_atomically {
            None
        } else {
            let deferred = KBox::pin(
                Deferred {
                    work: Opaque::zeroed(),
                    due: PerVring {
                        rx: AtomicFlag::new(false),
                        tx: AtomicFlag::new(false),
                    },
                    held: AtomicFlag::new(false),
                    target,
                },
                GFP_KERNEL,
            )?;
            // SAFETY: The work item is not in use yet, and stays where it is.
            // INVARIANT: It is initialized here; `drop()` cancels it.
            unsafe { bindings::helper_init_work(deferred.work.get(), Some(run)) };
            Some(deferred)
        };
        Ok(Self { target, deferred })
    }

    /// Kicks the remote processor for a vring. Any context.
    #[inline]
    pub(super) fn kick(&self, vring: Vring) {
        match &self.deferred {
            None => self.kick_now(vring),
            Some(deferred) => {
                deferred.due.get(vring).store(true, Relaxed);
                // queue_work() orders the store before the work's run. It does nothing while kicks
                // are held.
                // SAFETY: By the invariant of `Deferred`, the work item is initialized.
                unsafe { bindings::helper_schedule_work(deferred.work.get()) };
            }
        }
    }

    /// Waits for a deferred kick that is running, and starts no other before
    /// [`release`](Self::release), even if [`kick`](Self::kick) is called. Process context: sleeps.
    pub(super) fn hold(&self) {
        if let Some(deferred) = &self.deferred {
            if !deferred.held.xchg(true, Full) {
                // SAFETY: By the invariant of `Deferred`, the work item is initialized.
                unsafe { bindings::disable_work_sync(deferred.work.get()) };
            }
        }
    }

    /// Undoes [`hold`](Self::hold), if that was done. Process context: may sleep.
    pub(super) fn release(&self) {
        if let Some(deferred) = &self.deferred {
            if deferred.held.xchg(false, Full) {
                // SAFETY: By the invariant of `Deferred`, the work item is initialized; it was
                // disabled once.
                unsafe { bindings::enable_work(deferred.work.get()) };
            }
        }
    }

    /// Kicks like [`kick`](Self::kick), but at once. Process context, unless kicks are known not to
    /// sleep.
    #[inline]
    pub(super) fn kick_now(&self, vring: Vring) {
        self.target.kick(vring);
    }

    /// Kicks the remote processor so that it reads the status, which was just set, by
    /// [`kick`](Self::kick) or [`kick_now`](Self::kick_now).
    pub(super) fn tell_status(&self, kick: impl FnOnce(&Self, Vring)) {
        // Drivers of some mailboxes store to their registers without a barrier, and the remote
        // processor must not find the status of before. What a ring publishes has its own barrier.
        barrier::mb(barrier::Full);
        kick(self, Vring::Rx);
    }
}

impl Drop for Kicker {
    fn drop(&mut self) {
        if let Some(deferred) = &self.deferred {
            // SAFETY: The work item is initialized. `kick()` borrows the kicker, so that the work
            // is not scheduled again.
            unsafe { bindings::cancel_work_sync(deferred.work.get()) };
        }
    }
}

/// Does the kicks that are due. Process context: may sleep.
///
/// # Safety
///
/// Must be called by the workqueue with the `work` of a [`Deferred`].
unsafe extern "C" fn run(work: *mut bindings::work_struct) {
    // SAFETY: The work item is the first member of a `Deferred`, which is valid while the work runs
    // and to which there are only shared references.
    let deferred = unsafe { &*work.cast::<Deferred>() };
    for vring in Vring::ALL {
        if deferred.due.get(vring).xchg(false, Full) {
            deferred.target.kick(vring);
        }
    }
}
