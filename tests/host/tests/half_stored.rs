// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A modem whose compiler stores an index in two halves, low byte first, and an index that is read
//! in between.

mod common;

use common::{buffer, Bench, BOTH};
use vring_host_tests::vring_chain::{DeviceRingError, Segment};
use vring_host_tests::vring_driver::DriverRingError;
use vring_host_tests::vring_half_stored::LOOKS;

/// Indices at which the high byte changes, and at which the index wraps.
const BORDERS: [u16; 3] = [0x0100, 0x1200, 0x0000];

/// Returns the value of an index between the stores of its bytes.
fn between(old: u16, new: u16) -> u16 {
    old & 0xff00 | new & 0x00ff
}

#[test]
fn no_chain_is_missed_and_no_sound_ring_breaks() {
    for features in BOTH {
        for border in BORDERS {
            let bench = Bench::new(8, features);
            let (mut modem, mut ring) = (bench.modem_driver(), bench.reversed());
            let mut segments = [Segment::default(); 8];
            // The next chain is the one before the border.
            for _ in 0..u32::from(border.wrapping_sub(1)) {
                modem.post(&[buffer(1)]).unwrap();
                modem.publish();
                ring.peek().unwrap().unwrap().give_back(0);
                ring.publish();
                modem.reclaim().unwrap().unwrap();
            }
            for number in 0..3 {
                modem.post(&[buffer(number)]).unwrap();
            }
            let old = border.wrapping_sub(1);
            let new = old.wrapping_add(3);
            // The poll ends and enables interrupts, and the modem has stored half.
            bench.fields().write_avail_idx(between(old, new));
            ring.disable_notify();
            assert_eq!(ring.fetch(&mut segments), Ok(None));
            assert!(!ring.enable_notify(), "a poll now would spin");
            assert!(ring.is_half_stored());
            // It stores the other half, and interrupts as requested.
            bench.fields().write_avail_idx(old);
            assert!(modem.publish(), "no interrupt, and nobody looks again");
            for number in 0..3 {
                let next = ring.peek().unwrap().unwrap();
                let addr = next.single().map(Segment::addr);
                assert_eq!(addr, Some(buffer(number).addr));
                next.give_back(0);
            }
            assert_eq!(ring.fetch(&mut segments), Ok(None));
            assert!(!ring.is_half_stored());
        }
    }
}

#[test]
fn no_returned_buffer_is_missed_and_no_sound_ring_breaks() {
    for features in BOTH {
        for border in BORDERS {
            let bench = Bench::new(8, features);
            let (mut modem, mut ring) = (bench.modem_device(), bench.driver(8));
            for _ in 0..u32::from(border.wrapping_sub(1)) {
                let slot = ring.take().unwrap();
                ring.add(slot, 0, 1).unwrap();
                ring.publish();
                let (id, _) = modem.fetch().unwrap().unwrap();
                modem.put_used(id.into(), 0);
                modem.publish();
                ring.reclaim().unwrap().unwrap();
            }
            for _ in 0..3 {
                let slot = ring.take().unwrap();
                ring.add(slot, 0, 1).unwrap();
            }
            ring.publish();
            while let Some((id, _)) = modem.fetch().unwrap() {
                modem.put_used(id.into(), 0);
            }
            let old = border.wrapping_sub(1);
            let new = old.wrapping_add(3);
            bench.fields().write_used_idx(between(old, new));
            ring.disable_notify();
            assert_eq!(ring.reclaim(), Ok(None));
            assert!(!ring.enable_notify(), "a poll now would spin");
            assert!(ring.is_half_stored());
            bench.fields().write_used_idx(old);
            assert!(modem.publish(), "no interrupt, and nobody looks again");
            for _ in 0..3 {
                ring.reclaim().unwrap().unwrap();
            }
            assert_eq!(ring.reclaim(), Ok(None));
            assert!(!ring.is_half_stored());
        }
    }
}

#[test]
fn an_index_that_stays_wrong_breaks_the_ring() {
    for features in BOTH {
        let bench = Bench::new(8, features);
        let mut ring = bench.reversed();
        let mut segments = [Segment::default(); 8];
        bench.fields().write_avail_idx(0xffff);
        for _ in 1..LOOKS {
            // Repeated reads count once.
            for _ in 0..100 {
                assert_eq!(ring.fetch(&mut segments), Ok(None));
                assert!(ring.is_half_stored() && !ring.has_more());
            }
            ring.count_look();
        }
        // An index that only came back still counts, until all looks are used.
        bench.fields().write_avail_idx(0);
        assert_eq!(ring.fetch(&mut segments), Ok(None));
        assert!(ring.is_half_stored());
        ring.count_look();
        assert_eq!(ring.fetch(&mut segments), Ok(None));
        assert!(!ring.is_half_stored());
        bench.fields().write_avail_idx(0xff01);
        assert_eq!(ring.fetch(&mut segments), Ok(None));
        for _ in 0..LOOKS {
            ring.count_look();
        }
        assert!(ring.has_more(), "the look that is the last");
        let error = DeviceRingError::AvailJump {
            delta: 0xff01,
            allowed: 8,
        };
        assert_eq!(ring.fetch(&mut segments), Err(error));
        assert!(!ring.is_half_stored() && !ring.has_more());

        let bench = Bench::new(8, features);
        let mut ring = bench.driver(8);
        bench.fields().write_used_idx(0xff01);
        for _ in 0..LOOKS {
            for _ in 0..100 {
                assert_eq!(ring.reclaim(), Ok(None));
            }
            ring.count_look();
        }
        assert!(ring.has_more(), "the look that is the last");
        let error = DriverRingError::UsedJump {
            delta: 0xff01,
            allowed: 0,
        };
        assert_eq!(ring.reclaim(), Err(error));
        assert!(!ring.is_half_stored() && !ring.has_more());
    }
}

#[test]
fn an_index_that_no_half_explains_breaks_the_ring_at_once() {
    for features in BOTH {
        for wrong in [9, 0x8000, 0xff00] {
            let bench = Bench::new(8, features);
            bench.fields().write_avail_idx(wrong);
            bench
                .reversed()
                .fetch(&mut [Segment::default(); 8])
                .unwrap_err();
            bench.fields().write_used_idx(wrong);
            bench.driver(8).reclaim().unwrap_err();
        }
    }
}
