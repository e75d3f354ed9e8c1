// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The firmware file that remoteproc loads: a small ELF file with a resource table.
//!
//! The modem itself is a process; its firmware has the data for remoteproc. No ELF library writes
//! the file, because tests need files that are wrong in ways that a library does not allow.
//!
//! Sources: `Documentation/board-ivshmem.md`; C header `include/linux/remoteproc.h`.

#![forbid(unsafe_code)]

pub mod elf;
pub mod table;

pub use elf::MARK;
pub use kernel_pure::ivshmem::map::MACHINE;

use kernel_pure::ivshmem::map;
use table::{ResourceTable, TABLE_DA};

/// Device address of the segment with the mark.
pub const MARK_DA: u32 = map::DA_BASE + map::FIRMWARE.0 as u32;

/// A firmware file.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// `e_machine`; anything but [`MACHINE`] is for another board.
    pub machine: u16,
    /// The resource table; `None` for a file without one.
    pub table: Option<ResourceTable>,
}

impl Default for Firmware {
    fn default() -> Self {
        Self {
            machine: MACHINE,
            table: Some(ResourceTable::default()),
        }
    }
}

impl Firmware {
    /// Returns the bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let table = self.table.as_ref().map(ResourceTable::to_bytes);
        let mut segments = vec![elf::Segment {
            name: ".mark",
            da: MARK_DA,
            bytes: MARK.to_vec(),
        }];
        segments.extend(table.map(|bytes| elf::Segment {
            name: elf::TABLE,
            da: TABLE_DA,
            bytes,
        }));
        elf::write(self.machine, &segments)
    }
}
