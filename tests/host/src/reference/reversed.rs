// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `vring_reversed.rs` against a reference that interprets the same accesses.
//!
//! An input is a ring's size and features, and then calls of the ring's methods, mixed with a
//! modem's writes: whole valid chains, so that most code is reached, and any 16 bits anywhere, now
//! or right before one of the next loads.

use super::input::Input;
use super::memory::{Access, TracedMemory, TracedView};
use super::trace::{passes, Places, Trace};
use crate::vring_chain::{DeviceRingError, Segment};
use crate::vring_layout::Layout;
use crate::vring_mem::Features;
use crate::vring_reversed::{Chain, DeviceRing};

/// Alignment of the used ring.
const ALIGN: u32 = 64;

/// An expected chain: its head, and address, length, flags of each segment.
type Fetched = (u16, Vec<(u64, u32, u16)>);

/// The expected behaviour of the ring, computed from its loads.
struct Reference {
    places: Places,
    num: u16,
    event_idx: bool,
    in_flight: Vec<bool>,
    next_avail: u16,
    known_avail: u16,
    next_used: u16,
    published: u16,
    /// Whether `avail.idx` was 1 to 255 too small, and how often that was counted.
    half_stored: bool,
    looks: u8,
    broken: Option<DeviceRingError>,
}

impl Reference {
    fn fetch(&mut self, trace: &mut Trace) -> Result<Option<Fetched>, DeviceRingError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let result = self.next_chain(trace);
        self.broken = result.as_ref().err().copied();
        result
    }

    fn next_chain(&mut self, trace: &mut Trace) -> Result<Option<Fetched>, DeviceRingError> {
        if self.known_avail == self.next_avail {
            let idx = trace.load16(self.places.avail_idx());
            let delta = idx.wrapping_sub(self.next_avail);
            let allowed = self.num - self.next_avail.wrapping_sub(self.published);
            if delta > allowed && delta >= 0xff01 && self.looks < 16 {
                self.half_stored = true;
                return Ok(None);
            }
            if delta > allowed {
                return Err(DeviceRingError::AvailJump { delta, allowed });
            }
            if delta != 0 || self.looks == 16 {
                self.half_stored = false;
                self.looks = 0;
            }
            if delta == 0 {
                return Ok(None);
            }
            trace.barrier(Access::Rmb);
            self.known_avail = idx;
        }
        let num = self.num;
        let head = trace.load16(self.places.avail_ring(self.next_avail));
        match self.in_flight.get_mut(usize::from(head)) {
            None => return Err(DeviceRingError::Head { head, num }),
            Some(true) => return Err(DeviceRingError::HeadInFlight { head }),
            Some(flag) => *flag = true,
        }
        let mut segments = Vec::new();
        let mut desc = head;
        loop {
            if segments.len() == usize::from(num) {
                return Err(DeviceRingError::Loop { head, num });
            }
            let [a0, a1, a2, a3, a4, a5, a6, a7, l0, l1, l2, l3, f0, f1, n0, n1] =
                trace.load_desc(self.places.desc(desc));
            let flags = u16::from_ne_bytes([f0, f1]);
            if flags & 4 != 0 {
                return Err(DeviceRingError::Indirect { desc });
            }
            segments.push((
                u64::from_ne_bytes([a0, a1, a2, a3, a4, a5, a6, a7]),
                u32::from_ne_bytes([l0, l1, l2, l3]),
                flags,
            ));
            if flags & 1 == 0 {
                break;
            }
            let next = u16::from_ne_bytes([n0, n1]);
            if next >= num {
                return Err(DeviceRingError::Next { desc, next, num });
            }
            desc = next;
        }
        self.next_avail = self.next_avail.wrapping_add(1);
        Ok(Some((head, segments)))
    }

    fn give_back(
        &mut self,
        trace: &mut Trace,
        head: u16,
        written: u32,
    ) -> Result<(), DeviceRingError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        match self.in_flight.get_mut(usize::from(head)) {
            Some(flag) if *flag => *flag = false,
            _ => {
                let error = DeviceRingError::NotInFlight { head };
                self.broken = Some(error);
                return Err(error);
            }
        }
        let elem = self.places.used_ring(self.next_used);
        trace.store(elem, 4, head.into());
        trace.store(elem + 4, 4, written.into());
        self.next_used = self.next_used.wrapping_add(1);
        Ok(())
    }

    fn publish(&mut self, trace: &mut Trace) -> bool {
        let (old, new) = (self.published, self.next_used);
        if self.broken.is_some() || old == new {
            return false;
        }
        trace.barrier(Access::Wmb);
        trace.store(self.places.used_idx(), 2, new.into());
        trace.barrier(Access::Mb);
        self.published = new;
        if self.event_idx {
            passes(trace.load16(self.places.used_event()), new, old)
        } else {
            trace.load16(self.places.avail_flags()) & 1 == 0
        }
    }

    fn disable_notify(&mut self, trace: &mut Trace) {
        if self.broken.is_none() && !self.event_idx {
            trace.store(self.places.used_flags(), 2, 1);
        }
    }

    fn enable_notify(&mut self, trace: &mut Trace) -> bool {
        if self.broken.is_some() {
            return false;
        }
        if self.event_idx {
            trace.store(self.places.avail_event(), 2, self.next_avail.into());
        } else {
            trace.store(self.places.used_flags(), 2, 0);
        }
        trace.barrier(Access::Mb);
        self.has_more(trace)
    }

    fn has_more(&mut self, trace: &mut Trace) -> bool {
        if self.broken.is_some() {
            return false;
        }
        let ahead = trace
            .load16(self.places.avail_idx())
            .wrapping_sub(self.next_avail);
        ahead > 0 && (ahead < 0xff01 || self.looks == 16)
    }
}

