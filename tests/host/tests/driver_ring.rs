// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The driver side of a ring: slots come and go, and a modem that breaks the rules ends it.

mod common;

use common::{Bench, BOTH};
use vring_host_tests::memory::View;
use vring_host_tests::vring_driver::{DriverRing, DriverRingError, Slot, SlotState};
use vring_host_tests::vring_layout::{
    AVAIL_F_NO_INTERRUPT, DESC_FLAGS, DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE, DESC_LEN,
    DESC_NEXT, USED_F_NO_NOTIFY,
};
use vring_host_tests::vring_mem::{Features, RingMem};

type HostRing<'a> = DriverRing<View<'a>, Vec<SlotState>>;

fn ring_of(bench: &Bench, features: Features, slots: u16) -> HostRing<'_> {
    // The content of the storage must not matter.
    let states = vec![SlotState::Available; usize::from(slots)];
    DriverRing::new(bench.view(), bench.layout, features, states)
        .expect("as many slots are possible")
}

fn ring(bench: &Bench, features: Features) -> HostRing<'_> {
    ring_of(bench, features, bench.layout.num())
}

/// Sends one buffer, of an address and a length that tell its slot. Returns the slot.
fn send(ring: &mut HostRing<'_>) -> u16 {
    let slot = ring.take().expect("a slot must be free");
    let index = slot.index();
    ring.add(
        slot,
        0x1_0000_0000 + u64::from(index),
        60 + u32::from(index),
    )
    .expect("the slot is the ring's own");
    index
}

/// Returns a buffer as the modem does, at the place `idx` of the used ring.
fn put_used(bench: &Bench, idx: u16, id: u32) {
    let elem = bench.layout.used_ring(idx);
    bench.view().store32(elem, id);
    bench.view().store32(elem + 4, 0xffff_ffff);
}

/// Makes `idx` entries of the used ring visible.
fn show_used(bench: &Bench, idx: u16) {
    bench.view().store16(bench.layout.used_idx(), idx);
}

#[test]
fn what_the_modem_sees() {
    for features in BOTH {
        let bench = Bench::new(4);
        let mut ring = ring(&bench, features);
        let view = bench.view();
        // Whatever was in the descriptors has no meaning.
        for desc in 0..4 {
            bench.desc(desc, DESC_F_NEXT | DESC_F_WRITE | DESC_F_INDIRECT, 3);
        }
        for place in 0..4 {
            let slot = send(&mut ring);
            let desc = bench.layout.desc(slot);
            assert_eq!(view.load64(desc), 0x1_0000_0000 + u64::from(slot));
            assert_eq!(view.load32(desc + DESC_LEN), 60 + u32::from(slot));
            assert_eq!(view.load16(desc + DESC_FLAGS), 0);
            assert_eq!(view.load16(desc + DESC_NEXT), 0);
            assert_eq!(view.load16(bench.layout.avail_ring(place)), slot);
        }
        assert_eq!(
            view.load16(bench.layout.avail_idx()),
            0,
            "nothing is published"
        );
        assert!(ring.publish());
        assert_eq!(view.load16(bench.layout.avail_idx()), 4);
        assert!(!ring.publish(), "there is nothing new");
        assert_eq!(ring.free(), 0);
        assert!(ring.take().is_none());
    }
}

#[test]
fn slots_come_back_in_any_order() {
    let bench = Bench::new(4);
    let mut ring = ring(&bench, BOTH[0]);
    for _ in 0..4 {
        send(&mut ring);
    }
    ring.publish();
    assert_eq!(ring.reclaim(), Ok(None));
    for (place, id) in [(0, 2), (1, 0), (2, 3), (3, 1)] {
        put_used(&bench, place, id);
    }
    show_used(&bench, 1);
    assert_eq!(ring.reclaim(), Ok(Some(2)));
    assert_eq!(ring.reclaim(), Ok(None));
    show_used(&bench, 4);
    assert_eq!(ring.reclaim(), Ok(Some(0)));
    assert_eq!(ring.reclaim(), Ok(Some(3)));
    assert_eq!(ring.reclaim(), Ok(Some(1)));
    assert_eq!(ring.reclaim(), Ok(None));
    assert_eq!(ring.free(), 4);
    assert_eq!(
        ring.take().map(|slot| slot.index()),
        Some(1),
        "the one used last"
    );
}

