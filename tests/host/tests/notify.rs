// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Who is notified when, by flags and by index.

mod common;

use common::{must_fetch, Bench, BOTH};
use vring_host_tests::vring_layout::{AVAIL_F_NO_INTERRUPT, USED_F_NO_NOTIFY};
use vring_host_tests::vring_mem::RingMem;

/// Gives back and publishes `count` chains. Returns whether to kick.
fn serve(bench: &Bench, ring: &mut common::HostRing<'_>, count: u16) -> bool {
    let view = bench.view();
    let mut idx = view.load16(bench.layout.avail_idx());
    for desc in 0..count {
        view.store16(bench.layout.avail_ring(idx), desc);
        idx = idx.wrapping_add(1);
    }
    view.store16(bench.layout.avail_idx(), idx);
    for _ in 0..count {
        let chain = must_fetch(ring, &mut bench.segments());
        ring.give_back(chain, 0).expect("it is ours");
    }
    ring.publish()
}

#[test]
fn the_flag_of_the_modem_stops_kicks() {
    let bench = Bench::new(8);
    let mut ring = bench.ring(BOTH[0]);
    let view = bench.view();
    assert!(serve(&bench, &mut ring, 1));
    view.store16(bench.layout.avail_flags(), AVAIL_F_NO_INTERRUPT);
    assert!(!serve(&bench, &mut ring, 3));
    // Unknown flags have no meaning.
    view.store16(bench.layout.avail_flags(), !AVAIL_F_NO_INTERRUPT);
    assert!(serve(&bench, &mut ring, 1));
}

#[test]
fn the_flag_has_no_meaning_with_event_idx() {
    let bench = Bench::new(8);
    let mut ring = bench.ring(BOTH[1]);
    let view = bench.view();
    view.store16(bench.layout.avail_flags(), AVAIL_F_NO_INTERRUPT);
    assert!(serve(&bench, &mut ring, 1), "used_event 0 was passed");
    ring.disable_notify();
    assert_eq!(view.load16(bench.layout.used_flags()), 0);
}

#[test]
fn a_kick_is_due_when_used_event_is_passed() {
    // used_event, chains of each publish, kick of each publish.
    let cases: [(u16, [u16; 3], [bool; 3]); 5] = [
        (0, [1, 1, 1], [true, false, false]),
        (2, [1, 1, 1], [false, false, true]),
        (2, [2, 2, 2], [false, true, false]),
        (5, [5, 5, 5], [false, true, false]),
        (0xffff, [7, 7, 7], [false, false, false]),
    ];
    for (event, counts, kicks) in cases {
        let bench = Bench::new(8);
        let mut ring = bench.ring(BOTH[1]);
        let view = bench.view();
        view.store16(bench.layout.used_event(), event);
        let seen = counts.map(|count| serve(&bench, &mut ring, count));
        assert_eq!(seen, kicks, "used_event {event}, {counts:?} at a time");
    }
}

#[test]
fn used_event_works_where_the_index_wraps() {
    let bench = Bench::new(8);
    let mut ring = bench.ring(BOTH[1]);
    bench.view().store16(bench.layout.used_event(), 1);
    let mut kicks = Vec::new();
    for i in 1..=0x1_0008u32 {
        if serve(&bench, &mut ring, 1) {
            kicks.push(i);
        }
    }
    assert_eq!(kicks, [2, 0x1_0002]);
}

#[test]
fn our_flag_follows_enable_and_disable() {
    let bench = Bench::new(8);
    let mut ring = bench.ring(BOTH[0]);
    let view = bench.view();
    let flags = || view.load16(bench.layout.used_flags());
    assert_eq!(flags(), 0);
    ring.disable_notify();
    assert_eq!(flags(), USED_F_NO_NOTIFY);
    ring.disable_notify();
    assert_eq!(flags(), USED_F_NO_NOTIFY);
    assert!(!ring.enable_notify());
    assert_eq!(flags(), 0);
}

#[test]
fn avail_event_follows_what_was_taken() {
    let bench = Bench::new(8);
    let mut ring = bench.ring(BOTH[1]);
    let view = bench.view();
    let event = || view.load16(bench.layout.avail_event());
    serve(&bench, &mut ring, 5);
    assert_eq!(event(), 0, "only enabling moves it");
    assert!(!ring.enable_notify());
    assert_eq!(event(), 5);
    serve(&bench, &mut ring, 2);
    ring.disable_notify();
    assert_eq!(event(), 5);
    assert!(!ring.enable_notify());
    assert_eq!(event(), 7);
}

#[test]
fn chains_that_came_before_enabling_are_reported() {
    for features in BOTH {
        let bench = Bench::new(8);
        let mut ring = bench.ring(features);
        let mut segments = bench.segments();
        ring.disable_notify();
        bench.avail(&[0, 1]);
        assert!(ring.enable_notify());
        let first = must_fetch(&mut ring, &mut segments);
        assert!(ring.enable_notify(), "one is still there");
        assert!(ring.has_more());
        let second = must_fetch(&mut ring, &mut segments);
        assert!(!ring.enable_notify());
        assert!(!ring.has_more());
        drop((first, second));
    }
}
