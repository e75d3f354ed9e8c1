// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Random calls and a modem that writes anything anywhere, against the references.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::catch_unwind;

use fastrand::Rng;
use vring_host_tests::reference::{driver, layout, reversed};

/// Inputs of each ring.
const CASES: u64 = 40_000;

/// A step of an input: its frequency, its number, and the bytes of its arguments.
type Step = (u32, u8, usize);

/// Steps of the reversed ring, mostly valid ones.
const REVERSED: [Step; 13] = [
    (300, 15, 1),
    (20, 14, 0),
    (300, 0, 0),
    (150, 2, 1),
    (300, 4, 5),
    (150, 7, 0),
    (50, 8, 0),
    (50, 9, 0),
    (20, 10, 0),
    (4, 6, 0),
    (2, 11, 6),
    (8, 12, 4),
    (4, 13, 5),
];
/// Steps of the TX ring.
const DRIVER: [Step; 13] = [
    (300, 0, 0),
    (30, 1, 1),
    (300, 2, 13),
    (150, 4, 0),
    (300, 6, 0),
    (300, 15, 0),
    (20, 14, 0),
    (50, 8, 0),
    (50, 9, 0),
    (20, 10, 0),
    (2, 11, 14),
    (8, 12, 4),
    (4, 13, 5),
];

/// Returns an input of up to 400 steps.
fn input(rng: &mut Rng, steps: &[Step]) -> Vec<u8> {
    let all: u32 = steps.iter().map(|(weight, ..)| weight).sum();
    let mut input = vec![rng.u8(..), rng.u8(..)];
    for _ in 0..rng.u16(..400) {
        let mut pick = rng.u32(..all);
        for (weight, number, args) in steps {
            if pick < *weight {
                input.push(number | rng.u8(..) & 0xf0);
                // Most chains are short, and most written values are numbers of descriptors.
                let small = if *args == 1 { rng.u32(..8) } else { 0 };
                input.extend((0..*args).map(|_| rng.u8(..) >> small));
                if let (12 | 13, Some(value)) = (number, input.last_chunk_mut()) {
                    *value = (rng.u16(..) >> rng.u8(..16)).to_le_bytes();
                }
                break;
            }
            pick -= weight;
        }
    }
    input
}

/// Runs a target on random inputs. Returns the number of rings that each error ended.
fn feed<E: Debug>(
    steps: &[Step],
    target: fn(&[u8]) -> (u16, Option<E>),
) -> (u64, BTreeMap<String, u32>) {
    let (mut done, mut errors) = (0, BTreeMap::new());
    for seed in 0..CASES {
        let input = input(&mut Rng::with_seed(seed), steps);
        let end = catch_unwind(|| target(&input));
        let Ok((count, error)) = end else {
            panic!("seed {seed}, to be replayed by tests/fuzz/run: {input:02x?}");
        };
        done += u64::from(count);
        let text = format!("{error:?}");
        let name = text.trim_start_matches("Some(").split([' ', ')']).next();
        *errors.entry(name.unwrap_or("").to_owned()).or_default() += 1;
    }
    (done, errors)
}

/// The steps must break rings, but not at once.
fn assert_seen((done, errors): (u64, BTreeMap<String, u32>), kinds: &[&str]) {
    assert!(done > 10 * CASES, "only {done} buffers went round");
    for kind in kinds {
        let count = errors.get(*kind).copied().unwrap_or(0);
        assert!(count >= 20, "{kind}: {count} of at least 20 in {errors:?}");
    }
}

#[test]
fn the_reversed_ring_does_what_its_reference_says() {
    let kinds = [
        "None",
        "AvailJump",
        "Head",
        "HeadInFlight",
        "Next",
        "Loop",
        "Indirect",
        "NotInFlight",
    ];
    assert_seen(feed(&REVERSED, reversed::fuzz), &kinds);
}

#[test]
fn the_ring_to_send_by_does_what_its_reference_says() {
    let kinds = [
        "None",
        "UsedJump",
        "UsedId",
        "NotInFlight",
        "NotTaken",
        "Slots",
    ];
    assert_seen(feed(&DRIVER, driver::fuzz), &kinds);
}

#[test]
fn each_layout_is_as_the_specification_has_it() {
    let mut rng = Rng::with_seed(1);
    let near = |bit: u32| [0u32, 1, 2].map(|add| (1u32 << bit).wrapping_add(add).wrapping_sub(1));
    for num in (0..32).flat_map(near) {
        for align in (0..32).flat_map(near) {
            // Events and indices that are close to each other, for all cases.
            let base = rng.u16(..);
            let mut input = [num.to_le_bytes(), align.to_le_bytes()].concat();
            for _ in 0..5 {
                let index = base.wrapping_add(rng.u16(..8));
                input.extend(index.to_le_bytes());
            }
            layout::fuzz(&input);
        }
    }
}
