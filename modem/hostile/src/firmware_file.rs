// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Firmware files with faults, for the cases of the catalogue.

use anyhow::{Context, ensure};
use firmware::{
    Firmware, MACHINE,
    table::{ResourceTable, Vring},
};
use kernel_pure::link_config::{Direction, LinkConfig};
use serde::Deserialize;

/// The differences from the usual firmware.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FirmwareFile {
    /// Descriptors of vring 0.
    pub rx_num: u32,
    /// Descriptors of vring 1.
    pub tx_num: u32,
    /// Alignment of both used rings.
    pub align: u32,
    /// Features.
    pub features: u32,
    /// Headroom, tailroom, MTU of the uplink.
    pub uplink: (u16, u16, u32),
    /// Headroom, tailroom, MTU of the downlink.
    pub downlink: (u16, u16, u32),
    /// The machine in the ELF header.
    pub machine: u16,
    /// Bytes that overwrite parts of the file.
    pub patch: Vec<Patch>,
    /// Length to which the file is truncated.
    pub truncate: Option<usize>,
}

/// Bytes that overwrite a part of a firmware file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// Offset in the resource table; either this or `file` is given.
    pub table: Option<usize>,
    /// Offset in the file.
    pub file: Option<usize>,
    /// The bytes, in hexadecimal.
    pub hex: String,
}

impl Default for FirmwareFile {
    fn default() -> Self {
        let table = ResourceTable::default();
        let [rx, tx] = table.vrings;
        let direction = |config: Direction| (config.headroom, config.tailroom, config.mtu);
        Self {
            rx_num: rx.num,
            tx_num: tx.num,
            align: rx.align,
            features: table.features,
            uplink: direction(Direction::DEFAULT),
            downlink: direction(Direction::DEFAULT),
            machine: MACHINE,
            patch: vec![],
            truncate: None,
        }
    }
}

impl FirmwareFile {
    /// Returns the bytes of the file.
    pub fn to_bytes(&self) -> anyhow::Result<Vec<u8>> {
        let vring = |num| Vring {
            num,
            align: self.align,
        };
        let direction = |(headroom, tailroom, mtu)| Direction {
            headroom,
            tailroom,
            mtu,
        };
        let table = ResourceTable {
            features: self.features,
            vrings: [vring(self.rx_num), vring(self.tx_num)],
            config: Some(LinkConfig {
                uplink: direction(self.uplink),
                downlink: direction(self.downlink),
            }),
        };
        let table_bytes = table.to_bytes();
        let mut bytes = Firmware {
            machine: self.machine,
            table: Some(table),
        }
        .to_bytes();
        let table_at = bytes
            .windows(table_bytes.len())
            .position(|window| window == table_bytes)
            .context("the resource table is not in the file")?;
        for patch in &self.patch {
            let at = match (patch.table, patch.file) {
                (Some(at), None) => table_at + at,
                (None, Some(at)) => at,
                _ => anyhow::bail!("a patch is at a place in the table or in the file"),
            };
            let new = hex(&patch.hex)?;
            bytes
                .get_mut(at..at + new.len())
                .with_context(|| format!("{} bytes at {at} are not in the file", new.len()))?
                .copy_from_slice(&new);
        }
        if let Some(len) = self.truncate {
            ensure!(len < bytes.len(), "the file has {} bytes", bytes.len());
            bytes.truncate(len);
        }
        Ok(bytes)
    }
}

/// Reads hexadecimal digits.
pub fn hex(text: &str) -> anyhow::Result<Vec<u8>> {
    let digits: String = text.split_whitespace().collect();
    ensure!(
        digits.is_ascii() && digits.len().is_multiple_of(2),
        "{text:?} is no hexadecimal"
    );
    (0..digits.len())
        .step_by(2)
        .map(|at| {
            let byte = digits.get(at..at + 2).unwrap_or_default();
            u8::from_str_radix(byte, 16).with_context(|| format!("{text:?} is no hexadecimal"))
        })
        .collect()
}
