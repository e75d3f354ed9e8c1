// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The host's end of the uplink: a simple driver of an ordinary ring.

use super::{Host, POOL, POOL_SIZE, VRING_DA};
use ivshmem::memory::SharedMemory;
use kernel_pure::vring_layout::{AVAIL_F_NO_INTERRUPT, Layout, USED_F_NO_NOTIFY, need_event};
use std::sync::atomic::{Ordering, fence};

/// The host's end of the uplink. Each descriptor has a slot of its own.
pub struct Tx {
    pub memory: SharedMemory,
    pub layout: Layout,
    da: u64,
    event_idx: bool,
    headroom: u16,
    tailroom: u16,
    slot: u64,
    free: Vec<u16>,
    pub avail: u16,
    /// The `avail.idx` that the modem was told of last.
    told: u16,
    used: u16,
}

impl Tx {
    pub fn new(host: &Host) -> Self {
        let layout = host.layout(1);
        let config = host.table.config.unwrap().uplink;
        let slots = u16::try_from(POOL_SIZE / u64::from(config.mtu)).unwrap_or(u16::MAX);
        let this = Self {
            memory: host.memory.clone(),
            layout,
            da: VRING_DA[1].into(),
            event_idx: host.event_idx(),
            headroom: config.headroom,
            tailroom: config.tailroom,
            slot: config.mtu.into(),
            free: (0..layout.num().min(slots)).collect(),
            avail: 0,
            told: 0,
            used: 0,
        };
        this.want_interrupts(false);
        this
    }

    pub fn load<T: vm_memory::AtomicAccess>(&self, offset: usize) -> T {
        self.memory.load(self.da + offset as u64).unwrap()
    }

    pub fn store<T: vm_memory::AtomicAccess>(&self, offset: usize, value: T) {
        self.memory.store(self.da + offset as u64, value).unwrap();
    }

    /// Device address of the slot of a descriptor.
    pub fn slot(&self, desc: u16) -> u64 {
        POOL + self.slot * u64::from(desc)
    }

    /// Puts a frame in a slot. Returns whether one was free.
    pub fn send(&mut self, frame: &[u8]) -> bool {
        let Some(desc) = self.free.pop() else {
            return false;
        };
        let slot = self.slot(desc);
        self.memory
            .write(slot + u64::from(self.headroom), frame)
            .unwrap();
        let room = u32::from(self.headroom) + u32::from(self.tailroom);
        self.post(desc, slot, frame.len() as u32 + room, 0, 0);
        true
    }

    /// Makes a descriptor available, whatever it says.
    pub fn post(&mut self, desc: u16, da: u64, len: u32, flags: u16, next: u16) {
        self.describe(desc, da, len, flags, next);
        self.store(self.layout.avail_ring(self.avail), desc);
        self.avail = self.avail.wrapping_add(1);
        self.store(self.layout.avail_idx(), self.avail);
    }

    /// Writes a descriptor.
    pub fn describe(&self, desc: u16, da: u64, len: u32, flags: u16, next: u16) {
        let at = self.layout.desc(desc);
        self.store(at, da);
        self.store(at + 8, len);
        self.store(at + 12, flags);
        self.store(at + 14, next);
    }

    /// Whether the modem must be kicked for what was sent since the last call.
    pub fn kick(&mut self) -> bool {
        let old = std::mem::replace(&mut self.told, self.avail);
        if old == self.avail {
            return false;
        }
        fence(Ordering::SeqCst);
        if self.event_idx {
            need_event(self.load(self.layout.avail_event()), self.avail, old)
        } else {
            self.load::<u16>(self.layout.used_flags()) & USED_F_NO_NOTIFY == 0
        }
    }

    /// Takes slots back. Returns how many.
    pub fn reclaim(&mut self) -> usize {
        let idx: u16 = self.load(self.layout.used_idx());
        let count = idx.wrapping_sub(self.used);
        assert!(usize::from(count) <= self.in_flight(), "used.idx jumped");
        for _ in 0..count {
            let id: u32 = self.load(self.layout.used_ring(self.used));
            let id = u16::try_from(id).unwrap();
            assert!(!self.free.contains(&id), "{id} came back twice");
            self.free.push(id);
            self.used = self.used.wrapping_add(1);
        }
        count.into()
    }

    /// Slots that the modem has.
    pub fn in_flight(&self) -> usize {
        usize::from(self.avail.wrapping_sub(self.used))
    }

    /// Asks to be interrupted when the modem returns a slot, or not to.
    pub fn want_interrupts(&self, wanted: bool) {
        if self.event_idx {
            let event = self.used.wrapping_sub(u16::from(!wanted));
            self.store(self.layout.used_event(), event);
        } else {
            let flags = if wanted { 0 } else { AVAIL_F_NO_INTERRUPT };
            self.store(self.layout.avail_flags(), flags);
        }
        fence(Ordering::SeqCst);
    }
}
