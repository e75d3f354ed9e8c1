// SPDX-License-Identifier: GPL-2.0

//! Brings a link up again, and waits until the IP interface over it came back by itself and a ping
//! is answered. It is one process instead of several of `ip` and `ping`, because the time is
//! measured.

use std::{fs, net::Ipv4Addr, time::Duration};

use anyhow::{Context, Result};

use crate::{netdev, ping};

#[derive(clap::Args)]
pub struct Args {
    /// The link, which may appear later
    link: String,
    /// The IP interface over it, which is up and has its address
    interface: String,
    /// Address to ping
    address: Ipv4Addr,
}

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);

pub fn run(args: &Args) -> Result<()> {
    netdev::appear(&args.link)?;
    set_up(&args.link)?;
    netdev::carrier(&args.interface)?;
    ping::run(&ping::Args::once(args.address, ANSWER))
}

/// Sets an interface up.
fn set_up(interface: &str) -> Result<()> {
    const IFF_UP: u32 = libc::IFF_UP as u32;

    let path = format!("/sys/class/net/{interface}/flags");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let flags = u32::from_str_radix(text.trim().trim_start_matches("0x"), 16)?;
    fs::write(&path, format!("{:#x}", flags | IFF_UP))
        .with_context(|| format!("taking {interface} up"))
}
