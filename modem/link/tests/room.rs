// SPDX-License-Identifier: GPL-2.0 OR MIT

//! No room: on the ring, on the heap, in a buffer.

mod common;

use common::{Host, frame, rx::Rx, table};
use link::Link;
use rand::{SeedableRng, rngs::SmallRng};

/// Queues frames from `next` on until the downlink takes no more. Returns the number after the
/// last one.
fn fill(link: &mut Link, mut next: u32, max: usize) -> u32 {
    while link.downlink.can_send() {
        link.downlink.queue(frame::make(next, max));
        next += 1;
        link.downlink.flush().unwrap();
    }
    next
}

/// Takes all chains in order, and returns them at once.
fn drain(link: &mut Link, rx: &mut Rx, next: &mut u32, max: usize) {
    loop {
        let before = *next;
        rx.fetch(|got| {
            frame::check(got, *next, max);
            *next += 1;
        })
        .unwrap();
        rx.give_back(0);
        link.downlink.flush().unwrap();
        if *next == before {
            return;
        }
    }
}

#[test]
fn frames_wait_for_room_on_the_ring() {
    let host = Host::ready(table(32, 32, 2048, true));
    let mut link = host.open(4, 1);
    let mut rx = host.rx();
    let (mut queued, mut received) = (0, 0);
    for round in 1..=20 {
        queued = fill(&mut link, queued, 1000);
        assert_eq!(queued - received, 32 + 256, "the ring and the queue");
        assert!(!link.downlink.can_send());
        assert_eq!(link.downlink.waiting(), 256);

        // A single chain that comes back makes room.
        assert!(rx.fetch_one(&mut |_| received += 1).unwrap());
        while rx.fetch_one(&mut |_| received += 1).unwrap() {}
        rx.give_back(rx.held() - 1);
        link.downlink.flush().unwrap();
        assert!(link.downlink.can_send());
        assert!(link.downlink.waiting() < 256);

        rx.give_back(0);
        link.downlink.flush().unwrap();
        drain(&mut link, &mut rx, &mut received, 1000);
        assert_eq!((received, link.downlink.waiting()), (queued, 0));
        assert!(link.downlink.stats().stalls >= round);
    }
    assert_eq!(link.downlink.in_flight(), 0);
}

#[test]
fn frames_wait_for_room_on_the_heap() {
    // The heap has 9 MiB, and the ring room for ten times as much.
    const MAX: usize = 60_000;
    let host = Host::ready(table(2048, 32, 1 << 17, true));
    let mut link = host.open(4, 1);
    let mut rx = host.rx();
    let big = |number: u32| vec![number as u8; MAX];
    let mut next_in = 0;
    let mut next_out = 0;
    for _ in 0..20 {
        while link.downlink.can_send() {
            link.downlink.queue(big(next_in));
            next_in += 1;
            link.downlink.flush().unwrap();
        }
        // The ring is not full, and the heap is not mostly empty.
        let on_ring = next_in - next_out - 256;
        assert!(
            (120..=160).contains(&on_ring),
            "{on_ring} frames on the ring"
        );

        let mut rng = SmallRng::seed_from_u64(next_in.into());
        while next_out < next_in {
            let before = (next_out, rx.held());
            rx.fetch(|got| {
                assert!(got == big(next_out), "frame {next_out}");
                next_out += 1;
            })
            .unwrap();
            rx.give_back_some(&mut rng);
            let after = (next_out, rx.held());
            assert!(after != before || after.1 > 0, "frames wait for nothing");
            link.downlink.flush().unwrap();
        }
        rx.give_back(0);
        link.downlink.flush().unwrap();
        assert_eq!((link.downlink.waiting(), link.downlink.in_flight()), (0, 0));
    }
}

