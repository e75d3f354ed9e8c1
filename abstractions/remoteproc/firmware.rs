// SPDX-License-Identifier: GPL-2.0

//! Firmware files: each is checked before remoteproc's ELF loader reads it.
//!
//! remoteproc asks for a check when it boots a processor. At a recovery it only loads the segments
//! and looks for the table, with functions that trust the file. So the file is checked again when
//! segments are loaded, and the table is searched for only in a file that was checked.
//!
//! C header: [`include/linux/remoteproc.h`](srctree/include/linux/remoteproc.h)

use super::{
    handle::Rproc,
    ops::context,
    registration::Operations, //
};
use crate::abstractions::{
    bindings,
    compat::prelude::*, //
};
use core::ptr::null_mut;
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    }, //
};

/// Type of the operations that only look at a file or load it.
type WithFile = unsafe extern "C" fn(*mut bindings::rproc, *const bindings::firmware) -> c_int;
/// Type of the operation that finds the table of a file in the processor's memory.
type FindTable = unsafe extern "C" fn(
    *mut bindings::rproc,
    *const bindings::firmware,
) -> *mut bindings::resource_table;

/// The ELF loader's operations, in place of which those of this file are called.
pub(crate) struct ElfLoader {
    check: Option<WithFile>,
    load: Option<WithFile>,
    find_table: Option<FindTable>,
    /// The file that was checked and loaded, until its table was looked for.
    loaded: Atomic<*const u8>,
}

impl ElfLoader {
    /// Puts the operations of this file in the place of the loader's, which are returned.
    pub(super) fn replace<T: Operations>(ops: &mut bindings::rproc_ops) -> Self {
        Self {
            check: ops.sanity_check.replace(check::<T>),
            load: ops.load.replace(load::<T>),
            find_table: ops.find_loaded_rsc_table.replace(find_loaded_table),
            loaded: Atomic::new(core::ptr::null()),
        }
    }
}

/// Checks a file as the driver does, and then as the ELF loader does.
///
/// # Safety
///
/// For operations that remoteproc calls, with their arguments.
unsafe fn check_file<T: Operations>(
    rproc: *mut bindings::rproc,
    fw: *const bindings::firmware,
    in_use: Option<&[u8]>,
) -> Result {
    // SAFETY: The operations are only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    if !T::HAS_CHECK_FIRMWARE {
        return Err(EOPNOTSUPP);
    }
    // SAFETY: remoteproc keeps the file during the operation, or gives none.
    let file = unsafe { fw.as_ref() }.ok_or(EINVAL)?;
    let image = if file.data.is_null() {
        &[]
    } else {
        // SAFETY: The file is `size` bytes of memory that nobody writes to.
        unsafe { core::slice::from_raw_parts(file.data, file.size) }
    };
    if !context
        .ops
        .check_firmware(this, image, in_use)?
        .is_of(image)
    {
        return Err(EINVAL);
    }
    let check = this.private().elf.check.ok_or(EINVAL)?;
    // SAFETY: This is the operation in place of which remoteproc called ours.
    to_result(unsafe { check(rproc, fw) })
}

/// Checks a file before a boot.
extern "C" fn check<T: Operations>(
    rproc: *mut bindings::rproc,
    fw: *const bindings::firmware,
) -> c_int {
    // SAFETY: This is such an operation.
    from_result(|| unsafe { check_file::<T>(rproc, fw, None) }.map(|()| 0))
}

/// Checks a file, and loads its segments.
extern "C" fn load<T: Operations>(
    rproc: *mut bindings::rproc,
    fw: *const bindings::firmware,
) -> c_int {
    // SAFETY: The operation is only set for processors made by `Unregistered::new`.
    let private = unsafe { Rproc::from_raw(rproc) }.private();
    from_result(|| {
        // SAFETY: The processor is valid, and its lock is held in this operation.
        let in_use = unsafe { table_in_use(rproc) }?;
        let in_use = (!in_use.is_empty()).then_some(&*in_use);
        // SAFETY: This is such an operation.
        unsafe { check_file::<T>(rproc, fw, in_use) }?;
        let load = private.elf.load.ok_or(EINVAL)?;
        // SAFETY: This is the operation in place of which remoteproc called us. It reads nothing
        // beyond the end of the file, which was just checked.
        to_result(unsafe { load(rproc, fw) })?;
        private.elf.loaded.store(fw.cast(), Relaxed);
        private.recovery.loaded();
        Ok(0)
    })
}

/// Returns a copy of Linux's resource table, empty if there is none.
///
/// # Safety
///
/// `rproc` must be valid, with its lock held.
unsafe fn table_in_use(rproc: *mut bindings::rproc) -> Result<KVec<u8>> {
    // SAFETY: By the safety requirements.
    let table = unsafe { (*rproc).table_ptr }.cast::<u8>();
    // SAFETY: By the safety requirements.
    let len = unsafe { (*rproc).table_sz };
    let mut copy = KVec::new();
    if !table.is_null() {
        copy.reserve(len, GFP_KERNEL)?;
        for i in 0..len {
            let byte = table.wrapping_add(i);
            // SAFETY: The table has `len` bytes and stays while the lock is held. A virtio device
            // that is just being removed may write to it.
            copy.push(unsafe { byte.read_volatile() }, GFP_KERNEL)?;
        }
    }
    Ok(copy)
}

/// Finds the table of the file that was loaded and stores its place, but returns none to
/// remoteproc, which then goes on to use its own.
extern "C" fn find_loaded_table(
    rproc: *mut bindings::rproc,
    fw: *const bindings::firmware,
) -> *mut bindings::resource_table {
    // SAFETY: The operation is only set for processors made by `Unregistered::new`.
    let private = unsafe { Rproc::from_raw(rproc) }.private();
    let loaded = private.elf.loaded.load(Relaxed);
    private.elf.loaded.store(core::ptr::null(), Relaxed);
    let table = match private.elf.find_table.filter(|_| loaded == fw.cast()) {
        // SAFETY: This is the operation in place of which remoteproc called us. It reads nothing
        // beyond the end of the file, which was checked, since it was loaded.
        Some(find) => unsafe { find(rproc, fw) },
        None => null_mut(),
    };
    // SAFETY: A table is refreshed when virtio devices kick, and in this operation the processor
    // has none: it is about to be started.
    unsafe { private.shown.found(table) };
    null_mut()
}
