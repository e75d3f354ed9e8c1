// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Every frame arrives unchanged and in order, in whichever order the buffers come back.

mod common;

use common::{Host, frame, table};
use rand::{Rng, SeedableRng, rngs::SmallRng};

/// More than four times the range of an index.
const FRAMES: u32 = 300_000;
const MTU: u32 = 2048;
/// Less the headroom and tailroom of the direction.
const DOWN_MAX: usize = 2048 - 32;
const UP_MAX: usize = 2048 - 48;

/// Sends `FRAMES` frames each way, in turns of a random length.
fn exchange(rx_num: u32, tx_num: u32, chain_max: u16, event_idx: bool, seed: u64) -> Vec<u64> {
    let host = Host::ready(table(rx_num, tx_num, MTU, event_idx));
    let mut link = host.open(chain_max, seed);
    let (mut rx, mut tx) = (host.rx(), host.tx());
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut down, mut downed, mut up, mut upped) = (0, 0, 0, 0);

    while downed < FRAMES || upped < FRAMES {
        for _ in 0..rng.random_range(0..=2 * rx_num) {
            if down == FRAMES || !link.downlink.can_send() {
                break;
            }
            link.downlink.queue(frame::make(down, DOWN_MAX));
            down += 1;
        }
        link.downlink.flush().unwrap();
        rx.fetch(|got| {
            frame::check(got, downed, DOWN_MAX);
            downed += 1;
        })
        .unwrap();
        rx.give_back_some(&mut rng);

        for _ in 0..rng.random_range(0..=2 * tx_num) {
            if up == FRAMES || !tx.send(&frame::make(up, UP_MAX)) {
                break;
            }
            up += 1;
        }
        let mut take = |got: &[u8]| {
            frame::check(got, upped, UP_MAX);
            upped += 1;
        };
        while link.uplink.receive(&mut take).unwrap().more {}
        tx.reclaim();
        assert_eq!((tx.in_flight(), upped), (0, up));
    }

    rx.give_back(0);
    link.downlink.flush().unwrap();
    let stats = link.downlink.stats();
    assert_eq!((stats.frames, stats.too_long), (u64::from(FRAMES), 0));
    assert_eq!(
        (stats.returned, link.downlink.in_flight()),
        (stats.chains, 0)
    );
    let chains: u64 = rx.lengths.iter().sum();
    assert_eq!(stats.chains, chains);
    let stats = link.uplink.stats();
    assert_eq!(stats.frames, u64::from(FRAMES));
    assert_eq!((stats.bad_length, stats.bad_chain), (0, 0));
    rx.lengths
}

/// Checks that all lengths from one to the longest occurred, and no others.
fn assert_lengths(lengths: &[u64], longest: usize) {
    for (len, count) in lengths.iter().enumerate() {
        let expected = (1..=longest).contains(&len);
        assert_eq!(*count > 0, expected, "{count} chains of {len}");
    }
}

#[test]
fn single_frames_by_flags() {
    // Each chain has one frame, so that both indices wrap four times.
    assert_lengths(&exchange(64, 64, 1, false, 1), 1);
}

#[test]
fn single_frames_by_event_idx() {
    assert_lengths(&exchange(64, 64, 1, true, 2), 1);
}

#[test]
fn chains_by_flags() {
    assert_lengths(&exchange(256, 32, 8, false, 3), 8);
}

#[test]
fn chains_by_event_idx() {
    assert_lengths(&exchange(256, 32, 8, true, 4), 8);
}

#[test]
fn chains_as_long_as_the_ring() {
    assert_lengths(&exchange(16, 256, u16::MAX, true, 5), 16);
}

#[test]
fn rings_of_one_descriptor() {
    assert_lengths(&exchange(1, 1, 4, true, 6), 1);
    assert_lengths(&exchange(1, 1, 0, false, 7), 1);
}

#[test]
fn the_largest_rings() {
    exchange(32768, 32768, 32, true, 8);
}
