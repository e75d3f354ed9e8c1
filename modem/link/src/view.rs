// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The memory of a vring, as a `RingMem` for the model of the modem's rings.

use crate::{Error, table::Vring};
use ivshmem::memory::SharedMemory;
use kernel_pure::vring_mem::RingMem;
use std::sync::atomic::{Ordering, fence};
use vm_memory::{AtomicAccess, Bytes, GuestAddress};

/// The memory of a vring.
///
/// # Invariants
///
/// The vring is inside the memory, and its place is a multiple of 16.
#[derive(Clone)]
pub struct View {
    memory: SharedMemory,
    da: u64,
}

impl View {
    /// Returns the memory of a vring, which must be inside the shared memory and aligned.
    pub fn new(memory: &SharedMemory, vring: &Vring) -> Result<Self, Error> {
        let Vring { da, layout } = *vring;
        if !memory.contains(da, layout.size() as u64) || da % 16 != 0 {
            return Err(Error::Table(format!("no vring can be at {da:#x}")));
        }
        // INVARIANT: That the vring is inside the memory and aligned was checked above.
        Ok(Self {
            memory: memory.clone(),
            da,
        })
    }

    /// Loads a value. There is no error: the vring is inside the memory, and rings access nothing
    /// outside of theirs.
    fn load<T: AtomicAccess + Default>(&self, off: usize) -> T {
        let at = GuestAddress(self.da + off as u64);
        let value = self.memory.guest().load(at, Ordering::Relaxed);
        value.unwrap_or_default()
    }

    /// Stores a value. There is no error, as for `load`.
    fn store<T: AtomicAccess>(&self, off: usize, value: T) {
        let at = GuestAddress(self.da + off as u64);
        let stored = self.memory.guest().store(value, at, Ordering::Relaxed);
        debug_assert!(stored.is_ok(), "{off} is not in the vring");
    }
}

impl RingMem for View {
    fn load16(&self, off: usize) -> u16 {
        self.load(off)
    }

    fn load32(&self, off: usize) -> u32 {
        self.load(off)
    }

    fn load64(&self, off: usize) -> u64 {
        self.load(off)
    }

    fn store16(&self, off: usize, value: u16) {
        self.store(off, value);
    }

    fn store32(&self, off: usize, value: u32) {
        self.store(off, value);
    }

    fn store64(&self, off: usize, value: u64) {
        self.store(off, value);
    }

    fn rmb(&self) {
        fence(Ordering::Acquire);
    }

    fn wmb(&self) {
        fence(Ordering::AcqRel);
    }

    fn mb(&self) {
        fence(Ordering::SeqCst);
    }
}
