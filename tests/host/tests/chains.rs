// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Chains on a sound ring: what is fetched, given back and published.

mod common;

use common::{buffers, must_fetch, must_peek, Bench, BOTH};
use vring_host_tests::driver::Used;
use vring_host_tests::vring_chain::DeviceRingError;
use vring_host_tests::vring_layout::DESC_F_WRITE;
use vring_host_tests::vring_mem::RingMem;
use vring_host_tests::vring_reversed::DeviceRing;

#[test]
fn an_empty_ring_has_nothing_to_fetch() {
    for features in BOTH {
        let bench = Bench::new(8);
        let mut ring = bench.ring(features);
        assert_eq!(ring.fetch(&mut bench.segments()), Ok(None));
        assert!(!ring.has_more());
        assert!(!ring.publish());
        assert_eq!((ring.in_flight(), ring.pending()), (0, 0));
    }
}

#[test]
fn a_chain_comes_out_as_it_was_posted() {
    let bench = Bench::new(16);
    let (mut driver, mut ring) = (bench.driver(BOTH[0]), bench.ring(BOTH[0]));
    let mut segments = bench.segments();
    let mut posted = buffers(5, 7);
    posted[3].flags = DESC_F_WRITE;
    posted[4].len = 0;
    let head = driver.post(&posted).expect("there are 16 descriptors");
    driver.expose();

    assert!(ring.has_more());
    let chain = must_fetch(&mut ring, &mut segments);
    assert_eq!((chain.head(), chain.len()), (head, 5));
    for (i, buffer) in posted.iter().enumerate() {
        assert!(buffer.is(&segments[i], i == 4), "segment {i}");
        assert_eq!(segments[i].is_write(), i == 3);
        assert_eq!(segments[i].len() == 0, i == 4);
    }
    assert_eq!(ring.in_flight(), 1);
    assert_eq!(ring.give_back(chain, 0), Ok(()));
}

#[test]
fn chains_of_every_length_up_to_the_whole_ring() {
    for num in [1, 2, 4, 64, 32768] {
        let bench = Bench::new(num);
        let (mut driver, mut ring) = (bench.driver(BOTH[1]), bench.ring(BOTH[1]));
        let mut segments = bench.segments();
        let step = (num as usize / 64).max(1);
        for len in (1..=num as usize).rev().step_by(step) {
            let posted = buffers(len, 1);
            driver.post(&posted).expect("the ring is empty");
            driver.expose();
            let chain = must_fetch(&mut ring, &mut segments);
            assert_eq!(chain.len(), len);
            assert!(posted
                .iter()
                .zip(&segments)
                .enumerate()
                .all(|(i, (buffer, segment))| buffer.is(segment, i + 1 == len)));
            ring.give_back(chain, 0).expect("it is ours");
            ring.publish();
            assert!(driver.reclaim().is_some());
        }
    }
}

#[test]
fn chains_go_back_in_any_order_and_together() {
    let bench = Bench::new(8);
    let (mut driver, mut ring) = (bench.driver(BOTH[0]), bench.ring(BOTH[0]));
    let mut segments = bench.segments();
    let heads: Vec<u16> = (0..4)
        .map(|i| driver.post(&buffers(2, i)).expect("there is room"))
        .collect();
    driver.expose();

    let mut chains: Vec<_> = (0..4)
        .map(|_| must_fetch(&mut ring, &mut segments))
        .collect();
    assert_eq!(ring.in_flight(), 4);
    assert_eq!(ring.fetch(&mut segments), Ok(None));
    for (pick, written) in [(2, 11), (0, 12), (1, 13)] {
        ring.give_back(chains.remove(pick), written).expect("ours");
        assert_eq!(
            driver.reclaim(),
            None,
            "nothing is seen before it is published"
        );
    }
    assert_eq!((ring.in_flight(), ring.pending()), (1, 3));

    ring.publish();
    assert_eq!((ring.in_flight(), ring.pending()), (1, 0));
    for (head, written) in [(heads[2], 11), (heads[0], 12), (heads[3], 13)] {
        assert_eq!(driver.reclaim(), Some(Used { head, written }));
    }
    assert_eq!(driver.reclaim(), None);
}

#[test]
fn a_chain_that_was_looked_at_is_given_back_or_taken_or_is_the_next_again() {
    let bench = Bench::new(8);
    let (mut driver, mut ring) = (bench.driver(BOTH[0]), bench.ring(BOTH[0]));
    let mut segments = bench.segments();
    let posted = buffers(1, 9);
    let head = driver.post(&posted).expect("there is room");
    let several = driver.post(&buffers(3, 9)).expect("there is room");
    driver.expose();

    for _ in 0..2 {
        let next = must_peek(&mut ring);
        let single = next.single().map(|s| (s.addr(), s.len()));
        assert_eq!(single, Some((posted[0].addr, posted[0].len)));
    }
    assert_eq!((ring.in_flight(), ring.pending()), (0, 0));
    must_peek(&mut ring).give_back(77);
    assert_eq!((ring.in_flight(), ring.pending()), (0, 1));

    assert!(must_peek(&mut ring).single().is_none());
    let chain = must_peek(&mut ring).fetch(&mut segments);
    let chain = chain.expect("the ring is sound");
    assert_eq!((chain.head(), chain.len()), (several, 3));
    assert_eq!((ring.in_flight(), ring.pending()), (1, 1));
    assert!(matches!(ring.peek(), Ok(None)));
    ring.give_back(chain, 78).expect("it is the ring's own");
    ring.publish();
    assert_eq!(driver.reclaim(), Some(Used { head, written: 77 }));
    let used = Used {
        head: several,
        written: 78,
    };
    assert_eq!(driver.reclaim(), Some(used));
}

