// SPDX-License-Identifier: GPL-2.0

//! Memory with a ring and with buffers behind it, shared by both sides.

use vm_memory::GuestMemoryBackend;
use vring_host_tests::memory::{Memory, View, BASE};
use vring_host_tests::vring_layout::Layout;
use vring_host_tests::vring_mem::RingMem;

/// Room for a buffer.
pub const BUFFER: u32 = 64;
/// Alignment of the used ring.
const ALIGN: u32 = 64;

/// The memory.
pub struct Arena {
    memory: Memory,
    layout: Layout,
    buffers: usize,
    size: usize,
}

impl Arena {
    /// Makes a ring of `num` descriptors, and as many buffers.
    pub fn new(num: u16) -> Self {
        let layout = Layout::new(num.into(), ALIGN).expect("num is a power of two");
        let buffers = layout.size().next_multiple_of(BUFFER as usize);
        let size = buffers + usize::from(num) * BUFFER as usize;
        Self {
            memory: Memory::new(size),
            layout,
            buffers,
            size,
        }
    }

    /// Returns the number of descriptors, and of buffers.
    pub fn num(&self) -> u16 {
        self.layout.num()
    }

    /// Returns the alignment of the used ring.
    pub fn align(&self) -> u32 {
        ALIGN
    }

    /// Returns the ring's geometry.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns the ring for the code under test.
    pub fn view(&self) -> View<'_> {
        self.memory.view(self.layout.size())
    }

    /// Returns all of the memory, the ring first.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Returns the address of the ring in the process.
    pub fn ring(&self) -> *mut u8 {
        let host = self.memory.map().get_host_address(BASE);
        host.expect("the memory is mapped")
    }

    /// Returns the address of buffer `index` in the process.
    pub fn address(&self, index: u16) -> u64 {
        assert!(index < self.num());
        self.ring() as u64 + self.offset(index)
    }

    fn offset(&self, index: u16) -> u64 {
        self.buffers as u64 + u64::from(index) * u64::from(BUFFER)
    }

    /// Returns the index of the buffer at an address, which must be one.
    pub fn index(&self, addr: u64) -> u16 {
        let first = self.ring() as u64 + self.buffers as u64;
        let index = addr.wrapping_sub(first) / u64::from(BUFFER);
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        assert!(index < self.num(), "no buffer is at {addr:#x}");
        assert_eq!(addr, self.address(index), "inside of a buffer");
        index
    }

    /// Writes to a buffer.
    pub fn write(&self, index: u16, value: u64) {
        let view = self.memory.view(self.size);
        view.store64(self.offset(index) as usize, value);
    }

    /// Reads what was written to a buffer.
    pub fn read(&self, index: u16) -> u64 {
        let view = self.memory.view(self.size);
        view.load64(self.offset(index) as usize)
    }
}
