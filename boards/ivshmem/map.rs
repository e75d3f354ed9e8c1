// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Constants of the board: the map of the memory that Linux and the modem share, the fields of its
//! control page, and the machine that firmware is for.
//!
//! `Documentation/board-ivshmem.md` is the contract. Both ends are built with this file.

/// The modem's device address of the first byte.
pub const DA_BASE: u32 = 0x8000_0000;
/// Smallest size of the memory.
pub const MIN_SIZE: usize = 16 << 20;
/// Largest size of the memory, for device addresses of 32 bits.
pub const MAX_SIZE: usize = 1 << 30;

/// The memory for segments of the firmware: offset and length, as for all parts.
pub const SEGMENTS: (usize, usize) = (0x01_0000, 0x0e_0000);
/// The memory for the resource table, behind that. The same-SoC machine has a region for each of
/// the two, so that both are whole pages of any kernel.
pub const RSC_TABLE: (usize, usize) = (0x0f_0000, 0x01_0000);
/// The memory for firmware: both. On the ivshmem board the table may be anywhere in it.
pub const FIRMWARE: (usize, usize) = (SEGMENTS.0, SEGMENTS.1 + RSC_TABLE.1);
/// Room for a vring.
pub const VRING_LEN: usize = 0x10_0000;
/// The downlink vring.
pub const VRING0: (usize, usize) = (0x10_0000, VRING_LEN);
/// The uplink vring.
pub const VRING1: (usize, usize) = (0x20_0000, VRING_LEN);
/// The pool of Linux's transmit slots.
pub const BUFFER: (usize, usize) = (0x30_0000, 0x40_0000);
/// Offset of the modem's own heap, which goes on to the end.
pub const HEAP: usize = 0x70_0000;

/// `e_machine` of a firmware file for the modem.
pub const MACHINE: u16 = 0xca1f;

/// `magic`: "CAIF".
pub const MAGIC: u32 = 0x4649_4143;
/// `version` of the contract.
pub const VERSION: u32 = 1;

/// Doorbells by which each side rings the other: MSI-X vectors of the ivshmem board, bits of the
/// same-SoC machine's mailbox.
pub mod doorbell {
    /// There is news of the downlink's vring, which has this number, too.
    pub const DOWNLINK: u8 = 0;
    /// There is news of the uplink's vring, which has this number, too.
    pub const UPLINK: u8 = 1;
    /// The control page changed. Those below are the vrings'.
    pub const CONTROL: u8 = 2;
}

pub mod page {
    //! The fields of the control page, by their offset. All are words of 32 bits.

    /// [`MAGIC`](super::MAGIC).
    pub const MAGIC: usize = 0x00;
    /// [`VERSION`](super::VERSION).
    pub const VERSION: usize = 0x04;
    /// The state that Linux wants of the modem, see [`host_state`](super::host_state).
    pub const HOST_STATE: usize = 0x08;
    /// Number of the boot that Linux asks for, never 0.
    pub const BOOT_ID: usize = 0x0c;
    /// Device address of the resource table.
    pub const RSC_TABLE_DA: usize = 0x10;
    /// Bytes of the resource table.
    pub const RSC_TABLE_LEN: usize = 0x14;
    /// Linux's peer id.
    pub const HOST_PEER: usize = 0x18;
    /// State of the modem.
    pub const MODEM_STATE: usize = 0x20;
    /// Number of the boot that the modem has taken.
    pub const MODEM_BOOT_ID: usize = 0x24;
    /// The modem's peer id.
    pub const MODEM_PEER: usize = 0x28;
    /// A counter that the modem counts up.
    pub const HEARTBEAT: usize = 0x2c;
}

/// Values of `host_state`.
pub mod host_state {
    /// The modem must stop.
    pub const STOP: u32 = 0;
    /// The modem must run.
    pub const RUN: u32 = 1;
}

/// The modem's state, as it writes it to `modem_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ModemState {
    /// No modem is connected.
    Absent = 0,
    /// The modem waits for a boot.
    Waiting = 1,
    /// The modem runs the boot of `modem_boot_id`.
    Running = 2,
    /// The modem met an error and needs another boot.
    Crashed = 3,
}

impl ModemState {
    /// Returns the state of that number. `None` if the contract has none.
    pub fn from_raw(raw: u32) -> Option<Self> {
        [Self::Absent, Self::Waiting, Self::Running, Self::Crashed]
            .into_iter()
            .find(|state| *state as u32 == raw)
    }
}

/// Returns how far from the start of a part `len` bytes at the device address `da` are. `None` if
/// they are not inside of it.
pub fn offset_in((start, room): (usize, usize), da: u32, len: u32) -> Option<usize> {
    let offset = u64::from(da).checked_sub(u64::from(DA_BASE) + start as u64)?;
    (offset + u64::from(len) <= room as u64).then_some(offset as usize)
}

/// Returns whether `len` bytes at the device address `da` are inside the memory for firmware.
pub fn is_firmware(da: u32, len: u32) -> bool {
    offset_in(FIRMWARE, da, len).is_some()
}
