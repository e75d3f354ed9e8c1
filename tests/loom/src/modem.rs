// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The other side of a ring: the modem, which obeys the specification and has all its barriers.

use loom::sync::atomic::fence;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use loom::sync::Arc;

use crate::memory::Shared;
use crate::vring_layout::{need_event, AVAIL_F_NO_INTERRUPT, USED_F_NO_NOTIFY};

/// Address of the buffer that is posted as the `count`-th, so that no two are alike.
pub fn address(count: u16) -> u64 {
    0x8000_0000 + 0x1000 * u64::from(count)
}

/// Length of that buffer.
pub fn length(count: u16) -> u32 {
    100 + u32::from(count)
}

/// The second half of a descriptor: a length, no flags, no successor.
fn rest(len: u32) -> u64 {
    let [l0, l1, l2, l3] = len.to_ne_bytes();
    u64::from_ne_bytes([l0, l1, l2, l3, 0, 0, 0, 0])
}

/// The modem as the driver of a ring whose device side is under test. Descriptor `n` is for buffer
/// `n`, and each chain is one descriptor.
pub struct Driver {
    shared: Arc<Shared>,
    event_idx: bool,
    avail: u16,
    used: u16,
}

impl Driver {
    /// Takes the driver side.
    pub fn new(shared: &Arc<Shared>, event_idx: bool) -> Self {
        Self {
            shared: shared.clone(),
            event_idx,
            avail: 0,
            used: 0,
        }
    }

    /// Fills a buffer and makes it available. Returns whether to interrupt the other side.
    pub fn post(&mut self, desc: u16) -> bool {
        let shared = &*self.shared;
        let slot = usize::from(desc);
        shared.buffers[slot].write();
        shared.descs[slot][0].store(address(self.avail), Relaxed);
        shared.descs[slot][1].store(rest(length(self.avail)), Relaxed);
        let entry = usize::from(self.avail % shared.layout.num());
        shared.avail_ring[entry].store(desc, Relaxed);
        let old = self.avail;
        self.avail += 1;
        fence(Release);
        shared.avail_idx.store(self.avail, Relaxed);
        fence(SeqCst);
        if self.event_idx {
            need_event(shared.avail_event.load(Relaxed), self.avail, old)
        } else {
            shared.used_flags.load(Relaxed) & USED_F_NO_NOTIFY == 0
        }
    }

    /// Takes back the next buffer, if it was given back, and writes to it at once.
    pub fn reclaim(&mut self) -> Option<u16> {
        let shared = &*self.shared;
        if shared.used_idx.load(Relaxed) == self.used {
            return None;
        }
        fence(Acquire);
        let elem = &shared.used_ring[usize::from(self.used % shared.layout.num())];
        let (id, written) = (elem[0].load(Relaxed), elem[1].load(Relaxed));
        assert!(
            written == length(self.used),
            "a stale used element: id {id}, {written} bytes"
        );
        self.used += 1;
        let desc = u16::try_from(id).expect("an id is below num");
        shared.buffers[usize::from(desc)].write();
        Some(desc)
    }

    /// Asks for a kick when the next buffer comes back. Returns whether one already did.
    pub fn enable_kick(&self) -> bool {
        if self.event_idx {
            self.shared.used_event.store(self.used, Relaxed);
        } else {
            self.shared.avail_flags.store(0, Relaxed);
        }
        fence(SeqCst);
        self.shared.used_idx.load(Relaxed) != self.used
    }

    /// Asks for no kick.
    pub fn disable_kick(&self) {
        if !self.event_idx {
            self.shared.avail_flags.store(AVAIL_F_NO_INTERRUPT, Relaxed);
        }
    }
}

/// The modem as the device of a ring whose driver side is under test.
pub struct Device {
    shared: Arc<Shared>,
    event_idx: bool,
    avail: u16,
    used: u16,
}

impl Device {
    /// Takes the device side.
    pub fn new(shared: &Arc<Shared>, event_idx: bool) -> Self {
        Self {
            shared: shared.clone(),
            event_idx,
            avail: 0,
            used: 0,
        }
    }

    /// Takes the next buffer, if there is one, and reads it.
    pub fn fetch(&mut self) -> Option<u16> {
        let shared = &*self.shared;
        if shared.avail_idx.load(Relaxed) == self.avail {
            return None;
        }
        fence(Acquire);
        let entry = usize::from(self.avail % shared.layout.num());
        let desc = shared.avail_ring[entry].load(Relaxed);
        let slot = usize::from(desc);
        let found = (
            shared.descs[slot][0].load(Relaxed),
            shared.descs[slot][1].load(Relaxed),
        );
        assert!(
            found == (address(self.avail), rest(length(self.avail))),
            "a stale descriptor: {found:x?}"
        );
        shared.buffers[slot].read();
        self.avail += 1;
        Some(desc)
    }

    /// Gives a buffer back. Returns whether to interrupt the other side.
    pub fn give_back(&mut self, desc: u16) -> bool {
        let shared = &*self.shared;
        let elem = &shared.used_ring[usize::from(self.used % shared.layout.num())];
        elem[0].store(desc.into(), Relaxed);
        elem[1].store(0, Relaxed);
        let old = self.used;
        self.used += 1;
        fence(Release);
        shared.used_idx.store(self.used, Relaxed);
        fence(SeqCst);
        if self.event_idx {
            need_event(shared.used_event.load(Relaxed), self.used, old)
        } else {
            shared.avail_flags.load(Relaxed) & AVAIL_F_NO_INTERRUPT == 0
        }
    }

    /// Asks for a kick when the next buffer is made available. Returns whether one already is.
    pub fn enable_kick(&self) -> bool {
        if self.event_idx {
            self.shared.avail_event.store(self.avail, Relaxed);
        } else {
            self.shared.used_flags.store(0, Relaxed);
        }
        fence(SeqCst);
        self.shared.avail_idx.load(Relaxed) != self.avail
    }

    /// Asks for no kick.
    pub fn disable_kick(&self) {
        if !self.event_idx {
            self.shared.used_flags.store(USED_F_NO_NOTIFY, Relaxed);
        }
    }
}