#[test]
fn fewer_slots_than_descriptors() {
    let bench = Bench::new(8);
    let mut ring = ring_of(&bench, BOTH[0], 3);
    let slots: Vec<u16> = (0..3).map(|_| send(&mut ring)).collect();
    assert_eq!(slots, [0, 1, 2]);
    assert!(ring.take().is_none());
    ring.publish();
    put_used(&bench, 0, 3);
    show_used(&bench, 1);
    assert_eq!(
        ring.reclaim(),
        Err(DriverRingError::UsedId { id: 3, slots: 3 })
    );
}

#[test]
fn a_slot_can_be_put_back_unused() {
    let bench = Bench::new(2);
    let mut ring = ring(&bench, BOTH[0]);
    let slot = ring.take().expect("all are free");
    assert_eq!(ring.free(), 1);
    ring.put(slot);
    assert_eq!(ring.free(), 2);
    assert_eq!((send(&mut ring), send(&mut ring)), (0, 1));
}

/// Breaks a ring of four with slots 0 and 1 in flight, and slot 2 handed out.
fn break_by(spoil: impl Fn(&Bench)) -> DriverRingError {
    for features in BOTH {
        let bench = Bench::new(4);
        let mut ring = ring(&bench, features);
        send(&mut ring);
        send(&mut ring);
        ring.publish();
        let slot = ring.take().expect("two are free");
        spoil(&bench);
        let error = loop {
            match ring.reclaim() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the fault was not noticed"),
                Err(error) => break error,
            }
        };
        // From now on the memory is not touched.
        let before = bench.view().bytes(0, bench.layout.size());
        assert_eq!(ring.error(), Some(error));
        assert_eq!(ring.reclaim(), Err(error));
        assert_eq!(ring.add(slot, 1, 1), Err(error));
        assert!(!ring.publish());
        assert!(!ring.enable_notify());
        assert!(!ring.has_more());
        ring.disable_notify();
        assert_eq!(bench.view().bytes(0, bench.layout.size()), before);
        if features == BOTH[1] {
            return error;
        }
    }
    unreachable!("the second set of features returns")
}

#[test]
fn used_index_out_of_reach() {
    for (idx, delta) in [(3, 3), (4, 4), (1000, 1000), (0xffff, 0xffff)] {
        let error = break_by(|bench| show_used(bench, idx));
        assert_eq!(error, DriverRingError::UsedJump { delta, allowed: 2 });
    }
}

#[test]
fn used_index_goes_back() {
    let bench = Bench::new(4);
    let mut ring = ring(&bench, BOTH[0]);
    send(&mut ring);
    ring.publish();
    put_used(&bench, 0, 0);
    show_used(&bench, 1);
    assert_eq!(ring.reclaim(), Ok(Some(0)));
    show_used(&bench, 0);
    let error = DriverRingError::UsedJump {
        delta: 0xffff,
        allowed: 0,
    };
    assert_eq!(ring.reclaim(), Err(error));
}

#[test]
fn buffers_that_are_not_published_cannot_be_returned() {
    let bench = Bench::new(4);
    let mut ring = ring(&bench, BOTH[0]);
    send(&mut ring);
    put_used(&bench, 0, 0);
    show_used(&bench, 1);
    let error = DriverRingError::UsedJump {
        delta: 1,
        allowed: 0,
    };
    assert_eq!(ring.reclaim(), Err(error));
}

#[test]
fn returned_descriptor_that_does_not_exist() {
    for id in [4, 5, 0xffff, 0x1_0000, 0xffff_ffff] {
        let error = break_by(|bench| {
            put_used(bench, 0, id);
            show_used(bench, 1);
        });
        assert_eq!(error, DriverRingError::UsedId { id, slots: 4 });
    }
}

#[test]
fn returned_descriptor_that_the_modem_does_not_have() {
    // Slot 2 is handed out and slot 3 is free.
    for id in [2, 3] {
        let error = break_by(|bench| {
            put_used(bench, 0, id);
            show_used(bench, 1);
        });
        assert_eq!(error, DriverRingError::NotInFlight { id: id as u16 });
    }
}

#[test]
fn descriptor_returned_twice() {
    let error = break_by(|bench| {
        put_used(bench, 0, 1);
        put_used(bench, 1, 1);
        show_used(bench, 2);
    });
    assert_eq!(error, DriverRingError::NotInFlight { id: 1 });
}

