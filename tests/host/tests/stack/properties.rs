// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Random events against the models of `vring_host_tests::stack`.

use std::cell::RefCell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use vring_host_tests::stack::{control, rfm};

/// Runs a target on a number of inputs of up to 400 bytes. `add` gets the counts of each.
fn run<T>(cases: u32, fuzz: fn(&[u8]) -> T, add: impl Fn(T)) {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    };
    TestRunner::new(config)
        .run(&vec(any::<u8>(), 0..400), |input| {
            add(fuzz(&input));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn control_does_what_the_model_does() {
    let all = RefCell::new(control::RequestCounts::default());
    run(20_000, control::fuzz, |seen| {
        let mut all = all.borrow_mut();
        all.connected += seen.connected;
        all.refused += seen.refused;
        all.bad_id += seen.bad_id;
        all.timed_out += seen.timed_out;
        all.link_down += seen.link_down;
        all.cancelled += seen.cancelled;
        all.withdrawn += seen.withdrawn;
        all.destroyed += seen.destroyed;
        all.closed += seen.closed;
        for (all, seen) in all.ignored.iter_mut().zip(seen.ignored) {
            *all += seen;
        }
    });
    // Each result must be frequent, or the comparison is of little value.
    let seen = all.into_inner();
    let least = [
        seen.connected,
        seen.refused,
        seen.bad_id,
        seen.timed_out,
        seen.link_down,
        seen.cancelled,
        seen.withdrawn,
        seen.destroyed,
        seen.closed,
    ];
    assert!(least.iter().all(|count| *count > 1000), "{seen:?}");
    assert!(seen.ignored.iter().all(|count| *count > 50), "{seen:?}");
}

#[test]
fn rfm_does_what_the_model_does() {
    let all = RefCell::new(rfm::SegmentCounts::default());
    run(20_000, rfm::fuzz, |seen| {
        let mut all = all.borrow_mut();
        all.packets += seen.packets;
        for (all, seen) in all.errors.iter_mut().zip(seen.errors) {
            *all += seen;
        }
    });
    let seen = all.into_inner();
    assert!(seen.packets > 1000, "{seen:?}");
    assert!(seen.errors.iter().all(|count| *count > 100), "{seen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn what_goes_in_comes_out(tag: u8, payload in 0..=0xffffusize, mtu in 29..5000usize) {
        let packet = rfm::packet(tag, payload);
        let bodies = rfm::bodies(&packet, mtu).expect("the MTU is large enough");
        let mut receiver = rfm::Receiver::default();
        let (last, others) = bodies.split_last().expect("there is one");
        for body in others {
            prop_assert_eq!(receiver.take(body), Ok(None));
        }
        prop_assert_eq!(receiver.take(last), Ok(Some(packet)));
    }

    #[test]
    fn any_cut_is_an_error(payload in 60..4000usize, mtu in 29..60usize, pick: usize, keep: usize) {
        let packet = rfm::packet(7, payload);
        let mut bodies = rfm::bodies(&packet, mtu).expect("the MTU is large enough");
        let cut = pick % bodies.len();
        let keep = 1 + keep % (bodies[cut].len() - 1);
        bodies[cut].truncate(keep);
        let mut receiver = rfm::Receiver::default();
        let mut errors = 0;
        for body in bodies {
            match receiver.take(&body) {
                // Segments after an error have no beginning, so that the last one is a packet by
                // itself.
                Ok(Some(found)) => prop_assert!(errors > 0 && found.len() < packet.len()),
                Ok(None) => {}
                Err(_) => errors += 1,
            }
        }
        prop_assert!(errors > 0);
    }
}
