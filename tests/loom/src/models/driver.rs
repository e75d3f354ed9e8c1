// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `vring_driver.rs` against a modem that reads buffers.

use loom::sync::Arc;
use loom::thread;

use super::{woken, BUFFERS};
use crate::memory::{Memory, Plan, Probe, Shared};
use crate::modem::{buffer, Device};
use crate::vring_driver::{DriverRing, SlotState};
use crate::vring_mem::Features;

/// The ring under test, with its memory.
struct Side {
    shared: Arc<Shared>,
    probe: Probe,
    ring: DriverRing<Memory, Vec<SlotState>>,
    added: u16,
    reclaimed: u16,
    kicks: Vec<bool>,
}

impl Side {
    fn new(shared: &Arc<Shared>, plan: &Plan, features: Features) -> Self {
        let probe = Probe::default();
        let mem = Memory::tested(shared, plan, &probe);
        let slots = vec![SlotState::Taken; usize::from(shared.layout.num())];
        Self {
            shared: shared.clone(),
            probe,
            ring: DriverRing::new(mem, shared.layout, features, slots).expect("there are slots"),
            added: 0,
            reclaimed: 0,
            kicks: Vec::new(),
        }
    }

    /// Fills a buffer and makes it available, at once.
    fn send(&mut self) {
        let slot = self.ring.take().expect("a slot must be free");
        self.shared.buffers[usize::from(slot.index())].write();
        let buffer = buffer(self.added);
        self.ring
            .add(slot, buffer.addr, buffer.len)
            .expect("the slot is ours");
        self.added += 1;
        self.kicks
            .push(self.probe.during("publish", || self.ring.publish()));
    }

    /// Takes back the next buffer and writes to it at once.
    fn reclaim(&mut self) -> bool {
        let slot = self
            .probe
            .during("reclaim", || self.ring.reclaim())
            .unwrap_or_else(|error| panic!("a stale used element: {error}"));
        if let Some(slot) = slot {
            self.shared.buffers[usize::from(slot)].write();
            self.reclaimed += 1;
        }
        slot.is_some()
    }

    fn enable_notify(&mut self) -> bool {
        self.probe
            .during("enable_notify", || self.ring.enable_notify())
    }
}

/// Sends while the modem reads: no lost kick, nothing stale, no buffer read too early.
pub fn publish(plan: &Plan, features: Features) {
    let shared = Shared::new(BUFFERS);
    let mut modem = Device::new(&shared, features);
    let mut side = Side::new(&shared, plan, features);
    let modem = thread::spawn(move || {
        let mut fetched = 0;
        loop {
            modem.disable_kick();
            while modem.fetch().is_some() {
                fetched += 1;
            }
            if !modem.enable_kick() {
                break fetched;
            }
        }
    });
    for _ in 0..BUFFERS {
        side.send();
    }
    let fetched = modem.join().expect("a panic ends the model");
    woken("kick", fetched, &side.kicks);
}

/// Reclaims and reuses buffers while the modem returns them: no lost interrupt, no stale used
/// element, no buffer that is still being read.
pub fn reclaim(plan: &Plan, features: Features) {
    let shared = Shared::new(BUFFERS);
    let mut modem = Device::new(&shared, features);
    let mut side = Side::new(&shared, plan, features);
    for _ in 0..BUFFERS {
        side.send();
    }
    let modem = thread::spawn(move || {
        let mut interrupts = Vec::new();
        while let Some(desc) = modem.fetch() {
            interrupts.push(modem.give_back(desc));
        }
        interrupts
    });
    loop {
        side.ring.disable_notify();
        while side.reclaim() {}
        if !side.enable_notify() {
            break;
        }
    }
    let interrupts = modem.join().expect("a panic ends the model");
    woken("interrupt", side.reclaimed, &interrupts);
}

/// Sends one buffer twice.
pub fn round_trip(plan: &Plan, features: Features) {
    let shared = Shared::new(1);
    let mut modem = Device::new(&shared, features);
    let mut side = Side::new(&shared, plan, features);
    let modem = thread::spawn(move || {
        let mut interrupts = Vec::new();
        loop {
            while let Some(desc) = modem.fetch() {
                interrupts.push(modem.give_back(desc));
            }
            if !modem.enable_kick() {
                break interrupts;
            }
        }
    });
    side.send();
    loop {
        while side.reclaim() {
            if side.added < BUFFERS {
                side.send();
            }
        }
        if !side.enable_notify() {
            break;
        }
    }
    let interrupts = modem.join().expect("a panic ends the model");
    // Exactly what the modem gave back was fetched before.
    woken("kick", interrupts.len() as u16, &side.kicks);
    woken("interrupt", side.reclaimed, &interrupts);
}