/// The modem that fills the ring when it is sound.
struct Modem {
    places: Places,
    next_desc: u16,
}

impl Modem {
    /// Posts a chain of `len` descriptors behind the present index, free or not.
    fn post(&mut self, memory: &TracedMemory, len: u16, flags: u16) {
        let num = self.places.num as u16;
        let head = self.next_desc % num;
        let len = 1 + len % num;
        for i in 0..len {
            let desc = (head + i) % num;
            let off = self.places.desc(desc);
            let next = if i + 1 < len { 1 } else { 0 };
            memory.poke(off, 8, 0x8000_0000 + u64::from(desc) * 0x1000);
            memory.poke(off + 8, 4, u64::from(desc) + 100);
            memory.poke(off + 12, 2, u64::from(flags & !5 | next));
            memory.poke(off + 14, 2, u64::from((desc + 1) % num));
        }
        let idx = memory.peek(self.places.avail_idx(), 2) as u16;
        memory.poke(self.places.avail_ring(idx), 2, head.into());
        memory.poke(self.places.avail_idx(), 2, idx.wrapping_add(1).into());
        self.next_desc = (head + len) % num;
    }
}

/// The ring under test, the reference, and the fetched chains.
struct Bench<'a> {
    memory: &'a TracedMemory,
    ring: DeviceRing<TracedView<'a>, Vec<bool>>,
    layout: Layout,
    reference: Reference,
    held: Vec<Chain>,
    segments: Vec<Segment>,
}

