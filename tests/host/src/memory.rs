// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Memory shared by two sides: the ring under test and `virtio-queue`.
//!
//! Every access goes through `vm-memory`, which checks bounds and alignment: a ring file that
//! reaches outside its ring ends the test.

use std::sync::atomic::{fence, Ordering};

use virtio_queue::{Queue, QueueT};
use vm_memory::{Address, Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, VolatileSlice};

use crate::vring_layout::Layout;
use crate::vring_mem::RingMem;

/// Address of the memory for `virtio-queue`.
pub const BASE: GuestAddress = GuestAddress(0x10_0000);

/// Zeroed memory.
pub struct Memory {
    map: GuestMemoryMmap,
    size: usize,
}

impl Memory {
    /// Maps `size` bytes.
    pub fn new(size: usize) -> Self {
        let map = GuestMemoryMmap::from_ranges(&[(BASE, size)]).expect("memory must be mappable");
        Self { map, size }
    }

    /// Returns the memory as `virtio-queue` sees it, at [`BASE`].
    pub fn map(&self) -> &GuestMemoryMmap {
        &self.map
    }

    /// Returns the device side of a ring at the start, by `virtio-queue`, with its used ring at
    /// `used`.
    pub fn queue(&self, layout: &Layout, event_idx: bool, used: usize) -> Queue {
        let at = |off: usize| BASE.unchecked_add(off as u64);
        let mut queue = Queue::new(layout.num()).expect("a power of two");
        queue
            .try_set_desc_table_address(at(0))
            .and_then(|()| queue.try_set_avail_ring_address(at(layout.avail_flags())))
            .and_then(|()| queue.try_set_used_ring_address(at(used)))
            .expect("all parts are aligned");
        queue.set_event_idx(event_idx);
        queue.set_ready(true);
        assert!(queue.is_valid(&self.map), "the layout must be accepted");
        queue
    }

    /// Returns the first `len` bytes as a ring.
    pub fn view(&self, len: usize) -> View<'_> {
        assert!(len <= self.size, "the view must lie in the memory");
        View(self.map.get_slice(BASE, len).expect("checked above"))
    }
}

/// The memory of one ring. Each access is one relaxed atomic access.
#[derive(Clone)]
pub struct View<'a>(VolatileSlice<'a>);

impl View<'_> {
    /// Returns a copy of `len` bytes at `off`.
    pub fn bytes(&self, off: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0
            .read_slice(&mut bytes, off)
            .unwrap_or_else(|e| panic!("read of {len} bytes at {off}: {e}"));
        bytes
    }
}

impl RingMem for View<'_> {
    fn load16(&self, off: usize) -> u16 {
        self.0
            .load(off, Ordering::Relaxed)
            .unwrap_or_else(|e| panic!("load of 2 bytes at {off}: {e}"))
    }

    fn load32(&self, off: usize) -> u32 {
        self.0
            .load(off, Ordering::Relaxed)
            .unwrap_or_else(|e| panic!("load of 4 bytes at {off}: {e}"))
    }

    fn load64(&self, off: usize) -> u64 {
        self.0
            .load(off, Ordering::Relaxed)
            .unwrap_or_else(|e| panic!("load of 8 bytes at {off}: {e}"))
    }

    fn store16(&self, off: usize, value: u16) {
        self.0
            .store(value, off, Ordering::Relaxed)
            .unwrap_or_else(|e| panic!("store of 2 bytes at {off}: {e}"));
    }

    fn store32(&self, off: usize, value: u32) {
        self.0
            .store(value, off, Ordering::Relaxed)
            .unwrap_or_else(|e| panic!("store of 4 bytes at {off}: {e}"));
    }

    fn store64(&self, off: usize, value: u64) {
        self.0
            .store(value, off, Ordering::Relaxed)
            .unwrap_or_else(|e| panic!("store of 8 bytes at {off}: {e}"));
    }

    fn rmb(&self) {
        fence(Ordering::Acquire);
    }

    fn wmb(&self) {
        fence(Ordering::Release);
    }

    fn mb(&self) {
        fence(Ordering::SeqCst);
    }
}
