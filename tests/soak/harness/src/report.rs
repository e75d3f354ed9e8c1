// SPDX-License-Identifier: GPL-2.0

//! The results, as a table and as a file of JSON.

use serde::Serialize;

/// The result of a phase.
#[derive(Default, Serialize)]
pub struct Outcome {
    /// Cycles, or allocations that failed.
    pub cycles: u32,
    /// Milliseconds from the modem's restart to the first answer, of each recovery.
    pub recovery_ms: Vec<u32>,
    /// A note for the table.
    pub note: String,
}

impl Outcome {
    pub fn new(cycles: u32) -> Self {
        Self {
            cycles,
            ..Self::default()
        }
    }

    /// Returns the result of both parts.
    pub fn with(mut self, other: Self) -> Self {
        self.cycles += other.cycles;
        self.recovery_ms.extend(other.recovery_ms);
        self
    }
}

/// A line of the table.
#[derive(Serialize)]
pub struct Row {
    pub phase: &'static str,
    pub what: &'static str,
    pub outcome: Outcome,
    pub seconds: f32,
    /// Growth of the kernel's memory over the phase.
    pub grown_kib: Option<i64>,
    pub fault: Option<String>,
}

impl Row {
    pub fn new(phase: &'static str, what: &'static str) -> Self {
        Self {
            phase,
            what,
            outcome: Outcome::default(),
            seconds: 0.0,
            grown_kib: None,
            fault: None,
        }
    }

    /// Returns the line, without the faults.
    pub fn line(&self) -> String {
        let recovery = quantiles(&self.outcome.recovery_ms).unwrap_or_default();
        let grown = self
            .grown_kib
            .map(|kib| format!("{kib:+} KiB"))
            .unwrap_or_default();
        let result = if self.fault.is_some() { "FAIL" } else { "ok" };
        format!(
            "{:14} {:54} {:6} {:8.1} s {:>10}  {:4} {recovery}{}",
            self.phase,
            self.what,
            self.outcome.cycles,
            self.seconds,
            grown,
            result,
            self.outcome.note
        )
    }
}

/// Returns median, 99th percentile and maximum.
fn quantiles(values: &[u32]) -> Option<String> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let at = |percent: usize| sorted.get((sorted.len().saturating_sub(1)) * percent / 100);
    Some(format!(
        "back after {} ms, p99 {} ms, at most {} ms",
        at(50)?,
        at(99)?,
        at(100)?
    ))
}

/// Prints the table and the faults.
pub fn print(rows: &[Row]) {
    println!(
        "\n{:14} {:54} {:>6} {:>10} {:>10}  result",
        "phase", "what", "cycles", "time", "memory"
    );
    for row in rows {
        println!("{}", row.line());
    }
    for row in rows {
        if let Some(fault) = &row.fault {
            println!("\n{}: {fault}", row.phase);
        }
    }
    println!();
}