#[test]
fn a_chain_in_flight_is_not_shown_again() {
    let bench = Bench::new(8);
    let (mut driver, mut ring) = (bench.driver(BOTH[0]), bench.ring(BOTH[0]));
    let head = driver.post(&buffers(1, 9)).expect("there is room");
    driver.expose();
    let _held = must_fetch(&mut ring, &mut bench.segments());
    bench.avail(&[head, head]);
    assert!(
        matches!(ring.peek(), Err(DeviceRingError::HeadInFlight { head: found }) if found == head)
    );
}

#[test]
fn a_chain_that_was_looked_at_is_not_taken_when_there_is_no_room() {
    let bench = Bench::new(8);
    let (mut driver, mut ring) = (bench.driver(BOTH[0]), bench.ring(BOTH[0]));
    let mut segments = bench.segments();
    driver.post(&buffers(3, 9)).expect("there is room");
    driver.expose();
    let refused = must_peek(&mut ring).fetch(&mut segments[..7]);
    assert_eq!(refused, Err(DeviceRingError::Segments { len: 7, num: 8 }));
    assert_eq!((ring.error(), ring.in_flight()), (None, 0));
    assert_eq!(must_fetch(&mut ring, &mut segments).len(), 3);
}

#[test]
fn indices_wrap_more_than_once() {
    for features in BOTH {
        let bench = Bench::new(4);
        let (mut driver, mut ring) = (bench.driver(features), bench.ring(features));
        let mut segments = bench.segments();
        for round in 0..150_000 {
            let head = driver.post(&buffers(1 + round as usize % 4, round));
            driver.expose();
            let chain = must_fetch(&mut ring, &mut segments);
            assert_eq!(Some(chain.head()), head);
            assert_eq!(segments[0].addr(), round << 32);
            ring.give_back(chain, round as u32).expect("it is ours");
            ring.publish();
            let used = driver.reclaim().expect("it was published");
            assert_eq!(used.written, round as u32);
        }
    }
}

#[test]
fn a_full_ring_can_be_held_and_more_is_refused() {
    let bench = Bench::new(4);
    let mut ring = bench.ring(BOTH[0]);
    let mut segments = bench.segments();
    for desc in 0..4 {
        bench.desc(desc, 0, 0);
    }
    bench.avail(&[3, 1, 0, 2]);
    let chains: Vec<_> = (0..4)
        .map(|_| must_fetch(&mut ring, &mut segments))
        .collect();
    assert_eq!(
        chains.iter().map(|c| c.head()).collect::<Vec<_>>(),
        [3, 1, 0, 2]
    );
    assert_eq!(ring.fetch(&mut segments), Ok(None));

    // A fifth chain while four are held.
    bench.view().store16(bench.layout.avail_idx(), 5);
    let error = DeviceRingError::AvailJump {
        delta: 1,
        allowed: 0,
    };
    assert_eq!(ring.fetch(&mut segments), Err(error));
}

#[test]
fn storage_that_is_too_small_is_refused() {
    let bench = Bench::new(64);
    let ring = DeviceRing::new(bench.view(), bench.layout, BOTH[0], vec![false; 63]);
    let error = DeviceRingError::Storage { len: 63, num: 64 };
    assert_eq!(ring.err(), Some(error));
    assert!(DeviceRing::new(bench.view(), bench.layout, BOTH[0], [false; 64]).is_ok());
}

#[test]
fn too_few_segments_are_refused_and_do_no_harm() {
    let bench = Bench::new(8);
    let (mut driver, mut ring) = (bench.driver(BOTH[0]), bench.ring(BOTH[0]));
    let mut segments = bench.segments();
    driver.post(&buffers(1, 1));
    driver.expose();
    let error = DeviceRingError::Segments { len: 7, num: 8 };
    assert_eq!(ring.fetch(&mut segments[..7]), Err(error));
    assert_eq!(ring.error(), None);
    let chain = must_fetch(&mut ring, &mut segments);
    assert_eq!(ring.give_back(chain, 0), Ok(()));
}

#[test]
fn a_chain_of_another_ring_is_refused() {
    let (here, there) = (Bench::new(8), Bench::new(8));
    there.desc(5, 0, 0);
    there.avail(&[5]);
    let foreign = must_fetch(&mut there.ring(BOTH[0]), &mut there.segments());
    let mut ring = here.ring(BOTH[0]);
    let error = DeviceRingError::NotInFlight { head: 5 };
    assert_eq!(ring.give_back(foreign, 0), Err(error));
    assert_eq!(ring.error(), Some(error));
}

#[test]
fn errors_say_what_was_wrong_and_what_is_allowed() {
    let jump = DeviceRingError::AvailJump {
        delta: 900,
        allowed: 12,
    };
    assert_eq!(
        jump.to_string(),
        "avail.idx moved by 900, at most 12 buffers can be new"
    );
    let next = DeviceRingError::Next {
        desc: 1,
        next: 77,
        num: 64,
    };
    assert_eq!(
        next.to_string(),
        "descriptor 1 continues at 77, must be below 64"
    );
    let head = DeviceRingError::Head { head: 70, num: 64 };
    assert_eq!(
        head.to_string(),
        "chain starts at descriptor 70, must be below 64"
    );
}
