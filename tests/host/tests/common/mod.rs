// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What the tests of a ring share.
#![allow(dead_code, reason = "no test needs all of it")]

use vring_host_tests::driver::{write_desc, Buffer, Driver};
use vring_host_tests::memory::{Memory, View};
use vring_host_tests::vring_chain::{DeviceRingError, Segment};
use vring_host_tests::vring_layout::Layout;
use vring_host_tests::vring_mem::{Features, RingMem};
use vring_host_tests::vring_reversed::{Chain, DeviceRing, Peeked};

/// Both features, for tests that hold for each.
pub const BOTH: [Features; 2] = [Features { event_idx: false }, Features { event_idx: true }];

/// The ring under test, over plain memory.
pub type HostRing<'a> = DeviceRing<View<'a>, Vec<bool>>;

/// Memory with one ring in it.
pub struct Bench {
    pub memory: Memory,
    pub layout: Layout,
}

impl Bench {
    pub fn new(num: u32) -> Self {
        let layout = Layout::new(num, 64).expect("num is a power of two");
        let memory = Memory::new(layout.size());
        Self { memory, layout }
    }

    pub fn view(&self) -> View<'_> {
        self.memory.view(self.layout.size())
    }

    pub fn driver(&self, features: Features) -> Driver<'_> {
        Driver::new(self.view(), self.layout, features.event_idx, 3)
    }

    pub fn ring(&self, features: Features) -> HostRing<'_> {
        self.ring_on(self.view(), features)
    }

    pub fn ring_on<M: RingMem>(&self, mem: M, features: Features) -> DeviceRing<M, Vec<bool>> {
        // The content of the storage must not matter.
        let storage = vec![true; usize::from(self.layout.num())];
        DeviceRing::new(mem, self.layout, features, storage).expect("the storage is large enough")
    }

    pub fn segments(&self) -> Vec<Segment> {
        vec![Segment::default(); usize::from(self.layout.num())]
    }

    /// Writes a descriptor, sound or not.
    pub fn desc(&self, index: u16, flags: u16, next: u16) {
        let fields = (0x8000_0000 + u64::from(index), 64, flags, next);
        write_desc(&self.view(), &self.layout, index, fields);
    }

    /// Puts `heads` into the available ring from its start on, and shows them.
    pub fn avail(&self, heads: &[u16]) {
        let view = self.view();
        for (i, head) in (0u16..).zip(heads) {
            view.store16(self.layout.avail_ring(i), *head);
        }
        view.store16(self.layout.avail_idx(), heads.len() as u16);
    }

    /// What the first fetch says to the ring as it is.
    pub fn fetch_once(&self) -> Result<Option<Chain>, DeviceRingError> {
        self.ring(BOTH[0]).fetch(&mut self.segments())
    }
}

/// `count` buffers that can be told apart.
pub fn buffers(count: usize, tag: u64) -> Vec<Buffer> {
    (0..count as u64)
        .map(|i| Buffer {
            addr: (tag << 32) + i * 0x1000,
            len: 40 + i as u32,
            flags: 0,
        })
        .collect()
}

/// Fetches a chain that must be there.
pub fn must_fetch<M: RingMem>(
    ring: &mut DeviceRing<M, Vec<bool>>,
    segments: &mut [Segment],
) -> Chain {
    ring.fetch(segments)
        .expect("the ring must be sound")
        .expect("there must be a chain")
}

/// Looks at a chain that must be there.
pub fn must_peek<M: RingMem>(ring: &mut DeviceRing<M, Vec<bool>>) -> Peeked<'_, M, Vec<bool>> {
    ring.peek()
        .expect("the ring must be sound")
        .expect("there must be a chain")
}
