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

/// Type of the operations that check a file or load it.
type WithFile = unsafe extern "C" fn(*mut bindings::rproc, *const bindings::firmware) -> c_int;
/// Type of the operation that finds a file's resource table in the processor's memory.
type FindTable = unsafe extern "C" fn(
    *mut bindings::rproc,
    *const bindings::firmware,
) -> *mut bindings::resource_table;

/// The ELF loader's operations, which those of this file replace and call.
pub(crate) struct ElfLoader {
    check: Option<WithFile>,
    load: Option<WithFile>,
    find_table: Option<FindTable>,
    /// The file that was checked and loaded, until its table is looked for.
    loaded: Atomic<*const u8>,
}

impl ElfLoader {
    /// Installs the operations of this file, and returns the loader's.
    pub(super) fn replace<T: Operations>(ops: &mut bindings::rproc_ops) -> Self {
        Self {
            check: ops.sanity_check.replace(check::<T>),
            load: ops.load.replace(load::<T>),
            find_table: ops.find_loaded_rsc_table.replace(find_loaded_table),
            loaded: Atomic::new(core::ptr::null()),
        }
    }
}

/// Checks a file by the driver's check, and then by the ELF loader's.
///
/// # Safety
///
/// Must be called by an operation of remoteproc, with the arguments of that.
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
    // SAFETY: remoteproc keeps the file during the operation, or passes NULL.
    let file = unsafe { fw.as_ref() }.ok_or(EINVAL)?;
    let image = if file.data.is_null() {
        &[]
    } else {
        // SAFETY: The file is `size` bytes of memory that nothing writes to.
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
    // SAFETY: This is the operation that ours replaced, with the arguments that remoteproc passed.
    to_result(unsafe { check(rproc, fw) })
}

/// Checks a file before a boot.
extern "C" fn check<T: Operations>(
    rproc: *mut bindings::rproc,
    fw: *const bindings::firmware,
) -> c_int {
    // SAFETY: This is an operation of remoteproc, with its arguments.
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
        // SAFETY: remoteproc calls this operation with a valid processor, whose lock it holds.
        let in_use = unsafe { table_in_use(rproc) }?;
        let in_use = (!in_use.is_empty()).then_some(&*in_use);
        // SAFETY: This is an operation of remoteproc, with its arguments.
        unsafe { check_file::<T>(rproc, fw, in_use) }?;
        let load = private.elf.load.ok_or(EINVAL)?;
        // SAFETY: This is the operation that ours replaced. It reads nothing beyond the end of the
        // file, which was just checked.
        to_result(unsafe { load(rproc, fw) })?;
        private.elf.loaded.store(fw.cast(), Relaxed);
        private.recovery.loaded();
        Ok(0)
    })
}

/// Returns a copy of the resource table that Linux uses, empty if there is none.
///
/// # Safety
///
/// `rproc` must be valid, with its lock held.
unsafe fn table_in_use(rproc: *mut bindings::rproc) -> Result<KVec<u8>> {
    // SAFETY: By the safety requirements, the processor is valid, with its lock held.
    let table = unsafe { (*rproc).table_ptr }.cast::<u8>();
    // SAFETY: By the safety requirements, the processor is valid, with its lock held.
    let len = unsafe { (*rproc).table_sz };
    let mut copy = KVec::new();
    if !table.is_null() {
        copy.reserve(len, GFP_KERNEL)?;
        for i in 0..len {
            let byte = table.wrapping_add(i);
            // SAFETY: The table has `len` bytes and stays while the lock is held. The load is
            // volatile, since a virtio device that is being removed may write to it.
            copy.push(unsafe { byte.read_volatile() }, GFP_KERNEL)?;
        }
    }
    Ok(copy)
}

/// Finds the table of the loaded file and stores its address, but returns NULL to remoteproc, which
/// then goes on to use its own table.
extern "C" fn find_loaded_table(
    rproc: *mut bindings::rproc,
    fw: *const bindings::firmware,
) -> *mut bindings::resource_table {
    // SAFETY: The operation is only set for processors made by `Unregistered::new`.
    let private = unsafe { Rproc::from_raw(rproc) }.private();
    let loaded = private.elf.loaded.load(Relaxed);
    private.elf.loaded.store(core::ptr::null(), Relaxed);
    let table = match private.elf.find_table.filter(|_| loaded == fw.cast()) {
        // SAFETY: This is the operation that ours replaced. It reads nothing beyond the end of the
        // file, which was checked when it was loaded.
        Some(find) => unsafe { find(rproc, fw) },
        None => null_mut(),
    };
    // SAFETY: The table is refreshed when a virtio device kicks, and there is none during this
    // operation: the processor is about to be started.
    unsafe { private.shown.found(table) };
    null_mut()
}
