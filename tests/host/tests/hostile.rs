// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A modem that writes anything anywhere, against an independent reading of the same ring.
//!
//! The reading keeps sets and counters that never wrap, and finds a loop by meeting a descriptor
//! twice, so that it shares no way of thinking with the ring under test.

mod common;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

use common::{Bench, HostRing, BOTH};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use vring_host_tests::vring_chain::{DeviceRingError, Segment};
use vring_host_tests::vring_layout::{DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE};
use vring_host_tests::vring_mem::RingMem;
use vring_host_tests::vring_reversed::Chain;

/// What either side does next.
#[derive(Clone, Debug)]
enum Step {
    /// The modem makes a sound chain of so many descriptors, if it has them.
    Post(u16),
    /// The modem writes any descriptor.
    Desc(u16, u16, u16),
    /// The modem writes any entry of the available ring.
    Entry(u16, u16),
    /// The modem moves its index by so much.
    Move(i16),
    Fetch,
    GiveBack(prop::sample::Index),
    Publish,
    Enable,
    Disable,
}

/// A descriptor's index, seldom one that does not exist.
fn index() -> impl Strategy<Value = u16> {
    prop_oneof![40 => 0u16..16, 1 => any::<u16>()]
}

fn step() -> impl Strategy<Value = Step> {
    let flags = prop_oneof![
        8 => Just(0),
        8 => Just(DESC_F_NEXT),
        4 => Just(DESC_F_NEXT | DESC_F_WRITE),
        1 => Just(DESC_F_INDIRECT),
        1 => any::<u16>(),
    ];
    prop_oneof![
        100 => (1u16..=8).prop_map(Step::Post),
        2 => (index(), flags, index()).prop_map(|(i, f, n)| Step::Desc(i, f, n)),
        1 => (0u16..16, index()).prop_map(|(i, h)| Step::Entry(i, h)),
        1 => prop_oneof![8 => 1i16..4, 1 => any::<i16>()].prop_map(Step::Move),
        110 => Just(Step::Fetch),
        100 => any::<prop::sample::Index>().prop_map(Step::GiveBack),
        50 => Just(Step::Publish),
        10 => Just(Step::Enable),
        10 => Just(Step::Disable),
    ]
}

/// The independent reading.
struct Model<'a> {
    bench: &'a Bench,
    num: u64,
    taken: u64,
    known: u64,
    returned: u64,
    published: u64,
    /// The descriptors of each chain that the modem cannot have back yet, by head.
    lent: BTreeMap<u16, Vec<u16>>,
    held: Vec<Chain>,
    /// Chains given back that the modem does not know about.
    unseen: Vec<u16>,
    broken: Option<DeviceRingError>,
}

impl Model<'_> {
    fn desc(&self, index: u16) -> (u64, u32, u16, u16) {
        let view = self.bench.view();
        let off = usize::from(index) * 16;
        let (len, flags) = (view.load32(off + 8), view.load16(off + 12));
        (view.load64(off), len, flags, view.load16(off + 14))
    }

    /// What a fetch must say now: the head and its descriptors, nothing, or an error.
    fn expect_fetch(&mut self) -> Result<Option<(u16, Vec<u16>)>, DeviceRingError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let view = self.bench.view();
        let num = self.num as u16;
        if self.known == self.taken {
            let idx = view.load16(self.bench.layout.avail_idx());
            // How far the index moved, if it never moved by 65,536.
            let new = (0..=0xffff).find(|d| (self.taken + d) as u16 == idx);
            let delta = new.expect("one of 65,536 must match");
            let allowed = self.num - (self.taken - self.published);
            if delta > allowed {
                return Err(DeviceRingError::AvailJump {
                    delta: delta as u16,
                    allowed: allowed as u16,
                });
            }
            self.known += delta;
            if delta == 0 {
                return Ok(None);
            }
        }
        let slot = self.bench.layout.avail_ring((self.taken % self.num) as u16);
        let head = view.load16(slot);
        if head >= num {
            return Err(DeviceRingError::Head { head, num });
        }
        if self.held.iter().any(|chain| chain.head() == head) {
            return Err(DeviceRingError::HeadInFlight { head });
        }
        let mut seen = HashSet::new();
        let mut descs = Vec::new();
        let mut desc = head;
        loop {
            if !seen.insert(desc) {
                return Err(DeviceRingError::Loop { head, num });
            }
            let (_, _, flags, next) = self.desc(desc);
            if flags & DESC_F_INDIRECT != 0 {
                return Err(DeviceRingError::Indirect { desc });
            }
            descs.push(desc);
            if flags & DESC_F_NEXT == 0 {
                return Ok(Some((head, descs)));
            }
            if next >= num {
                return Err(DeviceRingError::Next { desc, next, num });
            }
            desc = next;
        }
    }

    /// Posts a sound chain of descriptors that no chain in the other side's hands uses.
    fn post(&mut self, count: u16) {
        let view = self.bench.view();
        let used: HashSet<u16> = self.lent.values().flatten().copied().collect();
        let free: Vec<u16> = (0..self.num as u16).filter(|d| !used.contains(d)).collect();
        let Some(descs) = free.get(..usize::from(count)) else {
            return;
        };
        for (i, desc) in descs.iter().enumerate() {
            match descs.get(i + 1) {
                Some(next) => self.bench.desc(*desc, DESC_F_NEXT, *next),
                None => self.bench.desc(*desc, 0, 0xffff),
            }
        }
        let idx = view.load16(self.bench.layout.avail_idx());
        view.store16(self.bench.layout.avail_ring(idx), descs[0]);
        view.store16(self.bench.layout.avail_idx(), idx.wrapping_add(1));
        self.lent.insert(descs[0], descs.to_vec());
    }
}