impl Bench<'_> {
    /// Returns the accesses of the last call.
    fn trace(&self) -> Trace {
        Trace::new(self.memory.log())
    }

    fn fetch(&mut self) {
        let got = self.ring.fetch(&mut self.segments);
        let mut trace = self.trace();
        let want = self.reference.fetch(&mut trace);
        trace.end();
        match (got, want) {
            (Ok(Some(chain)), Ok(Some((head, segments)))) => {
                assert_eq!((chain.head(), chain.len()), (head, segments.len()));
                self.compare(&segments);
                self.held.push(chain);
            }
            (Ok(None), Ok(None)) => {}
            (Err(got), Err(want)) => assert_eq!(got, want),
            (got, want) => panic!("fetch said {got:?}, must be {want:?}"),
        }
    }

    fn compare(&self, segments: &[(u64, u32, u16)]) {
        for (got, want) in self.segments.iter().zip(segments) {
            assert_eq!((got.addr(), got.len(), got.flags()), *want);
            assert_eq!(got.is_write(), want.2 & 2 != 0);
        }
    }

    /// Receives a chain as the driver does: one of several segments is taken, and then given back.
    /// Returns the number of its segments.
    fn receive_next(&mut self, written: u32) -> Result<Option<usize>, DeviceRingError> {
        let Some(next) = self.ring.peek()? else {
            return Ok(None);
        };
        if let Some(segment) = next.single() {
            self.segments[0] = *segment;
            next.give_back(written);
            return Ok(Some(1));
        }
        let chain = next.fetch(&mut self.segments)?;
        let len = chain.len();
        self.ring.give_back(chain, written)?;
        Ok(Some(len))
    }

    fn receive(&mut self, written: u32) {
        let got = self.receive_next(written);
        let mut trace = self.trace();
        let want = self.reference.fetch(&mut trace).map(|chain| {
            chain.map(|(head, segments)| {
                let given = self.reference.give_back(&mut trace, head, written);
                assert_eq!(given, Ok(()));
                segments
            })
        });
        trace.end();
        assert_eq!(
            got,
            want.as_ref()
                .map(|c| c.as_ref().map(Vec::len))
                .map_err(|e| *e)
        );
        if let Ok(Some(segments)) = want {
            self.compare(&segments);
        }
    }

    fn give_back(&mut self, chain: Chain, written: u32) {
        let head = chain.head();
        let got = self.ring.give_back(chain, written);
        let mut trace = self.trace();
        assert_eq!(got, self.reference.give_back(&mut trace, head, written));
        trace.end();
    }

    /// Gives back a chain that another ring of the same kind handed out.
    fn give_foreign(&mut self, head: u16, written: u32) {
        let layout = self.layout;
        let places = self.reference.places;
        let head = head % layout.num();
        let memory = TracedMemory::new(layout.size());
        memory.poke(places.avail_ring(0), 2, head.into());
        memory.poke(places.avail_idx(), 2, 1);
        let storage = vec![false; layout.num().into()];
        let mut ring = DeviceRing::new(memory.view(), layout, Features::default(), storage)
            .expect("the storage is as large as the ring");
        let chain = ring.fetch(&mut self.segments);
        let chain = chain.expect("the ring is sound").expect("one was posted");
        self.give_back(chain, written);
    }

    fn step(&mut self, modem: &mut Modem, input: &mut Input<'_>) {
        let op = input.u8();
        match op % 16 {
            0 | 1 => self.fetch(),
            2 | 3 => self.receive(input.u8().into()),
            4 | 5 => {
                let (which, written) = (input.u8(), input.u32());
                if !self.held.is_empty() {
                    let chain = self.held.swap_remove(usize::from(which) % self.held.len());
                    self.give_back(chain, written);
                }
            }
            6 => {
                // Forgotten: it stays in flight.
                let _ = self.held.pop();
            }
            7 => {
                let got = self.ring.publish();
                let mut trace = self.trace();
                assert_eq!(got, self.reference.publish(&mut trace));
                trace.end();
            }
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
            11 => self.give_foreign(input.u16(), input.u32()),
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
            _ => modem.post(self.memory, input.u8().into(), u16::from(op) << 2),
        }
    }

    fn check(&self) {
        let reference = &self.reference;
        assert_eq!(self.ring.error(), reference.broken);
        assert_eq!(self.ring.next(), reference.next_avail);
        let half_stored = reference.half_stored && reference.broken.is_none();
        assert_eq!(self.ring.is_half_stored(), half_stored);
        let pending = reference.next_used.wrapping_sub(reference.published);
        assert_eq!(self.ring.pending(), pending);
        let in_flight = reference.in_flight.iter().filter(|flag| **flag).count();
        if let Some(error) = reference.broken {
            assert!(!error.to_string().is_empty());
            self.memory.close();
        } else {
            assert_eq!(usize::from(self.ring.in_flight()), in_flight);
            assert!(in_flight + usize::from(pending) <= usize::from(reference.num));
        }
    }
}

/// Runs an input. Returns the number of received chains, and the error that broke the ring.
pub fn fuzz(input: &[u8]) -> (u16, Option<DeviceRingError>) {
    let mut input = Input::new(input);
    let head = input.u8();
    let num = 1 << (head & 7);
    let event_idx = head & 8 != 0;
    let layout = Layout::new(num, ALIGN).expect("a power of two");
    let places = Places::new(num as usize, ALIGN as usize);
    let memory = TracedMemory::new(layout.size());
    let features = Features { event_idx };
    for len in [num - 1, num + 1] {
        let storage = vec![false; len as usize];
        let Err(error) = DeviceRing::new(memory.view(), layout, features, storage) else {
            panic!("{num} descriptors accepted with storage for {len}");
        };
        let num = num as u16;
        assert_eq!(error, DeviceRingError::Storage { len, num });
    }
    // The content of the storage must not matter.
    let ring = DeviceRing::new(memory.view(), layout, features, vec![true; num as usize]);
    let mut bench = Bench {
        memory: &memory,
        ring: ring.unwrap_or_else(|error| panic!("{error}")),
        layout,
        reference: Reference {
            places,
            num: num as u16,
            event_idx,
            in_flight: vec![false; num as usize],
            next_avail: 0,
            known_avail: 0,
            next_used: 0,
            published: 0,
            half_stored: false,
            looks: 0,
            broken: None,
        },
        held: Vec::new(),
        segments: vec![Segment::default(); num as usize],
    };
    let mut modem = Modem {
        places,
        next_desc: 0,
    };
    while !input.is_empty() {
        bench.step(&mut modem, &mut input);
        bench.check();
    }
    (bench.reference.next_avail, bench.reference.broken)
}
