// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The LINK_DESTROY messages that are owed (`caif/owed.rs`), one step at a time and against a model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vring_host_tests::caif::owed::{Band, Owed, PATIENCE_MS};

/// Takes all ids that the modem is to be told of now.
fn take(owed: &mut Owed, is_empty: bool, now: u64) -> Vec<u8> {
    std::iter::from_fn(|| owed.next(is_empty, now)).collect()
}

#[test]
fn bands_of_priorities() {
    for priority in 0..100 {
        let is_high = matches!(priority % 16, 6 | 7);
        let band = if is_high { Band::High } else { Band::Middle };
        assert_eq!(Band::of(priority), band, "{priority}");
        assert_eq!(Band::of(band.priority()), band);
    }
}

#[test]
fn messages_go_behind_payloads_until_the_queue_is_empty() {
    let mut owed = Owed::new();
    assert_eq!(owed.behind(), Band::High);
    owed.ended(Band::Middle);
    owed.ended(Band::High);
    // Neither what the modem does nor what becomes of messages says that payloads have left.
    owed.owe(1, 0, 0);
    assert_eq!(owed.next(false, 0), Some(1));
    owed.doubt(1);
    owed.lost(0);
    owed.settle(1);
    owed.clear();
    assert_eq!(owed.behind(), Band::Middle);
    owed.left();
    assert_eq!(owed.behind(), Band::High);
}

#[test]
fn the_modem_is_told_once_the_queue_is_empty() {
    let mut owed = Owed::new();
    assert!(!owed.any());
    owed.owe(0, 1, PATIENCE_MS);
    owed.owe(255, 1, PATIENCE_MS);
    assert!(owed.any() && owed.is_owed(0) && owed.is_owed(255) && !owed.is_owed(1));
    assert_eq!(take(&mut owed, false, 1), []);
    assert_eq!(take(&mut owed, true, 1), [0, 255]);
    assert!(!owed.any());
}

#[test]
fn the_modem_is_told_when_the_time_is_over() {
    // The times are halves of longer ones: at the end of the shorter clock, too.
    for start in [0, u64::from(u32::MAX) - 5, u64::MAX - 2000] {
        let mut owed = Owed::new();
        owed.owe(3, start, PATIENCE_MS);
        let end = start + u64::from(PATIENCE_MS);
        assert_eq!(take(&mut owed, false, end - 1), []);
        // What is owed already does not wait longer.
        owed.owe(3, end - 1, PATIENCE_MS);
        owed.owe(4, end - 1, PATIENCE_MS);
        assert_eq!(take(&mut owed, false, end), [3]);
        // But it may be sent earlier.
        owed.owe(4, end, 0);
        assert_eq!(take(&mut owed, false, end), [4]);
    }
}

#[test]
fn what_may_be_in_the_queue_is_lost_with_it() {
    let mut owed = Owed::new();
    for id in [1, 2, 3] {
        owed.owe(id, 0, 0);
    }
    assert_eq!(take(&mut owed, false, 0), [1, 2, 3]);
    owed.doubt(1);
    assert!(owed.any() && !owed.is_owed(1), "it was sent");
    owed.left();
    assert!(!owed.any(), "it has left");
    owed.doubt(2);
    owed.doubt(3);
    // The modem cannot have assigned it without having been told.
    owed.settle(3);
    owed.lost(7);
    assert_eq!(take(&mut owed, false, 7), [2]);
    owed.lost(7);
    assert_eq!(take(&mut owed, true, 7), []);
}

#[test]
fn what_is_owed_again_is_not_in_doubt() {
    let mut owed = Owed::new();
    owed.owe(9, 0, 0);
    assert_eq!(owed.next(false, 0), Some(9));
    // Another CPU closed the next channel with the id meanwhile.
    owed.owe(9, 0, PATIENCE_MS);
    owed.doubt(9);
    owed.left();
    assert!(owed.is_owed(9));
    owed.clear();
    assert!(!owed.any());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Owe(u8, u32),
    Ended(Band),
    Next(bool),
    Doubt,
    Left,
    Lost,
    Settle(u8),
    Clear,
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    // Few ids, so that they meet.
    prop_oneof![
        4 => (0..6u8, prop_oneof![Just(0), Just(PATIENCE_MS)]).prop_map(|(id, ms)| Step::Owe(id, ms)),
        1 => any::<u32>().prop_map(|priority| Step::Ended(Band::of(priority))),
        4 => any::<bool>().prop_map(Step::Next),
        2 => Just(Step::Doubt),
        1 => Just(Step::Left),
        1 => Just(Step::Lost),
        1 => (0..6u8).prop_map(Step::Settle),
        1 => Just(Step::Clear),
        3 => (0..700u16).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(5000) })]

    /// Each id is in one of two sets, or in none.
    #[test]
    fn owed_does_what_the_model_does(start in any::<u32>(), steps in prop::collection::vec(step(), 0..60)) {
        let mut now = u64::from(start);
        let mut owed = Owed::default();
        let (mut until, mut doubtful) = (BTreeMap::new(), Vec::new());
        let (mut last, mut behind) = (None, Band::High);
        for step in steps {
            match step {
                Step::Owe(id, ms) => {
                    owed.owe(id, now, ms);
                    doubtful.retain(|doubtful| *doubtful != id);
                    let time = now + u64::from(ms);
                    let known = until.entry(id).or_insert(time);
                    *known = time.min(*known);
                }
                Step::Ended(band) => {
                    owed.ended(band);
                    behind = behind.max(band);
                }
                Step::Next(is_empty) => {
                    let due = until.iter().find(|(_, time)| is_empty || **time <= now);
                    last = due.map(|(id, _)| *id);
                    prop_assert_eq!(owed.next(is_empty, now), last);
                    if let Some(id) = last {
                        until.remove(&id);
                    }
                }
                Step::Doubt => if let Some(id) = last {
                    owed.doubt(id);
                    if !until.contains_key(&id) && !doubtful.contains(&id) {
                        doubtful.push(id);
                    }
                },
                Step::Left => {
                    owed.left();
                    doubtful.clear();
                    behind = Band::High;
                }
                Step::Lost => {
                    owed.lost(now);
                    until.extend(doubtful.drain(..).map(|id| (id, now)));
                }
                Step::Settle(id) => {
                    owed.settle(id);
                    until.remove(&id);
                    doubtful.retain(|doubtful| *doubtful != id);
                }
                Step::Clear => {
                    owed.clear();
                    until.clear();
                    doubtful.clear();
                }
                Step::Wait(ms) => now += u64::from(ms),
            }
            prop_assert_eq!(owed.behind(), behind);
            prop_assert_eq!(owed.any(), !until.is_empty() || !doubtful.is_empty());
            for id in 0..6 {
                prop_assert_eq!(owed.is_owed(id), until.contains_key(&id));
            }
        }
    }
}