/// Does one step on both and compares.
fn take_step(
    model: &mut Model<'_>,
    ring: &mut HostRing<'_>,
    segments: &mut [Segment],
    step: Step,
    seen: &RefCell<BTreeMap<&'static str, u32>>,
) -> Result<(), TestCaseError> {
    let view = model.bench.view();
    let layout = model.bench.layout;
    match step {
        Step::Post(count) => model.post(count),
        Step::Desc(index, flags, next) => model.bench.desc(index, flags, next),
        Step::Entry(index, head) => view.store16(layout.avail_ring(index), head),
        Step::Move(by) => {
            let idx = view.load16(layout.avail_idx());
            view.store16(layout.avail_idx(), idx.wrapping_add_signed(by));
        }
        Step::Fetch => {
            let expected = model.expect_fetch();
            let got = ring.fetch(segments);
            if model.broken.is_none() {
                *seen.borrow_mut().entry(kind(&got)).or_default() += 1;
            }
            match (expected, got) {
                (Ok(Some((head, descs))), Ok(Some(chain))) => {
                    prop_assert_eq!((chain.head(), chain.len()), (head, descs.len()));
                    for (segment, desc) in segments.iter().zip(&descs) {
                        let (addr, len, flags, _) = model.desc(*desc);
                        prop_assert_eq!(segment.addr(), addr);
                        prop_assert_eq!(segment.len(), len);
                        prop_assert_eq!(segment.flags(), flags);
                    }
                    model.taken += 1;
                    model.lent.insert(head, descs);
                    model.held.push(chain);
                }
                (Ok(None), Ok(None)) => {}
                (Err(expected), Err(error)) => {
                    prop_assert_eq!(expected, error);
                    model.broken = Some(error);
                }
                (expected, got) => prop_assert!(false, "{:?}, must be {:?}", got, expected),
            }
        }
        Step::GiveBack(pick) => {
            if model.held.is_empty() {
                return Ok(());
            }
            let chain = model.held.swap_remove(pick.index(model.held.len()));
            let head = chain.head();
            let result = ring.give_back(chain, u32::from(head) + 1);
            prop_assert_eq!(result, model.broken.map_or(Ok(()), Err));
            if model.broken.is_none() {
                let slot = layout.used_ring((model.returned % model.num) as u16);
                prop_assert_eq!(view.load32(slot), u32::from(head));
                prop_assert_eq!(view.load32(slot + 4), u32::from(head) + 1);
                model.returned += 1;
                model.unseen.push(head);
            }
        }
        Step::Publish => {
            let kick = ring.publish();
            let due = model.broken.is_none() && model.returned != model.published;
            prop_assert_eq!(kick, due);
            if due {
                model.published = model.returned;
                for head in model.unseen.drain(..) {
                    model.lent.remove(&head);
                }
            }
        }
        Step::Enable => {
            let more = view.load16(layout.avail_idx()) != model.taken as u16;
            prop_assert_eq!(ring.enable_notify(), more && model.broken.is_none());
        }
        Step::Disable => ring.disable_notify(),
    }
    prop_assert_eq!(view.load16(layout.used_idx()), model.published as u16);
    prop_assert_eq!(u64::from(ring.in_flight()), model.taken - model.returned);
    prop_assert_eq!(u64::from(ring.pending()), model.returned - model.published);
    prop_assert_eq!(ring.error(), model.broken);
    Ok(())
}

/// Names a result, so that the test can show that it met all of them.
fn kind(result: &Result<Option<Chain>, DeviceRingError>) -> &'static str {
    match result {
        Ok(Some(_)) => "chain",
        Ok(None) => "nothing",
        Err(DeviceRingError::AvailJump { .. }) => "avail jump",
        Err(DeviceRingError::Head { .. }) => "head",
        Err(DeviceRingError::HeadInFlight { .. }) => "head in flight",
        Err(DeviceRingError::Next { .. }) => "next",
        Err(DeviceRingError::Loop { .. }) => "loop",
        Err(DeviceRingError::Indirect { .. }) => "indirect",
        Err(_) => "our own fault",
    }
}

#[test]
fn any_ring_is_read_as_the_specification_says() {
    let seen = RefCell::new(BTreeMap::new());
    let config = Config {
        cases: 10_000,
        failure_persistence: None,
        ..Config::default()
    };
    let input = (0u32..=4, prop::collection::vec(step(), 1..400));
    TestRunner::new(config)
        .run(&input, |(order, steps)| {
            let bench = Bench::new(1 << order);
            let mut ring = bench.ring(BOTH[0]);
            let mut segments = bench.segments();
            let mut model = Model {
                bench: &bench,
                num: 1 << order,
                taken: 0,
                known: 0,
                returned: 0,
                published: 0,
                lent: BTreeMap::new(),
                held: Vec::new(),
                unseen: Vec::new(),
                broken: None,
            };
            for step in steps {
                take_step(&mut model, &mut ring, &mut segments, step, &seen)?;
            }
            Ok(())
        })
        .unwrap_or_else(|e| panic!("{e}"));

    // Random steps that never break a ring, or always do, would prove little.
    let seen = seen.into_inner();
    for (kind, least) in [
        ("chain", 50_000),
        ("nothing", 10_000),
        ("avail jump", 20),
        ("head", 20),
        ("head in flight", 20),
        ("next", 20),
        ("loop", 20),
        ("indirect", 20),
    ] {
        let count = seen.get(kind).copied().unwrap_or(0);
        assert!(count >= least, "{kind}: {count} of at least {least}");
    }
    assert_eq!(seen.get("our own fault"), None);
}
