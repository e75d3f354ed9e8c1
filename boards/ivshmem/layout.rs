// SPDX-License-Identifier: GPL-2.0

//! The memory that Linux and the modem share: BAR 2 of the board.
//!
//! `Documentation/board-ivshmem.md` is the contract; all values are little-endian.

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

/// The modem's device address of the first byte.
const DA_BASE: u32 = 0x8000_0000;
/// Smallest size of the memory.
pub const MIN_SIZE: usize = 16 << 20;
/// Largest size of the memory, for device addresses of 32 bits.
pub const MAX_SIZE: usize = 1 << 30;

/// Where segments of the firmware may be.
const FIRMWARE: (usize, usize) = (0x01_0000, 0x0f_0000);
/// Room for a vring.
pub const VRING_LEN: usize = 0x10_0000;
/// The downlink vring.
const VRING0: (usize, usize) = (0x10_0000, VRING_LEN);
/// The uplink vring.
const VRING1: (usize, usize) = (0x20_0000, VRING_LEN);
/// The pool of Linux's transmit slots.
const BUFFER: (usize, usize) = (0x30_0000, 0x40_0000);
/// The modem's own heap, which goes on to the end.
const HEAP: usize = 0x70_0000;

/// `magic`: "CAIF".
const MAGIC: u32 = 0x4649_4143;
/// `version` of the contract.
const VERSION: u32 = 1;

/// Device address of an offset in the memory, which is smaller than [`MAX_SIZE`].
const fn da((offset, len): (usize, usize)) -> DeviceRange {
    DeviceRange {
        da: DA_BASE + offset as u32,
        len,
    }
}

/// Where segments of the firmware may be, in device addresses.
pub const FIRMWARE_DA: DeviceRange = da(FIRMWARE);

/// The shared memory as the remote processor's carveouts, and the control page in front of them.
pub fn map(bar: &Physical) -> Result<(ControlPage, KVec<Carveout>)> {
    // In two parts: the DMA layer maps the pool between them, with attributes of its own.
    let low = Arc::new(bar.part(0, BUFFER.0)?.map()?, GFP_KERNEL)?;
    let heap_len = bar.len().checked_sub(HEAP).ok_or(ERANGE)?;
    let heap = Arc::new(bar.part(HEAP, heap_len)?.map()?, GFP_KERNEL)?;

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

/// What the modem says of itself in `modem_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModemState {
    /// There is none.
    Absent,
    /// It waits for a boot.
    Waiting,
    /// It runs the boot of `modem_boot_id`.
    Running,
    /// It met an error that it cannot survive.
    Crashed,
}

/// What the modem writes to the control page, each value read once.
#[derive(Clone, Copy, Debug)]
pub struct Modem {
    /// `modem_state`.
    pub state: ModemState,
    /// `modem_boot_id`.
    pub boot_id: u32,
    /// `heartbeat`.
    pub heartbeat: u32,
}

/// The first page, by which Linux, the modem and the server tell each other of their states.
pub struct ControlPage(Arc<Memory>);

impl ControlPage {
    /// Reads a value. Those that others write can be anything.
    fn get(&self, offset: usize) -> Result<u32> {
        self.0.read(offset).map(u32::from_le)
    }

    /// Writes a value.
    fn set(&self, offset: usize, value: u32) -> Result {
        self.0.write(offset, value.to_le())
    }

    /// Whether the memory is a modem's at all: its `magic` and `version`, if not.
    pub fn check(&self) -> Result<Result<(), (u32, u32)>> {
        let found = (self.get(0x00)?, self.get(0x04)?);
        Ok(if found == (MAGIC, VERSION) {
            Ok(())
        } else {
            Err(found)
        })
    }

    /// Tells the modem of a new boot, and returns its number.
    pub fn start(&self, table: DeviceRange, host_peer: u16) -> Result<u32> {
        self.set(0x10, table.da)?;
        self.set(0x14, u32::try_from(table.len)?)?;
        self.set(0x18, host_peer.into())?;
        // 0 is no boot. A modem that changes the number of its boots harms but itself.
        let boot_id = self.get(0x0c)?.wrapping_add(1).max(1);
        self.set(0x0c, boot_id)?;
        // The modem reads the rest once it has seen the state.
        dma_mb(Write);
        self.set(0x08, 1)?;
        Ok(boot_id)
    }

    /// Tells the modem to leave the boot.
    pub fn stop(&self) -> Result {
        self.set(0x08, 0)
    }

    /// What the modem says of itself. A state that the contract does not know is a crash.
    pub fn modem(&self) -> Result<Modem> {
        let state = match self.get(0x20)? {
            0 => ModemState::Absent,
            1 => ModemState::Waiting,
            2 => ModemState::Running,
            _ => ModemState::Crashed,
        };
        // The modem writes the state last.
        dma_mb(Read);
        Ok(Modem {
            state,
            boot_id: self.get(0x24)?,
            heartbeat: self.get(0x2c)?,
        })
    }

    /// The modem's peer id, if it has a valid one.
    pub fn modem_peer(&self) -> Result<u16> {
        u16::try_from(self.get(0x28)?).map_err(|_| ERANGE)
    }
}
