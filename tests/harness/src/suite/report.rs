// SPDX-License-Identifier: GPL-2.0

//! The table at the end, for people and for programs.

use std::{
    fmt::{self, Display, Formatter},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The result of a part.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Row {
    pub part: String,
    pub passed: u64,
    pub failed: u64,
    /// Why it failed, if no failed case does.
    pub why: Option<String>,
    /// Seconds from its start to its end.
    pub seconds: f64,
    /// Seconds of CPU time, QEMU's included.
    pub cpu_seconds: f64,
    pub log: PathBuf,
    /// Whether it passed in an earlier run of the same sources, and was not repeated.
    #[serde(skip)]
    pub earlier: bool,
}

/// All parts of a run.
pub struct Report {
    pub rows: Vec<Row>,
    /// Seconds of the whole run.
    pub seconds: f64,
}

impl Report {
    /// Returns the numbers of passed and failed cases.
    pub fn sum(&self) -> (u64, u64) {
        let sum = |count: fn(&Row) -> u64| self.rows.iter().map(count).sum();
        (sum(|row| row.passed), sum(|row| row.failed))
    }

    /// Writes the report to a file.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        let (passed, failed) = self.sum();
        let text = serde_json::to_string_pretty(&serde_json::json!({
            "passed": passed,
            "failed": failed,
            "seconds": self.seconds,
            "parts": self.rows,
        }))?;
        std::fs::write(path, text + "\n")
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:18} {:>8} {:>8} {:>10} {:>10}   log",
            "part", "passed", "failed", "time", "CPU time"
        )?;
        let line = |f: &mut Formatter<'_>, name: &str, passed, failed, wall, cpu| {
            write!(
                f,
                "{name:18} {passed:8} {failed:8} {wall:8.0} s {cpu:8.0} s"
            )
        };
        for row in &self.rows {
            line(
                f,
                &row.part,
                row.passed,
                row.failed,
                row.seconds,
                row.cpu_seconds,
            )?;
            let earlier = if row.earlier {
                ", in an earlier run"
            } else {
                ""
            };
            writeln!(f, "   {}{earlier}", row.log.display())?;
        }
        let (passed, failed) = self.sum();
        let cpu = self
            .rows
            .iter()
            .filter(|row| !row.earlier)
            .map(|row| row.cpu_seconds)
            .sum();
        line(f, "all of this run", passed, failed, self.seconds, cpu)?;
        writeln!(f)?;
        for row in &self.rows {
            if let Some(why) = &row.why {
                writeln!(f, "{}: {why}", row.part)?;
            }
        }
        // The sum is the last line.
        writeln!(f, "{passed} passed, {failed} failed")
    }
}

#[cfg(test)]
impl Row {
    /// Returns a row with these counts.
    pub fn example(part: &str, passed: u64, failed: u64) -> Self {
        Self {
            part: part.into(),
            passed,
            failed,
            why: None,
            seconds: 2.0,
            cpu_seconds: 3.0,
            log: "log".into(),
            earlier: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Report, Row};

    #[test]
    fn each_part_counts_once() {
        let earlier = Row {
            earlier: true,
            ..Row::example("host", 10, 0)
        };
        let failed = Row {
            why: Some("was ended by SIGKILL".into()),
            ..Row::example("hostile", 5, 1)
        };
        let report = Report {
            rows: vec![earlier, Row::example("vm", 3, 2), failed],
            seconds: 4.0,
        };
        assert_eq!(report.sum(), (18, 3));
        let text = report.to_string();
        assert_eq!(text.lines().last(), Some("18 passed, 3 failed"));
        assert!(text.contains("\nhostile: was ended by SIGKILL\n"));
        // CPU time of an earlier run does not count.
        assert!(text.contains("       4 s        6 s\n"), "{text}");
    }
}
