// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The firmware file that remoteproc loads: a small ELF file with a resource table.
//!
//! The modem itself is a process; its firmware says what remoteproc must know of it. The file is
//! written by hand since it is four tables long, and since tests want files that are wrong in
//! ways that a library would not write.
//!
//! Sources: `Documentation/board-ivshmem.md`; C header `include/linux/remoteproc.h`.

#![forbid(unsafe_code)]

mod elf;
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
    /// The resource table, unless the file shall be without one.
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
    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let table = self.table.as_ref().map(ResourceTable::to_bytes);
        let mut segments = vec![elf::Segment {
            name: ".mark",
            da: MARK_DA,
            bytes: MARK.to_vec(),
        }];
        segments.extend(table.map(|bytes| elf::Segment {
            name: ".resource_table",
            da: TABLE_DA,
            bytes,
        }));
        elf::write(self.machine, &segments)
    }
}
