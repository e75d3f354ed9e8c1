// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Rings that break the rules: each kind is told apart, and ends all access to the ring.

mod common;

use common::{must_fetch, Bench, BOTH};
use vring_host_tests::spy::{Event, Log, Spy};
use vring_host_tests::vring_chain::DeviceRingError;
use vring_host_tests::vring_layout::{DESC_F_INDIRECT, DESC_F_NEXT};
use vring_host_tests::vring_mem::RingMem;

#[test]
fn the_index_may_not_pass_the_ring() {
    let bench = Bench::new(8);
    for (idx, allowed) in [(8, true), (9, false), (0x8000, false), (0xffff, false)] {
        bench.view().store16(bench.layout.avail_idx(), idx);
        let jump = DeviceRingError::AvailJump {
            delta: idx,
            allowed: 8,
        };
        let result = bench.fetch_once();
        if allowed {
            assert_eq!(result.map(|chain| chain.is_some()), Ok(true));
        } else {
            assert_eq!(result, Err(jump));
        }
    }
}

#[test]
fn the_index_may_not_go_back() {
    let bench = Bench::new(8);
    let mut ring = bench.ring(BOTH[0]);
    bench.avail(&[0, 1]);
    for _ in 0..2 {
        let chain = must_fetch(&mut ring, &mut bench.segments());
        ring.give_back(chain, 0).expect("it is ours");
    }
    ring.publish();
    bench.view().store16(bench.layout.avail_idx(), 1);
    let error = DeviceRingError::AvailJump {
        delta: 0xffff,
        allowed: 8,
    };
    assert_eq!(ring.fetch(&mut bench.segments()), Err(error));
}

#[test]
fn chains_in_flight_and_unpublished_ones_count_against_the_index() {
    let bench = Bench::new(8);
    let mut ring = bench.ring(BOTH[0]);
    let mut segments = bench.segments();
    bench.avail(&[0, 1, 2, 3, 4]);
    let mut chains: Vec<_> = (0..5)
        .map(|_| must_fetch(&mut ring, &mut segments))
        .collect();
    // Three stay in flight, two are given back but the modem cannot know.
    for _ in 0..2 {
        let chain = chains.pop().expect("there are five");
        ring.give_back(chain, 0).expect("it is ours");
    }
    let view = bench.view();
    view.store16(bench.layout.avail_idx(), 8);
    for (i, head) in [(5, 5), (6, 6), (7, 7)] {
        view.store16(bench.layout.avail_ring(i), head);
    }
    for _ in 0..3 {
        chains.push(must_fetch(&mut ring, &mut segments));
    }
    view.store16(bench.layout.avail_idx(), 9);
    let error = DeviceRingError::AvailJump {
        delta: 1,
        allowed: 0,
    };
    assert_eq!(ring.fetch(&mut segments), Err(error));
}

#[test]
fn published_chains_may_come_again() {
    let bench = Bench::new(2);
    let mut ring = bench.ring(BOTH[0]);
    bench.avail(&[1, 0]);
    let mut segments = bench.segments();
    let first = must_fetch(&mut ring, &mut segments);
    let second = must_fetch(&mut ring, &mut segments);
    ring.give_back(second, 0).expect("it is ours");
    ring.publish();
    let view = bench.view();
    view.store16(bench.layout.avail_ring(2), 0);
    view.store16(bench.layout.avail_idx(), 3);
    assert_eq!(must_fetch(&mut ring, &mut segments).head(), 0);
    assert_eq!(ring.in_flight(), 2);
    assert_eq!(ring.give_back(first, 0), Ok(()));
}

#[test]
fn a_head_must_exist() {
    let bench = Bench::new(8);
    for head in [8, 9, 0x7fff, 0xffff] {
        bench.avail(&[head]);
        let error = DeviceRingError::Head { head, num: 8 };
        assert_eq!(bench.fetch_once(), Err(error));
    }
}

#[test]
fn a_head_may_not_be_in_flight() {
    let bench = Bench::new(64);
    // One of each word of the storage.
    for head in [3, 40] {
        let mut ring = bench.ring(BOTH[0]);
        bench.avail(&[head, head]);
        let chain = must_fetch(&mut ring, &mut bench.segments());
        assert_eq!(chain.head(), head);
        let error = DeviceRingError::HeadInFlight { head };
        assert_eq!(ring.fetch(&mut bench.segments()), Err(error));
    }
}

