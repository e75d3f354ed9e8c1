// SPDX-License-Identifier: GPL-2.0

//! Parses the machine's output.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::growth::{Grown, Row};

/// The key of a row, the same for both drivers.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub event_idx: u8,
    pub row: String,
    /// Frames per interrupt, or per burst that is sent.
    pub burst: u32,
    pub chain: u32,
    pub payload: u32,
}

/// The result of a row, per frame; times in instructions.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Cost {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub kicks: f64,
    pub interrupts: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Driver {
        driver: String,
        event_idx: u8,
    },
    Grown(Grown),
    Row {
        row: String,
        burst: u32,
        chain: u32,
        payload: u32,
        #[serde(flatten)]
        cost: Cost,
    },
    End {
        end: bool,
    },
}

pub type Rows = BTreeMap<Key, Cost>;

/// The rows of both drivers, and this driver's measurements of growth.
pub struct Measured {
    pub rust: Rows,
    pub c: Rows,
    pub growth: Vec<Grown>,
}

/// Parses the machine's output. Incomplete output is an error.
pub fn read(text: &str) -> Result<Measured> {
    let mut measured = Measured {
        rust: Rows::new(),
        c: Rows::new(),
        growth: Vec::new(),
    };
    let mut current = None;
    let mut complete = false;
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let parsed = serde_json::from_str(line).with_context(|| line.to_owned())?;
        match parsed {
            Line::Driver { driver, event_idx } => {
                current = Some((driver == "caif_virtio", event_idx));
            }
            Line::Grown(grown) => measured.growth.push(grown),
            Line::Row {
                row,
                burst,
                chain,
                payload,
                cost,
            } => {
                if let Some(grown) = measured.growth.last_mut() {
                    grown.rows.push(Row { row, payload, cost });
                    continue;
                }
                let (rust, event_idx) = current.context("a row before a driver")?;
                let rows = if rust {
                    &mut measured.rust
                } else {
                    &mut measured.c
                };
                rows.insert(
                    Key {
                        event_idx,
                        row,
                        burst,
                        chain,
                        payload,
                    },
                    cost,
                );
            }
            Line::End { end } => complete = end,
        }
    }
    ensure!(complete, "the machine did not come to the end");
    ensure!(
        !measured.rust.is_empty() && measured.rust.keys().eq(measured.c.keys()),
        "the drivers were not measured in the same ways"
    );
    Ok(measured)
}

impl Measured {
    /// Returns the floor of a frame's cost, if it is measured.
    pub fn floor(&self, key: &Key) -> Option<f64> {
        let find = |row: &str, burst| {
            let key = Key {
                row: row.to_owned(),
                burst,
                chain: 1,
                ..key.clone()
            };
            self.rust.get(&key).map(|cost| cost.median)
        };
        match key.row.as_str() {
            "rx" => find("floor_rx", key.burst),
            "tx_ndo" => Some(find("floor_memcpy", 1)? + find("floor_kfree_skb", 1)?),
            _ => None,
        }
    }
}
