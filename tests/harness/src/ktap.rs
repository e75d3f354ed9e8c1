// SPDX-License-Identifier: GPL-2.0

//! Compares KUnit's results in a kernel's log with the cases of the sources.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
};

use crate::klog;

/// The lines of the machine's init at its beginning and end, and at an error.
const BEGIN: &str = "caif-kunit: begin";
const END: &str = "caif-kunit: end";
const ERROR: &str = "caif-kunit: error: ";
/// Lines of a log that is not clean that are shown.
const SHOWN: usize = 20;

/// Returns the cases of a source file, as `suite.case`, in their order.
///
/// A case is a function behind a line `#[test]`, and its suite the name in `kunit_tests(...)`
/// before it.
pub fn cases(source: &str) -> Vec<String> {
    let mut cases = Vec::new();
    let mut suite = "";
    let mut test = false;
    for line in source.lines() {
        if let Some((_, rest)) = line.split_once("kunit_tests(") {
            suite = word(rest);
        }
        if line.trim() == "#[test]" {
            test = true;
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| test) {
            cases.push(format!("{suite}.{}", word(rest)));
            test = false;
        }
    }
    cases
}

/// Returns the name that a text begins with.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    end.map_or(text, |end| text.split_at(end).0)
}

/// The result of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KtapReport {
    /// The cases that passed, and the log if that is clean.
    pub passed: Vec<String>,
    /// The failures.
    pub failed: Vec<String>,
    /// Lines that explain the failures.
    pub notes: Vec<String>,
}

impl Display for KtapReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for name in &self.passed {
            writeln!(f, "ok    {name}")?;
        }
        for note in &self.notes {
            writeln!(f, "      {note}")?;
        }
        for what in &self.failed {
            writeln!(f, "FAIL  {what}")?;
        }
        writeln!(
            f,
            "{} passed, {} failed",
            self.passed.len(),
            self.failed.len()
        )
    }
}

/// A suite whose cases are being read.
struct Suite {
    name: String,
    planned: Option<usize>,
    seen: usize,
}

/// Reads a log, which must have the results of all cases.
#[derive(Default)]
struct Reader {
    report: KtapReport,
    suite: Option<Suite>,
    /// Whether each case that was run passed.
    results: BTreeMap<String, bool>,
    running: bool,
    ended: bool,
    errors: Vec<String>,
    dirty: Vec<String>,
}

/// Reads the console's lines. Returns the results of the cases.
pub fn read<'a>(cases: &[String], console: impl IntoIterator<Item = &'a str>) -> KtapReport {
    let mut reader = Reader::default();
    for line in console {
        reader.line(without_time(line.trim_end()));
    }
    reader.end(cases)
}

/// Returns a line without the time, and the task or CPU, that the kernel puts before it.
fn without_time(line: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let time = |text: &str| {
        let parts = text.split_once('.');
        parts.is_some_and(|(seconds, rest)| digits(seconds) && digits(rest))
    };
    let task = |text: &str| text.strip_prefix(['T', 'C']).is_some_and(digits);
    let line = match bracketed(line) {
        Some((inside, rest)) if time(inside) => rest,
        _ => return line,
    };
    match bracketed(line) {
        Some((inside, rest)) if task(inside) => rest,
        _ => line,
    }
}

/// Returns the text in the brackets at the start of a text, and the text after them and a space.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
    Some((inside.trim_start(), rest.strip_prefix(' ').unwrap_or(rest)))
}

/// Returns the number, the name and the rest of a result line of KTAP, "ok 1 name" or "not ok 1
/// name", and whether it is good: a case that was skipped is not.
fn result(line: &str) -> Option<(usize, &str, bool)> {
    let (good, rest) = match line.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok ")?),
    };
    let mut words = rest.splitn(3, ' ');
    let number = words.next()?.parse().ok()?;
    let name = words.next()?;
    let directive = words.next().unwrap_or_default();
    let skipped = ["# SKIP", "# TODO"]
        .iter()
        .any(|text| directive.contains(text));
    Some((number, name, good && !skipped))
}

