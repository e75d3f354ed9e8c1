// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `vring_driver.rs` against a reference that interprets the same accesses.
//!
//! An input is a ring's size and features, and then calls of the ring's methods, mixed with a
//! modem's writes: valid returns, so that most code is reached, and any 16 bits anywhere, now or
//! right before one of the next loads.

use std::collections::BTreeSet;

use super::input::Input;
use super::memory::{Access, TracedMemory, TracedView};
use super::trace::{passes, Places, Trace};
use crate::vring_driver::{DriverRing, DriverRingError, Slot, SlotState};
use crate::vring_layout::Layout;
use crate::vring_mem::Features;

/// Alignment of the used ring.
const ALIGN: u32 = 64;

/// The expected behaviour of the ring, computed from its loads.
struct Reference {
    places: Places,
    slots: u16,
    event_idx: bool,
    free: BTreeSet<u16>,
    taken: BTreeSet<u16>,
    /// Buffers that are not published.
    added: BTreeSet<u16>,
    in_flight: BTreeSet<u16>,
    next_avail: u16,
    published: u16,
    next_used: u16,
    known_used: u16,
    quiet: bool,
    /// Whether `used.idx` was 1 to 255 too small, and how often that was counted.
    half_stored: bool,
    looks: u8,
    broken: Option<DriverRingError>,
}

impl Reference {
    fn add(
        &mut self,
        trace: &mut Trace,
        slot: u16,
        addr: u64,
        len: u32,
    ) -> Result<(), DriverRingError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        if !self.taken.remove(&slot) {
            return Err(*self.broken.insert(DriverRingError::NotTaken { slot }));
        }
        self.added.insert(slot);
        let [l0, l1, l2, l3] = len.to_ne_bytes();
        let rest = u64::from_ne_bytes([l0, l1, l2, l3, 0, 0, 0, 0]);
        trace.store(self.places.desc(slot), 8, addr);
        trace.store(self.places.desc(slot) + 8, 8, rest);
        trace.store(self.places.avail_ring(self.next_avail), 2, slot.into());
        self.next_avail = self.next_avail.wrapping_add(1);
        Ok(())
    }

    fn publish(&mut self, trace: &mut Trace) -> bool {
        let (old, new) = (self.published, self.next_avail);
        if self.broken.is_some() || old == new {
            return false;
        }
        trace.barrier(Access::Wmb);
        trace.store(self.places.avail_idx(), 2, new.into());
        trace.barrier(Access::Mb);
        self.published = new;
        self.in_flight.append(&mut self.added);
        if self.event_idx {
            passes(trace.load16(self.places.avail_event()), new, old)
        } else {
            trace.load16(self.places.used_flags()) & 1 == 0
        }
    }

    fn reclaim(&mut self, trace: &mut Trace) -> Result<Option<u16>, DriverRingError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let result = self.next_used(trace);
        self.broken = result.err();
        result
    }

    fn next_used(&mut self, trace: &mut Trace) -> Result<Option<u16>, DriverRingError> {
        if self.known_used == self.next_used {
            let idx = trace.load16(self.places.used_idx());
            let delta = idx.wrapping_sub(self.next_used);
            let allowed = self.published.wrapping_sub(self.next_used);
            if delta > allowed && delta >= 0xff01 && self.looks < 16 {
                self.half_stored = true;
                return Ok(None);
            }
            if delta > allowed {
                return Err(DriverRingError::UsedJump { delta, allowed });
            }
            if delta != 0 || self.looks == 16 {
                self.half_stored = false;
                self.looks = 0;
            }
            if delta == 0 {
                return Ok(None);
            }
            trace.barrier(Access::Rmb);
            self.known_used = idx;
        }
        let id = trace.load32(self.places.used_ring(self.next_used));
        if id >= self.slots.into() {
            let slots = self.slots;
            return Err(DriverRingError::UsedId { id, slots });
        }
        let slot = id as u16;
        if !self.in_flight.remove(&slot) {
            return Err(DriverRingError::NotInFlight { id: slot });
        }
        self.free.insert(slot);
        self.next_used = self.next_used.wrapping_add(1);
        Ok(Some(slot))
    }

    fn disable_notify(&mut self, trace: &mut Trace) {
        // Nothing new: no store.
        if self.broken.is_none() && !self.event_idx && !self.quiet {
            trace.store(self.places.avail_flags(), 2, 1);
        }
        self.quiet = true;
    }

    fn enable_notify(&mut self, trace: &mut Trace) -> bool {
        if self.broken.is_some() {
            return false;
        }
        self.quiet = false;
        if self.event_idx {
            trace.store(self.places.used_event(), 2, self.next_used.into());
        } else {
            trace.store(self.places.avail_flags(), 2, 0);
        }
        trace.barrier(Access::Mb);
        self.has_more(trace)
    }

    fn has_more(&mut self, trace: &mut Trace) -> bool {
        if self.broken.is_some() {
            return false;
        }
        let ahead = trace
            .load16(self.places.used_idx())
            .wrapping_sub(self.next_used);
        ahead > 0 && (ahead < 0xff01 || self.looks == 16)
    }
}

