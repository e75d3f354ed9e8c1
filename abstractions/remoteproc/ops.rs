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
    loaded::TableInUse,
    registration::{
        CallbackData,
        Operations, //
    }, //
};
use crate::abstractions::{
    bindings,
    compat::prelude::*, //
};
use core::ptr::null_mut;
use kernel::error::from_result;

/// Returns operations for remoteproc that call those of a driver.
pub(super) fn table<T: Operations>() -> bindings::rproc_ops {
    bindings::rproc_ops {
        prepare: Some(prepare::<T>),
        unprepare: Some(unprepare::<T>),
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
/// `rproc` must have been made by `Unregistered::<T>::new`, and it and its context live for `'a`.
pub(super) unsafe fn context<'a, T: Operations>(
    rproc: *mut bindings::rproc,
) -> (&'a Rproc, &'a CallbackData<T>) {
    // SAFETY: By the safety requirements, `Unregistered::new` made the processor, which is valid
    // for `'a`.
    let rproc = unsafe { Rproc::from_raw(rproc) };
    let context = rproc.private().context.cast::<CallbackData<T>>();
    // SAFETY: By the safety requirements, the context lives for `'a`; only shared references to it
    // are made while there are callbacks.
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
            // SAFETY: remoteproc calls this operation with a valid processor, which has no
            // resources but these carveouts.
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
    if let Some(table) = context.table.lock().take() {
        // SAFETY: The lock of the processor is held in this operation.
        if unsafe { table.is_used_by(rproc) } {
            // It was an attach that failed. There are no virtio devices any more.
            // SAFETY: The lock of the processor is held in this operation.
            unsafe { (*rproc).table_ptr = null_mut() };
        }
    }
    from_result(|| call_unprepare(this, &context.ops).map(|()| 0))
}

/// Shows the processor remoteproc's table, where its own was found, and returns that place. `None`
/// if there is none.
///
/// # Safety
///
/// Must be called by an operation that starts or attaches to a processor with this file's
/// operations.
unsafe fn show_table<T: Operations>(
    this: &Rproc,
    context: &CallbackData<T>,
) -> Option<DeviceRange> {
    let rproc = this.as_raw();
    // SAFETY: remoteproc calls this operation with a valid processor, whose lock it holds.
    let own = unsafe { (*rproc).table_ptr }.cast::<u8>();
    // SAFETY: remoteproc calls this operation with a valid processor, whose lock it holds.
    let len = unsafe { (*rproc).table_sz };
    let shown = &this.private().shown;
    let range = context
        .carveouts
        .to_da(shown.place())
        .map(|da| DeviceRange { da, len })
        .filter(|range| !own.is_null() && context.carveouts.to_va(*range).is_some())?;
    // SAFETY: remoteproc keeps its table until the processor was stopped or detached from, and
    // the other one was just found to be in a carveout, which is mapped for as long. Virtio
    // devices, which kick, are made after this operation.
    unsafe { shown.show(own, len) };
    Some(range)
}

/// Runs `f`, which starts the processor or attaches to it, with interrupts passed on. Stops that,
/// and hides the table, if `f` fails.
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
        f().inspect_err(|_| {
            rproc.close_interrupts();
            // SAFETY: There is no virtio device yet that could kick.
            unsafe { rproc.private().shown.hide() };
        })?;
        Ok(0)
    })
}

extern "C" fn start<T: Operations>(rproc: *mut bindings::rproc) -> c_int {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    if !T::HAS_START {
        return EOPNOTSUPP.to_errno();
    }
    // SAFETY: This is the operation that starts.
    let range = unsafe { show_table(this, context) };
    // SAFETY: This is the operation that starts.
    unsafe { go_up(this, || context.ops.start(this, range)) }
}

extern "C" fn attach<T: Operations>(rproc: *mut bindings::rproc) -> c_int {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    // SAFETY: This is the operation that attaches.
    unsafe { show_table(this, context) };
    // SAFETY: This is the operation that attaches.
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
    let ret = context.ops.stop(this);
    let mut table = context.table.lock();
    if ret.is_err() {
        if let Some(table) = &*table {
            // SAFETY: This is the operation `stop`, of the processor with this table.
            unsafe { table.restore(rproc) };
        }
    } else {
        // SAFETY: The lock of the processor is held in this operation.
        drop(table.take_if(|table| !unsafe { table.is_used_by(rproc) }));
    }
    from_result(|| ret.map(|()| 0))
}

extern "C" fn detach<T: Operations>(rproc: *mut bindings::rproc) -> c_int {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    // The vrings go away after this operation, whether it succeeds or not.
    this.close_interrupts();
    // SAFETY: The lock of the processor is held in this operation.
    unsafe { Locked::new(this) }.wait_for_pools();
    let shown = &this.private().shown;
    let table = context.table.lock();
    if let Some(table) = &*table {
        if let Some(place) = context.carveouts.to_va(table.range()) {
            // SAFETY: The virtio devices, which kick, were removed before this operation.
            unsafe { shown.found(place.cast()) };
            // remoteproc has put it back to what it was.
            // SAFETY: There are no virtio devices that kick. Both are valid for the length of the
            // range, in private memory and in a carveout.
            unsafe { shown.show(table.as_ptr().cast(), table.range().len) };
        }
    }
    // SAFETY: The virtio devices, which kick, were removed before this operation.
    unsafe { shown.hide() };
    from_result(|| {
        context.ops.detach(this).inspect_err(|_| {
            if let Some(table) = &*table {
                // SAFETY: This is the operation `detach`, of the processor with this table.
                unsafe { table.restore(rproc) };
            }
        })?;
        Ok(0)
    })
}

extern "C" fn kick<T: Operations>(rproc: *mut bindings::rproc, vqid: c_int) {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    if let Ok(vqid) = u32::try_from(vqid) {
        this.private().shown.refresh();
        context.ops.kick(this, vqid);
    }
}

/// Gives remoteproc a copy of the processor's table.
extern "C" fn loaded_table<T: Operations>(
    rproc: *mut bindings::rproc,
    size: *mut usize,
) -> *mut bindings::resource_table {
    // SAFETY: The operation is only set for such processors, and the context outlives them.
    let (this, context) = unsafe { context::<T>(rproc) };
    // If this operation fails, remoteproc frees what is there. That is the copy of an earlier
    // attach, which the end of that has freed: a detach, a stop, or the failure of the attach.
    // SAFETY: remoteproc calls this operation with a valid processor, whose lock it holds.
    unsafe { (*rproc).clean_table = null_mut() };
    let shown = &this.private().shown;
    // SAFETY: A table is refreshed when virtio devices kick, and in this operation the processor
    // has none: it is about to be attached to.
    unsafe { shown.found(null_mut()) };
    let find = || -> Result<*mut bindings::resource_table> {
        let Some(table) = context.ops.loaded_table(this)? else {
            return Ok(null_mut());
        };
        let table = TableInUse::new(table)?;
        let place = context.carveouts.to_va(table.range()).ok_or(EFAULT)?;
        // SAFETY: The processor has no virtio devices yet, which kick.
        unsafe { shown.found(place.cast()) };
        // SAFETY: remoteproc gives a valid pointer.
        unsafe { size.write(table.range().len) };
        let own = table.as_ptr();
        // It stays until a stop, or until `unprepare`, which is called after each end of an attach.
        *context.table.lock() = Some(table);
        Ok(own)
    };
    find().unwrap_or_else(|e| e.to_ptr())
}