impl Reader {
    fn line(&mut self, line: &str) {
        self.running |= line.starts_with(BEGIN);
        self.ended |= line.starts_with(END);
        self.errors
            .extend(line.strip_prefix(ERROR).map(str::to_owned));
        if !self.running {
            // The kernel's boot has lines that only look like complaints.
            if klog::is_bad(line) {
                self.dirty.push(line.to_owned());
            }
            return;
        }
        // Lines of a case are indented once, those of a suite not at all.
        let case = line.strip_prefix("    ");
        if let Some(name) = case.and_then(|line| line.strip_prefix("# Subtest: ")) {
            self.end_suite();
            self.suite = Some(Suite {
                name: word(name).to_owned(),
                planned: None,
                seen: 0,
            });
        } else if let Some(planned) = case.and_then(|line| line.strip_prefix("1..")) {
            if let Some(suite) = &mut self.suite {
                suite.planned = planned.parse().ok();
            }
        } else if let Some((number, name, good)) = case.and_then(result) {
            self.case(number, name, good);
        } else if result(line).is_some() {
            self.end_suite();
        } else if klog::is_bad_in_test(line) {
            self.dirty.push(line.to_owned());
        }
        let says_why =
            |line: &str| line.starts_with("# check failed") || line.contains("ASSERTION FAILED");
        self.report
            .notes
            .extend(case.filter(|line| says_why(line)).map(str::to_owned));
    }

    fn case(&mut self, number: usize, name: &str, good: bool) {
        let Some(suite) = &mut self.suite else {
            self.report
                .failed
                .push(format!("{name}: it is of no suite"));
            return;
        };
        suite.seen += 1;
        let full = format!("{}.{name}", suite.name);
        if number != suite.seen {
            let failed = &mut self.report.failed;
            failed.push(format!("{full}: number {number}, should be {}", suite.seen));
        }
        // A case that failed once has failed, even if another result of its name is good.
        let result = self.results.entry(full).or_insert(true);
        *result &= good;
    }

    fn end_suite(&mut self) {
        let Some(suite) = self.suite.take() else {
            return;
        };
        if suite.planned != Some(suite.seen) {
            let planned = suite
                .planned
                .map_or("none".to_owned(), |count| count.to_string());
            let Suite { name, seen, .. } = suite;
            let failed = &mut self.report.failed;
            failed.push(format!("{name}: {seen} cases reported, {planned} planned"));
        }
    }