#[test]
fn a_stalled_modem_asks_to_be_interrupted() {
    for event_idx in [false, true] {
        let host = Host::ready(table(4, 4, 2048, event_idx));
        let mut link = host.open(1, 1);
        let mut rx = host.rx();
        link.downlink.queue(frame::make(0, 100));
        assert!(link.downlink.flush().unwrap(), "Linux has to fetch");
        let mut received = 0;
        rx.fetch(|_| received += 1).unwrap();
        assert!(!rx.give_back(0), "nothing waits for that");

        for number in 1..=6 {
            link.downlink.queue(frame::make(number, 100));
        }
        link.downlink.flush().unwrap();
        assert_eq!(link.downlink.waiting(), 2);
        rx.fetch(|_| received += 1).unwrap();
        assert!(rx.give_back(0), "two frames wait for that");
        link.downlink.flush().unwrap();
        assert_eq!(link.downlink.waiting(), 0);
        rx.fetch(|_| received += 1).unwrap();
        assert!(!rx.give_back(0), "nothing waits any more");
        assert_eq!(received, 7);
    }
}

#[test]
fn linux_is_only_interrupted_when_it_wants() {
    for event_idx in [false, true] {
        let host = Host::ready(table(64, 64, 2048, event_idx));
        let mut link = host.open(1, 1);
        let (mut rx, mut tx) = (host.rx(), host.tx());
        let mut send = |rx_wants: bool| {
            rx.disable_notify();
            rx.fetch(|_| {}).unwrap();
            rx.give_back(0);
            if rx_wants {
                assert!(!rx.enable_notify());
            }
            link.downlink.queue(frame::make(0, 100));
            link.downlink.flush().unwrap()
        };
        // With EVENT_IDX, a request for a kick holds until the next frame.
        send(true);
        assert!(!send(false));
        assert!(send(true));
        assert!(!send(false));

        for wants in [false, true, false, true] {
            tx.want_interrupts(wants);
            assert!(tx.send(&frame::make(0, 100)));
            assert!(tx.kick(), "the modem has nothing to do");
            let received = link.uplink.receive(|_| {}).unwrap();
            assert_eq!((received.interrupt, received.more), (wants, false));
            assert_eq!(tx.reclaim(), 1);
        }
        assert!(!link.uplink.receive(|_| {}).unwrap().interrupt);
    }
}

#[test]
fn a_frame_must_fit_in_a_buffer() {
    let host = Host::ready(table(64, 64, 256, true));
    let mut link = host.open(4, 1);
    let mut rx = host.rx();
    // 24 bytes of headroom, 8 of tailroom.
    let longest = 256 - 32;
    for (len, too_long) in [(longest, 0), (longest + 1, 1), (70_000, 2), (1, 2), (0, 3)] {
        link.downlink.queue(vec![len as u8; len]);
        link.downlink.flush().unwrap();
        assert_eq!(link.downlink.stats().too_long, too_long, "{len} bytes");
    }
    let mut received = Vec::new();
    rx.fetch(|got| received.push(got.len())).unwrap();
    assert_eq!(received, [longest, 1]);
}

#[test]
fn a_frame_that_no_heap_holds_does_not_wait_for_ever() {
    let host = Host::ready(table(64, 64, u32::MAX, true));
    let mut link = host.open(4, 1);
    link.downlink.queue(vec![1; 10 << 20]);
    link.downlink.queue(vec![2; 100]);
    link.downlink.flush().unwrap();
    let stats = link.downlink.stats();
    assert_eq!((stats.too_long, stats.frames), (1, 1));
    assert_eq!(link.downlink.waiting(), 0);
}

#[test]
fn one_call_takes_a_limited_number_of_frames() {
    let host = Host::ready(table(64, 4096, 64, true));
    let mut link = host.open(4, 1);
    let mut tx = host.tx();
    for number in 0..2500 {
        assert!(tx.send(&frame::make(number, 16)));
    }
    let mut taken = Vec::new();
    let mut next = 0;
    loop {
        let before = next;
        let received = link.uplink.receive(|got| {
            frame::check(got, next, 16);
            next += 1;
        });
        taken.push(next - before);
        if !received.unwrap().more {
            break;
        }
    }
    assert_eq!(taken, [1024, 1024, 452]);
    assert_eq!(tx.reclaim(), 2500);
}
