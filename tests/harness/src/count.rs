// SPDX-License-Identifier: GPL-2.0

//! Counts the cases of a script, by the records that `scripts/cases.sh` writes of them.

use crate::suite::verdict::End;

/// The cases of a script.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    /// Failures that no line of the script's output tells; they are in `failed`.
    pub faults: Vec<String>,
    /// Whether the script came to its end.
    pub complete: bool,
}

/// A run of `cargo test`.
struct Cargo<'a> {
    status: &'a str,
    what: &'a str,
    passed: u64,
    failed: u64,
}

impl Counts {
    /// Counts the records, of which each is a line:
    ///
    /// - `ok NAME` and `FAIL NAME` are a case;
    /// - `cargo STATUS ARGUMENTS` is a run of `cargo test`, and each `test result: ...` after it
    ///   one of its programs;
    /// - `end` is the end of the script.
    pub fn of(records: &str) -> Self {
        let mut counts = Self::default();
        let mut cargo: Option<Cargo<'_>> = None;
        for line in records.lines() {
            if let (Some(cargo), Some(result)) = (&mut cargo, line.strip_prefix("test result: ")) {
                match tests(result) {
                    Some((passed, failed)) => {
                        cargo.passed += passed;
                        cargo.failed += failed;
                    }
                    None => counts.fault(line, "is no result of tests"),
                }
                continue;
            }
            counts.add(cargo.take());
            match line.split_once(' ') {
                Some(("ok", _)) => counts.passed += 1,
                Some(("FAIL", _)) => counts.failed += 1,
                Some(("cargo", rest)) => {
                    let (status, what) = rest.split_once(' ').unwrap_or((rest, ""));
                    cargo = Some(Cargo {
                        status,
                        what,
                        passed: 0,
                        failed: 0,
                    });
                }
                None if line == "end" => counts.complete = true,
                _ => counts.fault(line, "is no record of a case"),
            }
        }
        counts.add(cargo);
        counts
    }

    /// Adds the tests of a run of cargo. What does not compile, and a program that dies, prints no
    /// result.
    fn add(&mut self, cargo: Option<Cargo<'_>>) {
        let Some(cargo) = cargo else { return };
        self.passed += cargo.passed;
        self.failed += cargo.failed;
        let what = format!("cargo test {}", cargo.what);
        if cargo.status != "0" && cargo.failed == 0 {
            let why = format!("no test failed, but it ended with status {}", cargo.status);
            self.fault(&what, &why);
        } else if cargo.passed + cargo.failed == 0 {
            self.fault(&what, "there is no test");
        }
    }

    fn fault(&mut self, what: &str, why: &str) {
        self.failed += 1;
        self.faults.push(format!("{what}: {why}"));
    }

    /// Judges the end of the script. Returns what is wrong with it beside the failed cases; if there
    /// are none, it counts as one.
    pub fn judge(&mut self, end: End) -> Option<String> {
        let why = match end {
            End::Killed(signal) => format!("was ended by {signal}"),
            End::NotRun => "was not run".to_owned(),
            End::Exited(0) if !self.complete => "ended before its last case".to_owned(),
            End::Exited(0) if self.passed + self.failed == 0 => "ran no case".to_owned(),
            End::Exited(0) => return None,
            End::Exited(status) => format!("ended with status {status}"),
        };
        self.failed = self.failed.max(1);
        Some(why)
    }
}

