// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Writes the modem's firmware file.

#![forbid(unsafe_code)]

use anyhow::Context;
use clap::Parser;
use firmware::{
    Firmware, MACHINE,
    table::{ResourceTable, Vring},
};
use kernel_pure::link_config::{Direction, LinkConfig};
use std::{fmt, path::PathBuf, process::ExitCode, str::FromStr};

/// Writes the firmware file that remoteproc loads for the modem. Values that Linux must refuse are
/// written unchanged.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The file to write.
    #[arg(long, short)]
    output: PathBuf,
    /// Descriptors of the downlink vring (0).
    #[arg(long, default_value_t = 256)]
    rx_num: u32,
    /// Descriptors of the uplink vring (1).
    #[arg(long, default_value_t = 256)]
    tx_num: u32,
    /// Alignment of the used rings.
    #[arg(long, default_value_t = 4096)]
    align: u32,
    /// Virtio features to offer, as a number with one bit for each; EVENT_IDX is 0x20000000.
    #[arg(long, default_value = "0x20000000", value_parser = parse_u32)]
    features: u32,
    /// Uplink config: headroom, tailroom and MTU, with commas between.
    #[arg(long, default_value_t = Config(Direction::DEFAULT))]
    uplink: Config,
    /// Downlink config, likewise.
    #[arg(long, default_value_t = Config(Direction::DEFAULT))]
    downlink: Config,
    /// Write no config space.
    #[arg(long)]
    no_config: bool,
    /// Write no resource table.
    #[arg(long)]
    no_table: bool,
    /// The machine that the file claims to be for.
    #[arg(long, default_value_t = MACHINE, value_parser = parse_u16)]
    machine: u16,
}

fn parse_u32(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| format!("{text:?}: {error}"))
}

fn parse_u16(text: &str) -> Result<u16, String> {
    u16::try_from(parse_u32(text)?).map_err(|_| format!("{text}: must be at most {}", u16::MAX))
}

/// The config of a direction: headroom, tailroom and MTU, with commas between.
#[derive(Clone, Copy)]
struct Config(Direction);

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Direction {
            headroom,
            tailroom,
            mtu,
        } = self.0;
        write!(f, "{headroom},{tailroom},{mtu}")
    }
}

impl FromStr for Config {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let [headroom, tailroom, mtu] = text
            .split(',')
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| format!("{text:?}: want headroom,tailroom,mtu"))?;
        let room = |text: &str| {
            text.parse::<u16>()
                .map_err(|error| format!("{text:?}: {error}"))
        };
        Ok(Self(Direction {
            headroom: room(headroom)?,
            tailroom: room(tailroom)?,
            mtu: mtu.parse().map_err(|error| format!("{mtu:?}: {error}"))?,
        }))
    }
}

fn main() -> ExitCode {
    match write(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("caif-firmware: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn write(args: &Args) -> anyhow::Result<()> {
    let vring = |num| Vring {
        num,
        align: args.align,
    };
    let table = ResourceTable {
        features: args.features,
        vrings: [vring(args.rx_num), vring(args.tx_num)],
        config: (!args.no_config).then_some(LinkConfig {
            uplink: args.uplink.0,
            downlink: args.downlink.0,
        }),
    };
    let firmware = Firmware {
        machine: args.machine,
        table: (!args.no_table).then_some(table),
    };
    std::fs::write(&args.output, firmware.to_bytes())
        .with_context(|| format!("cannot write {}", args.output.display()))
}
