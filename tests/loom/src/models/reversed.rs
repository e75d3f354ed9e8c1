// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `vring_reversed.rs` against a modem that fills buffers.

use loom::sync::Arc;
use loom::thread;

use super::{woken, BUFFERS};
use crate::memory::{Memory, Plan, Probe, Shared};
use crate::modem::{buffer, Driver};
use crate::vring_chain::Segment;
use crate::vring_mem::Features;
use crate::vring_reversed::{Chain, DeviceRing};

/// The ring under test, with its memory.
struct Side {
    shared: Arc<Shared>,
    probe: Probe,
    ring: DeviceRing<Memory, Vec<bool>>,
    segments: Vec<Segment>,
    fetched: u16,
    kicks: Vec<bool>,
}

impl Side {
    fn new(shared: &Arc<Shared>, plan: &Plan, features: Features) -> Self {
        let probe = Probe::default();
        let mem = Memory::tested(shared, plan, &probe);
        let storage = vec![true; usize::from(shared.layout.num())];
        Self {
            shared: shared.clone(),
            probe,
            ring: DeviceRing::new(mem, shared.layout, features, storage).expect("enough storage"),
            segments: vec![Segment::default(); usize::from(shared.layout.num())],
            fetched: 0,
            kicks: Vec::new(),
        }
    }

    /// Takes the next buffer, which must have the modem's content, and reads it.
    fn fetch(&mut self) -> Option<Chain> {
        let Self {
            probe,
            ring,
            segments,
            ..
        } = self;
        let chain = probe
            .during("fetch", || ring.fetch(segments))
            .unwrap_or_else(|error| panic!("a stale descriptor: {error}"))?;
        let (segment, sent) = (self.segments[0], buffer(self.fetched));
        assert!(
            (segment.addr(), segment.len()) == (sent.addr, sent.len),
            "a stale descriptor: {segment:x?}"
        );
        self.shared.buffers[usize::from(chain.head())].read();
        self.fetched += 1;
        Some(chain)
    }

    fn give_back(&mut self, chain: Chain) {
        let written = buffer(self.fetched - 1).len;
        self.ring.give_back(chain, written).expect("it is ours");
    }

    fn publish(&mut self) {
        let pending = self.ring.pending();
        let kick = self.probe.during("publish", || self.ring.publish());
        // One kick for all that are published at once.
        self.kicks.extend((0..pending).map(|_| kick));
    }

    fn enable_notify(&mut self) -> bool {
        self.probe
            .during("enable_notify", || self.ring.enable_notify())
    }
}

/// Fetches while the modem posts: no lost interrupt, nothing stale, no buffer read too early.
pub fn fetch(plan: &Plan, features: Features) {
    let shared = Shared::new(BUFFERS);
    let mut modem = Driver::new(&shared, features);
    let mut side = Side::new(&shared, plan, features);
    let modem = thread::spawn(move || (0..BUFFERS).map(|_| modem.post()).collect::<Vec<_>>());
    loop {
        side.ring.disable_notify();
        while let Some(chain) = side.fetch() {
            side.give_back(chain);
        }
        if !side.enable_notify() {
            break;
        }
    }
    let interrupts = modem.join().expect("a panic ends the model");
    woken("interrupt", side.fetched, &interrupts);
}

/// Returns buffers while the modem reclaims and reuses them: no lost kick, no stale used element,
/// no buffer that is still being read.
pub fn publish(plan: &Plan, features: Features) {
    let shared = Shared::new(BUFFERS);
    let mut modem = Driver::new(&shared, features);
    for _ in 0..BUFFERS {
        modem.post();
    }
    let mut side = Side::new(&shared, plan, features);
    let modem = thread::spawn(move || {
        let mut reclaimed = 0;
        loop {
            modem.disable_kick();
            while modem.reclaim() {
                reclaimed += 1;
            }
            if !modem.enable_kick() {
                break reclaimed;
            }
        }
    });
    while let Some(chain) = side.fetch() {
        side.give_back(chain);
        side.publish();
    }
    let reclaimed = modem.join().expect("a panic ends the model");
    woken("kick", reclaimed, &side.kicks);
}

/// Receives one buffer twice.
pub fn round_trip(plan: &Plan, features: Features) {
    let shared = Shared::new(1);
    let mut modem = Driver::new(&shared, features);
    let mut side = Side::new(&shared, plan, features);
    let modem = thread::spawn(move || {
        let mut interrupts = vec![modem.post()];
        let mut reclaimed = 0;
        loop {
            while modem.reclaim() {
                reclaimed += 1;
                if interrupts.len() < usize::from(BUFFERS) {
                    interrupts.push(modem.post());
                }
            }
            if !modem.enable_kick() {
                break (reclaimed, interrupts);
            }
        }
    });
    loop {
        while let Some(chain) = side.fetch() {
            side.give_back(chain);
        }
        side.publish();
        if !side.enable_notify() {
            break;
        }
    }
    let (reclaimed, interrupts) = modem.join().expect("a panic ends the model");
    woken("interrupt", side.fetched, &interrupts);
    woken("kick", reclaimed, &side.kicks);
}