/// The ring under test, the reference, and the taken slots.
struct Bench<'a> {
    memory: &'a TracedMemory,
    ring: DriverRing<TracedView<'a>, Vec<SlotState>>,
    layout: Layout,
    reference: Reference,
    held: Vec<Slot>,
    /// The modem's next place in the available ring.
    served: u16,
}

impl Bench<'_> {
    /// Returns the accesses of the last call.
    fn trace(&self) -> Trace {
        Trace::new(self.memory.log())
    }

    fn take(&mut self) {
        match self.ring.take() {
            Some(slot) => {
                let index = slot.index();
                assert!(self.reference.free.remove(&index), "{index} is not free");
                self.reference.taken.insert(index);
                self.held.push(slot);
            }
            None => assert!(self.reference.free.is_empty()),
        }
        self.trace().end();
    }

    fn put(&mut self, slot: Slot) {
        let index = slot.index();
        self.ring.put(slot);
        self.trace().end();
        if self.reference.taken.remove(&index) {
            self.reference.free.insert(index);
        }
    }

    fn add(&mut self, slot: Slot, addr: u64, len: u32) {
        let index = slot.index();
        let got = self.ring.add(slot, addr, len);
        let mut trace = self.trace();
        assert_eq!(got, self.reference.add(&mut trace, index, addr, len));
        trace.end();
    }

    fn reclaim(&mut self) {
        let got = self.ring.reclaim();
        let mut trace = self.trace();
        assert_eq!(got, self.reference.reclaim(&mut trace));
        trace.end();
    }

    /// Returns a slot of another ring, which may have more of them.
    fn foreign(&self, index: u16) -> Slot {
        let layout = self.layout;
        let memory = TracedMemory::new(layout.size());
        let slots = vec![SlotState::Taken; usize::from(layout.num())];
        let mut ring = DriverRing::new(memory.view(), layout, Features::default(), slots)
            .expect("as many slots as descriptors");
        let slots: Vec<_> = std::iter::from_fn(|| ring.take()).collect();
        assert_eq!(slots.len(), usize::from(layout.num()));
        let which = usize::from(index % layout.num());
        slots.into_iter().nth(which).expect("below num")
    }

    /// Returns the next buffer of the modem to the ring, if it has one.
    fn serve(&mut self) {
        let places = self.reference.places;
        if self.served != self.reference.published {
            let id = self.memory.peek(places.avail_ring(self.served), 2);
            let idx = self.memory.peek(places.used_idx(), 2) as u16;
            self.memory.poke(places.used_ring(idx), 8, id);
            let idx = idx.wrapping_add(1);
            self.memory.poke(places.used_idx(), 2, idx.into());
            self.served = self.served.wrapping_add(1);
        }
    }

    fn held(&mut self, which: u8) -> Option<Slot> {
        let len = self.held.len();
        (len > 0).then(|| self.held.swap_remove(usize::from(which) % len))
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.u8() % 16 {
            0 => self.take(),
            1 => {
                if let Some(slot) = self.held(input.u8()) {
                    self.put(slot);
                }
            }
            2 | 3 => {
                let (which, addr, len) = (input.u8(), input.u64(), input.u32());
                if let Some(slot) = self.held(which) {
                    self.add(slot, addr, len);
                }
            }
            4 | 5 => {
                let got = self.ring.publish();
                let mut trace = self.trace();
                assert_eq!(got, self.reference.publish(&mut trace));
                trace.end();
            }
            6 | 7 => self.reclaim(),
            8 => {
                self.ring.disable_notify();
                let mut trace = self.trace();
                self.reference.disable_notify(&mut trace);
                trace.end();
            }
            9 => {
                let got = self.ring.enable_notify();
                let mut trace = self.trace();
                assert_eq!(got, self.reference.enable_notify(&mut trace));
                trace.end();
            }
            10 => {
                let got = self.ring.has_more();
                let mut trace = self.trace();
                assert_eq!(got, self.reference.has_more(&mut trace));
                trace.end();
            }
            11 => {
                let how = input.u16();
                let slot = self.foreign(how >> 1);
                if how & 1 == 0 {
                    self.put(slot);
                } else {
                    self.add(slot, input.u64(), input.u32());
                }
            }
            12 => {
                let (off, value) = (input.u16(), input.u16());
                let off = usize::from(off) % (self.layout.size() - 1);
                self.memory.poke(off, 2, value.into());
            }
            13 => self.memory.poke_later(input.u8(), input.u16(), input.u16()),
            14 => {
                self.ring.count_look();
                self.trace().end();
                let reference = &mut self.reference;
                reference.looks += u8::from(reference.half_stored && reference.looks < 16);
            }
            _ => self.serve(),
        }
    }

    fn check(&self) {
        let reference = &self.reference;
        assert_eq!(self.ring.error(), reference.broken);
        assert_eq!(self.ring.next(), reference.next_used);
        let half_stored = reference.half_stored && reference.broken.is_none();
        assert_eq!(self.ring.is_half_stored(), half_stored);
        assert_eq!(usize::from(self.ring.free()), reference.free.len());
        let (free, taken) = (reference.free.len(), reference.taken.len());
        let all = free + taken + reference.added.len() + reference.in_flight.len();
        if let Some(error) = reference.broken {
            assert!(!error.to_string().is_empty());
            self.memory.close();
        } else {
            assert_eq!(all, usize::from(reference.slots), "a slot was lost");
        }
    }
}

