// SPDX-License-Identifier: GPL-2.0

//! The memory that Linux and the modem share, BAR 2 of the board: its carveouts and its control
//! page.

use super::{
    control::ControlPage,
    map::{
        BUFFER,
        DA_BASE,
        FIRMWARE,
        HEAP,
        VRING0,
        VRING1, //
    }, //
};
use crate::abstractions::{
    memory::Physical,
    remoteproc::{
        Carveout,
        DeviceRange, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Returns the device address of an offset in the memory, which is smaller than
/// [`MAX_SIZE`](super::map::MAX_SIZE).
const fn da((offset, len): (usize, usize)) -> DeviceRange {
    DeviceRange {
        da: DA_BASE + offset as u32,
        len,
    }
}

/// Maps the shared memory, that of the modem's buffers as I/O memory if that is asked for. Returns
/// the control page at its start, and the carveouts behind it.
pub(crate) fn map(bar: &Physical, heap_is_io: bool) -> Result<(ControlPage, KVec<Carveout>)> {
    // In two parts: the DMA layer maps the pool between them, with attributes of its own.
    let low = Arc::new(bar.part(0, BUFFER.0)?.map()?, GFP_KERNEL)?;
    let heap_len = bar.len().checked_sub(HEAP).ok_or(ERANGE)?;
    let heap = bar.part(HEAP, heap_len)?;
    let heap = if heap_is_io {
        heap.map_io()
    } else {
        heap.map()
    }?;
    let heap = Arc::new(heap, GFP_KERNEL)?;

    let mut carveouts = KVec::with_capacity(5, GFP_KERNEL)?;
    for (name, part) in [
        (c"firmware", FIRMWARE),
        (c"vdev0vring0", VRING0),
        (c"vdev0vring1", VRING1),
    ] {
        let carveout = Carveout::mapped(name, low.clone(), part.0, da(part))?;
        carveouts.push(carveout, GFP_KERNEL)?;
    }
    let pool = bar.part(BUFFER.0, BUFFER.1)?;
    let pool = Carveout::unmapped(c"vdev0buffer", pool, da(BUFFER).da)?;
    carveouts.push(pool, GFP_KERNEL)?;
    let heap = Carveout::mapped(c"heap", heap, 0, da((HEAP, heap_len)))?;
    carveouts.push(heap, GFP_KERNEL)?;
    Ok((ControlPage::new(low), carveouts))
}
