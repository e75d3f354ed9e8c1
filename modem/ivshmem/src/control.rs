// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The control page of the modem's board, and its memory map.
//!
//! Source: `Documentation/board-ivshmem.md`.

use crate::{
    Error,
    memory::{DA_BASE, SharedMemory},
};

/// "CAIF".
pub const MAGIC: u32 = 0x4649_4143;
/// Version of the page.
pub const VERSION: u32 = 1;
/// Vector that tells of a change of the page.
pub const VECTOR: usize = 2;

/// Device address of the firmware's segments.
pub const FIRMWARE: u64 = DA_BASE + 0x01_0000;
/// Bytes for them.
pub const FIRMWARE_SIZE: u64 = 960 << 10;
/// Device address of the modem's heap, which reaches to the end.
pub const HEAP: u64 = DA_BASE + 0x70_0000;

/// The fields of the page, by their offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
#[expect(missing_docs, reason = "named and described in board-ivshmem.md")]
pub enum Field {
    Magic = 0x00,
    Version = 0x04,
    HostState = 0x08,
    BootId = 0x0c,
    RscTableDa = 0x10,
    RscTableLen = 0x14,
    HostPeer = 0x18,
    ModemState = 0x20,
    ModemBootId = 0x24,
    ModemPeer = 0x28,
    Heartbeat = 0x2c,
}

/// What a modem says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ModemState {
    /// There is none.
    Absent = 0,
    /// It waits for Linux to start it.
    Waiting = 1,
    /// It has taken a boot.
    Running = 2,
    /// It cannot go on without a new boot.
    Crashed = 3,
}

impl ModemState {
    /// The state of that number.
    pub fn from_raw(raw: u32) -> Option<Self> {
        [Self::Absent, Self::Waiting, Self::Running, Self::Crashed]
            .into_iter()
            .find(|state| *state as u32 == raw)
    }
}

/// The page.
#[derive(Clone)]
pub struct ControlPage(SharedMemory);

impl ControlPage {
    /// Makes the page of memory that is all zero.
    pub fn create(memory: SharedMemory) -> Result<Self, Error> {
        let page = Self(memory);
        page.set(Field::Version, VERSION)?;
        page.set(Field::Magic, MAGIC)?;
        Ok(page)
    }

    /// Opens the page that a server made.
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
