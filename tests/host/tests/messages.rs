// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What the errors say: which number was wrong, and which are allowed.

mod common;

use common::{Bench, BOTH};
use vring_host_tests::vring_chain::DeviceRingError;
use vring_host_tests::vring_driver::{DriverRing, DriverRingError, SlotState};
use vring_host_tests::vring_layout::{Layout, LayoutError};
use vring_host_tests::vring_mem::RingMem;

#[test]
fn a_geometry_that_is_not_allowed() {
    let num = Layout::new(48, 64).map_err(|error| error.to_string());
    let text = "48 descriptors, must be a power of two from 1 to 32768";
    assert_eq!(num, Err(text.to_owned()));
    let align = LayoutError::Align(2).to_string();
    let text = "alignment of 2 bytes, must be a power of two from 4 to 65536";
    assert_eq!(align, text);
}

#[test]
fn each_fault_of_a_reversed_ring() {
    let num = 8;
    for (error, text) in [
        (
            DeviceRingError::AvailJump {
                delta: 9,
                allowed: 7,
            },
            "avail.idx moved by 9, at most 7 buffers can be new",
        ),
        (
            DeviceRingError::Head { head: 8, num },
            "chain starts at descriptor 8, must be below 8",
        ),
        (
            DeviceRingError::HeadInFlight { head: 3 },
            "chain 3 made available again, must be returned first",
        ),
        (
            DeviceRingError::Next {
                desc: 4,
                next: 700,
                num,
            },
            "descriptor 4 continues at 700, must be below 8",
        ),
        (
            DeviceRingError::Loop { head: 5, num },
            "chain 5 does not end, must have at most 8 descriptors",
        ),
        (
            DeviceRingError::Indirect { desc: 6 },
            "descriptor 6 is indirect, only direct ones were negotiated",
        ),
        (
            DeviceRingError::NotInFlight { head: 2 },
            "chain 2 given back to a ring that did not hand it out",
        ),
        (
            DeviceRingError::Storage { len: 1, num: 64 },
            "room for 1 heads in flight, 64 are needed",
        ),
        (
            DeviceRingError::Segments { len: 7, num },
            "room for 7 segments, 8 are needed",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn each_fault_of_a_driver_ring() {
    for (error, text) in [
        (
            DriverRingError::UsedJump {
                delta: 9,
                allowed: 7,
            },
            "used.idx moved by 9, at most 7 buffers can be done with",
        ),
        (
            DriverRingError::UsedId {
                id: 70_000,
                slots: 8,
            },
            "descriptor 70000 returned, must be below 8",
        ),
        (
            DriverRingError::NotInFlight { id: 3 },
            "descriptor 3 returned, only those made available can be",
        ),
        (
            DriverRingError::NotTaken { slot: 4 },
            "slot 4 added to a ring that did not hand it out",
        ),
        (
            DriverRingError::Slots { slots: 9, num: 8 },
            "9 slots, must be from 1 to 8",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_ring_keeps_the_error_that_broke_it() {
    let bench = Bench::new(8);
    let mut ring = bench.ring(BOTH[0]);
    assert_eq!(ring.error(), None);
    bench.avail(&[8]);
    let error = DeviceRingError::Head { head: 8, num: 8 };
    assert_eq!(ring.fetch(&mut bench.segments()), Err(error));
    assert_eq!(ring.error(), Some(error));
    assert_eq!(ring.next(), 0);

    let bench = Bench::new(8);
    let view = bench.view();
    let mut ring = DriverRing::new(view, bench.layout, BOTH[0], vec![SlotState::Taken; 8])
        .expect("a slot for each descriptor");
    assert_eq!(ring.error(), None);
    bench.view().store16(bench.layout.used_idx(), 1);
    let error = DriverRingError::UsedJump {
        delta: 1,
        allowed: 0,
    };
    assert_eq!(ring.reclaim(), Err(error));
    assert_eq!(ring.error(), Some(error));
    assert_eq!(ring.next(), 0);
}
