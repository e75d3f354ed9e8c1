// SPDX-License-Identifier: GPL-2.0

//! What caught the mutants: the table, the file for programs, and what later runs know of it.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
    fs::File,
    io::Write,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};
use serde::Serialize;

use super::patch::Mutant;

/// What came of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caught {
    /// A suite that its header names, with the tests.
    By(String),
    /// Another suite.
    Elsewhere(String),
    No,
    /// It was not tried.
    Error(String),
}

impl Caught {
    pub fn passed(&self) -> bool {
        matches!(self, Self::By(_) | Self::Elsewhere(_))
    }
}

impl Display for Caught {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(by) | Self::Elsewhere(by) => write!(f, "{by}"),
            Self::No => write!(f, "NOT CAUGHT"),
            Self::Error(error) => write!(f, "error: {error}"),
        }
    }
}

#[derive(Clone, Debug)]
pub struct MutantRow {
    pub mutant: String,
    pub caught: Caught,
    pub seconds: u64,
}

impl MutantRow {
    pub fn new(mutant: &Mutant, caught: Caught, time: Duration) -> Self {
        Self {
            mutant: mutant.name.clone(),
            caught,
            seconds: time.as_secs(),
        }
    }
}

/// The mutants that were run, and those that earlier runs caught.
pub struct MutantReport {
    pub rows: Vec<MutantRow>,
}

impl MutantReport {
    /// Returns the numbers of mutants that were caught, and that were not.
    pub fn sum(&self) -> (usize, usize) {
        let passed = self.rows.iter().filter(|row| row.caught.passed()).count();
        (passed, self.rows.len() - passed)
    }

    /// Writes the report to a file.
    pub fn write_json(&self, mut file: &File) -> Result<()> {
        #[derive(Serialize)]
        struct Line<'a> {
            mutant: &'a str,
            result: &'static str,
            by: String,
            seconds: u64,
        }
        let lines = self.rows.iter().map(|row| Line {
            mutant: &row.mutant,
            result: if row.caught.passed() {
                "passed"
            } else {
                "failed"
            },
            by: row.caught.to_string(),
            seconds: row.seconds,
        });
        let text = serde_json::to_string(&lines.collect::<Vec<_>>())?;
        Ok(file.write_all((text + "\n").as_bytes())?)
    }
}

impl Display for MutantReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:28} {:>6}   caught by", "mutant", "seconds")?;
        for row in &self.rows {
            writeln!(f, "{:28} {:6}   {}", row.mutant, row.seconds, row.caught)?;
        }
        let (passed, failed) = self.sum();
        writeln!(f, "{passed} passed, {failed} failed")
    }
}

/// Returns what earlier runs caught: of each key the tests of the last one.
pub fn read_caught(path: &Path) -> BTreeMap<String, String> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    });
    lines.filter(|(_, by)| !by.is_empty()).collect()
}

/// Adds a line for later runs.
pub fn add_caught(path: &Path, key: &str, by: &str) -> Result<()> {
    let open = || {
        let mut file = File::options().append(true).create(true).open(path)?;
        file.write_all(format!("{key}\t{}\n", by.replace('\t', " ")).as_bytes())
    };
    open().with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::{Caught, MutantReport, MutantRow, add_caught, read_caught};
    use std::fs::File;

    fn row(mutant: &str, caught: Caught) -> MutantRow {
        MutantRow {
            mutant: mutant.into(),
            caught,
            seconds: 7,
        }
    }

    fn report() -> MutantReport {
        MutantReport {
            rows: vec![
                row("one", Caught::By("host: a::b".into())),
                row("two", Caught::Elsewhere("loom: \"c\"".into())),
                row("three", Caught::No),
                row("four", Caught::Error("does not build".into())),
            ],
        }
    }

    #[test]
    fn only_what_is_caught_passes() {
        let text = report().to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "mutant                       seconds   caught by");
        assert_eq!(lines[1], "one                               7   host: a::b");
        assert!(lines[3].ends_with("   NOT CAUGHT"));
        assert!(lines[4].ends_with("   error: does not build"));
        assert_eq!(lines[5], "2 passed, 2 failed");
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn programs_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("json");
        report().write_json(&File::create(&path).unwrap()).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let rows: serde_json::Value = serde_json::from_str(&text).unwrap();
        let of = |result: &str, by: &str, mutant: &str| serde_json::json!({"mutant": mutant, "result": result, "by": by, "seconds": 7});
        assert_eq!(rows[1], of("passed", "loom: \"c\"", "two"));
        assert_eq!(rows[2], of("failed", "NOT CAUGHT", "three"));
        assert_eq!(rows[3], of("failed", "error: does not build", "four"));
    }

    #[test]
    fn later_runs_know_what_was_caught_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("caught");
        assert!(read_caught(&path).is_empty());
        std::fs::write(&path, "k1\told\tmore\nno tab\nk3\t\n").unwrap();
        add_caught(&path, "k2", "kunit: a\tb").unwrap();
        assert_eq!(read_caught(&path)["k1"], "old");
        add_caught(&path, "k1", "new").unwrap();
        let known = read_caught(&path);
        let known: Vec<_> = known
            .iter()
            .map(|(key, by)| (key.as_str(), by.as_str()))
            .collect();
        assert_eq!(known, [("k1", "new"), ("k2", "kunit: a b")]);
    }
}
