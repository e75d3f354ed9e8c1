// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A valid modem and each ring, by example.

mod common;

use common::{buffer, Bench, BOTH};
use modem_ring::Used;
use vring_host_tests::vring_chain::Segment;
use vring_host_tests::vring_layout::{DESC_F_NEXT, DESC_F_WRITE};

#[test]
fn chains_come_out_as_they_were_posted_and_go_back_in_any_order() {
    for features in BOTH {
        let bench = Bench::new(8, features);
        let (mut modem, mut ring) = (bench.modem_driver(), bench.reversed());
        let mut segments = [Segment::default(); 8];
        assert_eq!(ring.fetch(&mut segments), Ok(None));
        let mut long = [1, 2, 3].map(buffer);
        long[1].flags = DESC_F_WRITE;
        long[2].len = 0;
        let heads = [&long[..], &[buffer(4)], &[buffer(5)]].map(|chain| modem.post(chain));
        assert!(modem.publish() && ring.has_more());

        let first = ring.fetch(&mut segments).unwrap().unwrap();
        assert_eq!((Some(first.head()), first.len()), (heads[0], 3));
        for (i, (segment, sent)) in segments.iter().zip(&long).enumerate() {
            assert_eq!((segment.addr(), segment.len()), (sent.addr, sent.len));
            let next = if i < 2 { DESC_F_NEXT } else { 0 };
            assert_eq!(segment.flags(), sent.flags | next);
            assert_eq!((segment.is_write(), segment.len() == 0), (i == 1, i == 2));
        }
        // A chain that was peeked at is the next one again, or is given back at once.
        for _ in 0..2 {
            let next = ring.peek().unwrap().unwrap();
            assert_eq!(next.single().map(Segment::addr), Some(buffer(4).addr));
        }
        ring.peek().unwrap().unwrap().give_back(11);
        let last = ring.peek().unwrap().unwrap().fetch(&mut segments).unwrap();
        assert_eq!(ring.fetch(&mut segments), Ok(None));
        ring.give_back(last, 12).unwrap();
        assert_eq!((ring.in_flight(), ring.pending()), (1, 2));
        assert_eq!(modem.reclaim(), Ok(None), "nothing is published");
        ring.publish();
        ring.give_back(first, 13).unwrap();
        ring.publish();
        assert_eq!((ring.in_flight(), ring.pending()), (0, 0));
        for (head, len) in [(heads[1], 11), (heads[2], 12), (heads[0], 13)] {
            let id = head.unwrap().into();
            assert_eq!(modem.reclaim(), Ok(Some(Used { id, len })));
        }
        assert_eq!(modem.free(), 8);
    }
}

#[test]
fn frames_are_sent_by_slots_that_come_back_in_any_order() {
    for features in BOTH {
        let bench = Bench::new(4, features);
        let (mut modem, mut ring) = (bench.modem_device(), bench.driver(3));
        // The old content of the descriptors is ignored.
        for index in 0..4 {
            bench.fields().write_desc(index, buffer(99));
        }
        let unused = ring.take().unwrap();
        ring.put(unused);
        for number in 0..3 {
            let slot = ring.take().unwrap();
            assert_eq!(u32::from(slot.index()), number);
            let sent = buffer(number);
            ring.add(slot, sent.addr, sent.len).unwrap();
        }
        assert!(ring.take().is_none());
        assert_eq!(modem.fetch(), Ok(None), "nothing is published");
        assert!(ring.publish() && !ring.publish());
        assert_eq!(ring.free(), 0);
        for number in 0..3 {
            let mut sent = buffer(number);
            sent.next = 0;
            assert_eq!(modem.fetch(), Ok(Some((number as u16, sent))));
        }
        for id in [1, 2, 0] {
            modem.put_used(id, u32::MAX);
        }
        assert_eq!(ring.reclaim(), Ok(None));
        modem.publish();
        for id in [1, 2, 0] {
            assert_eq!(ring.reclaim(), Ok(Some(id)));
        }
        assert_eq!(ring.free(), 3);
        let last = ring.take().map(|slot| slot.index());
        assert_eq!(last, Some(0), "the one that came back last");
    }
}

#[test]
fn a_slot_may_be_kept_while_any_number_of_others_go_by() {
    for features in BOTH {
        let bench = Bench::new(2, features);
        let (mut modem, mut ring) = (bench.modem_device(), bench.driver(2));
        let kept = ring.take().unwrap();
        ring.add(kept, 0, 1).unwrap();
        // The number of the kept slot modulo 2^16 equals that of one that is not published.
        for _ in 1..0x1_0000 {
            let slot = ring.take().unwrap();
            ring.add(slot, 0, 1).unwrap();
            ring.publish();
            while let Some((id, _)) = modem.fetch().unwrap() {
                if id != 0 {
                    modem.put_used(id.into(), 0);
                }
            }
            modem.publish();
            assert_eq!(ring.reclaim(), Ok(Some(1)));
        }
        let last = ring.take().unwrap();
        ring.add(last, 0, 1).unwrap();
        modem.put_used(0, 0);
        modem.publish();
        assert_eq!(ring.reclaim(), Ok(Some(0)), "it was published long ago");
    }
}
