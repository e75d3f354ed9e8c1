// SPDX-License-Identifier: GPL-2.0

//! The cleanup after recoveries that failed.
//!
//! For a recovery by a boot remoteproc stops the processor, loads its firmware, and starts it. If
//! the file is missing or refused, or the start fails, it leaves the processor offline with its
//! memory, its vrings and its users: a user's start finds the processor in use and does nothing,
//! and a stop finds it offline. So a work item waits for the end of each recovery, and shuts down
//! a processor whose recovery failed. After that, a start boots it again, with the firmware file
//! of that time.
//!
//! C header: [`include/linux/remoteproc.h`](srctree/include/linux/remoteproc.h)

use super::handle::{
    Locked,
    Rproc,
    State, //
};
use crate::abstractions::bindings;
use kernel::{
    container_of,
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    types::Opaque, //
};

/// Time between two checks whether a pool was released.
const PAUSE: Delta = Delta::from_millis(20);
/// Number of such checks at most: five seconds.
const PAUSES: u32 = 250;

/// The work item that checks the processor after a recovery.
///
/// # Invariants
///
/// `rproc` is the processor in whose private data this is, and `work` is initialized with [`run`].
pub(crate) struct Recovery {
    work: Opaque<bindings::work_struct>,
    rproc: *mut bindings::rproc,
    /// Whether the firmware was loaded since the last crash.
    loaded: Atomic<bool>,
    /// The number of times the processor was stopped. Changed by [`Locked::note_stop`] only.
    stops: Atomic<u32>,
}

impl Recovery {
    /// Creates the state for the processor, without the work item.
    pub(super) fn new(rproc: *mut bindings::rproc) -> Self {
        Self {
            work: Opaque::zeroed(),
            rproc,
            loaded: Atomic::new(false),
            stops: Atomic::new(0),
        }
    }

    /// Initializes the work item.
    ///
    /// # Safety
    ///
    /// `this` must be valid and stay where it is, and nothing else may use it yet.
    pub(super) unsafe fn init_work(this: *mut Self) {
        // SAFETY: By the safety requirements, `this` is valid; only the address of a part of it is
        // taken.
        let work = unsafe { &raw mut (*this).work };
        // SAFETY: The work item is not in use yet.
        unsafe {
            bindings::init_work_with_key(
                Opaque::cast_into(work),
                Some(run),
                false,
                c"rproc_recovery".as_char_ptr(),
                kernel::static_lock_class!().as_ptr(),
            )
        };
    }

    /// Notes that a crashed processor was stopped, and schedules the work item.
    pub(super) fn begin(&self) {
        self.loaded.store(false, Relaxed);
        // Freezable, as remoteproc's own work for a crash: it must not boot a processor while the
        // machine sleeps.
        // SAFETY: The workqueue always exists.
        let queue = unsafe { bindings::system_freezable_wq };
        let cpu = bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int;
        // SAFETY: By the type invariant, the work item is initialized; `cancel` is called before
        // the processor is released.
        unsafe { bindings::queue_work_on(cpu, queue, self.work.get()) };
    }

    /// Notes that firmware was loaded.
    pub(super) fn loaded(&self) {
        self.loaded.store(true, Relaxed);
    }

    /// Cancels the work, and waits for it to end. Process context: sleeps.
    pub(super) fn cancel(&self) {
        // SAFETY: By the type invariant, the work item is initialized.
        unsafe { bindings::cancel_work_sync(self.work.get()) };
    }
}

/// Ends a recovery that failed.
///
/// # Safety
///
/// Must be called by the workqueue with the `work` of a [`Recovery`].
unsafe extern "C" fn run(work: *mut bindings::work_struct) {
    // SAFETY: The work item is in a `Recovery`.
    let recovery = unsafe { container_of!(Opaque::cast_from(work), Recovery, work) };
    // SAFETY: The work item is in a `Recovery`, to which there are only shared references.
    let recovery = unsafe { &*recovery };
    // SAFETY: By the type invariant, the processor is that of this private data; the work is
    // cancelled before it is released.
    let rproc = unsafe { Rproc::from_raw(recovery.rproc) };
    // The release of a virtio device needs the memory that a shutdown frees.
    let waits =
        |rproc: &Locked<'_>| rproc.recovery_failed() && !rproc.is_deleted() && rproc.holds_pool();
    for _ in 0..PAUSES {
        if !rproc.locked(waits) {
            break;
        }
        fsleep(PAUSE);
    }
    if rproc.is_deleted() {
        return;
    }
    let Some(stops) = rproc.end_recovery() else {
        return;
    };
    // Read now, since the shutdown stops a crashed processor once more, which clears it.
    let loaded = recovery.loaded.load(Relaxed);
    // A user may start the processor as soon as it is down. So the number of stops, not the state,
    // tells whether it was shut down: that boot must not be taken for the failed one.
    let stopped = || recovery.stops.load(Relaxed) != stops;
    if rproc.shut_down_until(stopped).is_err() || !rproc.is_down() {
        return;
    }
    if loaded {
        // If a user starts it now, its use count is 2 and it must be stopped twice.
        dev_err!(rproc, "the recovery failed, it is booted again\n");
        // SAFETY: By the invariant of `Rproc`, the processor is valid.
        unsafe { bindings::rproc_boot(rproc.as_raw()) };
    } else {
        dev_err!(
            rproc,
            "the recovery failed: start it again once a valid firmware file is in place\n"
        );
    }
}

