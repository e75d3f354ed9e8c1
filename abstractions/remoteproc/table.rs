// SPDX-License-Identifier: GPL-2.0

//! The resource table of a running processor, which sees a copy of the table that Linux uses.
//!
//! By default, remoteproc uses the table in the processor's memory after the start. The processor
//! could change it at any time, and virtio, which keeps the status of its device there, would
//! trust what it reads. So remoteproc is not told of that place: it uses its own table, which is
//! copied there when the processor starts, is attached to or is detached from, and with every kick
//! after a change of status. Virtio drivers kick when they are ready and when they stop.
//!
//! C header: [`include/linux/remoteproc.h`](srctree/include/linux/remoteproc.h)

use crate::abstractions::{
    bindings,
    compat::barrier::{
        dma_mb,
        mb,
        Full,
        Write, //
    }, //
};
use core::mem::offset_of;
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::{
            Acquire,
            Relaxed,
            Release, //
        },
        Atomic, //
    }, //
};

/// The copy of the table that a processor sees.
///
/// # Invariants
///
/// Unless `len` is 0, `own` and `copy` are valid for `len` bytes each, and `status` is below `len`.
/// They do not change while [`refresh`](Self::refresh) runs.
pub(crate) struct Shown {
    /// The table that Linux uses.
    own: Atomic<*const u8>,
    /// The processor's copy, or null if it has none.
    copy: Atomic<*mut u8>,
    len: Atomic<usize>,
    /// The offset of the virtio device's status.
    status: Atomic<usize>,
    /// The status in the processor's copy.
    seen: Atomic<u32>,
    /// Whether a CPU is copying.
    busy: Atomic<bool>,
}

impl Shown {
    /// Creates the state without a copy.
    pub(super) fn new() -> Self {
        Self {
            own: Atomic::new(core::ptr::null()),
            copy: Atomic::new(core::ptr::null_mut()),
            len: Atomic::new(0),
            status: Atomic::new(0),
            seen: Atomic::new(0),
            busy: Atomic::new(false),
        }
    }

    /// Returns the address of the table that was found last, or null.
    pub(super) fn place(&self) -> *mut u8 {
        self.copy.load(Relaxed)
    }

    /// Copies the table `own`, of `len` bytes, to the processor's copy, now and at each refresh.
    /// Does nothing if `len` is 0.
    ///
    /// # Safety
    ///
    /// Until [`hide`](Self::hide), `own` and [`place`](Self::place) must be valid for `len` bytes,
    /// and there must be no references to either. [`refresh`](Self::refresh) must not run at the
    /// same time.
    pub(super) unsafe fn show(&self, own: *const u8, len: usize) {
        if len == 0 {
            return;
        }
        // SAFETY: By the safety requirements, `own` is valid for `len` bytes.
        let status = unsafe { status_offset(own, len) }.unwrap_or(0);
        self.own.store(own, Relaxed);
        self.status.store(status, Relaxed);
        // INVARIANT: By the safety requirements, both are valid for `len` bytes and do not change
        // while `refresh()` runs; `status_offset()` stays below `len`.
        self.len.store(len, Relaxed);
        // SAFETY: The length is not 0.
        unsafe { self.copy() };
    }

    /// Stops copying.
    ///
    /// # Safety
    ///
    /// [`refresh`](Self::refresh) must not run at the same time.
    pub(super) unsafe fn hide(&self) {
        // SAFETY: By the safety requirements, `refresh()` does not run at the same time.
        unsafe { self.found(core::ptr::null_mut()) };
    }

    /// Stops copying, and stores the address of a firmware's table, or null.
    ///
    /// # Safety
    ///
    /// [`refresh`](Self::refresh) must not run at the same time.
    pub(super) unsafe fn found(&self, copy: *mut bindings::resource_table) {
        // INVARIANT: With a length of 0, there are no requirements on the place.
        self.len.store(0, Relaxed);
        self.copy.store(copy.cast(), Relaxed);
    }

    /// Copies the table if the status of the virtio device changed. Any context.
    #[inline]
    pub(super) fn refresh(&self) {
        if self.len.load(Relaxed) == 0 {
            return;
        }
        // SAFETY: The length is not 0 and, by the type invariant, stays so meanwhile.
        while unsafe { self.status() } != self.seen.load(Relaxed) {
            // Another CPU copies, and compares the status again afterwards.
            if self.busy.xchg(true, Acquire) {
                return;
            }
            // SAFETY: The length is not 0 and, by the type invariant, stays so meanwhile.
            unsafe { self.copy() };
            self.busy.store(false, Release);
            mb(Full);
        }
    }

    /// Returns the status that virtio wrote.
    ///
    /// # Safety
    ///
    /// `len` must not be 0, nor become so meanwhile.
    unsafe fn status(&self) -> u32 {
        let status = self
            .own
            .load(Relaxed)
            .wrapping_add(self.status.load(Relaxed));
        // SAFETY: By the safety requirements and the type invariant, it is inside of the table.
        u32::from(unsafe { status.read_volatile() })
    }

    /// Copies the table, its status last, since the processor waits for that.
    ///
    /// # Safety
    ///
    /// `len` must not be 0, nor become so meanwhile.
    #[cold]
    unsafe fn copy(&self) {
        let own = self.own.load(Relaxed);
        let copy = self.place();
        let at = self.status.load(Relaxed);
        // SAFETY: By the safety requirements, the length is not 0, and stays so meanwhile.
        let status = unsafe { self.status() };
        for i in (0..self.len.load(Relaxed)).filter(|&i| i != at) {
            // SAFETY: By the safety requirements and the type invariant, both are valid for `len`
            // bytes.
            let byte = unsafe { own.wrapping_add(i).read_volatile() };
            // SAFETY: By the safety requirements and the type invariant, both are valid for `len`
            // bytes.
            unsafe { copy.wrapping_add(i).write_volatile(byte) };
        }
        dma_mb(Write);
        // SAFETY: By the type invariant, the status is below `len`, for which the copy is valid.
        unsafe { copy.wrapping_add(at).write_volatile(status as u8) };
        self.seen.store(status, Relaxed);
    }
}

/// Returns the offset of the first virtio device's status in a table. `None` if it has no such
/// device.
///
/// # Safety
///
/// `table` must be valid for reads of `len` bytes.
unsafe fn status_offset(table: *const u8, len: usize) -> Option<usize> {
    let word = |offset: usize| -> Option<u32> {
        let end = offset.checked_add(size_of::<u32>())?;
        if end > len {
            return None;
        }
        // SAFETY: It was checked above that the word ends within the `len` bytes, which are valid
        // by the safety requirements.
        Some(unsafe { table.wrapping_add(offset).cast::<u32>().read_unaligned() })
    };
    let count = word(offset_of!(bindings::resource_table, num))? as usize;
    let first = size_of::<bindings::resource_table>();
    (0..count).find_map(|i| {
        let entry = word(first.checked_add(i.checked_mul(size_of::<u32>())?)?)? as usize;
        if word(entry)? != bindings::fw_resource_type_RSC_VDEV {
            return None;
        }
        // The type stands in front of the entry itself.
        entry
            .checked_add(size_of::<u32>() + offset_of!(bindings::fw_rsc_vdev, status))
            .filter(|offset| *offset < len)
    })
}
