// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modem's heap in the shared memory.
//!
//! The allocator's state is in private memory, so that Linux cannot damage it.

use offset_allocator::{Allocation, Allocator};

/// Buffers begin at multiples of this.
const GRANULE: u64 = 16;

/// A heap.
pub struct Heap {
    allocator: Allocator,
    base: u64,
}

/// A buffer of a heap, to be freed there.
pub struct Buffer {
    allocation: Allocation,
    /// Device address.
    pub da: u64,
}

impl Heap {
    /// Returns a heap of `size` bytes at device address `base`.
    pub fn new(base: u64, size: u64) -> Self {
        let granules = u32::try_from(size / GRANULE).unwrap_or(u32::MAX);
        Self {
            allocator: Allocator::new(granules),
            base,
        }
    }

    /// Allocates `size` bytes, if there are as many in one piece.
    pub fn allocate(&mut self, size: u32) -> Option<Buffer> {
        let granules = u64::from(size).div_ceil(GRANULE).max(1);
        let allocation = self.allocator.allocate(u32::try_from(granules).ok()?)?;
        let da = self.base + u64::from(allocation.offset) * GRANULE;
        Some(Buffer { allocation, da })
    }

    /// Frees a buffer.
    pub fn free(&mut self, buffer: Buffer) {
        self.allocator.free(buffer.allocation);
    }

    /// Returns the number of free bytes.
    pub fn free_bytes(&self) -> u64 {
        u64::from(self.allocator.storage_report().total_free_space) * GRANULE
    }
}
