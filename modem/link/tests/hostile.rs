// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A host that breaks the rules of a ring gets an error, one that sends nonsense in a sound ring
//! loses that buffer's frame. Neither ends the modem.

mod common;

use common::{Host, VRING_DA, frame, table, tx::Tx};
use ivshmem::memory::{DA_BASE, MIN_SIZE};
use kernel_pure::vring_layout::{DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE, Layout};
use link::{Error, Link};

const MTU: u32 = 2048;
/// Headroom and tailroom of the uplink.
const ROOM: u32 = 48;

/// What the error of a ring says.
#[track_caller]
fn ring_error<T: std::fmt::Debug>(result: Result<T, Error>, of: usize) -> String {
    match result {
        Err(Error::Ring { vring, what }) if vring == of => what,
        other => panic!("not an error of vring {of}: {other:?}"),
    }
}

/// A modem with `frames` frames on the ring, in chains of `chain_max` at most.
fn with_frames(frames: u32, chain_max: u16) -> (Host, Link, Layout) {
    let host = Host::ready(table(64, 64, MTU, true));
    let mut link = host.open(chain_max, 1);
    for number in 0..frames {
        link.downlink.queue(frame::make(number, 100));
    }
    link.downlink.flush().unwrap();
    let layout = host.layout(0);
    (host, link, layout)
}

/// Returns chains of the downlink in the way that a faulty Linux would.
fn give_back(host: &Host, layout: &Layout, ids: &[u32], idx: u16) {
    let at = |offset: usize| u64::from(VRING_DA[0]) + offset as u64;
    for (place, id) in (0..).zip(ids) {
        host.memory.store(at(layout.used_ring(place)), *id).unwrap();
    }
    host.memory.store(at(layout.used_idx()), idx).unwrap();
}

#[test]
fn used_idx_may_not_pass_what_was_made_available() {
    for (frames, idx) in [(0, 1), (3, 4), (3, 65535), (64, 65), (64, 32768)] {
        let (host, mut link, layout) = with_frames(frames, 1);
        give_back(&host, &layout, &(0..64).collect::<Vec<_>>(), idx);
        let what = ring_error(link.downlink.flush(), 0);
        assert!(
            what.contains(&format!("moved by {idx}, at most {frames}")),
            "{what}"
        );
    }
}

#[test]
fn used_idx_may_not_go_back() {
    let (host, mut link, layout) = with_frames(3, 1);
    give_back(&host, &layout, &[0, 1], 2);
    link.downlink.flush().unwrap();
    give_back(&host, &layout, &[], 1);
    assert!(ring_error(link.downlink.flush(), 0).contains("moved by 65535"));
}

#[test]
fn only_chains_that_linux_has_may_come_back() {
    // The heads are 0, 1 and 2.
    for id in [3, 63, 64, 65535, 65536, 1 << 31, u32::MAX] {
        let (host, mut link, layout) = with_frames(3, 1);
        give_back(&host, &layout, &[id], 1);
        let what = ring_error(link.downlink.flush(), 0);
        assert!(what.contains(&format!("chain {id} came back")), "{what}");
    }
}

#[test]
fn a_chain_may_not_come_back_twice() {
    let (host, mut link, layout) = with_frames(3, 1);
    give_back(&host, &layout, &[1, 1], 2);
    assert!(ring_error(link.downlink.flush(), 0).contains("chain 1 came back"));
}

#[test]
fn only_the_head_names_a_chain() {
    // Within 64 frames in chains of up to 8, there are descriptors that are no head.
    let (host, mut link, layout) = with_frames(64, 8);
    let heads: Vec<u16> = (0..link.downlink.stats().chains as u16)
        .map(|place| {
            let at = u64::from(VRING_DA[0]) + layout.avail_ring(place) as u64;
            host.memory.load(at).unwrap()
        })
        .collect();
    let other = (0..64).find(|desc| !heads.contains(desc)).unwrap();
    give_back(&host, &layout, &[other.into()], 1);
    let what = ring_error(link.downlink.flush(), 0);
    assert!(what.contains(&format!("chain {other} came back")), "{what}");
}

/// A modem and the driver of its uplink.
fn uplink() -> (Link, Tx) {
    let host = Host::ready(table(64, 64, MTU, true));
    (host.open(1, 1), host.tx())
}

#[test]
fn avail_idx_may_not_jump() {
    for jump in [65u16, 1000, 65535] {
        let (mut link, tx) = uplink();
        tx.store(tx.layout.avail_idx(), jump);
        ring_error(link.uplink.receive(|_| {}), 1);
    }
}

#[test]
fn a_chain_must_start_at_a_descriptor() {
    for head in [64, 65, u16::MAX] {
        let (mut link, tx) = uplink();
        tx.store(tx.layout.avail_ring(0), head);
        tx.store(tx.layout.avail_idx(), 1u16);
        ring_error(link.uplink.receive(|_| panic!("a frame")), 1);
    }
}

/// Makes descriptor 5 available as it is given, and then a good frame. Returns the frames that
/// came out, and how many were of a bad length and a bad chain.
fn send(da: u64, len: u32, flags: u16, next: u16, prepare: impl Fn(&Tx)) -> (usize, u64, u64) {
    let (mut link, mut tx) = uplink();
    prepare(&tx);
    tx.post(5, da, len, flags, next);
    assert!(tx.send(&frame::make(7, 100)));
    let mut frames = Vec::new();
    link.uplink
        .receive(|got| frames.push(got.to_vec()))
        .unwrap();
    assert_eq!(tx.load::<u16>(tx.layout.used_idx()), 2, "both come back");
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
        // Too short to be a frame, which is for the CAIF stack to say.
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
    let next = |tx: &Tx| tx.describe(6, da, 200, 0, 0);
    assert_eq!(send(da, 200, DESC_F_WRITE, 0, |_| {}), (0, 0, 1));
    assert_eq!(send(da, 200, DESC_F_NEXT, 6, next), (0, 0, 1));
    assert_eq!(
        send(da, 200, DESC_F_NEXT | DESC_F_WRITE, 6, next),
        (0, 0, 1)
    );
    // Out of the ring, and in a circle.
    assert_eq!(send(da, 200, DESC_F_NEXT, 64, |_| {}), (0, 0, 1));
    assert_eq!(send(da, 200, DESC_F_NEXT, 5, |_| {}), (0, 0, 1));
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
