// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A host that breaks the rules of a ring gets an error, one that sends an invalid buffer in a
//! valid ring loses its frame. Neither ends the modem.

mod common;

use common::{Host, frame, table, tx::Tx};
use ivshmem::memory::{DA_BASE, MIN_SIZE};
use kernel_pure::vring_layout::{DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE};
use link::{Error, Link};
use modem_ring::{Desc, Used};

const MTU: u32 = 2048;
/// Headroom and tailroom of the uplink.
const ROOM: u32 = 48;

/// Returns the text of a ring's error.
#[track_caller]
fn ring_error<T: std::fmt::Debug>(result: Result<T, Error>, of: usize) -> String {
    match result {
        Err(Error::Ring { vring, what }) if vring == of => what,
        other => panic!("not an error of vring {of}: {other:?}"),
    }
}

#[test]
fn chains_come_back_as_they_were_lent() {
    // Three frames, whose heads are 0, 1 and 2.
    let cases: [(&[u32], u16, &str); 6] = [
        (&[], 4, "used.idx moved by 4, at most 3"),
        (&[], 65535, "used.idx moved by 65535, at most 3"),
        (&[3], 1, "chain 3 came back"),
        (&[64], 1, "chain 64 came back"),
        (&[65536], 1, "chain 65536 came back"),
        (&[1, 1], 2, "chain 1 came back"),
    ];
    for (ids, idx, text) in cases {
        let host = Host::ready(table(64, 64, MTU, true));
        let mut link = host.open(1, 1);
        for number in 0..3 {
            link.downlink.queue(frame::make(number, 100));
        }
        link.downlink.flush().unwrap();
        let ring = host.fields(0);
        for (place, id) in (0..).zip(ids) {
            ring.write_used(place, Used { id: *id, len: 0 });
        }
        ring.write_used_idx(idx);
        let what = ring_error(link.downlink.flush(), 0);
        assert!(what.contains(text), "{what}");
    }
}

/// Returns a modem and the driver of its uplink.
fn uplink() -> (Link, Tx) {
    let host = Host::ready(table(64, 64, MTU, true));
    (host.open(1, 1), host.tx())
}

#[test]
fn what_is_available_must_exist() {
    // Places and heads.
    for (idx, head) in [
        (65, 0),
        (1000, 0),
        (65535, 0),
        (1, 64),
        (1, 65),
        (1, u16::MAX),
    ] {
        let (mut link, tx) = uplink();
        tx.fields.write_avail(0, head);
        tx.fields.write_avail_idx(idx);
        ring_error(link.uplink.receive(|_| panic!("a frame")), 1);
    }
}

/// Makes a given buffer available, and then a good frame. Returns the received frames, and the
/// counts of bad lengths and bad chains.
fn send(da: u64, len: u32, flags: u16, next: u16, prepare: impl Fn(&Tx)) -> (usize, u64, u64) {
    let (mut link, mut tx) = uplink();
    prepare(&tx);
    let addr = da;
    tx.post(Desc {
        addr,
        len,
        flags,
        next,
    });
    assert!(tx.send(&frame::make(7, 100)));
    let mut frames = Vec::new();
    link.uplink
        .receive(|got| frames.push(got.to_vec()))
        .unwrap();
    assert_eq!(tx.fields.used_idx(), 2, "both come back");
    frame::check(frames.last().unwrap(), 7, 100);
    let stats = link.uplink.stats();
    assert_eq!(stats.frames, frames.len() as u64);
    (frames.len() - 1, stats.bad_length, stats.bad_chain)
}

#[test]
fn a_buffer_must_be_in_the_memory() {
    let end = DA_BASE + MIN_SIZE;
    for da in [
        0,
        DA_BASE - 32,
        DA_BASE - 33,
        end,
        end - 32,
        end - 33,
        u64::from(u32::MAX),
        1 << 63,
        u64::MAX,
        u64::MAX - 31,
        u64::MAX - 32,
        u64::MAX - 33,
    ] {
        let prepare = |tx: &Tx| {
            // A length field of 200, where it is inside.
            let _ = tx.memory.store(end - 2, 200u16);
        };
        // From 32 bytes before the memory, the frame itself is inside.
        let inside = da == DA_BASE - 32;
        let want = if inside { (1, 0, 0) } else { (0, 1, 0) };
        assert_eq!(send(da, 1000, 0, 0, prepare), want, "{da:#x}");
    }
}

#[test]
fn a_buffer_must_be_of_a_possible_length() {
    for len in [0, 1, ROOM, ROOM + 1, MTU + 1, u32::MAX] {
        let da = common::POOL;
        assert_eq!(send(da, len, 0, 0, |_| {}), (0, 1, 0), "{len} bytes");
    }
}

