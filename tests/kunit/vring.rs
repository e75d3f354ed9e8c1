// SPDX-License-Identifier: GPL-2.0

//! The memory of a vring, as the model of the modem's side uses it.

use crate::{
    abstractions::memory::Memory,
    vring_mem::RingMem, //
};
use kernel::sync::barrier::{
    dma_mb,
    mb,
    Full,
    Read, //
};

/// Some bytes of the shared memory.
#[derive(Clone, Copy)]
pub(crate) struct Location {
    /// Offset in the memory, a multiple of `len`.
    pub(crate) at: usize,
    /// Number of bytes: 2, 4 or 8.
    pub(crate) len: u32,
}

/// The memory of a vring.
///
/// By the layout of the vring, no access is outside of the memory.
pub(crate) struct VringMem<'a> {
    memory: &'a Memory,
    /// Where the vring begins.
    base: usize,
}

impl<'a> VringMem<'a> {
    /// Returns the vring that begins at `base`.
    pub(crate) fn new(memory: &'a Memory, base: usize) -> Self {
        Self { memory, base }
    }

    /// Returns the location of `len` bytes at `off` of the vring.
    pub(crate) fn location(&self, off: usize, len: u32) -> Location {
        let at = self.base + off;
        Location { at, len }
    }
}

impl RingMem for VringMem<'_> {
    fn load16(&self, off: usize) -> u16 {
        self.memory.read(self.base + off).unwrap_or(u16::MAX)
    }

    fn load32(&self, off: usize) -> u32 {
        self.memory.read(self.base + off).unwrap_or(u32::MAX)
    }

    fn load64(&self, off: usize) -> u64 {
        self.memory.read(self.base + off).unwrap_or(u64::MAX)
    }

    fn store16(&self, off: usize, value: u16) {
        let _ = self.memory.write(self.base + off, value);
    }

    fn store32(&self, off: usize, value: u32) {
        let _ = self.memory.write(self.base + off, value);
    }

    fn store64(&self, off: usize, value: u64) {
        let _ = self.memory.write(self.base + off, value);
    }

    fn rmb(&self) {
        dma_mb(Read)
    }

    fn wmb(&self) {
        dma_mb(Full)
    }

    fn mb(&self) {
        mb(Full)
    }
}
