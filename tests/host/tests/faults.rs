// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The effect of each fault on a ring, and its error: the wrong number, and the allowed ones.

mod common;

use common::{buffer, Bench, BOTH};
use modem_ring::{Desc, Fields};
use vring_host_tests::memory::View;
use vring_host_tests::vring_chain::{DeviceRingError, Segment};
use vring_host_tests::vring_driver::DriverRingError;
use vring_host_tests::vring_layout::{Layout, LayoutError, DESC_F_INDIRECT, DESC_F_NEXT};

type Spoil = fn(&Fields<View<'_>>);

/// Makes chains available from the start of the ring on.
fn show(ring: &Fields<View<'_>>, heads: &[u16]) {
    for (place, head) in (0..).zip(heads) {
        ring.write_avail(place, *head);
    }
    ring.write_avail_idx(heads.len() as u16);
}

/// Makes a chain of descriptor 2, which continues at 5, and 5 with these flags and this next one.
fn chain(ring: &Fields<View<'_>>, flags: u16, next: u16) {
    let desc = |flags, next| Desc {
        flags,
        next,
        ..buffer(1)
    };
    ring.write_desc(2, desc(DESC_F_NEXT, 5));
    ring.write_desc(5, desc(flags, next));
    show(ring, &[2]);
}

#[test]
fn of_a_reversed_ring() {
    let cases: [(Spoil, &str); 8] = [
        (
            |ring| ring.write_avail_idx(9),
            "avail.idx moved by 9, at most 8 buffers can be new",
        ),
        (
            |ring| ring.write_avail_idx(0xff00),
            "avail.idx moved by 65280, at most 8 buffers can be new",
        ),
        (
            |ring| show(ring, &[1, 8]),
            "chain starts at descriptor 8, must be below 8",
        ),
        (
            |ring| show(ring, &[3, 3]),
            "chain 3 made available again, must be returned first",
        ),
        (
            |ring| chain(ring, DESC_F_NEXT, 8),
            "descriptor 5 continues at 8, must be below 8",
        ),
        (
            |ring| chain(ring, DESC_F_NEXT, 5),
            "chain 2 does not end, must have at most 8 descriptors",
        ),
        (
            |ring| chain(ring, DESC_F_INDIRECT, 0),
            "descriptor 5 is indirect, only direct ones were negotiated",
        ),
        (
            |ring| chain(ring, DESC_F_INDIRECT | DESC_F_NEXT, 6),
            "descriptor 5 is indirect, only direct ones were negotiated",
        ),
    ];
    for (spoil, text) in cases {
        for features in BOTH {
            let bench = Bench::new(8, features);
            spoil(&bench.fields());
            let mut ring = bench.reversed();
            let mut segments = [Segment::default(); 8];
            let error = loop {
                match ring.fetch(&mut segments) {
                    Ok(chain) => assert!(chain.is_some(), "not noticed: {text}"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.to_string(), text);
            assert_eq!(ring.error(), Some(error));
        }
    }
}

#[test]
fn of_a_ring_to_send_by() {
    let put = |ring: &Fields<View<'_>>, ids: &[u32]| {
        for (place, id) in (0..).zip(ids) {
            let used = modem_ring::Used { id: *id, len: 0 };
            ring.write_used(place, used);
        }
        ring.write_used_idx(ids.len() as u16);
    };
    // Slots 0 and 1 are in flight, 2 is taken, 3 is added and not published, 4 is free.
    let cases: [(&[u32], u16, &str); 8] = [
        (
            &[],
            3,
            "used.idx moved by 3, at most 2 buffers can be done with",
        ),
        (&[5], 0, "descriptor 5 returned, must be below 5"),
        (&[0x1_0000], 0, "descriptor 65536 returned, must be below 5"),
        (
            &[2],
            0,
            "descriptor 2 returned, only those made available can be",
        ),
        (
            &[3],
            0,
            "descriptor 3 returned, only those made available can be",
        ),
        (
            &[0, 3],
            0,
            "descriptor 3 returned, only those made available can be",
        ),
        (
            &[4],
            0,
            "descriptor 4 returned, only those made available can be",
        ),
        (
            &[1, 1],
            0,
            "descriptor 1 returned, only those made available can be",
        ),
    ];
    for (ids, idx, text) in cases {
        for features in BOTH {
            let bench = Bench::new(8, features);
            let mut ring = bench.driver(5);
            for _ in 0..2 {
                let slot = ring.take().unwrap();
                ring.add(slot, 0, 1).unwrap();
            }
            ring.publish();
            let _taken = ring.take().unwrap();
            let added = ring.take().unwrap();
            ring.add(added, 0, 1).unwrap();
            put(&bench.fields(), ids);
            if idx != 0 {
                bench.fields().write_used_idx(idx);
            }
            let error = loop {
                match ring.reclaim() {
                    Ok(slot) => assert!(slot.is_some(), "not noticed: {text}"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.to_string(), text);
            assert_eq!(ring.error(), Some(error));
        }
    }
}

#[test]
fn of_our_own() {
    let texts = [
        DeviceRingError::NotInFlight { head: 2 }.to_string(),
        DeviceRingError::Storage { len: 1, num: 64 }.to_string(),
        DeviceRingError::Segments { len: 7, num: 8 }.to_string(),
        DriverRingError::NotTaken { slot: 4 }.to_string(),
        DriverRingError::Slots { slots: 9, num: 8 }.to_string(),
    ];
    let expected = [
        "chain 2 given back to a ring that did not hand it out",
        "room for 1 heads in flight, 64 are needed",
        "room for 7 segments, 8 are needed",
        "slot 4 added to a ring that did not hand it out",
        "9 slots, must be from 1 to 8",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn of_a_layout() {
    let num = Layout::new(48, 64).map_err(|error| error.to_string());
    let text = "48 descriptors, must be a power of two from 1 to 32768";
    assert_eq!(num, Err(text.to_owned()));
    let align = LayoutError::Align(2).to_string();
    let text = "alignment of 2 bytes, must be a power of two from 4 to 65536";
    assert_eq!(align, text);
}

#[test]
fn a_ring_of_256_is_where_the_c_header_puts_it() {
    let layout = Layout::new(256, 4096).expect("a usual geometry");
    assert_eq!((layout.desc(255), layout.avail_flags()), (4080, 4096));
    assert_eq!((layout.avail_idx(), layout.avail_ring(0)), (4098, 4100));
    assert_eq!((layout.used_event(), layout.used_flags()), (4612, 8192));
    assert_eq!((layout.used_idx(), layout.used_ring(0)), (8194, 8196));
    // vring_size(256, 4096) of the C header, which counts `used_event` and `avail_event`.
    assert_eq!((layout.avail_event(), layout.size()), (10244, 10246));
}
