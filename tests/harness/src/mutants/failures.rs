// SPDX-License-Identifier: GPL-2.0

//! Finds the names of failed tests in the log of a suite.

use std::collections::BTreeSet;

use crate::suite::verdict::count;

/// Whether the log is of a suite that ran a test.
pub fn ran(log: &str) -> bool {
    log.split('\n').any(|line| {
        let of_cargo = line
            .strip_prefix("test ")
            .is_some_and(|rest| rest.contains(" ... "));
        of_cargo || count(line).is_some()
    })
}

/// Returns the names of the tests that failed, the most telling first. Those of a crate have the name of
/// their file in front.
pub fn failures(log: &str) -> Vec<String> {
    let mut found = Found::default();
    // A carriage return at the end is part of a line: what matches whole lines does not match it.
    log.split('\n').for_each(|line| found.line(line));
    let died = found.died && found.order.is_empty() && found.of_crates.is_empty();
    let mut names = found.order;
    names.extend(found.of_crates);
    names.extend(found.missing);
    let died = died && found.slow.is_none();
    names.extend(found.slow);
    names.extend(died.then(|| "a test program died".to_owned()));
    names
}

#[derive(Default)]
struct Found {
    /// The file of the test program of cargo's that runs.
    file: String,
    of_crates: BTreeSet<String>,
    /// Those of the other suites, in their order.
    order: Vec<String>,
    /// The phases of soak in `order`: its table is printed twice.
    phases: BTreeSet<String>,
    /// The first case of KUnit that did not run.
    missing: Option<String>,
    /// The last test that hangs.
    slow: Option<String>,
    died: bool,
}

impl Found {
    fn line(&mut self, line: &str) {
        let word = |at| line.split_ascii_whitespace().nth(at).unwrap_or_default();
        let spaces_aside = line.trim_start_matches(' ');
        if spaces_aside.starts_with("Running ") {
            self.file = match word(1) {
                "unittests" => "lib",
                path => {
                    let name = path.rsplit('/').next().unwrap_or_default();
                    name.strip_suffix(".rs").unwrap_or(name)
                }
            }
            .to_owned();
        }
        if let Some(rest) = line.strip_prefix("test ") {
            if rest.ends_with(" ... FAILED") {
                self.of_crates.insert(format!("{}::{}", self.file, word(1)));
            }
            if rest.contains(" has been running for over 60 seconds") {
                self.slow = Some(format!("{}::{} (hangs)", self.file, word(1)));
            }
        }
        let names_program = spaces_aside
            .strip_prefix('`')
            .is_some_and(|rest| rest.contains("--test "));
        if line.starts_with("error: test failed") || names_program {
            self.died = true;
        }

        if line.starts_with("FAIL  ") && line.ends_with(": did not run") {
            let name = word(1);
            let name = name.strip_suffix(':').unwrap_or(name);
            self.missing
                .get_or_insert_with(|| format!("{name} (did not run)"));
        } else if line
            .strip_prefix("! ")
            .is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_lowercase()))
        {
            self.order.push(word(1).to_owned());
        } else if line
            .trim_end_matches(' ')
            .strip_suffix(" FAIL")
            .is_some_and(|row| row.contains(" s  "))
        {
            if self.phases.insert(word(0).to_owned()) {
                self.order.push(word(0).to_owned());
            }
        } else if let Some(rest) = ["FAIL ", "FAILED "]
            .iter()
            .find_map(|mark| line.strip_prefix(mark))
        {
            self.order
                .push(timeless(rest.trim_start_matches(' ')).to_owned());
        }
    }
}

/// Returns a line without the seconds at its end.
fn timeless(line: &str) -> &str {
    let cut = || {
        let rest = line.strip_suffix(" s")?;
        let name = rest.trim_end_matches(|char: char| char.is_ascii_digit() || char == '.');
        let before = name.trim_end_matches(' ');
        (name != rest && before != name).then_some(before)
    };
    cut().unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::{failures, ran};

    #[test]
    fn a_log_without_a_test_is_of_none() {
        assert!(ran("x\ntest a::b ... ok\n"));
        assert!(ran("test b ... FAILED"));
        assert!(ran("==> booting\n0 passed, 1 failed\n"));
        for log in [
            "",
            "running 0 tests\n",
            "the test a ... ok\n",
            "0 passed, 1 failed.\n",
            "test a\n",
        ] {
            assert!(!ran(log), "{log}");
        }
    }

    #[test]
    fn tests_of_crates_have_the_name_of_their_file() {
        let log = "     Running unittests src/lib.rs (target/release/deps/a-1)\n\
            test rx::two ... FAILED\ntest rx::one ... ok\n\
            \x20    Running tests/barriers.rs (target/release/deps/barriers-1)\n\
            test with_flags ... FAILED\ntest a ... FAILED\n\
            error: test failed, to rerun pass `-p a --lib`\nfailures:\n    with_flags\n\
            test a ... FAILED\n";
        assert_eq!(
            failures(log),
            ["barriers::a", "barriers::with_flags", "lib::rx::two"]
        );
    }

    #[test]
    fn a_test_that_hangs_is_named_after_those_that_fail() {
        let log = "     Running tests/a.rs (x)\n\
            test first has been running for over 60 seconds\n\
            test last has been running for over 60 seconds\n";
        assert_eq!(failures(log), ["a::last (hangs)"]);
        let log = format!("{log}test other ... FAILED\n");
        assert_eq!(failures(&log), ["a::other", "a::last (hangs)"]);
    }

    #[test]
    fn a_program_that_died_counts_if_nothing_else_is_known() {
        let died = "error: test failed, to rerun pass `-p a --test b`\n";
        let several = "error: 2 targets failed:\n    `-p a --test b`\n";
        assert_eq!(failures(died), ["a test program died"]);
        assert_eq!(failures(several), ["a test program died"]);
        let hangs = "test a has been running for over 60 seconds\n";
        assert_eq!(failures(&format!("{hangs}{died}")), ["::a (hangs)"]);
        assert_eq!(failures(&format!("FAILED x\n{several}")), ["x"]);
        assert!(failures("error: no such file\n").is_empty());
    }

    #[test]
    fn cases_of_scripts_are_in_their_order_and_without_time() {
        let log = "ok     one                  1.0 s\n\
            FAILED two                 12.5 s\nwhy it failed\n\
            FAIL  caif_b.c\n! hostile_case  expected a crash\n! Not this\n!this neither\n\
            FAIL  arm (17 s): status 1\nFAIL  for 3.0 apples s\nFAILURE\n";
        let names = [
            "two",
            "caif_b.c",
            "hostile_case",
            "arm (17 s): status 1",
            "for 3.0 apples s",
        ];
        assert_eq!(failures(log), names);
    }

    #[test]
    fn the_first_case_that_did_not_run_comes_last() {
        let log = "FAIL  caif_a.one: did not run\nFAIL  caif_a.two: did not run\n\
            FAIL  the machine still ran after 150 s and was stopped\n";
        let names = [
            "the machine still ran after 150 s and was stopped",
            "caif_a.one (did not run)",
        ];
        assert_eq!(failures(log), names);
    }

    #[test]
    fn a_phase_of_soak_is_named_once() {
        let row =
            "rmmod      12 s   100 cycles   3 s  FAIL  \nrebind     12 s   100 cycles   3 s  ok\n";
        let log =
            format!("{row}{row}nomem  1 s  x FAIL\nFAILED for 1 s  in FAIL\n0 passed, 2 failed\n");
        assert_eq!(failures(&log), ["rmmod", "nomem", "FAILED"]);
    }
}