/// Runs an input. Returns the number of buffers that came back, and the error that broke the ring.
pub fn fuzz(input: &[u8]) -> (u16, Option<DriverRingError>) {
    let mut input = Input::new(input);
    let head = input.u8();
    let num = 1u16 << (head & 7);
    let event_idx = head & 8 != 0;
    let slots = u16::from(input.u8()) % (num + 2);
    let layout = Layout::new(num.into(), ALIGN).expect("a power of two");
    let places = Places::new(num.into(), ALIGN as usize);
    let memory = TracedMemory::new(layout.size());
    let features = Features { event_idx };
    // The content of the storage must not matter.
    let storage = vec![SlotState::Added { number: 0 }; slots.into()];
    let ring = match DriverRing::new(memory.view(), layout, features, storage) {
        Ok(ring) => ring,
        Err(error) => {
            assert!(slots == 0 || slots > num);
            let slots = slots.into();
            assert_eq!(error, DriverRingError::Slots { slots, num });
            return (0, Some(error));
        }
    };
    assert!((1..=num).contains(&slots));
    let mut bench = Bench {
        memory: &memory,
        ring,
        layout,
        reference: Reference {
            places,
            slots,
            event_idx,
            free: (0..slots).collect(),
            taken: BTreeSet::new(),
            added: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            next_avail: 0,
            published: 0,
            next_used: 0,
            known_used: 0,
            quiet: false,
            half_stored: false,
            looks: 0,
            broken: None,
        },
        held: Vec::new(),
        served: 0,
    };
    while !input.is_empty() {
        bench.step(&mut input);
        bench.check();
    }
    (bench.reference.next_used, bench.reference.broken)
}
