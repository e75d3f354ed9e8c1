// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The other side of a ring: the model of the modem, with buffers that it fills and reads.
//! Descriptor `n` is for buffer `n`, and each chain is one descriptor.

use loom::sync::Arc;
use modem_ring::{Desc, Place};

use crate::memory::{Memory, Shared};
use crate::vring_mem::Features;

/// Returns the `count`-th buffer, which differs from all others.
pub fn buffer(count: u16) -> Desc {
    Desc {
        addr: 0x8000_0000 + 0x1000 * u64::from(count),
        len: 100 + u32::from(count),
        ..Desc::default()
    }
}

/// The modem as the driver of a ring whose device side is under test.
pub struct Driver {
    shared: Arc<Shared>,
    ring: modem_ring::Driver<Memory, Vec<Place>>,
    features: Features,
}

impl Driver {
    /// Takes the driver side.
    pub fn new(shared: &Arc<Shared>, features: Features) -> Self {
        let places = vec![Place::default(); shared.layout.num().into()];
        let memory = Memory::sound(shared);
        Self {
            shared: shared.clone(),
            ring: modem_ring::Driver::new(memory, shared.layout, features, places)
                .expect("there are places"),
            features,
        }
    }

    /// Fills a buffer and makes it available. Returns whether to interrupt the other side.
    pub fn post(&mut self) -> bool {
        let buffer = buffer(self.ring.next_avail());
        let head = self.ring.post(&[buffer]).expect("a descriptor is free");
        self.shared.buffers[usize::from(head)].write();
        self.ring.publish()
    }

    /// Takes back the next buffer, if it was given back, and writes to it at once. Returns whether
    /// there was one.
    pub fn reclaim(&mut self) -> bool {
        let len = buffer(self.ring.next_used()).len;
        match self.ring.reclaim() {
            Ok(None) => return false,
            Ok(Some(used)) if used.len == len => {
                self.shared.buffers[used.id as usize].write();
            }
            other => panic!("a stale used element: {other:?}"),
        }
        true
    }

    /// Asks for a kick when the next buffer comes back. Returns whether one already did.
    pub fn enable_kick(&self) -> bool {
        self.ring.enable_notify()
    }

    /// Asks for no kick. With `EVENT_IDX` there is nothing to store, which makes fewer orders.
    pub fn disable_kick(&self) {
        if !self.features.event_idx {
            self.ring.disable_notify();
        }
    }
}

/// The modem as the device of a ring whose driver side is under test.
pub struct Device {
    shared: Arc<Shared>,
    ring: modem_ring::Device<Memory>,
    features: Features,
}

impl Device {
    /// Takes the device side.
    pub fn new(shared: &Arc<Shared>, features: Features) -> Self {
        Self {
            shared: shared.clone(),
            ring: modem_ring::Device::new(Memory::sound(shared), shared.layout, features),
            features,
        }
    }

    /// Takes the next buffer, if there is one, and reads it.
    pub fn fetch(&mut self) -> Option<u16> {
        let want = buffer(self.ring.next_avail());
        let (head, found) = self.ring.fetch().expect("the ring is sound")?;
        assert!(found == want, "a stale descriptor: {found:x?}");
        self.shared.buffers[usize::from(head)].read();
        Some(head)
    }

    /// Gives a buffer back. Returns whether to interrupt the other side.
    pub fn give_back(&mut self, head: u16) -> bool {
        self.ring.put_used(head.into(), 0);
        self.ring.publish()
    }

    /// Asks for a kick when the next buffer is made available. Returns whether one already is.
    pub fn enable_kick(&self) -> bool {
        self.ring.enable_notify()
    }

    /// Asks for no kick. With `EVENT_IDX` there is nothing to store, which makes fewer orders.
    pub fn disable_kick(&self) {
        if !self.features.event_idx {
            self.ring.disable_notify();
        }
    }
}
