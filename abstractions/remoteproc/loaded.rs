// SPDX-License-Identifier: GPL-2.0

//! The resource table of a processor that runs already, and is attached to.
//!
//! remoteproc uses the table that it is given in place, and trusts it: it reads values again that
//! it has checked, and virtio keeps the status of its device there. A processor could change its
//! table meanwhile. So the table is read once, and remoteproc is given that copy. As of a processor
//! that was booted, [`Shown`](super::table::Shown) copies what Linux writes to the processor's own.
//!
//! C header: [`include/linux/remoteproc.h`](srctree/include/linux/remoteproc.h)

use super::carveout::DeviceRange;
use crate::abstractions::{
    bindings,
    memory::Memory, //
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::prelude::*;

/// A copy of the resource table of a processor.
///
/// # Invariants
///
/// `bytes` has as many bytes as `range`.
pub(crate) struct LoadedTable {
    range: DeviceRange,
    bytes: KVec<u8>,
}

impl LoadedTable {
    /// Reads the table at `offset` of the memory, each byte once. The processor has it at `range`.
    #[allow(dead_code, reason = "a board that attaches to nothing reads no table")]
    pub(crate) fn read(memory: &Memory, offset: usize, range: DeviceRange) -> Result<Self> {
        if offset
            .checked_add(range.len)
            .is_none_or(|end| end > memory.len())
        {
            return Err(ERANGE);
        }
        let mut bytes = KVec::with_capacity(range.len, GFP_KERNEL)?;
        for at in offset..offset + range.len {
            bytes.push(memory.read::<u8>(at)?, GFP_KERNEL)?;
        }
        // INVARIANT: One byte was pushed for each of the range.
        Ok(Self { range, bytes })
    }

    /// Returns the copy.
    #[allow(dead_code, reason = "a board that attaches to nothing reads no table")]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The table that remoteproc uses while it is attached to a processor.
///
/// # Invariants
///
/// `bytes` points to what [`KVec::into_raw_parts`] returned, with the length of `clean` and of
/// `range` and with `capacity`. There are no references to it.
pub(super) struct TableInUse {
    range: DeviceRange,
    bytes: NonNull<u8>,
    capacity: usize,
    /// The table as it was read.
    clean: KVec<u8>,
}

// SAFETY: It owns its memory.
unsafe impl Send for TableInUse {}

impl TableInUse {
    /// Makes the table from what was read. `EINVAL` if that has no header.
    pub(super) fn new(table: LoadedTable) -> Result<Self> {
        let LoadedTable { range, bytes } = table;
        if range.len < size_of::<bindings::resource_table>() {
            return Err(EINVAL);
        }
        let mut clean = KVec::with_capacity(range.len, GFP_KERNEL)?;
        clean.extend_from_slice(&bytes, GFP_KERNEL)?;
        let (bytes, _, capacity) = bytes.into_raw_parts();
        // INVARIANT: `into_raw_parts()` returned the pointer and the capacity. All have one
        // length: that of `range`, by the invariant of `LoadedTable`.
        Ok(Self {
            range,
            bytes: NonNull::new(bytes).ok_or(EINVAL)?,
            capacity,
            clean,
        })
    }

    /// Returns where the processor has its table.
    pub(super) fn range(&self) -> DeviceRange {
        self.range
    }

    /// Returns the table, valid as long as `self`.
    pub(super) fn as_ptr(&self) -> *mut bindings::resource_table {
        self.bytes.as_ptr().cast()
    }

    /// Returns whether remoteproc uses the table.
    ///
    /// # Safety
    ///
    /// `rproc` must be valid, with its lock held.
    pub(super) unsafe fn is_used_by(&self, rproc: *mut bindings::rproc) -> bool {
        // SAFETY: By the safety requirements, the processor is valid, with its lock held.
        unsafe { (*rproc).table_ptr == self.as_ptr() }
    }

    /// Makes remoteproc use the table again that it has given up for a stop or a detach, which
    /// failed. It cannot try once more without: it has freed `clean_table`, but would use it again.
    ///
    /// # Safety
    ///
    /// For the operations `stop` and `detach`, of the processor that this is the table of.
    pub(super) unsafe fn restore(&self, rproc: *mut bindings::rproc) {
        // SAFETY: By the safety requirements, an operation calls this: remoteproc passed a valid
        // processor, whose lock it holds.
        let cached = unsafe { (*rproc).cached_table };
        if cached.is_null() {
            // It is the end of an attach that failed, for which nothing was given up.
            return;
        }
        for (i, clean) in self.clean.iter().enumerate() {
            let byte = cached.cast::<u8>().wrapping_add(i);
            // SAFETY: remoteproc's copy is as long as the table, which is as long as `clean`.
            let used = unsafe { byte.read() };
            // SAFETY: By the type invariant, `bytes` is as long as `clean`, and there are no
            // references to it.
            unsafe { self.bytes.as_ptr().wrapping_add(i).write(used) };
            // SAFETY: The byte was read, and only remoteproc writes the copy, with its lock held.
            unsafe { byte.write(*clean) };
        }
        // SAFETY: The lock of the processor is held. A stop and a detach free this as they would
        // free the copy.
        unsafe { (*rproc).clean_table = cached };
        // SAFETY: The lock of the processor is held.
        unsafe { (*rproc).cached_table = null_mut() };
        // SAFETY: The lock of the processor is held. The table lives until `unprepare`.
        unsafe { (*rproc).table_ptr = self.as_ptr() };
    }
}

impl Drop for TableInUse {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, `into_raw_parts()` returned these; this is the only place
        // that frees them.
        drop(unsafe { KVec::from_raw_parts(self.bytes.as_ptr(), self.clean.len(), self.capacity) });
    }
}
