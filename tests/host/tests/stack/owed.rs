// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The LINK_DESTROY messages that are owed (`caif/owed.rs`), one step at a time and against a model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vring_host_tests::caif::owed::{Band, Owed, PATIENCE_MS};

/// Takes all ids that the modem is to be told of now.
fn take(owed: &mut Owed, is_empty: bool, now: u64) -> Vec<u8> {
    std::iter::from_fn(|| owed.next(is_empty, now).map(|(id, _)| id)).collect()
}

#[test]
fn bands_of_priorities() {
    for priority in 0..100 {
        let band = match priority % 16 {
            6 | 7 => Band::High,
            0 | 4 | 8.. => Band::Middle,
            _ => Band::Low,
        };
        assert_eq!(Band::of(priority), band, "{priority}");
        assert_eq!(Band::of(band.priority()), band);
    }
}

#[test]
fn a_message_goes_behind_all_payloads_of_its_channel() {
    let mut owed = Owed::new();
    assert_eq!(owed.behind(), Band::High);
    owed.owe(1, 0, PATIENCE_MS, Band::Low);
    // Also of those of the last channel that had the id.
    owed.owe(1, 0, 0, Band::High);
    owed.owe(2, 0, 0, Band::Middle);
    owed.owe(2, 0, PATIENCE_MS, Band::High);
    assert_eq!(owed.next(false, 0), Some((1, Band::Low)));
    assert_eq!(owed.next(false, 0), Some((2, Band::Middle)));
    owed.doubt(2, Band::Middle);
    assert_eq!(owed.behind(), Band::Middle);
    // Others would keep a request in the lowest band.
    owed.doubt(1, Band::Low);
    assert_eq!(owed.behind(), Band::Middle);
    owed.left();
    assert_eq!(owed.behind(), Band::High);
    // What would be overtaken is lost with the queue.
    owed.owe(3, 0, 0, Band::Low);
    assert_eq!(owed.next(true, 0), Some((3, Band::Low)));
    owed.doubt(3, Band::Low);
    owed.lost(0);
    assert_eq!(owed.next(false, 0), Some((3, Band::High)));
}

#[test]
fn the_modem_is_told_once_the_queue_is_empty() {
    let mut owed = Owed::new();
    assert!(!owed.any());
    owed.owe(0, 1, PATIENCE_MS, Band::High);
    owed.owe(255, 1, PATIENCE_MS, Band::High);
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
        owed.owe(3, start, PATIENCE_MS, Band::High);
        let end = start + u64::from(PATIENCE_MS);
        assert_eq!(take(&mut owed, false, end - 1), []);
        // What is owed already does not wait longer.
        owed.owe(3, end - 1, PATIENCE_MS, Band::High);
        owed.owe(4, end - 1, PATIENCE_MS, Band::High);
        assert_eq!(take(&mut owed, false, end), [3]);
        // But it may be sent earlier.
        owed.owe(4, end, 0, Band::High);
        assert_eq!(take(&mut owed, false, end), [4]);
    }
}

#[test]
fn what_may_be_in_the_queue_is_lost_with_it() {
    let mut owed = Owed::new();
    for id in [1, 2, 3] {
        owed.owe(id, 0, 0, Band::High);
    }
    assert_eq!(take(&mut owed, false, 0), [1, 2, 3]);
    owed.doubt(1, Band::High);
    assert!(owed.any() && !owed.is_owed(1), "it was sent");
    owed.left();
    assert!(!owed.any(), "it has left");
    owed.doubt(2, Band::High);
    owed.doubt(3, Band::High);
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
    owed.owe(9, 0, 0, Band::High);
    assert_eq!(owed.next(false, 0), Some((9, Band::High)));
    // Another CPU closed the next channel with the id meanwhile.
    owed.owe(9, 0, PATIENCE_MS, Band::High);
    owed.doubt(9, Band::High);
    owed.left();
    assert!(owed.is_owed(9));
    owed.clear();
    assert!(!owed.any());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Owe(u8, u32, Band),
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
        4 => (0..6u8, prop_oneof![Just(0), Just(PATIENCE_MS)], any::<u32>())
            .prop_map(|(id, ms, priority)| Step::Owe(id, ms, Band::of(priority))),
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

    /// Each id is in one of two sets, or in none, and has a band in them.
    #[test]
    fn owed_does_what_the_model_does(start in any::<u32>(), steps in prop::collection::vec(step(), 0..60)) {
        let mut now = u64::from(start);
        let mut owed = Owed::default();
        let (mut until, mut doubtful) = (BTreeMap::new(), BTreeMap::new());
        let mut last = None;
        for step in steps {
            match step {
                Step::Owe(id, ms, band) => {
                    owed.owe(id, now, ms, band);
                    doubtful.remove(&id);
                    let time = now + u64::from(ms);
                    let known = until.entry(id).or_insert((time, band));
                    *known = (time.min(known.0), band.max(known.1));
                }
                Step::Next(all) => {
                    let mut due = until.iter().filter(|(_, (time, _))| all || *time <= now);
                    last = due.next().map(|(id, (_, band))| (*id, *band));
                    prop_assert_eq!(owed.next(all, now), last);
                    if let Some((id, _)) = last {
                        until.remove(&id);
                    }
                }
                Step::Doubt => if let Some((id, band)) = last {
                    owed.doubt(id, band);
                    if !until.contains_key(&id) {
                        doubtful.entry(id).or_insert(band);
                    }
                },
                Step::Left => {
                    owed.left();
                    doubtful.clear();
                }
                Step::Lost => {
                    owed.lost(now);
                    let lost = std::mem::take(&mut doubtful).into_keys();
                    until.extend(lost.map(|id| (id, (now, Band::High))));
                }
                Step::Settle(id) => {
                    owed.settle(id);
                    until.remove(&id);
                    doubtful.remove(&id);
                }
                Step::Clear => {
                    owed.clear();
                    until.clear();
                    doubtful.clear();
                }
                Step::Wait(ms) => now += u64::from(ms),
            }
            let bands = until.values().map(|(_, band)| *band).chain(doubtful.values().copied());
            let lowest = bands.max().unwrap_or(Band::High);
            prop_assert_eq!(owed.behind(), lowest.min(Band::Middle));
            prop_assert_eq!(owed.any(), !until.is_empty() || !doubtful.is_empty());
            for id in 0..6 {
                prop_assert_eq!(owed.is_owed(id), until.contains_key(&id));
            }
        }
    }
}