#[test]
fn the_length_field_may_not_pass_the_buffer() {
    let room = 100;
    for (field, good) in [
        (room - 2, true),
        (room - 1, false),
        (u16::MAX, false),
        // Too short to be a frame, which the CAIF stack checks.
        (0, true),
    ] {
        let want = if good { (1, 0, 0) } else { (0, 1, 0) };
        let prepare = |tx: &Tx| {
            tx.memory
                .write(common::POOL + 32, &field.to_le_bytes())
                .unwrap()
        };
        let len = u32::from(room) + ROOM;
        assert_eq!(send(common::POOL, len, 0, 0, prepare), want, "L = {field}");
    }
}

#[test]
fn a_frame_is_one_buffer_to_read_from() {
    let da = common::POOL;
    let desc = Desc {
        addr: da,
        len: 200,
        ..Desc::default()
    };
    let next = |tx: &Tx| tx.fields.write_desc(6, desc);
    assert_eq!(send(da, 200, DESC_F_WRITE, 0, |_| {}), (0, 0, 1));
    assert_eq!(send(da, 200, DESC_F_NEXT, 6, next), (0, 0, 1));
    assert_eq!(
        send(da, 200, DESC_F_NEXT | DESC_F_WRITE, 6, next),
        (0, 0, 1)
    );
    // Out of the ring, and in a circle: the first descriptor is 0.
    assert_eq!(send(da, 200, DESC_F_NEXT, 64, |_| {}), (0, 0, 1));
    assert_eq!(send(da, 200, DESC_F_NEXT, 0, |_| {}), (0, 0, 1));
}

#[test]
fn a_table_of_descriptors_was_not_negotiated() {
    let da = common::POOL + 16;
    // A table of one good descriptor, tables of odd sizes and places, a table in a table.
    let good = |tx: &Tx| {
        tx.memory.store(da, common::POOL + 4096).unwrap();
        tx.memory.store(da + 8, 200u64).unwrap();
    };
    let nested = |tx: &Tx| {
        tx.memory.store(da, da).unwrap();
        let indirect = u64::from(DESC_F_INDIRECT) << 32;
        tx.memory.store(da + 8, 16 | indirect).unwrap();
    };
    assert_eq!(send(da, 16, DESC_F_INDIRECT, 0, good), (0, 0, 1));
    assert_eq!(send(da, 16, DESC_F_INDIRECT, 0, nested), (0, 0, 1));
    for (da, len) in [(da, 0), (da, 15), (da, 1 << 21), (u64::MAX, 16), (0, 16)] {
        assert_eq!(
            send(da, len, DESC_F_INDIRECT, 0, |_| {}),
            (0, 0, 1),
            "{len}"
        );
    }
}

#[test]
fn a_cleared_ring_is_noticed() {
    // Frames both ways, only to Linux, only from Linux.
    for (down, up) in [(1, 1), (1, 0), (0, 1)] {
        let host = Host::ready(table(64, 64, MTU, true));
        let mut link = host.open(1, 1);
        let mut tx = host.tx();
        assert!(!link.was_reset().unwrap());
        for number in 0..down {
            link.downlink.queue(frame::make(number, 100));
        }
        for number in 0..up {
            assert!(tx.send(&frame::make(number, 100)));
        }
        link.downlink.flush().unwrap();
        link.uplink.receive(|_| {}).unwrap();
        assert!(!link.was_reset().unwrap());

        host.clear_rings();
        assert!(link.was_reset().unwrap(), "{down} to Linux, {up} from it");

        // A new link on the cleared rings works.
        let mut link = host.open(1, 1);
        let mut rx = host.rx();
        link.downlink.queue(frame::make(9, 100));
        link.downlink.flush().unwrap();
        rx.fetch(|got| frame::check(got, 9, 100)).unwrap();
        assert_eq!(rx.held(), 1);
        assert!(!link.was_reset().unwrap());
    }
}

/// A modem that was stopped in the middle of its work stores an index once more when it continues,
/// in rings that Linux has cleared meanwhile.
#[test]
fn an_index_of_before_does_not_count() {
    for (down, up) in [(1, 0), (0, 1)] {
        let host = Host::ready(table(64, 64, MTU, true));
        let mut old = host.open(1, 1);
        let mut tx = host.tx();
        for number in 0..2 {
            if number == 1 {
                host.clear_rings();
                tx = host.tx();
            }
            for _ in 0..down {
                old.downlink.queue(frame::make(number, 100));
            }
            for _ in 0..up * (number + 1) {
                assert!(tx.send(&frame::make(number, 100)));
            }
            old.downlink.flush().unwrap();
            old.uplink.receive(|_| {}).unwrap();
        }
        assert!(!old.was_reset().unwrap(), "it stored no index");
        let link = host.open(1, 1);
        assert!(!link.was_reset().unwrap(), "{down} to Linux, {up} from it");
    }
}