#[test]
fn a_next_must_exist() {
    let bench = Bench::new(8);
    bench.avail(&[2]);
    bench.desc(2, DESC_F_NEXT, 5);
    for next in [8, 0x8005, 0xffff] {
        bench.desc(5, DESC_F_NEXT, next);
        let error = DeviceRingError::Next {
            desc: 5,
            next,
            num: 8,
        };
        assert_eq!(bench.fetch_once(), Err(error));
    }
    // Without the flag the field has no meaning.
    bench.desc(5, 0, 0xffff);
    assert_eq!(bench.fetch_once().map(|c| c.map(|c| c.len())), Ok(Some(2)));
}

#[test]
fn a_chain_must_end() {
    let bench = Bench::new(8);
    bench.avail(&[6]);
    let error = DeviceRingError::Loop { head: 6, num: 8 };
    bench.desc(6, DESC_F_NEXT, 6);
    assert_eq!(bench.fetch_once(), Err(error));
    // A loop that does not contain the head, through all other descriptors.
    for desc in 0..8 {
        bench.desc(desc, DESC_F_NEXT, (desc + 1) % 6);
    }
    assert_eq!(bench.fetch_once(), Err(error));
    // The longest chain there can be.
    for desc in 0..8u16 {
        let flags = if desc == 5 { 0 } else { DESC_F_NEXT };
        bench.desc(desc, flags, (desc + 1) % 8);
    }
    assert_eq!(bench.fetch_once().map(|c| c.map(|c| c.len())), Ok(Some(8)));
}

#[test]
fn an_indirect_descriptor_is_refused_anywhere_in_a_chain() {
    let bench = Bench::new(8);
    bench.avail(&[1]);
    bench.desc(1, DESC_F_INDIRECT, 0);
    let error = DeviceRingError::Indirect { desc: 1 };
    assert_eq!(bench.fetch_once(), Err(error));
    bench.desc(1, DESC_F_NEXT, 4);
    bench.desc(4, DESC_F_INDIRECT | DESC_F_NEXT, 5);
    let error = DeviceRingError::Indirect { desc: 4 };
    assert_eq!(bench.fetch_once(), Err(error));
}

#[test]
fn a_broken_ring_is_never_touched_again() {
    for features in BOTH {
        let bench = Bench::new(8);
        let log = Log::default();
        let mut ring = bench.ring_on(Spy::new(bench.view(), &log), features);
        let mut segments = bench.segments();
        bench.avail(&[0, 1, 99]);
        let held = must_fetch(&mut ring, &mut segments);
        let returned = must_fetch(&mut ring, &mut segments);
        ring.give_back(returned, 0).expect("it is ours");
        let error = DeviceRingError::Head { head: 99, num: 8 };
        assert_eq!(ring.fetch(&mut segments), Err(error));
        assert!(!log.take().is_empty());

        // Nothing that the modem repairs changes that.
        bench.avail(&[0, 1, 2]);
        assert_eq!(ring.fetch(&mut segments), Err(error));
        assert!(matches!(ring.peek(), Err(found) if found == error));
        assert_eq!(ring.give_back(held, 0), Err(error));
        assert!(!ring.publish());
        assert!(!ring.enable_notify());
        assert!(!ring.has_more());
        ring.disable_notify();
        assert_eq!(ring.error(), Some(error));
        assert_eq!(log.take(), []);
        assert_eq!(bench.view().load16(bench.layout.used_idx()), 0);
    }
}

#[test]
fn every_kind_of_error_stays() {
    let breaks: [(&[u16], u16, u16); 5] = [
        (&[8], 0, 0),
        (&[1, 1], 0, 0),
        (&[1], DESC_F_NEXT, 8),
        (&[1], DESC_F_NEXT, 1),
        (&[1], DESC_F_INDIRECT, 0),
    ];
    for (heads, flags, next) in breaks {
        let bench = Bench::new(8);
        bench.avail(heads);
        bench.desc(1, flags, next);
        let log = Log::default();
        let mut ring = bench.ring_on(Spy::new(bench.view(), &log), BOTH[0]);
        let mut segments = bench.segments();
        let error = loop {
            match ring.fetch(&mut segments) {
                Ok(Some(_lost)) => {}
                Ok(None) => panic!("{heads:?} must break the ring"),
                Err(error) => break error,
            }
        };
        log.take();
        assert_eq!(ring.fetch(&mut segments), Err(error));
        assert_eq!(log.take(), Vec::<Event>::new());
    }
}
