// SPDX-License-Identifier: GPL-2.0

//! Brings a link and the IP interface over it up again, and waits for an answer to a ping. It is
//! one process instead of several of `ip` and `ping`, because the time is measured.

use std::{fs, net::Ipv4Addr, time::Duration};

use anyhow::{Context, Result};

use crate::{netdev, ping};

#[derive(clap::Args)]
pub struct Args {
    /// The link, which may appear later
    link: String,
    /// The IP interface over it, which has its address already
    interface: String,
    /// Address to ping
    address: Ipv4Addr,
}

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);

pub fn run(args: &Args) -> Result<()> {
    netdev::appear(&args.link)?;
    set(&args.link, true)?;
    netdev::carrier(&args.link)?;
    // Opens a new channel, since a restarted modem has no channels.
    set(&args.interface, false)?;
    set(&args.interface, true)?;
    ping::run(&ping::Args::once(args.address, ANSWER))
}

/// Sets an interface up or down.
fn set(interface: &str, up: bool) -> Result<()> {
    const IFF_UP: u32 = libc::IFF_UP as u32;

    let path = format!("/sys/class/net/{interface}/flags");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let flags = u32::from_str_radix(text.trim().trim_start_matches("0x"), 16)?;
    let flags = if up { flags | IFF_UP } else { flags & !IFF_UP };
    fs::write(&path, format!("{flags:#x}"))
        .with_context(|| format!("taking {interface} {}", if up { "up" } else { "down" }))
}