impl Rproc {
    /// Returns whether the processor is being unregistered.
    fn is_deleted(&self) -> bool {
        // SAFETY: By the invariant of `Rproc`, the structure is valid; only the address of a part
        // of it is taken.
        let deleting = unsafe { &raw const (*self.as_raw()).deleting };
        // SAFETY: The pointer is to a part of a valid structure; remoteproc reads the field without
        // a lock, too.
        unsafe { deleting.read_volatile() }
    }

    /// Marks a processor whose recovery failed as crashed, so that it can be shut down. Returns its
    /// number of stops, or `None` if there is nothing to shut down.
    pub(super) fn end_recovery(&self) -> Option<u32> {
        self.locked(|rproc| {
            let failed = rproc.recovery_failed();
            if failed && !rproc.is_in_use() {
                // A boot failed before there was a resource table, and left the carveouts. There
                // are no users whose last shutdown would release them.
                // SAFETY: By the invariant of `Rproc`, the processor is valid; it has no
                // resources but these carveouts, and its lock is held here.
                unsafe { bindings::rproc_resource_cleanup(rproc.as_raw()) };
                return None;
            }
            if failed {
                // The processor did crash, and was not recovered.
                // SAFETY: By the invariant of `Rproc`, the structure is valid, and its lock is
                // held.
                unsafe { (*rproc.as_raw()).state = bindings::rproc_state_RPROC_CRASHED };
            }
            failed.then(|| rproc.private().recovery.stops.load(Relaxed))
        })
    }

    /// Shuts the processor down, whatever its use count. Process context: sleeps.
    pub(super) fn shut_down(&self) -> Result {
        // A signal aborts remoteproc's wait for the lock, but not that of `is_down`.
        self.shut_down_until(|| self.is_down())
    }

    /// Decrements the use count until `done` holds; at zero, remoteproc shuts the processor down.
    /// Process context: sleeps.
    fn shut_down_until(&self, done: impl Fn() -> bool) -> Result {
        while !done() {
            // SAFETY: By the invariant of `Rproc`, the processor is valid.
            let ret = unsafe { bindings::rproc_shutdown(self.as_raw()) };
            // Another task may have shut it down meanwhile.
            if ret < 0 && ret != EINTR.to_errno() && !done() {
                dev_err!(self, "cannot be stopped ({ret}), its memory is not freed\n");
                return Err(Error::from_errno(ret));
            }
        }
        Ok(())
    }
}

impl Locked<'_> {
    /// Counts a stop of the processor.
    pub(super) fn note_stop(&self) {
        self.private().recovery.stops.add(1, Relaxed);
    }

    /// Returns whether the processor is offline with its memory, as a recovery that failed leaves
    /// it.
    fn recovery_failed(&self) -> bool {
        // SAFETY: By the invariant of `Rproc`, the structure is valid; only the address of a part
        // of it is taken.
        let carveouts = unsafe { &raw const (*self.as_raw()).carveouts };
        // SAFETY: The list is initialized; by the type invariant, its lock is held.
        let first = unsafe { (*carveouts).next };
        self.state() == State::Offline && first.cast_const() != carveouts
    }

    /// Returns whether the use count of the processor is above zero.
    fn is_in_use(&self) -> bool {
        // SAFETY: By the invariant of `Rproc`, the structure is valid; only the address of a part
        // of it is taken.
        let power = unsafe { &raw const (*self.as_raw()).power.counter };
        // SAFETY: The pointer is to a part of a valid structure, which changes with the lock held.
        unsafe { power.read_volatile() > 0 }
    }

    /// Returns whether a virtio device that was removed still holds its pool.
    fn holds_pool(&self) -> bool {
        // SAFETY: By the invariant of `Rproc`, the structure is valid; only the address of a part
        // of it is taken.
        let head = unsafe { &raw mut (*self.as_raw()).rvdevs };
        // SAFETY: The list is initialized; by the type invariant, its lock is held.
        let mut entry = unsafe { (*head).next };
        while entry != head {
            // SAFETY: Each entry is in an `rproc_vdev`.
            let rvdev = unsafe { container_of!(entry, bindings::rproc_vdev, node) };
            // SAFETY: The entry is valid while it is in the list.
            let pdev = unsafe { (*rvdev).pdev };
            // SAFETY: The platform device outlives the `rproc_vdev`; only the address of a part of
            // it is taken.
            let pool = unsafe { &raw const (*pdev).dev.dma_mem };
            // SAFETY: The platform device outlives the `rproc_vdev`, so that its part is valid.
            if !unsafe { pool.read_volatile() }.is_null() {
                return true;
            }
            // SAFETY: By the type invariant, the lock is held, which protects the list.
            entry = unsafe { (*entry).next };
        }
        false
    }

    /// Waits until the pools of removed virtio devices are released, so that new ones can be
    /// created, or the memory that the old ones need be freed. Process context: sleeps.
    ///
    /// A device is released with the last reference to it, and a process that binds or unbinds its
    /// driver holds one for a moment after its removal. There is no event to wait for.
    pub(super) fn wait_for_pools(&self) {
        for _ in 0..PAUSES {
            if !self.holds_pool() {
                return;
            }
            fsleep(PAUSE);
        }
        let rproc: &Rproc = self;
        dev_warn!(rproc, "a virtio device that was removed is still in use\n");
    }
}
