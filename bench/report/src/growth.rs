// SPDX-License-Identifier: GPL-2.0

//! Growth: the cost of a frame with more descriptors, modems and channels.

use serde::{Deserialize, Serialize};

use crate::{rows::Cost, targets::Target};

/// A measurement with more descriptors, modems, channels or memory.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Grown {
    /// `ring`, `modems`, `channels` or `memory`, of which `value` is the number.
    #[serde(rename = "growth")]
    pub what: String,
    pub value: u32,
    /// Descriptors of each vring.
    pub ring: u32,
    pub modems: u32,
    /// KiB of memory that binding the driver takes, its code included.
    pub memory: f64,
    #[serde(default)]
    pub rows: Vec<Row>,
}

/// The cost of a frame in this measurement.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Row {
    pub row: String,
    pub payload: u32,
    pub cost: Cost,
}

/// The columns of the table: row, payload, title.
const COLUMNS: [(&str, u32, &str); 4] = [
    ("grown_rx", 64, "RX 64"),
    ("grown_rx", 1500, "RX 1500"),
    ("grown_tx", 64, "TX 64"),
    ("grown_tx", 1500, "TX 1500"),
];

impl Grown {
    fn cost(&self, row: &str, payload: u32) -> Option<f64> {
        let found = self
            .rows
            .iter()
            .find(|found| found.row == row && found.payload == payload)?;
        Some(found.cost.median)
    }
}

/// Returns the KiB of memory per modem, for a size of rings: the difference of eight modems and
/// one.
pub fn memory(all: &[Grown], ring: u32) -> Option<f64> {
    let with = |modems| {
        all.iter()
            .find(|grown| grown.ring == ring && grown.modems == modems)
    };
    Some((with(8)?.memory - with(1)?.memory) / 7.0)
}

/// The sizes of rings for which the memory per modem is measured.
pub const RINGS: [u32; 2] = [256, 32768];

/// Returns the table, in Markdown.
pub fn table(all: &[Grown]) -> Vec<String> {
    let mut head = format!("| {:8} | {:>6} |", "more", "number");
    for (_, _, name) in COLUMNS {
        head += &format!(" {name:>8} |");
    }
    let mut lines = vec![head, "|---|---|---|---|---|---|".to_owned()];
    for grown in all {
        let mut line = format!("| {:8} | {:>6} |", grown.what, grown.value);
        for (row, payload, _) in COLUMNS {
            line += &match grown.cost(row, payload) {
                Some(cost) => format!(" {cost:>8.0} |"),
                None => format!(" {:>8} |", ""),
            };
        }
        lines.push(line);
    }
    lines.push(String::new());
    for ring in RINGS {
        if let Some(kib) = memory(all, ring) {
            lines.push(format!(
                "Memory per modem with vrings of {ring} descriptors: {kib:.0} KiB"
            ));
        }
    }
    lines
}

/// Returns the target that the cost of a frame does not grow with `what`.
pub fn targets(all: &[Grown]) -> [Target; 3] {
    [("ring", 6), ("modems", 4), ("channels", 3)].map(|(what, numbers)| Target {
        what: format!("growth of {what}: largest / smallest cost of a frame"),
        found: ratio(all, what, numbers).unwrap_or(f64::INFINITY),
        most: 1.05,
    })
}

/// Returns the ratio of the largest and the smallest cost of a frame, for the row where it is
/// worst; `None` if measurements are missing.
fn ratio(all: &[Grown], what: &str, numbers: usize) -> Option<f64> {
    let some: Vec<_> = all.iter().filter(|grown| grown.what == what).collect();
    if some.len() != numbers {
        return None;
    }
    let mut worst: f64 = 0.0;
    for (row, payload, _) in COLUMNS {
        let mut least = f64::INFINITY;
        let mut most: f64 = 0.0;
        for grown in &some {
            let cost = grown.cost(row, payload)?;
            least = least.min(cost);
            most = most.max(cost);
        }
        worst = worst.max(most / least);
    }
    Some(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(what: &str, modems: u32, memory: f64, median: f64) -> Grown {
        let rows = COLUMNS.map(|(row, payload, _)| Row {
            row: row.to_owned(),
            payload,
            cost: Cost {
                median,
                ..Cost::default()
            },
        });
        Grown {
            what: what.to_owned(),
            value: modems,
            ring: 256,
            modems,
            memory,
            rows: rows.to_vec(),
        }
    }

    #[test]
    fn worst_of_the_rows_counts() {
        let mut all = [100.0, 104.0, 100.0].map(|cost| grown("channels", 1, 0.0, cost));
        all[2].rows[3].cost.median = 110.0;
        assert_eq!(ratio(&all, "channels", 3), Some(1.1));
    }

    #[test]
    fn what_is_missing_misses_the_target() {
        assert_eq!(ratio(&[], "channels", 3), None);
        assert!(targets(&[]).iter().all(|target| !target.met()));
        let mut all = [100.0; 3].map(|cost| grown("channels", 1, 0.0, cost));
        all[0].rows.pop();
        assert_eq!(ratio(&all, "channels", 3), None);
    }

    #[test]
    fn memory_is_what_seven_more_take() {
        let all = [
            grown("modems", 1, 100.0, 1.0),
            grown("modems", 8, 800.0, 1.0),
        ];
        assert_eq!(memory(&all, 256), Some(100.0));
        assert_eq!(memory(&all, 512), None);
    }
}
