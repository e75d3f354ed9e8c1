// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A vring without any rules: every field can be loaded and stored.

use ivshmem::{Error, memory::SharedMemory};
use kernel_pure::vring_layout::{DESC_FLAGS, DESC_LEN, DESC_NEXT, Layout};
use link::table::Vring;

/// A vring in memory.
#[derive(Clone)]
pub struct Ring {
    memory: SharedMemory,
    da: u64,
    layout: Layout,
}

/// A descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Desc {
    /// Address of the buffer.
    pub addr: u64,
    /// Bytes of the buffer.
    pub len: u32,
    /// What follows and who may write.
    pub flags: u16,
    /// The descriptor that follows.
    pub next: u16,
}

impl Ring {
    /// The vring that the table tells of.
    pub fn new(memory: SharedMemory, vring: Vring) -> Self {
        Self {
            memory,
            da: vring.da,
            layout: vring.layout,
        }
    }

    /// Descriptors.
    pub fn num(&self) -> u16 {
        self.layout.num()
    }

    /// Device address of a field, by its name in the catalogue.
    pub fn field(&self, name: &str) -> Option<u64> {
        let layout = &self.layout;
        let offset = match name {
            "num" => return Some(layout.num().into()),
            "desc" => 0,
            "avail_flags" => layout.avail_flags(),
            "avail_idx" => layout.avail_idx(),
            "avail_ring" => layout.avail_ring(0),
            "used_event" => layout.used_event(),
            "used_flags" => layout.used_flags(),
            "used_idx" => layout.used_idx(),
            "used_ring" => layout.used_ring(0),
            "avail_event" => layout.avail_event(),
            "end" => layout.size(),
            _ => return None,
        };
        Some(self.da + offset as u64)
    }

    /// Loads a half word at an offset of the layout.
    pub fn load16(&self, offset: usize) -> Result<u16, Error> {
        self.memory.load(self.da + offset as u64)
    }

    /// Stores a half word at an offset of the layout.
    pub fn store16(&self, offset: usize, value: u16) -> Result<(), Error> {
        self.memory.store(self.da + offset as u64, value)
    }

    /// The layout.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Writes a descriptor.
    pub fn write_desc(&self, index: u16, desc: Desc) -> Result<(), Error> {
        let at = self.da + self.layout.desc(index) as u64;
        self.memory.store(at, desc.addr)?;
        self.memory.store(at + DESC_LEN as u64, desc.len)?;
        self.memory.store(at + DESC_FLAGS as u64, desc.flags)?;
        self.memory.store(at + DESC_NEXT as u64, desc.next)
    }

    /// Reads a descriptor.
    pub fn read_desc(&self, index: u16) -> Result<Desc, Error> {
        let at = self.da + self.layout.desc(index) as u64;
        Ok(Desc {
            addr: self.memory.load(at)?,
            len: self.memory.load(at + DESC_LEN as u64)?,
            flags: self.memory.load(at + DESC_FLAGS as u64)?,
            next: self.memory.load(at + DESC_NEXT as u64)?,
        })
    }

    /// Reads an entry of the used ring.
    pub fn read_used(&self, index: u16) -> Result<(u32, u32), Error> {
        let at = self.da + self.layout.used_ring(index) as u64;
        Ok((self.memory.load(at)?, self.memory.load(at + 4)?))
    }

    /// Writes an entry of the used ring.
    pub fn write_used(&self, index: u16, id: u32, len: u32) -> Result<(), Error> {
        let at = self.da + self.layout.used_ring(index) as u64;
        self.memory.store(at, id)?;
        self.memory.store(at + 4, len)
    }
}