/// Returns the numbers of passed and failed tests in what cargo says after "test result: ".
fn tests(result: &str) -> Option<(u64, u64)> {
    let mut parts = result.split("; ");
    let (_, passed) = parts.next()?.strip_suffix(" passed")?.split_once(". ")?;
    let failed = parts.next()?.strip_suffix(" failed")?;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Counts, End};

    const GOOD: &str = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
    const BAD: &str =
        "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";

    /// Passed, failed, and how many of these nothing else tells.
    fn count(records: &str) -> (u64, u64, usize) {
        let counts = Counts::of(records);
        (counts.passed, counts.failed, counts.faults.len())
    }

    #[test]
    fn a_record_is_a_case() {
        assert_eq!(count(""), (0, 0, 0));
        assert_eq!(count("ok a\nFAIL b c\nok FAIL\nend\n"), (2, 1, 0));
        // The name may be missing, but nothing else is a record.
        assert_eq!(count("ok \nFAIL \n"), (1, 1, 0));
        for line in ["ok", "okay then", "FAILED a", "end a", " ok a", "passed"] {
            assert_eq!(count(line), (0, 1, 1), "{line:?}");
        }
    }

    #[test]
    fn a_test_of_cargo_is_a_case() {
        assert_eq!(count(&format!("cargo 0 -p a\n{GOOD}{GOOD}")), (6, 0, 0));
        assert_eq!(
            count(&format!("ok a\ncargo 101 -p a\n{GOOD}{BAD}ok b\n")),
            (6, 2, 0)
        );
        assert_eq!(
            count(&format!("cargo 0\n{GOOD}cargo 101 -p b\n{BAD}")),
            (4, 2, 0)
        );
    }

    #[test]
    fn cargo_that_fails_without_a_failed_test_is_a_failed_case() {
        let counts = Counts::of(&format!("cargo 101 -p a\n{GOOD}"));
        assert_eq!((counts.passed, counts.failed), (3, 1));
        assert_eq!(
            counts.faults,
            ["cargo test -p a: no test failed, but it ended with status 101"]
        );
        // The failed test of another run does not hide it.
        assert_eq!(
            count(&format!("cargo 101 -p a\n{BAD}cargo 101 -p b\n{GOOD}")),
            (4, 3, 1)
        );
    }

    #[test]
    fn cargo_without_a_test_is_a_failed_case() {
        let nothing = "test result: ok. 0 passed; 0 failed; 0 ignored\n";
        for records in [
            "cargo 0 -p a\n".to_owned(),
            format!("cargo 0 -p a\n{nothing}"),
        ] {
            let counts = Counts::of(&records);
            assert_eq!((counts.passed, counts.failed), (0, 1));
            assert_eq!(counts.faults, ["cargo test -p a: there is no test"]);
        }
        assert_eq!(count(&format!("cargo 0 -p a\n{nothing}{GOOD}")), (3, 0, 0));
    }

    #[test]
    fn what_is_no_result_of_cargo_fails() {
        for result in ["", "ok. 3 passed", "ok. x passed; 0 failed", "3 passed; 0"] {
            let records = format!("cargo 0 -p a\n{GOOD}test result: {result}\n");
            assert_eq!(count(&records), (3, 1, 1), "{result:?}");
        }
        // Without a run of cargo it is of nobody.
        assert_eq!(count(GOOD), (0, 1, 1));
    }

    #[test]
    fn a_script_passes_only_by_cases_to_its_end() {
        let judge = |records: &str, end| {
            let mut counts = Counts::of(records);
            let why = counts.judge(end);
            (counts.passed, counts.failed, why)
        };
        let why = |text: &str| Some(text.to_owned());
        let killed = End::Killed("SIGKILL");
        assert_eq!(judge("ok a\nend\n", End::Exited(0)), (1, 0, None));
        assert_eq!(judge("FAIL a\nend\n", End::Exited(0)), (0, 1, None));
        assert_eq!(
            judge("ok a\n", End::Exited(0)),
            (1, 1, why("ended before its last case"))
        );
        assert_eq!(judge("end\n", End::Exited(0)), (0, 1, why("ran no case")));
        assert_eq!(
            judge("ok a\nend\n", End::Exited(1)),
            (1, 1, why("ended with status 1"))
        );
        assert_eq!(
            judge("ok a\nFAIL b\nFAIL c\n", End::Exited(2)),
            (1, 2, why("ended with status 2"))
        );
        assert_eq!(
            judge("ok a\nend\n", killed),
            (1, 1, why("was ended by SIGKILL"))
        );
    }
}
