// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The host's end of the uplink: the driver's own code on a ring in the shared memory.

use super::{Host, POOL, POOL_SIZE};
use ivshmem::memory::SharedMemory;
use kernel_pure::{
    vring_driver::{DriverRing, SlotState},
    vring_layout::AVAIL_F_NO_INTERRUPT,
};
use link::view::View;
use modem_ring::{Desc, Fields};

/// The host's end of the uplink. Each descriptor has a slot of its own.
pub struct Tx {
    pub memory: SharedMemory,
    /// The fields of the ring, for accesses without rules.
    pub fields: Fields<View>,
    ring: DriverRing<View, Vec<SlotState>>,
    slots: u16,
    event_idx: bool,
    headroom: u16,
    tailroom: u16,
    slot: u64,
    kick: bool,
}

impl Tx {
    pub fn new(host: &Host) -> Self {
        let (layout, features) = (host.layout(1), host.features());
        let config = host.table.config.unwrap().uplink;
        let slots = u16::try_from(POOL_SIZE / u64::from(config.mtu)).unwrap_or(u16::MAX);
        let slots = layout.num().min(slots);
        let states = vec![SlotState::Taken; slots.into()];
        let this = Self {
            memory: host.memory.clone(),
            fields: host.fields(1),
            ring: DriverRing::new(host.view(1), layout, features, states).unwrap(),
            slots,
            event_idx: features.event_idx,
            headroom: config.headroom,
            tailroom: config.tailroom,
            slot: config.mtu.into(),
            kick: false,
        };
        this.want_interrupts(false);
        this
    }

    /// Puts a frame in a slot. Returns whether one was free.
    pub fn send(&mut self, frame: &[u8]) -> bool {
        let Some(slot) = self.ring.take() else {
            return false;
        };
        let da = POOL + self.slot * u64::from(slot.index());
        self.memory
            .write(da + u64::from(self.headroom), frame)
            .unwrap();
        let room = u32::from(self.headroom) + u32::from(self.tailroom);
        self.ring.add(slot, da, frame.len() as u32 + room).unwrap();
        self.kick |= self.ring.publish();
        true
    }

    /// Makes a buffer available with any descriptor.
    pub fn post(&mut self, desc: Desc) {
        let slot = self.ring.take().unwrap();
        let index = slot.index();
        self.ring.add(slot, 0, 0).unwrap();
        self.fields.write_desc(index, desc);
        self.ring.publish();
    }

    /// Returns whether the modem must be kicked for what was sent since the last call.
    pub fn kick(&mut self) -> bool {
        std::mem::take(&mut self.kick)
    }

    /// Takes slots back. Returns their number.
    pub fn reclaim(&mut self) -> usize {
        std::iter::from_fn(|| self.ring.reclaim().unwrap()).count()
    }

    /// Returns the number of slots that the modem has.
    pub fn in_flight(&self) -> usize {
        (self.slots - self.ring.free()).into()
    }

    /// Asks to be interrupted when the modem returns a slot, or not to.
    pub fn want_interrupts(&self, wanted: bool) {
        if self.event_idx {
            let event = self.ring.next().wrapping_sub(u16::from(!wanted));
            self.fields.write_used_event(event);
        } else {
            let flags = if wanted { 0 } else { AVAIL_F_NO_INTERRUPT };
            self.fields.write_avail_flags(flags);
        }
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    }
}
