// SPDX-License-Identifier: GPL-2.0

//! The callbacks of a remote processor, which call the driver's operations.
//!
//! C header: [`include/linux/remoteproc.h`](srctree/include/linux/remoteproc.h)

use super::{
    carveout::DeviceRange,
    handle::{
        Locked,
        Rproc,
        State, //
    },
    registration::{
        CallbackData,
        Operations, //
    }, //
};
use crate::abstractions::{
    bindings,
    compat::prelude::*, //
};
use kernel::error::from_result;

/// Returns operations for remoteproc that call those of a driver.
pub(super) fn table<T: Operations>() -> bindings::rproc_ops {
    bindings::rproc_ops {
        prepare: Some(prepare::<T>),
        unprepare: T::HAS_UNPREPARE.then_some(unprepare::<T>),
        // Always set, since remoteproc calls it without checking.
        start: Some(start::<T>),
        stop: Some(stop::<T>),
        attach: T::HAS_ATTACH.then_some(attach::<T>),
        detach: T::HAS_DETACH.then_some(detach::<T>),
        kick: Some(kick::<T>),
        get_loaded_rsc_table: T::HAS_LOADED_TABLE.then_some(loaded_table::<T>),
        // The ELF loader's operations are used for the rest, see `ElfLoader::replace`.
        ..Default::default()
    }
}

/// Returns the remote processor and the data of its callbacks.
///
/// # Safety
///
/// `rproc` must have been made by `Unregistered::<T>::new`, whose context must live for `'a`.
pub(super) unsafe fn context<'a, T: Operations>(
    rproc: *mut bindings::rproc,
) -> (&'a Rproc, &'a CallbackData<T>) {
    // SAFETY: By the safety requirements.
    let rproc = unsafe { Rproc::from_raw(rproc) };
    let context = rproc.private().context.cast::<CallbackData<T>>();
    // SAFETY: By the safety requirements; only shared references to it are made while there are
    // callbacks.
    (rproc, unsafe { &*context })
}

/// Calls the driver's `unprepare`, if there is one.
fn call_unprepare<T: Operations>(rproc: &Rproc, ops: &T) -> Result {
    if T::HAS_UNPREPARE {
        ops.unprepare(rproc)
    } else {
        Ok(())
    }
}

/// Prepares the processor, and registers its carveouts with remoteproc.
extern "C" fn prepare<T: Operations>(rproc: *mut bindings::rproc) -> c_int {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    from_result(|| {
        if T::HAS_PREPARE {
            context.ops.prepare(this)?;
        }
        // SAFETY: The lock of the processor is held in this operation. remoteproc releases the
        // carveouts when the processor goes down, which is before the context is dropped.
        let registered = unsafe { context.carveouts.register(rproc) };
        if let Err(e) = registered {
            // Otherwise remoteproc would keep them after this failure.
            // SAFETY: The processor is valid and has no resources but these carveouts.
            unsafe { bindings::rproc_resource_cleanup(rproc) };
            call_unprepare(this, &context.ops)?;
            return Err(e);
        }
        Ok(0)
    })
}

extern "C" fn unprepare<T: Operations>(rproc: *mut bindings::rproc) -> c_int {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    from_result(|| call_unprepare(this, &context.ops).map(|()| 0))
}

/// Runs `f`, which starts the processor or attaches to it, with interrupts passed on. Stops that if
/// `f` fails.
///
/// # Safety
///
/// Must be called by an operation that starts or attaches to a processor with this file's
/// operations.
unsafe fn go_up(rproc: &Rproc, f: impl FnOnce() -> Result) -> c_int {
    // SAFETY: If `f` fails, `close_interrupts()` is called below. If not, remoteproc releases
    // vrings only after `stop` or `detach`, which call it.
    unsafe { rproc.open_interrupts() };
    from_result(|| {
        f().inspect_err(|_| rproc.close_interrupts())?;
        Ok(0)
    })
}

extern "C" fn start<T: Operations>(rproc: *mut bindings::rproc) -> c_int {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    if !T::HAS_START {
        return EOPNOTSUPP.to_errno();
    }
    // SAFETY: The processor is valid, and its lock is held in this operation.
    let own = unsafe { (*rproc).table_ptr }.cast::<u8>();
    // SAFETY: The processor is valid, and its lock is held in this operation.
    let len = unsafe { (*rproc).table_sz };
    let shown = &this.private().shown;
    let range = context
        .carveouts
        .to_da(shown.place())
        .map(|da| DeviceRange { da, len })
        .filter(|range| !own.is_null() && context.carveouts.to_va(*range).is_some());
    if range.is_some() {
        // SAFETY: remoteproc keeps its table until the processor is stopped, and the copy was just
        // found in a carveout, which is mapped for as long. Virtio devices, which kick, are added
        // after this operation.
        unsafe { shown.show(own, len) };
    }
    let start = || {
        context.ops.start(this, range).inspect_err(|_| {
            // SAFETY: During this operation there is no virtio device that could kick.
            unsafe { shown.hide() }
        })
    };
    // SAFETY: This operation starts a processor with this file's operations.
    unsafe { go_up(this, start) }
}

extern "C" fn attach<T: Operations>(rproc: *mut bindings::rproc) -> c_int {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    // SAFETY: This operation attaches to a processor with this file's operations.
    unsafe { go_up(this, || context.ops.attach(this)) }
}

extern "C" fn stop<T: Operations>(rproc: *mut bindings::rproc) -> c_int {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    // SAFETY: The lock of the processor is held in this operation.
    let locked = unsafe { Locked::new(this) };
    // The vrings go away after this operation, whether it succeeds or not.
    this.close_interrupts();
    // SAFETY: The virtio devices, which kick, were removed before this operation.
    unsafe { this.private().shown.hide() };
    locked.note_stop();
    if this.state() == State::Crashed {
        this.private().recovery.begin();
    }
    locked.wait_for_pools();
    from_result(|| context.ops.stop(this).map(|()| 0))
}

extern "C" fn detach<T: Operations>(rproc: *mut bindings::rproc) -> c_int {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    // The vrings go away after this operation, whether it succeeds or not.
    this.close_interrupts();
    // SAFETY: The lock of the processor is held in this operation.
    unsafe { Locked::new(this) }.wait_for_pools();
    from_result(|| context.ops.detach(this).map(|()| 0))
}

extern "C" fn kick<T: Operations>(rproc: *mut bindings::rproc, vqid: c_int) {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    if let Ok(vqid) = u32::try_from(vqid) {
        this.private().shown.refresh();
        context.ops.kick(this, vqid);
    }
}

extern "C" fn loaded_table<T: Operations>(
    rproc: *mut bindings::rproc,
    size: *mut usize,
) -> *mut bindings::resource_table {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    let find = || -> Result<*mut bindings::resource_table> {
        let Some(range) = context.ops.loaded_table(this)? else {
            return Ok(core::ptr::null_mut());
        };
        let table = context.carveouts.to_va(range).ok_or(EFAULT)?;
        let table = table.cast::<bindings::resource_table>();
        if !table.is_aligned() || range.len < size_of::<bindings::resource_table>() {
            return Err(EINVAL);
        }
        // SAFETY: remoteproc gives a valid pointer.
        unsafe { size.write(range.len) };
        Ok(table)
    };
    find().unwrap_or_else(|e| e.to_ptr())
}
