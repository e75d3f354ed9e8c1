// SPDX-License-Identifier: GPL-2.0

//! The results, as a table and as a file of JSON.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use hostile::catalogue::{Case, Flavour, Verdict};
use serde::Serialize;

/// The row of a case that was run.
#[derive(Serialize)]
pub struct Row {
    pub group: String,
    pub case: String,
    pub what: String,
    pub flavour: Flavour,
    pub verdict: Verdict,
    pub expected: Verdict,
    /// The counters that moved, or the line of the log.
    pub seen: String,
    pub seconds: f32,
    pub faults: Vec<String>,
    /// For a case that must fail: a part of the reason.
    #[serde(skip)]
    fails: Option<String>,
}

impl Row {
    pub fn new(case: &Case, flavour: Flavour, time: Duration) -> Self {
        Self {
            group: case.group.clone(),
            case: case.name.clone(),
            what: case.what.clone(),
            flavour,
            verdict: Verdict::Failed,
            expected: case.expect,
            seen: String::new(),
            seconds: time.as_secs_f32(),
            faults: vec![],
            fails: case.fails.clone(),
        }
    }

    /// Makes the row of the checks after all cases.
    pub fn afterwards(time: Duration, faults: Vec<String>) -> Self {
        Self {
            group: "afterwards".into(),
            case: "no_leaks".into(),
            what: "all modules removed, nothing left behind".into(),
            flavour: Flavour::Flags,
            verdict: if faults.is_empty() {
                Verdict::Pass
            } else {
                Verdict::Failed
            },
            expected: Verdict::Pass,
            seen: String::new(),
            seconds: time.as_secs_f32(),
            faults,
            fails: None,
        }
    }

    /// Returns whether it is a case that must fail.
    pub fn had_to_fail(&self) -> bool {
        self.fails.is_some()
    }

    pub fn passed(&self) -> bool {
        match &self.fails {
            None => self.verdict == self.expected && self.faults.is_empty(),
            Some(reason) => {
                self.verdict != self.expected
                    && self.faults.iter().any(|fault| fault.contains(reason))
            }
        }
    }
}

/// Prints all rows, by group.
pub fn print(rows: &[Row]) {
    let width = |text: fn(&Row) -> &str| {
        let widths = rows.iter().map(|row| text(row).chars().count());
        widths.max().unwrap_or(0)
    };
    let (case, what) = (width(|row| &row.case), width(|row| &row.what));
    let mut groups: Vec<&str> = Vec::new();
    for row in rows {
        if !groups.contains(&row.group.as_str()) {
            groups.push(&row.group);
        }
    }
    for group in groups {
        println!("\n{group}");
        println!(
            "  {:case$}  {:what$}  {:9}  {:9}  {:9}  {:>6}  seen",
            "case", "what the modem does", "notify", "verdict", "expected", "time"
        );
        for row in rows.iter().filter(|row| row.group == group) {
            let flavour = match row.flavour {
                Flavour::EventIdx => "event-idx",
                Flavour::Flags => "flags",
            };
            println!(
                "{} {:case$}  {:what$}  {flavour:9}  {:9}  {:9}  {:5.1}s  {}",
                if row.passed() { ' ' } else { '!' },
                row.case,
                row.what,
                row.verdict,
                row.expected,
                row.seconds,
                row.seen
            );
        }
    }
    println!();
    for row in rows.iter().filter(|row| !row.passed()) {
        println!("{} ({:?}):", row.case, row.flavour);
        row.faults.iter().for_each(|fault| println!("  {fault}"));
    }
}

/// Writes all rows to a file.
pub fn write_json(rows: &[Row], path: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(rows)?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}

/// Prints the cases.
pub fn list(cases: &[Case]) {
    let mut group = "";
    for case in cases {
        if case.group != group {
            group = &case.group;
            println!("{group}");
        }
        println!("  {:44} {:9}  {}", case.name, case.expect, case.what);
    }
}
