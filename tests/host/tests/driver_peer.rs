// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The driver side of a ring against the device side of the crate `virtio-queue`: every buffer
//! arrives unchanged, comes back once, and no side waits without end.

mod common;

use std::collections::VecDeque;

use common::{Bench, BOTH};
use fastrand::Rng;
use virtio_queue::{Queue, QueueT};
use vring_host_tests::from_env;
use vring_host_tests::vring_driver::DriverRing;
use vring_host_tests::vring_mem::Features;

/// Buffers of one ring, after which one of another size begins. More than a 16-bit index counts.
const BUFFERS_PER_RING: u64 = 70_000;

/// A device that works only when it was kicked.
struct Device {
    queue: Queue,
    awake: bool,
    held: VecDeque<u16>,
}

/// Counts of events, to check that all occurred.
#[derive(Debug, Default)]
struct Totals {
    buffers: u64,
    kicks: u64,
    publishes: u64,
    interrupts: u64,
    waits: u64,
    full: u64,
}

fn run_ring(features: Features, num: u16, rng: &mut Rng, totals: &mut Totals) {
    let bench = Bench::new(num, features);
    let map = bench.memory.map();
    let slots = rng.u16(1..=num);
    let mut ring = bench.driver(slots);
    let used = bench.layout.used_flags();
    let queue = bench.memory.queue(&bench.layout, features.event_idx, used);
    let mut device = Device {
        queue,
        awake: true,
        held: VecDeque::new(),
    };

    // The content of each slot, in the order of sending.
    let mut sent = vec![None; usize::from(slots)];
    let mut order = VecDeque::new();
    let mut waiting = false;
    let end = totals.buffers + BUFFERS_PER_RING;
    while totals.buffers < end {
        // The driver: sends a burst, unless it waits for an interrupt.
        if !waiting {
            for _ in 0..rng.u16(1..=32) {
                let Some(slot) = ring.take() else { break };
                let index = slot.index();
                let buffer = (rng.u64(..), rng.u32(..));
                assert!(sent[usize::from(index)].replace(buffer).is_none());
                order.push_back(index);
                ring.add(slot, buffer.0, buffer.1).expect("a sound peer");
            }
            totals.publishes += 1;
            if ring.publish() {
                totals.kicks += 1;
                device.awake = true;
            }
            let mut reclaim = |ring: &mut DriverRing<_, _>| {
                while let Some(slot) = ring.reclaim().expect("a sound peer") {
                    assert!(sent[usize::from(slot)].take().is_some());
                    totals.buffers += 1;
                }
            };
            reclaim(&mut ring);
            while ring.free() == 0 {
                totals.full += 1;
                if !ring.enable_notify() {
                    totals.waits += 1;
                    waiting = true;
                    break;
                }
                reclaim(&mut ring);
            }
            if !waiting {
                ring.disable_notify();
            }
        }
        // The device: takes some, returns some in another order, and sleeps when there is nothing.
        if device.awake {
            device.queue.disable_notification(map).expect("in memory");
            let mut dry = false;
            for _ in 0..rng.u16(1..=64) {
                let Some(chain) = device.queue.pop_descriptor_chain(map) else {
                    dry = true;
                    break;
                };
                let head = chain.head_index();
                let descriptors: Vec<_> = chain.collect();
                assert_eq!(Some(head), order.pop_front(), "in the order of sending");
                let [desc] = descriptors.as_slice() else {
                    panic!("{} descriptors for one buffer", descriptors.len())
                };
                let buffer = (desc.addr().0, desc.len());
                assert_eq!(sent[usize::from(head)], Some(buffer));
                assert!(!desc.is_write_only());
                device.held.push_back(head);
            }
            let mut used = false;
            for _ in 0..rng.usize(0..=device.held.len()) {
                let last = device.held.len() - 1;
                device.held.swap(0, rng.usize(0..=last));
                let head = device.held.pop_front().expect("not empty");
                device
                    .queue
                    .add_used(map, head, rng.u32(..))
                    .expect("in memory");
                used = true;
            }
            if used && device.queue.needs_notification(map).expect("in memory") {
                totals.interrupts += 1;
                waiting = false;
            }
            // A device that finds nothing more asks to be kicked, and then checks once more.
            let more = !dry || device.queue.enable_notification(map).expect("in memory");
            device.awake = more || !device.held.is_empty();
        }
        assert!(device.awake || !waiting, "both wait for each other");
        assert_eq!(
            usize::from(ring.free()) + sent.iter().flatten().count(),
            sent.len()
        );
        if waiting {
            continue;
        }
        // Reclaims the returned slots, as a poll does.
        while let Some(slot) = ring.reclaim().expect("a sound peer") {
            assert!(sent[usize::from(slot)].take().is_some());
            totals.buffers += 1;
        }
    }
}

fn run(features: Features) {
    let mut rng = Rng::with_seed(11);
    let mut totals = Totals::default();
    // With fewer, not all events would occur.
    let buffers = from_env("VRING_CHAINS", 0).max(3_000_000);
    while totals.buffers < buffers {
        let num = 1 << rng.u32(0..=12);
        run_ring(features, num, &mut rng, &mut totals);
    }
    let silent = totals.publishes - totals.kicks;
    for (count, what) in [
        (totals.kicks, "kicks"),
        (silent, "publishes without a kick"),
        (totals.interrupts, "interrupts"),
        (totals.waits, "waits"),
        (totals.full, "full rings"),
    ] {
        assert!(count > 1000, "too few {what}: {totals:?}");
    }
}

#[test]
fn each_buffer_goes_round_by_flags() {
    run(BOTH[0]);
}

#[test]
fn each_buffer_goes_round_by_event_idx() {
    run(BOTH[1]);
}
