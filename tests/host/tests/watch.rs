// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The watchdog: modems that are stuck, and modems that are not.

mod common;

use common::{Bench, BOTH};
use vring_host_tests::vring_driver::{DriverRing, SlotState};
use vring_host_tests::vring_watch::{Finding, Watch, PERIODS};

/// A ring for the watchdog: the numbers of the buffers in flight, and the count of published ones.
#[derive(Default)]
struct Ring {
    published: u64,
    in_flight: Vec<u64>,
}

impl Ring {
    fn publish(&mut self, buffers: u64) {
        self.in_flight
            .extend(self.published..self.published + buffers);
        self.published += buffers;
    }

    /// Returns the buffer of that place among those in flight.
    fn give_back(&mut self, place: usize) {
        self.in_flight.remove(place);
    }

    fn look(&self, watch: &mut Watch) -> Finding {
        watch.look(self.published, self.in_flight.len() as u16, || {
            self.in_flight.iter().copied().min()
        })
    }
}

#[test]
fn one_buffer_that_is_kept_alone() {
    let (mut watch, mut ring) = (Watch::default(), Ring::default());
    assert_eq!(ring.look(&mut watch), Finding::Idle);
    ring.publish(1);
    // Its age is below a period at the first look.
    assert_eq!(ring.look(&mut watch), Finding::Working);
    for _ in 1..PERIODS {
        assert_eq!(ring.look(&mut watch), Finding::Silent);
    }
    assert_eq!(ring.look(&mut watch), Finding::Stuck);
}

#[test]
fn every_buffer_is_kept() {
    let (mut watch, mut ring) = (Watch::default(), Ring::default());
    // Traffic goes on until the modem stops.
    for _ in 0..10 {
        ring.publish(4);
        assert_eq!(ring.look(&mut watch), Finding::Working);
        while ring.in_flight.len() > 1 {
            ring.give_back(0);
        }
    }
    assert_eq!(ring.look(&mut watch), Finding::Working);
    // Publishing more is no sign of life.
    ring.publish(3);
    assert_eq!(ring.look(&mut watch), Finding::Silent);
    ring.publish(3);
    assert_eq!(ring.look(&mut watch), Finding::Stuck);
}

#[test]
fn one_slow_buffer_while_others_return() {
    let (mut watch, mut ring) = (Watch::default(), Ring::default());
    ring.publish(1);
    let mut kept = 0;
    for _ in 0..100 {
        ring.publish(1);
        ring.give_back(1);
        match ring.look(&mut watch) {
            Finding::Keeping => kept += 1,
            found => assert_eq!(found, Finding::Working),
        }
    }
    assert_eq!(kept, 1, "it is told once");
    ring.give_back(0);
    assert_eq!(ring.look(&mut watch), Finding::Idle);
    // The next kept buffer is reported again, and not before its time.
    ring.publish(1);
    for look in 0..10 {
        ring.publish(1);
        ring.give_back(1);
        let wanted = if look == PERIODS {
            Finding::Keeping
        } else {
            Finding::Working
        };
        assert_eq!(ring.look(&mut watch), wanted, "look {look}");
    }
}

#[test]
fn a_buffer_is_returned_in_each_period() {
    let (mut watch, mut ring) = (Watch::default(), Ring::default());
    ring.publish(200);
    for _ in 0..150 {
        ring.give_back(0);
        assert_ne!(ring.look(&mut watch), Finding::Silent);
    }
    // Every second look finds nothing new.
    for _ in 0..40 {
        assert_eq!(ring.look(&mut watch), Finding::Silent);
        ring.give_back(0);
        assert_ne!(ring.look(&mut watch), Finding::Stuck);
    }
}

#[test]
fn time_before_a_restart_does_not_count() {
    let (mut watch, mut ring) = (Watch::default(), Ring::default());
    ring.publish(1);
    for _ in 0..20 {
        assert_eq!(ring.look(&mut watch), Finding::Working);
        assert_eq!(ring.look(&mut watch), Finding::Silent);
        watch = Watch::default();
    }
}

#[test]
fn as_many_are_returned_as_an_index_has_values() {
    let (mut watch, mut ring) = (Watch::default(), Ring::default());
    ring.publish(1);
    assert_eq!(ring.look(&mut watch), Finding::Working);
    for _ in 0..10 {
        // All indices of the ring have wrapped to their old values.
        ring.published += 1 << 16;
        assert_ne!(ring.look(&mut watch), Finding::Silent);
    }
}

#[test]
fn a_ring_knows_what_is_in_flight() {
    for features in BOTH {
        let bench = Bench::new(4, features);
        let (mut modem, mut ring) = (bench.modem_device(), bench.driver(4));
        let seen = |ring: &DriverRing<_, Vec<SlotState>>| {
            (ring.published(), ring.in_flight(), ring.oldest())
        };
        assert_eq!(seen(&ring), (0, 0, None));
        for number in 0..3 {
            let slot = ring.take().unwrap();
            ring.add(slot, 0, 1).unwrap();
            assert_eq!(
                seen(&ring),
                (number, number as u16, (number > 0).then_some(0))
            );
            ring.publish();
        }
        let slot = ring.take().unwrap();
        ring.add(slot, 0, 1).unwrap();
        // The first and the last one that was published; one more was not.
        for (id, oldest) in [(0, Some(1)), (2, Some(1)), (1, None)] {
            modem.put_used(id, 0);
            modem.publish();
            assert_eq!(ring.reclaim(), Ok(Some(id as u16)));
            assert_eq!(ring.oldest(), oldest);
        }
        assert_eq!(seen(&ring), (3, 0, None));
        ring.publish();
        assert_eq!(seen(&ring), (4, 1, Some(3)));
    }
}