    fn end(mut self, cases: &[String]) -> KtapReport {
        self.end_suite();
        let KtapReport {
            passed,
            failed,
            notes,
        } = &mut self.report;
        for name in cases {
            match self.results.remove(name) {
                Some(true) => passed.push(name.clone()),
                Some(false) => failed.push(name.clone()),
                None => failed.push(format!("{name}: did not run")),
            }
        }
        let unknown = self.results.into_keys();
        failed.extend(unknown.map(|name| format!("{name}: ran, but is not in the sources")));
        failed.extend(self.errors);
        if !self.ended {
            failed.push("the machine did not come to its end: it crashed, or hung".to_owned());
        }
        if !self.dirty.is_empty() {
            let count = self.dirty.len();
            failed.push(format!("the kernel's log is not clean: {count} lines"));
            notes.extend(self.dirty.into_iter().take(SHOWN));
        } else if self.ended {
            passed.push("kernel log".to_owned());
        }
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::{cases, read, without_time};

    const SOURCE: &str = "\
#[kunit_tests(caif_rings)]
mod tests {
    #[test]
    fn first() -> Result {
    }

    fn helper() {}

    #[test]
    pub fn second() {}
}
";
    const GOOD: &str = "\
[    0.100000] kasan: INFO: a line of the boot
[    1.000000][    T1] caif-kunit: begin
[    1.100000] KTAP version 1
[    1.100000]     KTAP version 1
[    1.200000]     # Subtest: caif_rings
[    1.300000]     1..2
[    1.400000]     ok 1 first
[    1.500000] [  T12]     ok 2 second
[    1.600000] # caif_rings: pass:2 fail:0 skip:0 total:2
[    1.600000] ok 1 caif_rings
[    1.700000] caif-kunit: end
";

    fn counts(log: &str) -> (usize, Vec<String>) {
        let report = read(&cases(SOURCE), log.lines());
        (report.passed.len(), report.failed)
    }

    /// Returns the failures of a good log in which `from` is replaced by `to`.
    fn fails(from: &str, to: &str) -> Vec<String> {
        assert!(GOOD.contains(from));
        counts(&GOOD.replace(from, to)).1
    }

    #[test]
    fn sources_tell_the_cases() {
        assert_eq!(cases(SOURCE), ["caif_rings.first", "caif_rings.second"]);
    }

    #[test]
    fn the_time_is_taken_off() {
        for line in [
            "[    1.000000] x",
            "[   12.345678] [  T1] x",
            "[ 1.0] [    C0] x",
        ] {
            assert_eq!(without_time(line), "x");
        }
        assert_eq!(without_time("[    1.000000]     ok 1 a"), "    ok 1 a");
        assert_eq!(without_time("[drm] x"), "[drm] x");
        assert_eq!(without_time("x"), "x");
    }

    #[test]
    fn a_good_log_passes() {
        assert_eq!(counts(GOOD), (3, vec![]));
        let report = read(&cases(SOURCE), GOOD.lines());
        assert_eq!(
            report.to_string().lines().last(),
            Some("3 passed, 0 failed")
        );
        assert_eq!(counts(&GOOD.replace('\n', "\r\n")), (3, vec![]));
    }

    #[test]
    fn each_case_must_have_passed() {
        assert_eq!(
            fails("ok 2 second", "not ok 2 second"),
            ["caif_rings.second"]
        );
        assert_eq!(
            fails("ok 2 second", "ok 2 second # SKIP no board"),
            ["caif_rings.second"]
        );
        assert_eq!(
            fails("[    1.400000]     ok 1 first\n", ""),
            [
                "caif_rings.second: number 2, should be 1",
                "caif_rings: 1 cases reported, 2 planned",
                "caif_rings.first: did not run",
            ]
        );
        assert_eq!(
            fails("ok 2 second", "ok 2 third"),
            [
                "caif_rings.second: did not run",
                "caif_rings.third: ran, but is not in the sources",
            ]
        );
    }

    #[test]
    fn a_suite_must_have_a_plan() {
        assert_eq!(
            fails("    1..2", "    1..3"),
            ["caif_rings: 2 cases reported, 3 planned"]
        );
        assert_eq!(
            fails("    1..2", "    hm"),
            ["caif_rings: 2 cases reported, none planned"]
        );
    }

    #[test]
    fn complaints_of_the_kernel_fail() {
        for line in [
            "WARNING: CPU: 0",
            "BUG: KASAN: slab-use-after-free in poll",
            "INFO: rcu detected a stall",
            "virtio: sleeping function called",
            "unreferenced object: kmemleak",
            "caif: NETDEV WATCHDOG: CPU: 1",
        ] {
            let failed = fails(
                "caif-kunit: end",
                &format!("{line}\n[    2.0] caif-kunit: end"),
            );
            assert_eq!(failed, ["the kernel's log is not clean: 1 lines"], "{line}");
        }
    }

    #[test]
    fn complaints_at_the_boot_fail() {
        let failed = fails("kasan: INFO: a line", "WARNING: init/main.c:1 at a line");
        assert_eq!(failed, ["the kernel's log is not clean: 1 lines"]);
    }

    #[test]
    fn a_machine_that_dies_fails() {
        assert_eq!(
            fails("caif-kunit: end", "login:"),
            ["the machine did not come to its end: it crashed, or hung"]
        );
        assert_eq!(counts("").1.len(), 3);
        assert_eq!(
            fails(
                "caif-kunit: end",
                "caif-kunit: error: x.ko was not unloaded\ncaif-kunit: end"
            ),
            ["x.ko was not unloaded"]
        );
    }
}
