// SPDX-License-Identifier: GPL-2.0

//! The memory that Linux and the modem share, BAR 2 of the board: its carveouts and its control
//! page. All values are little-endian.

use super::map::{
    host_state,
    page,
    BUFFER,
    DA_BASE,
    FIRMWARE,
    HEAP,
    MAGIC,
    VERSION,
    VRING0,
    VRING1, //
};
use crate::abstractions::{
    memory::{
        Memory,
        Physical, //
    },
    remoteproc::{
        Carveout,
        DeviceRange, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        barrier::{
            dma_mb,
            Read,
            Write, //
        },
        Arc, //
    }, //
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
    Ok((ControlPage(low), carveouts))
}

pub(crate) use super::map::ModemState;

/// What the modem writes to the control page, each value read once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Modem {
    /// `modem_state`.
    pub(crate) state: ModemState,
    /// `modem_boot_id`.
    pub(crate) boot_id: u32,
    /// `heartbeat`.
    pub(crate) heartbeat: u32,
}

/// The control page, the first of the memory: Linux, the modem and the server publish their states
/// there.
pub(crate) struct ControlPage(Arc<Memory>);

impl ControlPage {
    /// Reads a field. Any value may be in a field that another side writes.
    fn get(&self, offset: usize) -> Result<u32> {
        self.0.read(offset).map(u32::from_le)
    }

    /// Writes a field.
    fn set(&self, offset: usize, value: u32) -> Result {
        self.0.write(offset, value.to_le())
    }

    /// Checks `magic` and `version`. Returns those found if they are others than a modem's.
    pub(crate) fn check(&self) -> Result<Result<(), (u32, u32)>> {
        let found = (self.get(page::MAGIC)?, self.get(page::VERSION)?);
        Ok(if found == (MAGIC, VERSION) {
            Ok(())
        } else {
            Err(found)
        })
    }

    /// Tells the modem of a new boot, and returns its number.
    pub(crate) fn start(&self, table: DeviceRange, host_peer: u16) -> Result<u32> {
        self.set(page::RSC_TABLE_DA, table.da)?;
        self.set(page::RSC_TABLE_LEN, u32::try_from(table.len)?)?;
        self.set(page::HOST_PEER, host_peer.into())?;
        // No boot has number 0. The modem can overwrite the number, which only ends its own boot.
        let boot_id = self.get(page::BOOT_ID)?.wrapping_add(1).max(1);
        self.set(page::BOOT_ID, boot_id)?;
        // The modem reads the other fields after the state.
        dma_mb(Write);
        self.set(page::HOST_STATE, host_state::RUN)?;
        Ok(boot_id)
    }

    /// Tells the modem to leave the boot.
    pub(crate) fn stop(&self) -> Result {
        self.set(page::HOST_STATE, host_state::STOP)
    }

    /// Reads what the modem wrote. A state that the contract does not have counts as a crash.
    pub(crate) fn modem(&self) -> Result<Modem> {
        let state =
            ModemState::from_raw(self.get(page::MODEM_STATE)?).unwrap_or(ModemState::Crashed);
        // The modem writes the state last.
        dma_mb(Read);
        Ok(Modem {
            state,
            boot_id: self.get(page::MODEM_BOOT_ID)?,
            heartbeat: self.get(page::HEARTBEAT)?,
        })
    }

    /// Returns the modem's peer id, if it has a valid one.
    pub(crate) fn modem_peer(&self) -> Result<u16> {
        u16::try_from(self.get(page::MODEM_PEER)?).map_err(|_| ERANGE)
    }
}
