// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Which interfaces are deleted.

use std::collections::BTreeSet;

use caif_modeminit::{modems::Interface, sweep::Sweeper};
use proptest::prelude::*;

const OFONO: u32 = 700;
const USER: u32 = 800;

fn dev(index: u32, up: bool) -> Interface {
    Interface {
        index,
        name: format!("caif{index}"),
        up,
    }
}

fn indices(swept: Vec<Interface>) -> Vec<u32> {
    swept.into_iter().map(|dev| dev.index).collect()
}

/// Returns a sweeper that saw oFono make four interfaces, 10 to 13, and a user two, 20 and 21.
fn sweeper() -> (Sweeper, Vec<Interface>) {
    let mut sweeper = Sweeper::default();
    sweeper.ofono_is(Some(OFONO));
    let mut there = vec![dev(5, false)];
    for (indices, maker) in [(10..14, OFONO), (20..22, USER)] {
        for index in indices {
            sweeper.made(index, &format!("caif{index}"), maker);
            there.push(dev(index, false));
        }
    }
    (sweeper, there)
}

#[test]
fn what_is_down_goes_once_ofono_says_that_it_is_offline() {
    let (mut sweeper, there) = sweeper();
    assert_eq!(sweeper.sweep(&there), []);
    let candidates = sweeper.candidates();
    assert_eq!(candidates, [10, 11, 12, 13]);
    // Made after the question.
    sweeper.made(30, "caif30", OFONO);
    let mut there = [there, vec![dev(30, false)]].concat();
    sweeper.left(&candidates);
    there[1].up = true;
    assert_eq!(indices(sweeper.sweep(&there)), [11, 12, 13]);
    assert_eq!(sweeper.sweep(&there), []);
    there[1].up = false;
    assert_eq!(indices(sweeper.sweep(&there)), [10]);
    assert_eq!(sweeper.candidates(), [30]);
}

#[test]
fn all_goes_when_ofono_goes() {
    for next in [None, Some(OFONO + 1)] {
        let (mut sweeper, mut there) = sweeper();
        there[1].up = true;
        sweeper.ofono_is(next);
        assert_eq!(indices(sweeper.sweep(&there)), [10, 11, 12, 13]);
        // Another process of the same number.
        sweeper.made(14, "caif14", OFONO);
        assert_eq!(sweeper.sweep(&[dev(14, false)]), []);
    }
}

#[test]
fn what_has_a_new_name_is_kept() {
    let (mut sweeper, mut there) = sweeper();
    there[2].name = "internet".to_owned();
    sweeper.sweep(&there);
    sweeper.ofono_is(None);
    assert_eq!(indices(sweeper.sweep(&there)), [10, 12, 13]);
}

#[test]
fn what_ofono_made_is_kept_for_the_next_start() {
    let (mut sweeper, mut there) = sweeper();
    there[1].up = true;
    let text = sweeper.text();
    let restarted = |process, text: &str| {
        let mut sweeper = Sweeper::default();
        sweeper.ofono_is(process);
        sweeper.load(text);
        sweeper
    };
    let mut same = restarted(Some(OFONO), &text);
    assert_eq!(same.sweep(&there), []);
    assert_eq!(same.candidates(), [10, 11, 12, 13]);
    assert_eq!(same.text(), text);
    for other in [None, Some(OFONO + 1)] {
        let mut other = restarted(other, &text);
        assert_eq!(other.text(), text);
        assert_eq!(indices(other.sweep(&there)), [10, 11, 12, 13]);
        assert_eq!(other.text(), "");
    }
    // Those of an oFono that is gone are kept until they are deleted.
    sweeper.ofono_is(None);
    assert_eq!(sweeper.text(), text);
    let mut nothing = restarted(None, "x\n10\n10 700\n-1 700 caif0\n99999999999 1 a\n");
    assert_eq!(nothing.sweep(&there), []);
}

#[test]
fn what_was_made_by_an_unknown_port_is_ofonos_if_that_is_there() {
    let mut sweeper = Sweeper::default();
    sweeper.made(10, "caif10", 0);
    sweeper.ofono_is(Some(OFONO));
    assert_eq!(sweeper.candidates(), []);
    sweeper.made(11, "caif11", 0);
    assert_eq!(sweeper.candidates(), [11]);
}

#[derive(Clone, Debug)]
enum Step {
    Online,
    Offline,
    Restart,
    User,
    Up(usize, bool),
    Rename(usize),
    Ask,
    Answer,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Online),
        3 => Just(Step::Offline),
        1 => Just(Step::Restart),
        2 => Just(Step::User),
        3 => (0..40_usize, any::<bool>()).prop_map(|(at, up)| Step::Up(at, up)),
        1 => (0..40_usize).prop_map(Step::Rename),
        3 => Just(Step::Ask),
        3 => Just(Step::Answer),
    ]
}

proptest! {
    /// oFono and its user, with answers that come late: nothing is deleted that is in use.
    #[test]
    fn nothing_that_is_in_use_is_deleted(steps in prop::collection::vec(step(), 1..80)) {
        let mut sweeper = Sweeper::default();
        let mut process = OFONO;
        sweeper.ofono_is(Some(process));
        let (mut there, mut next) = (Vec::new(), 10);
        // Those that oFono uses, and those that are the user's.
        let (mut used, mut others) = (BTreeSet::new(), BTreeSet::new());
        let (mut online, mut asked) = (false, None);
        for step in steps {
            match step {
                Step::Online if !online => {
                    online = true;
                    for _ in 0..4 {
                        sweeper.made(next, &format!("caif{next}"), process);
                        there.push(dev(next, false));
                        used.insert(next);
                        next += 1;
                    }
                }
                Step::Offline => {
                    online = false;
                    used.clear();
                }
                Step::Restart => {
                    process += 1;
                    online = false;
                    used.clear();
                    sweeper.ofono_is(Some(process));
                    asked = None;
                }
                Step::User => {
                    sweeper.made(next, &format!("caif{next}"), USER);
                    there.push(dev(next, false));
                    others.insert(next);
                    next += 1;
                }
                Step::Up(at, up) => there.iter_mut().skip(at).take(1).for_each(|one| one.up = up),
                Step::Rename(at) => there.iter_mut().skip(at).take(1).for_each(|one| {
                    one.name = format!("name{}", one.index);
                    others.insert(one.index);
                }),
                Step::Ask => asked = Some(sweeper.candidates()),
                // What oFono says is true when it says it.
                Step::Answer => {
                    if let (Some(candidates), false) = (asked.take(), online) {
                        sweeper.left(&candidates);
                    }
                }
                Step::Online => {}
            }
            for swept in indices(sweeper.sweep(&there)) {
                prop_assert!(!used.contains(&swept), "oFono uses {swept}");
                prop_assert!(!others.contains(&swept), "{swept} is somebody else's");
                there.retain(|one| one.index != swept);
            }
        }
        // In the end only those stay that are somebody else's.
        used.clear();
        sweeper.left(&sweeper.candidates());
        there.iter_mut().for_each(|one| one.up = false);
        for swept in indices(sweeper.sweep(&there)) {
            there.retain(|one| one.index != swept);
        }
        prop_assert!(there.iter().all(|one| others.contains(&one.index)), "{there:?}");
    }
}
