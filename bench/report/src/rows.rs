// SPDX-License-Identifier: GPL-2.0

//! Parses the machine's output.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    growth::{Grown, Row},
    stack::{Column, Stacks},
};

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
    /// Packets that the IP layer gets; 0 if that was not counted.
    #[serde(default)]
    pub deliveries: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Stack {
        stack: String,
        over: String,
    },
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
    pub stack: Stacks,
}

/// The section that the rows after a line belong to.
enum Current {
    Driver { rust: bool, event_idx: u8 },
    Stack(Column),
    Growth,
}

/// Parses the machine's output. Incomplete output is an error.
pub fn read(text: &str) -> Result<Measured> {
    let mut measured = Measured {
        rust: Rows::new(),
        c: Rows::new(),
        growth: Vec::new(),
        stack: Stacks::default(),
    };
    let mut current = None;
    let mut complete = false;
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let parsed = serde_json::from_str(line).with_context(|| line.to_owned())?;
        match parsed {
            Line::Driver { driver, event_idx } => {
                let rust = driver == "caif_virtio";
                current = Some(Current::Driver { rust, event_idx });
            }
            Line::Stack { stack, over } => {
                current = Some(Current::Stack(Column::new(&stack, &over)?));
            }
            Line::Grown(grown) => {
                measured.growth.push(grown);
                current = Some(Current::Growth);
            }
            Line::Row {
                row,
                burst,
                chain,
                payload,
                cost,
            } => {
                let mut key = Key {
                    event_idx: 0,
                    row,
                    burst,
                    chain,
                    payload,
                };
                match current.as_ref().context("a row before a driver")? {
                    Current::Driver { rust, event_idx } => {
                        key.event_idx = *event_idx;
                        let rows = if *rust {
                            &mut measured.rust
                        } else {
                            &mut measured.c
                        };
                        rows.insert(key, cost);
                    }
                    Current::Stack(column) => measured.stack.insert(*column, key, cost),
                    Current::Growth => {
                        let row = key.row;
                        let grown = measured.growth.last_mut().context("a row of nothing")?;
                        grown.rows.push(Row { row, payload, cost });
                    }
                }
            }
            Line::End { end } => complete = end,
        }
    }
    ensure!(complete, "the machine did not come to the end");
    ensure!(
        !measured.rust.is_empty() && measured.rust.keys().eq(measured.c.keys()),
        "the drivers were not measured in the same ways"
    );
    measured.stack.check()?;
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
