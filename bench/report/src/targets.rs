// SPDX-License-Identifier: GPL-2.0

//! The targets of the driver's performance.

use crate::rows::{Key, Measured};

/// A target, with the measured value.
pub struct Target {
    pub what: String,
    pub found: f64,
    pub most: f64,
}

impl Target {
    pub fn met(&self) -> bool {
        self.found <= self.most
    }
}

/// Returns all targets. They are for rings without `EVENT_IDX`, where the C driver saves no kicks.
pub fn all(measured: &Measured) -> Vec<Target> {
    let ratio = |key: &Key| Some(measured.rust.get(key)?.median / measured.c.get(key)?.median);
    let alone = |key: &Key| {
        let floor = measured.floor(key)?;
        let rust = measured.rust.get(key)?.median - floor;
        Some(rust / (measured.c.get(key)?.median - floor))
    };
    let mut targets = Vec::new();
    let mut worst = |what: &str, most, values: Vec<Option<f64>>| {
        // A target whose row is missing is missed.
        let found = values
            .into_iter()
            .map(|value| value.unwrap_or(f64::INFINITY))
            .fold(f64::NEG_INFINITY, f64::max);
        targets.push(Target {
            what: what.to_owned(),
            found,
            most,
        });
    };
    let rx = |burst, chain, payload| key("rx", burst, chain, payload);
    let batches = || {
        [(8, 1), (32, 1), (8, 8), (32, 8)]
            .into_iter()
            .flat_map(|(burst, chain)| [64, 256, 1500].map(|payload| rx(burst, chain, payload)))
    };
    worst(
        "RX, 8 or more frames per interrupt, 64 to 1500 bytes: Rust / C",
        0.90,
        batches().map(|key| ratio(&key)).collect(),
    );
    worst(
        "RX, one frame per interrupt: Rust / C",
        1.00,
        [64, 256, 1500, 4000]
            .map(|payload| ratio(&rx(1, 1, payload)))
            .to_vec(),
    );
    worst(
        "RX, 8 or more frames per interrupt, without the floor: Rust / C",
        0.60,
        batches().map(|key| alone(&key)).collect(),
    );
    worst(
        "TX by ndo_start_xmit, 64 bytes: Rust / C",
        0.65,
        [1, 32]
            .map(|burst| ratio(&key("tx_ndo", burst, 1, 64)))
            .to_vec(),
    );
    worst(
        "TX by ndo_start_xmit, 1500 bytes: Rust / C",
        0.75,
        [1, 32]
            .map(|burst| ratio(&key("tx_ndo", burst, 1, 1500)))
            .to_vec(),
    );
    let kicks = |payload| Some(measured.rust.get(&key("tx_ndo", 32, 1, payload))?.kicks);
    worst(
        "TX in bursts of 32: kicks per frame",
        1.0 / 16.0,
        [64, 256, 1500, 4000].map(kicks).to_vec(),
    );
    targets
}

fn key(row: &str, burst: u32, chain: u32, payload: u32) -> Key {
    Key {
        event_idx: 0,
        row: row.to_owned(),
        burst,
        chain,
        payload,
    }
}
