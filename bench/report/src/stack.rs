// SPDX-License-Identifier: GPL-2.0

//! The stack: the cost of a packet between the link and IP, with each driver and each stack.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use crate::{
    rows::{Cost, Key, Rows},
    targets::Target,
};

/// A driver with a stack above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    AllC,
    RustDriver,
    AllRust,
}

impl Column {
    /// Returns the column for the names of a stack and of the driver below it.
    pub fn new(stack: &str, driver: &str) -> Result<Self> {
        Ok(match (stack, driver) {
            ("c", "caif_virtio_c") => Self::AllC,
            ("c", "caif_virtio") => Self::RustDriver,
            ("rust", "caif_virtio") => Self::AllRust,
            _ => bail!("no column for the stack {stack} over {driver}"),
        })
    }
}

/// The measurements of the columns.
#[derive(Debug, Default)]
pub struct Stacks(BTreeMap<Column, Rows>);

impl Stacks {
    pub fn insert(&mut self, column: Column, key: Key, cost: Cost) {
        self.0.entry(column).or_default().insert(key, cost);
    }

    /// Fails unless all columns have the same rows.
    pub fn check(&self) -> Result<()> {
        let mut all = self.0.values();
        let first = all.next();
        ensure!(
            self.0.len() == 3 && all.all(|rows| Some(rows.len()) == first.map(Rows::len)),
            "the stacks were not measured in the same ways"
        );
        Ok(())
    }

    fn cost(&self, column: Column, key: &Key) -> Option<&Cost> {
        self.0.get(&column)?.get(key)
    }

    /// Returns the ratio of Rust and C, for a row.
    fn ratio(&self, key: &Key) -> Option<f64> {
        let c = self.cost(Column::AllC, key)?.median;
        Some(self.cost(Column::AllRust, key)?.median / c)
    }

    /// Returns the table, in Markdown.
    pub fn table(&self) -> Vec<String> {
        let mut lines = vec![
            "| what | burst | bytes | C + C | Rust + C | Rust + Rust | R+R / C+C | kicks C+C | kicks R+R | packets C+C | packets R+R |".to_owned(),
            "|---|---|---|---|---|---|---|---|---|---|---|".to_owned(),
        ];
        let keys = self.0.values().next().into_iter().flat_map(Rows::keys);
        for key in keys {
            let [c, driver, rust] = [Column::AllC, Column::RustDriver, Column::AllRust]
                .map(|column| self.cost(column, key).copied().unwrap_or_default());
            let packets = |cost: Cost| match cost.deliveries {
                0.0 => String::new(),
                deliveries => format!("{deliveries:.3}"),
            };
            lines.push(format!(
                "| {} | {} | {} | {:.0} | {:.0} | {:.0} | {:.3} | {:.3} | {:.3} | {} | {} |",
                key.row,
                key.burst,
                key.payload,
                c.median,
                driver.median,
                rust.median,
                rust.median / c.median,
                c.kicks,
                rust.kicks,
                packets(c),
                packets(rust),
            ));
        }
        lines
    }

    /// Returns the targets, for Rust over C.
    pub fn targets(&self) -> Vec<Target> {
        let worst = |what: &str, most, found: Vec<Option<f64>>| Target {
            what: what.to_owned(),
            // A target whose row is missing is missed.
            found: found
                .into_iter()
                .map(|value| value.unwrap_or(f64::INFINITY))
                .fold(f64::NEG_INFINITY, f64::max),
            most,
        };
        // Of packets that are not merged: the cost of merging saves more later, in TCP itself.
        let rx = |bursts: &[u32], lens: &[u32]| {
            let mut found = Vec::new();
            for burst in bursts {
                found.extend(
                    lens.iter()
                        .map(|len| self.ratio(&key("ip_rx", *burst, *len))),
                );
            }
            found
        };
        let tx = |row, len| {
            [1, 32]
                .map(|burst| self.ratio(&key(row, burst, len)))
                .to_vec()
        };
        let kicks = |row, len| Some(self.cost(Column::AllRust, &key(row, 32, len))?.kicks);
        let merged = key("ip_rx_tcp", 32, 1500);
        let merged = self.cost(Column::AllRust, &merged);
        let median = |key: Key| Some(self.cost(Column::AllRust, &key)?.median);
        let channels = median(key("ip_rx_64_channels", 32, 64))
            .zip(median(key("ip_rx", 32, 64)))
            .map(|(many, one)| many / one);
        vec![
            worst(
                "stack, RX, 8 or more frames, 64 bytes: Rust / C",
                0.72,
                rx(&[8, 32], &[64]),
            ),
            worst(
                "stack, RX, 8 or more frames, 1500 bytes: Rust / C",
                0.80,
                rx(&[8, 32], &[1500]),
            ),
            worst(
                "stack, RX, one frame: Rust / C",
                0.85,
                rx(&[1], &[64, 1500]),
            ),
            worst("stack, TX, 64 bytes: Rust / C", 0.60, tx("ip_tx", 64)),
            worst(
                "stack, TX, 1500 bytes, linear: Rust / C",
                0.65,
                tx("ip_tx", 1500),
            ),
            worst(
                "stack, TX, 1500 bytes, paged: Rust / C",
                0.55,
                tx("ip_tx_paged", 1500),
            ),
            worst(
                "stack, TX, 32 segments at once: kicks per frame",
                1.0 / 16.0,
                vec![kicks("ip_tx_segments", 1500)],
            ),
            worst(
                "stack, TX, 32 packets by 32 calls: kicks per frame",
                1.0 / 16.0,
                vec![kicks("ip_tx", 64), kicks("ip_tx", 1500)],
            ),
            worst(
                "stack, RX, 32 segments at once: packets to IP",
                2.0,
                vec![merged.map(|cost| 32.0 * cost.deliveries)],
            ),
            worst("stack, RX, 64 channels / one channel", 1.05, vec![channels]),
        ]
    }

    /// Returns all rows, for the JSON file.
    pub fn json(&self) -> serde_json::Value {
        self.0
            .iter()
            .flat_map(|(column, rows)| {
                rows.iter().map(move |(key, cost)| {
                    serde_json::json!({ "column": column, "what": key, "cost": cost })
                })
            })
            .collect()
    }
}

fn key(row: &str, burst: u32, payload: u32) -> Key {
    Key {
        event_idx: 0,
        row: row.to_owned(),
        burst,
        chain: 1,
        payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_misses_the_target() {
        assert!(
            Stacks::default()
                .targets()
                .iter()
                .all(|target| !target.met())
        );
        assert!(Stacks::default().check().is_err());
    }

    #[test]
    fn worst_of_the_bursts_counts() {
        let mut stacks = Stacks::default();
        for (column, burst, median) in [
            (Column::AllC, 1, 100.0),
            (Column::AllC, 32, 100.0),
            (Column::AllRust, 1, 50.0),
            (Column::AllRust, 32, 61.0),
        ] {
            let cost = Cost {
                median,
                ..Cost::default()
            };
            stacks.insert(column, key("ip_tx", burst, 64), cost);
        }
        let targets = stacks.targets();
        let target = targets.iter().find(|target| target.what.contains("TX, 64"));
        assert_eq!(target.map(|target| target.found), Some(0.61));
    }
}
