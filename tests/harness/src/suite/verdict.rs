// SPDX-License-Identifier: GPL-2.0

//! The result of a part, by its last line and its exit status.

/// The end of a part's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an exit status.
    Exited(i32),
    /// By a signal, for example SIGKILL.
    Killed(&'static str),
    /// It was not started.
    NotRun,
}

/// The cases of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub passed: u64,
    pub failed: u64,
    /// Why the part failed, if no failed case does.
    pub why: Option<String>,
}

impl Verdict {
    /// Judges a part that counts cases, by the last line that it printed.
    ///
    /// A part that failed without a failed case counts as one, and so does a part that ran no case,
    /// was killed, or printed no counts.
    pub fn new(last: &str, end: End) -> Self {
        let counted = count(last);
        let (passed, failed) = counted.unwrap_or((0, 0));
        let why = match (counted, end) {
            (_, End::NotRun) => Some("was not run".to_owned()),
            (_, End::Killed(signal)) => Some(format!("was ended by {signal}")),
            (None, End::Exited(status)) => Some(format!(
                "ended with status {status} and did not count its cases"
            )),
            (Some((0, 0)), End::Exited(_)) => Some("ran no case".to_owned()),
            (Some((_, 0)), End::Exited(status)) if status != 0 => {
                Some(format!("ended with status {status} without a failed case"))
            }
            (Some(_), End::Exited(_)) => None,
        };
        Self {
            passed,
            failed: if why.is_some() { failed.max(1) } else { failed },
            why,
        }
    }

    /// Judges a preparation, which counts only if it fails.
    pub fn of_preparation(end: End) -> Self {
        let why = match end {
            End::Exited(0) => None,
            End::Exited(status) => Some(format!("ended with status {status}")),
            End::Killed(signal) => Some(format!("was ended by {signal}")),
            End::NotRun => Some("was not run".to_owned()),
        };
        Self {
            passed: 0,
            failed: why.is_some().into(),
            why,
        }
    }
}

/// Returns the numbers of a line "N passed, N failed".
pub(crate) fn count(line: &str) -> Option<(u64, u64)> {
    let (passed, failed) = line.strip_suffix(" failed")?.split_once(" passed, ")?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    Some((number(passed)?, number(failed)?))
}

#[cfg(test)]
mod tests {
    use super::{End, Verdict, count};

    fn judge(last: &str, end: End) -> (u64, u64, bool) {
        let verdict = Verdict::new(last, end);
        (verdict.passed, verdict.failed, verdict.why.is_some())
    }

    #[test]
    fn only_the_whole_line_counts() {
        assert_eq!(count("12 passed, 3 failed"), Some((12, 3)));
        for line in [
            "",
            "12 passed",
            "12 passed, 3 failed.",
            " 12 passed, 3 failed",
            "-1 passed, 3 failed",
            "+1 passed, 3 failed",
            "1 passed,  failed",
            "ok. 1 passed, 0 failed",
            "99999999999999999999 passed, 0 failed",
        ] {
            assert_eq!(count(line), None, "{line:?}");
        }
    }

    #[test]
    fn cases_are_counted_as_the_part_does() {
        assert_eq!(judge("7 passed, 0 failed", End::Exited(0)), (7, 0, false));
        assert_eq!(judge("7 passed, 2 failed", End::Exited(1)), (7, 2, false));
        // A part may have failed cases and the exit status 0.
        assert_eq!(judge("7 passed, 2 failed", End::Exited(0)), (7, 2, false));
    }

    #[test]
    fn a_failed_part_fails_without_a_failed_case() {
        assert_eq!(judge("7 passed, 0 failed", End::Exited(3)), (7, 1, true));
        assert_eq!(judge("error: no such file", End::Exited(1)), (0, 1, true));
        assert_eq!(judge("all is well", End::Exited(0)), (0, 1, true));
        assert_eq!(judge("", End::Exited(0)), (0, 1, true));
        assert_eq!(judge("", End::NotRun), (0, 1, true));
    }

    #[test]
    fn a_part_that_ran_nothing_fails() {
        assert_eq!(judge("0 passed, 0 failed", End::Exited(0)), (0, 1, true));
        assert_eq!(judge("0 passed, 0 failed", End::Exited(1)), (0, 1, true));
    }

    #[test]
    fn a_killed_part_fails_whatever_it_said() {
        let killed = End::Killed("SIGKILL");
        assert_eq!(judge("7 passed, 0 failed", killed), (7, 1, true));
        assert_eq!(judge("7 passed, 2 failed", killed), (7, 2, true));
        assert_eq!(judge("case 4 of 9", killed), (0, 1, true));
    }

    #[test]
    fn a_preparation_counts_only_if_it_fails() {
        let counts = |end| {
            let verdict = Verdict::of_preparation(end);
            (verdict.passed, verdict.failed)
        };
        assert_eq!(counts(End::Exited(0)), (0, 0));
        assert_eq!(counts(End::Exited(1)), (0, 1));
        assert_eq!(counts(End::Killed("SIGTERM")), (0, 1));
    }
}
