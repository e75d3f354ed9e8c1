// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The fields of a vring, each loaded and stored without any check.

use super::{
    vring_layout::{
        Layout,
        DESC_SIZE, //
    },
    vring_mem::RingMem, //
};

/// A descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Desc {
    /// Address of the buffer.
    pub addr: u64,
    /// Bytes of the buffer.
    pub len: u32,
    /// `NEXT`, `WRITE` and other flags.
    pub flags: u16,
    /// The descriptor at which the chain continues.
    pub next: u16,
}

/// An entry of the used ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// The chain's first descriptor.
    pub id: u32,
    /// Bytes that the device says it wrote.
    pub len: u32,
}

/// The fields of a vring.
///
/// Each method does one access, or the accesses of one descriptor or used element. Those that store
/// an index do so after a barrier, so that all stores before it are seen with it.
#[derive(Clone, Debug)]
pub struct Fields<M> {
    mem: M,
    layout: Layout,
}

impl<M: RingMem> Fields<M> {
    /// Returns the fields of the vring that begins at offset 0 of `mem`.
    pub fn new(mem: M, layout: Layout) -> Self {
        Self { mem, layout }
    }

    /// Returns the memory, for accesses without a method of their own.
    pub fn mem(&self) -> &M {
        &self.mem
    }

    /// Returns the layout of the vring.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the number of descriptors.
    pub fn num(&self) -> u16 {
        self.layout.num()
    }

    /// Loads a descriptor.
    pub fn desc(&self, index: u16) -> Desc {
        const _: () = assert!(DESC_SIZE == 16);

        let [addr, rest] = self.mem.load64x2(self.layout.desc(index));
        let [l0, l1, l2, l3, f0, f1, n0, n1] = rest.to_ne_bytes();
        Desc {
            addr,
            len: u32::from_ne_bytes([l0, l1, l2, l3]),
            flags: u16::from_ne_bytes([f0, f1]),
            next: u16::from_ne_bytes([n0, n1]),
        }
    }

    /// Stores a descriptor.
    pub fn write_desc(&self, index: u16, desc: Desc) {
        let at = self.layout.desc(index);
        let [l0, l1, l2, l3] = desc.len.to_ne_bytes();
        let ([f0, f1], [n0, n1]) = (desc.flags.to_ne_bytes(), desc.next.to_ne_bytes());
        self.mem.store64(at, desc.addr);
        self.mem
            .store64(at + 8, u64::from_ne_bytes([l0, l1, l2, l3, f0, f1, n0, n1]));
    }

    /// Loads `avail.flags`.
    pub fn avail_flags(&self) -> u16 {
        self.mem.load16(self.layout.avail_flags())
    }

    /// Stores `avail.flags`.
    pub fn write_avail_flags(&self, flags: u16) {
        self.mem.store16(self.layout.avail_flags(), flags);
    }

    /// Loads `avail.idx`.
    pub fn avail_idx(&self) -> u16 {
        self.mem.load16(self.layout.avail_idx())
    }

    /// Stores `avail.idx`.
    pub fn write_avail_idx(&self, idx: u16) {
        self.mem.wmb();
        self.mem.store16(self.layout.avail_idx(), idx);
    }

    /// Loads the entry of the available ring that the free-running `index` names.
    pub fn avail(&self, index: u16) -> u16 {
        self.mem.load16(self.layout.avail_ring(index))
    }

    /// Stores that entry.
    pub fn write_avail(&self, index: u16, head: u16) {
        self.mem.store16(self.layout.avail_ring(index), head);
    }

    /// Loads `used_event`.
    pub fn used_event(&self) -> u16 {
        self.mem.load16(self.layout.used_event())
    }

    /// Stores `used_event`.
    pub fn write_used_event(&self, index: u16) {
        self.mem.store16(self.layout.used_event(), index);
    }

    /// Loads `used.flags`.
    pub fn used_flags(&self) -> u16 {
        self.mem.load16(self.layout.used_flags())
    }

    /// Stores `used.flags`.
    pub fn write_used_flags(&self, flags: u16) {
        self.mem.store16(self.layout.used_flags(), flags);
    }

    /// Loads `used.idx`.
    pub fn used_idx(&self) -> u16 {
        self.mem.load16(self.layout.used_idx())
    }

    /// Stores `used.idx`.
    pub fn write_used_idx(&self, idx: u16) {
        self.mem.wmb();
        self.mem.store16(self.layout.used_idx(), idx);
    }

    /// Loads the entry of the used ring that the free-running `index` names.
    pub fn used(&self, index: u16) -> Used {
        let at = self.layout.used_ring(index);
        Used {
            id: self.mem.load32(at),
            len: self.mem.load32(at + 4),
        }
    }

    /// Stores that entry.
    pub fn write_used(&self, index: u16, used: Used) {
        let at = self.layout.used_ring(index);
        self.mem.store32x2(at, [used.id, used.len]);
    }

    /// Loads `avail_event`.
    pub fn avail_event(&self) -> u16 {
        self.mem.load16(self.layout.avail_event())
    }

    /// Stores `avail_event`.
    pub fn write_avail_event(&self, index: u16) {
        self.mem.store16(self.layout.avail_event(), index);
    }
}
