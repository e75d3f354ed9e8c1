// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Both sides of the model against each other.

use modem_ring::{
    Desc, Device, Driver, Place, Used, Violation,
    vring_layout::{DESC_F_NEXT, DESC_F_WRITE, Layout},
    vring_mem::{Features, RingMem},
};
use std::cell::RefCell;

const NUM: u16 = 8;

/// Plain memory.
struct Plain(RefCell<Vec<u8>>);

impl Plain {
    fn load<const N: usize>(&self, off: usize) -> [u8; N] {
        self.0.borrow()[off..off + N].try_into().unwrap()
    }

    fn store<const N: usize>(&self, off: usize, bytes: [u8; N]) {
        self.0.borrow_mut()[off..off + N].copy_from_slice(&bytes);
    }
}

impl RingMem for &Plain {
    fn load16(&self, off: usize) -> u16 {
        u16::from_ne_bytes(self.load(off))
    }
    fn load32(&self, off: usize) -> u32 {
        u32::from_ne_bytes(self.load(off))
    }
    fn load64(&self, off: usize) -> u64 {
        u64::from_ne_bytes(self.load(off))
    }
    fn store16(&self, off: usize, value: u16) {
        self.store(off, value.to_ne_bytes());
    }
    fn store32(&self, off: usize, value: u32) {
        self.store(off, value.to_ne_bytes());
    }
    fn store64(&self, off: usize, value: u64) {
        self.store(off, value.to_ne_bytes());
    }
    fn rmb(&self) {}
    fn wmb(&self) {}
    fn mb(&self) {}
}

type Sides<'a> = (Driver<&'a Plain, Vec<Place>>, Device<&'a Plain>);

/// Runs a test with a ring of its own, with flags and with EVENT_IDX.
fn each(test: impl Fn(bool, Sides<'_>)) {
    for event_idx in [false, true] {
        let layout = Layout::new(NUM.into(), 64).unwrap();
        let mem = Plain(RefCell::new(vec![0; layout.size()]));
        let features = Features { event_idx };
        let places = vec![Place::default(); NUM.into()];
        let driver = Driver::new(&mem, layout, features, places).unwrap();
        test(event_idx, (driver, Device::new(&mem, layout, features)));
    }
}

fn buffer(number: u64) -> Desc {
    Desc {
        addr: 0x1_0000_0000 * number + 16,
        len: number as u32 + 1,
        next: u16::MAX,
        ..Desc::default()
    }
}

#[test]
fn chains_arrive_whole_and_their_descriptors_come_back_past_the_wrap_of_the_indices() {
    each(|_, (mut driver, mut device)| {
        let mut seed = 1u32;
        for round in 0..70_000u64 {
            driver.shuffle(|below| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 16) as u16 % below
            });
            let chain: Vec<_> = (0..1 + round % 5).map(|i| buffer(round + i)).collect();
            let head = driver.post(&chain).unwrap();
            assert_eq!(device.fetch(), Ok(None), "before it is exposed");
            driver.publish();
            let (first, mut desc) = device.fetch().unwrap().unwrap();
            assert_eq!(first, head);
            for (i, sent) in chain.iter().enumerate() {
                assert_eq!((desc.addr, desc.len), (sent.addr, sent.len));
                assert_eq!(desc.flags & DESC_F_NEXT != 0, i + 1 < chain.len());
                if i + 1 < chain.len() {
                    desc = device.fields().desc(desc.next);
                } else {
                    assert_eq!(desc.next, sent.next);
                }
            }
            assert_eq!(driver.free(), NUM - chain.len() as u16);
            device.put_used(head.into(), round as u32);
            assert_eq!(driver.reclaim(), Ok(None), "before it is exposed");
            device.publish();
            let (id, len) = (head.into(), round as u32);
            assert_eq!(driver.reclaim(), Ok(Some(Used { id, len })));
            assert_eq!((driver.free(), driver.in_flight()), (NUM, 0));
        }
    });
}

#[test]
fn no_more_is_posted_than_there_are_descriptors() {
    each(|_, (mut driver, _)| {
        let many: Vec<_> = (0..=u64::from(NUM)).map(buffer).collect();
        assert_eq!(driver.post(&many), None);
        assert_eq!(driver.post(&[]), None);
        assert_eq!(driver.post(&many[1..]), Some(0));
        assert_eq!(driver.post(&many[..1]), None);
        let layout = *driver.fields().layout();
        let mem = *driver.fields().mem();
        let few = vec![Place::default(); usize::from(NUM) - 1];
        assert!(Driver::new(mem, layout, Features::default(), few).is_none());
    });
}