#[test]
fn what_the_modem_writes_to_descriptors_has_no_effect() {
    let bench = Bench::new(4);
    let mut ring = ring(&bench, BOTH[0]);
    for round in 0..10u16 {
        let slot = send(&mut ring);
        ring.publish();
        for desc in 0..4 {
            bench.desc(desc, DESC_F_NEXT | DESC_F_INDIRECT, desc);
        }
        bench.view().store16(bench.layout.avail_ring(round), 3);
        bench.view().store16(bench.layout.avail_idx(), 0x7777);
        put_used(&bench, round, slot.into());
        show_used(&bench, round + 1);
        assert_eq!(ring.reclaim(), Ok(Some(slot)));
        assert_eq!(ring.reclaim(), Ok(None));
        assert_eq!(ring.free(), 4);
    }
}

#[test]
fn the_slot_of_another_ring() {
    let bench = Bench::new(4);
    let other = Bench::new(4);
    let mut ring = ring(&bench, BOTH[0]);
    let foreign = |n: usize| -> Slot {
        let mut ring = self::ring(&other, BOTH[0]);
        for _ in 0..n {
            let _ = ring.take();
        }
        ring.take().expect("all are free")
    };
    ring.put(foreign(2));
    assert_eq!(ring.free(), 4, "a free slot is not freed again");
    assert_eq!(
        ring.add(foreign(1), 0, 1),
        Err(DriverRingError::NotTaken { slot: 1 })
    );
    assert_eq!(ring.error(), Some(DriverRingError::NotTaken { slot: 1 }));
}

#[test]
fn impossible_numbers_of_slots() {
    let bench = Bench::new(4);
    for slots in [0, 5, 40_000, 70_000] {
        let result = DriverRing::new(
            bench.view(),
            bench.layout,
            BOTH[0],
            vec![SlotState::Taken; slots],
        );
        let error = DriverRingError::Slots {
            slots: slots as u32,
            num: 4,
        };
        assert_eq!(result.err(), Some(error));
    }
}

#[test]
fn kicks_by_flag_and_by_index() {
    let bench = Bench::new(8);
    let mut ring = ring(&bench, BOTH[0]);
    send(&mut ring);
    bench
        .view()
        .store16(bench.layout.used_flags(), USED_F_NO_NOTIFY);
    bench.view().store16(bench.layout.avail_event(), 0);
    assert!(!ring.publish());
    send(&mut ring);
    bench
        .view()
        .store16(bench.layout.used_flags(), !USED_F_NO_NOTIFY);
    assert!(ring.publish());

    let bench = Bench::new(8);
    let mut ring = self::ring(&bench, BOTH[1]);
    bench
        .view()
        .store16(bench.layout.used_flags(), USED_F_NO_NOTIFY);
    let kicks: Vec<bool> = [0, 3, 3, 3]
        .into_iter()
        .map(|event| {
            bench.view().store16(bench.layout.avail_event(), event);
            send(&mut ring);
            send(&mut ring);
            ring.publish()
        })
        .collect();
    assert_eq!(kicks, [true, true, false, false]);
}

#[test]
fn interrupts_by_flag_and_by_index() {
    let bench = Bench::new(8);
    let mut ring = ring(&bench, BOTH[0]);
    ring.disable_notify();
    assert_eq!(
        bench.view().load16(bench.layout.avail_flags()),
        AVAIL_F_NO_INTERRUPT
    );
    assert!(!ring.enable_notify());
    assert_eq!(bench.view().load16(bench.layout.avail_flags()), 0);
    send(&mut ring);
    ring.publish();
    put_used(&bench, 0, 0);
    show_used(&bench, 1);
    assert!(ring.enable_notify(), "one came back");
    assert!(ring.has_more());

    let bench = Bench::new(8);
    let mut ring = self::ring(&bench, BOTH[1]);
    send(&mut ring);
    ring.publish();
    put_used(&bench, 0, 0);
    show_used(&bench, 1);
    assert_eq!(ring.reclaim(), Ok(Some(0)));
    assert!(!ring.enable_notify());
    assert_eq!(bench.view().load16(bench.layout.used_event()), 1);
    ring.disable_notify();
    assert_eq!(bench.view().load16(bench.layout.avail_flags()), 0);
}
