// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The order of accesses and barriers, and that nothing is read twice.

mod common;

use std::collections::HashSet;

use common::{buffers, must_fetch, Bench, BOTH};
use vring_host_tests::spy::Event::{Load, Mb, Rmb, Store, Wmb};
use vring_host_tests::spy::{Log, Spy};
use vring_host_tests::vring_layout::{DESC_F_INDIRECT, DESC_F_NEXT, DESC_SIZE};

#[test]
fn the_index_is_read_before_what_it_covers_and_only_when_needed() {
    let bench = Bench::new(8);
    let layout = bench.layout;
    let log = Log::default();
    let mut ring = bench.ring_on(Spy::new(bench.view(), &log), BOTH[0]);
    let mut segments = bench.segments();
    bench.avail(&[4, 6]);

    let first = must_fetch(&mut ring, &mut segments);
    let events = log.take();
    assert_eq!(events[0], Load(layout.avail_idx(), 2));
    assert_eq!(events[1], Rmb);
    assert_eq!(events[2], Load(layout.avail_ring(0), 2));
    assert!(events[3..]
        .iter()
        .all(|e| matches!(e, Load(off, 8) if *off < layout.avail_flags())));

    // The second chain is known already.
    let second = must_fetch(&mut ring, &mut segments);
    let events = log.take();
    assert_eq!(events[0], Load(layout.avail_ring(1), 2));
    assert!(!events.contains(&Load(layout.avail_idx(), 2)));

    assert_eq!(ring.fetch(&mut segments), Ok(None));
    assert_eq!(log.take()[0], Load(layout.avail_idx(), 2));
    drop((first, second));
}

#[test]
fn each_byte_of_a_chain_is_read_once() {
    let bench = Bench::new(32);
    let log = Log::default();
    let mut driver = bench.driver(BOTH[0]);
    let mut ring = bench.ring_on(Spy::new(bench.view(), &log), BOTH[0]);
    driver.post(&buffers(32, 5)).expect("the ring is empty");
    driver.expose();
    let chain = must_fetch(&mut ring, &mut bench.segments());
    assert_eq!(chain.len(), 32);

    let mut seen = HashSet::new();
    for event in log.take() {
        if let Load(off, len) = event {
            for byte in off..off + len {
                assert!(seen.insert(byte), "byte {byte} was read twice");
            }
        }
    }
    assert!((0..32 * DESC_SIZE).all(|byte| seen.contains(&byte)));
}

#[test]
fn a_bad_chain_is_not_read_again_either() {
    for (flags, next) in [(DESC_F_NEXT, 9), (DESC_F_NEXT, 1), (DESC_F_INDIRECT, 0)] {
        let bench = Bench::new(2);
        let log = Log::default();
        let mut ring = bench.ring_on(Spy::new(bench.view(), &log), BOTH[0]);
        bench.avail(&[0]);
        bench.desc(0, DESC_F_NEXT, 1);
        bench.desc(1, flags, next);
        assert!(ring.fetch(&mut bench.segments()).is_err());
        let loads = log.take();
        for desc in 0..2 {
            let load = Load(bench.layout.desc(desc), 8);
            assert_eq!(loads.iter().filter(|e| **e == load).count(), 1);
        }
    }
}

#[test]
fn used_elements_are_complete_before_the_one_store_of_the_index() {
    for features in BOTH {
        let bench = Bench::new(8);
        let layout = bench.layout;
        let log = Log::default();
        let mut ring = bench.ring_on(Spy::new(bench.view(), &log), features);
        let mut segments = bench.segments();
        bench.avail(&[4, 6, 1]);
        for _ in 0..3 {
            let chain = must_fetch(&mut ring, &mut segments);
            log.take();
            ring.give_back(chain, 0).expect("it is ours");
            let elem = layout.used_ring(ring.pending() - 1);
            assert_eq!(log.take(), [Store(elem, 4), Store(elem + 4, 4)]);
        }
        ring.publish();
        let asked = if features.event_idx {
            layout.used_event()
        } else {
            layout.avail_flags()
        };
        let expected = [Wmb, Store(layout.used_idx(), 2), Mb, Load(asked, 2)];
        assert_eq!(log.take(), expected);

        // Nothing new, nothing done.
        assert!(!ring.publish());
        assert_eq!(log.take(), []);
    }
}

#[test]
fn enabling_is_seen_before_the_second_look() {
    for features in BOTH {
        let bench = Bench::new(8);
        let layout = bench.layout;
        let log = Log::default();
        let mut ring = bench.ring_on(Spy::new(bench.view(), &log), features);
        assert!(!ring.enable_notify());
        let asked = if features.event_idx {
            layout.avail_event()
        } else {
            layout.used_flags()
        };
        let expected = [Store(asked, 2), Mb, Load(layout.avail_idx(), 2)];
        assert_eq!(log.take(), expected);

        assert!(!ring.has_more());
        assert_eq!(log.take(), [Load(layout.avail_idx(), 2)]);
    }
}