#[test]
fn each_side_is_notified_when_it_asked_for_that() {
    each(|event_idx, (mut driver, mut device)| {
        let send = |driver: &mut Driver<_, _>| {
            driver.post(&[buffer(0)]).unwrap();
            driver.publish()
        };
        device.disable_notify();
        driver.disable_notify();
        assert!(!send(&mut driver));
        assert!(!driver.needs_interrupt(), "nothing is new");
        assert!(device.enable_notify(), "one is there already");
        device.fetch().unwrap();
        assert!(!device.enable_notify());
        assert!(send(&mut driver));
        device.fetch().unwrap();
        assert!(!device.notify_after(2));
        // Flags have no number.
        assert_eq!(send(&mut driver), !event_idx);
        assert!(send(&mut driver));
        assert!(device.notify_after(2) && !device.notify_after(3));

        device.put_used(0, 0);
        assert!(!device.publish());
        assert!(!device.publish(), "nothing is new");
        assert!(driver.enable_notify(), "one is back already");
        driver.reclaim().unwrap();
        assert!(!driver.notify_after(2));
        device.put_used(1, 0);
        assert_eq!(device.publish(), !event_idx);
        device.put_used(2, 0);
        assert!(device.publish());
    });
}

#[test]
fn what_the_other_side_does_against_the_rules_is_an_error() {
    each(|_, (mut driver, mut device)| {
        let head = driver.post(&[buffer(0), buffer(1)]).unwrap();
        device.put_used(head.into(), 0);
        device.publish();
        let (delta, allowed) = (1, 0);
        let jump = Violation::UsedJump { delta, allowed };
        assert_eq!(driver.reclaim(), Err(jump), "it was not exposed yet");
        driver.publish();
        assert!(driver.reclaim().unwrap().is_some());
        // Not a chain's first descriptor, a free one, and none.
        driver.post(&[buffer(0), buffer(1)]).unwrap();
        let body = device.fields().desc(device.fields().avail(1)).next;
        for id in [body.into(), 7, NUM.into(), u32::MAX] {
            driver.put(0);
            driver.publish();
            device.put_used(id, 0);
            device.publish();
            assert_eq!(driver.reclaim(), Err(Violation::UsedId { id }));
        }
    });
    each(|_, (mut driver, mut device)| {
        driver.put(NUM);
        driver.publish();
        let (head, num) = (NUM, NUM);
        assert_eq!(device.fetch(), Err(Violation::Head { head, num }));
        driver.skip(NUM);
        driver.publish();
        let delta = NUM + 1;
        assert_eq!(device.fetch(), Err(Violation::AvailJump { delta, num }));
    });
}

#[test]
fn every_field_can_be_written_alone() {
    each(|_, (mut driver, mut device)| {
        let desc = Desc {
            addr: 0x0123_4567_89ab_cdef,
            len: 0x8765_4321,
            flags: DESC_F_WRITE,
            next: 0xfedc,
        };
        let fields = driver.fields();
        fields.write_desc(3, desc);
        fields.write_avail_flags(1);
        fields.write_avail_idx(2);
        fields.write_avail(NUM + 1, 3);
        fields.write_used_event(4);
        fields.write_used_flags(5);
        fields.write_used_idx(6);
        let used = Used { id: 7, len: 8 };
        fields.write_used(NUM + 2, used);
        fields.write_avail_event(9);
        assert_eq!(fields.desc(3), desc);
        assert_eq!((fields.avail_flags(), fields.avail_idx()), (1, 2));
        assert_eq!((fields.avail(1), fields.used_event()), (3, 4));
        assert_eq!((fields.used_flags(), fields.used_idx()), (5, 6));
        assert_eq!((fields.used(2), fields.avail_event()), (used, 9));
        driver.skip(3);
        driver.expose();
        device.skip(4);
        device.expose();
        assert_eq!((device.waiting(), driver.returned()), (3, 4));
        assert_eq!(driver.take_used(), Some(Used::default()));
        assert_eq!((driver.next_avail(), driver.next_used()), (3, 1));
        assert_eq!((device.next_avail(), device.next_used()), (0, 4));
    });
}
