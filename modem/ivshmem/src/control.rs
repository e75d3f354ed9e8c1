// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The control page and the memory map of the board, for the modem.
//!
//! The constants are those of the kernel's driver of the board.

use crate::{
    Error,
    memory::{DA_BASE, SharedMemory},
};
use kernel_pure::ivshmem::map::{self, page};

pub use map::{MAGIC, ModemState, VERSION, host_state};

/// Vector by which each side tells the other that the page changed.
pub const VECTOR: usize = map::doorbell::CONTROL as usize;
/// Vector by which each side tells the other of news of the downlink's vring.
pub const VECTOR_DOWNLINK: usize = map::doorbell::DOWNLINK as usize;
/// Vector by which each side tells the other of news of the uplink's vring.
pub const VECTOR_UPLINK: usize = map::doorbell::UPLINK as usize;

/// Device address of the firmware's segments.
pub const FIRMWARE: u64 = DA_BASE + map::FIRMWARE.0 as u64;
/// Bytes for them, and for the resource table behind them.
pub const FIRMWARE_SIZE: u64 = map::FIRMWARE.1 as u64;
/// Device address of the place for the resource table.
pub const RSC_TABLE: u64 = DA_BASE + map::RSC_TABLE.0 as u64;
/// Device addresses of the vrings: downlink, uplink.
pub const VRINGS: [u64; 2] = [
    DA_BASE + map::VRING0.0 as u64,
    DA_BASE + map::VRING1.0 as u64,
];
/// Bytes for each of them.
pub const VRING_SIZE: u64 = map::VRING_LEN as u64;
/// Device address of the pool of Linux's transmit slots.
pub const POOL: u64 = DA_BASE + map::BUFFER.0 as u64;
/// Bytes of the pool.
pub const POOL_SIZE: u64 = map::BUFFER.1 as u64;
/// Device address of the modem's heap, which reaches to the end.
pub const HEAP: u64 = DA_BASE + map::HEAP as u64;

/// The fields of the page, by their offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
#[expect(missing_docs, reason = "named and described in board-ivshmem.md")]
pub enum Field {
    Magic = page::MAGIC as u64,
    Version = page::VERSION as u64,
    HostState = page::HOST_STATE as u64,
    BootId = page::BOOT_ID as u64,
    RscTableDa = page::RSC_TABLE_DA as u64,
    RscTableLen = page::RSC_TABLE_LEN as u64,
    HostPeer = page::HOST_PEER as u64,
    ModemState = page::MODEM_STATE as u64,
    ModemBootId = page::MODEM_BOOT_ID as u64,
    ModemPeer = page::MODEM_PEER as u64,
    Heartbeat = page::HEARTBEAT as u64,
}

/// The control page.
#[derive(Clone)]
pub struct ControlPage(SharedMemory);

impl ControlPage {
    /// Writes `magic` and `version` to memory that is all zero.
    pub fn create(memory: SharedMemory) -> Result<Self, Error> {
        let page = Self(memory);
        page.set(Field::Version, VERSION)?;
        page.set(Field::Magic, MAGIC)?;
        Ok(page)
    }

    /// Opens the page of a server, after checking `magic` and `version`.
    pub fn open(memory: SharedMemory) -> Result<Self, Error> {
        let page = Self(memory);
        let (magic, version) = (page.get(Field::Magic)?, page.get(Field::Version)?);
        if (magic, version) == (MAGIC, VERSION) {
            Ok(page)
        } else {
            Err(Error::Memory(format!(
                "control page has magic {magic:#x} and version {version}, must be {MAGIC:#x} and {VERSION}"
            )))
        }
    }

    /// Reads a field.
    pub fn get(&self, field: Field) -> Result<u32, Error> {
        self.0.load(DA_BASE + field as u64)
    }

    /// Writes a field.
    pub fn set(&self, field: Field, value: u32) -> Result<(), Error> {
        self.0.store(DA_BASE + field as u64, value)
    }
}
