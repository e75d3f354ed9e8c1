// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The catalogue can be parsed, covers each kind of fault, and makes firmware files.

use hostile::{
    catalogue::{Case, Verdict, load},
    step::Step,
};
use std::{collections::BTreeSet, path::Path};

fn cases(folder: &str) -> Vec<Case> {
    // When it runs: a checkout may use what another one has compiled.
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    load(&Path::new(&crate_folder).join(folder)).unwrap()
}

#[test]
fn there_are_cases_of_each_group_and_of_each_outcome() {
    let cases = cases("catalogue");
    assert!(cases.len() >= 80, "{} cases", cases.len());
    let groups: BTreeSet<_> = cases.iter().map(|case| &case.group).collect();
    assert!(groups.len() >= 10, "{groups:?}");
    for verdict in [Verdict::Pass, Verdict::Recovered] {
        assert!(cases.iter().any(|case| case.expect == verdict));
    }
    // `--case` takes shell patterns, so names have no characters that are special there.
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    for case in &cases {
        assert!(case.name.chars().all(plain), "{:?}", case.name);
        assert_eq!(case.fails, None, "{:?}", case.name);
    }
}

#[test]
fn each_case_that_breaks_a_ring_says_why_it_must_be_noticed() {
    for case in cases("catalogue") {
        let publishes = case
            .steps
            .iter()
            .any(|step| matches!(step, Step::Publish { .. } | Step::PublishUsed { .. }));
        if case.expect == Verdict::Recovered && publishes {
            // These cases have more than one reason.
            let ends = case.steps.iter().any(|step| {
                matches!(
                    step,
                    Step::Kill {} | Step::Freeze {} | Step::Reboot {} | Step::NewBoot {}
                )
            });
            assert!(case.log.is_some() || ends, "{:?}", case.name);
        }
    }
}

#[test]
fn cases_that_must_fail_say_why() {
    for case in cases("selftest") {
        assert!(case.fails.is_some(), "{:?}", case.name);
    }
}

#[test]
fn each_firmware_file_can_be_made() {
    let mut made = 0;
    for case in cases("catalogue") {
        if let Some(firmware) = &case.firmware {
            let bytes = firmware.to_bytes().unwrap();
            assert!(!bytes.is_empty(), "{:?}", case.name);
            made += 1;
        }
    }
    assert!(made > 0);
}

/// Returns whether a step can fail because of what the stack does.
fn asserts(step: &Step) -> bool {
    match step {
        Step::Each { steps, .. } => steps.iter().any(asserts),
        Step::Open { answer, .. } => *answer,
        Step::State { .. }
        | Step::Gets { .. }
        | Step::Sends { .. }
        | Step::Counter { .. }
        | Step::Came { .. }
        | Step::CameMany { .. }
        | Step::Destroyed { .. }
        | Step::Fails { .. }
        | Step::CloseUnder { .. } => true,
        _ => false,
    }
}

#[test]
fn there_are_cases_about_the_stack_and_each_can_fail() {
    let cases = cases("catalogue");
    let stack: Vec<_> = cases.iter().filter(|case| case.stack).collect();
    assert!(stack.len() >= 100, "{} cases", stack.len());
    for case in &stack {
        // Each case checks that nothing is sent without a reason, and that nothing is dropped.
        let counts =
            !case.counters.is_empty() || case.name.contains("nobody") || case.name.contains("late");
        assert!(counts || case.steps.iter().any(asserts), "{:?}", case.name);
        assert!(case.memory <= 12_288 && case.lines <= 60, "{:?}", case.name);
    }
    let groups: BTreeSet<_> = stack.iter().map(|case| &case.group).collect();
    assert!(groups.len() >= 8, "{groups:?}");
    assert!(groups.iter().all(|group| group.starts_with("CAIF: ")));
}
