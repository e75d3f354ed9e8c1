// SPDX-License-Identifier: GPL-2.0

//! Waits for network interfaces, woken by rtnetlink's notifications.

use std::{
    fs, io,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use nix::{net::if_::if_nameindex, poll::PollTimeout};

use crate::events::{self, Events};

/// Seconds to wait by default.
const TIMEOUT: u64 = 30;

#[derive(clap::Args)]
pub struct NetdevArgs {
    /// Name of the interface; a trailing * stands for anything
    pattern: String,
    /// Number that must match (0: wait until none is left)
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// Seconds to wait
    #[arg(long, default_value_t = TIMEOUT)]
    timeout: u64,
}

/// Waits, and prints the names of the interfaces that match, one per line.
pub fn wait_netdev(args: &NetdevArgs) -> Result<()> {
    wait(args.timeout, || {
        let mut names = Vec::new();
        // Not from sysfs, where an interface still is when the notification of its end is sent.
        for interface in &if_nameindex()? {
            let name = interface.name().to_string_lossy().into_owned();
            if matches(&args.pattern, &name) {
                names.push(name);
            }
        }
        names.sort();
        let enough = match args.count {
            0 => names.is_empty(),
            count => names.len() >= count,
        };
        if enough {
            names.iter().for_each(|name| println!("{name}"));
            return Ok(Ok(()));
        }
        Ok(Err(format!(
            "{} of {} interfaces {}: {names:?}",
            names.len(),
            args.count,
            args.pattern
        )))
    })
}

/// Waits for an interface to appear.
pub fn appear(name: &str) -> Result<()> {
    wait(TIMEOUT, || {
        Ok(match fs::exists(format!("/sys/class/net/{name}"))? {
            true => Ok(()),
            false => Err(format!("no interface {name}")),
        })
    })
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Up,
    Down,
}

#[derive(clap::Args)]
pub struct CarrierArgs {
    /// Name of the interface, which must be up (administratively)
    name: String,
    /// The carrier to wait for
    #[arg(long, value_enum, default_value = "up")]
    state: State,
    /// Seconds to wait
    #[arg(long, default_value_t = TIMEOUT)]
    timeout: u64,
}

pub fn wait_carrier(args: &CarrierArgs) -> Result<()> {
    let path = format!("/sys/class/net/{}/carrier", args.name);
    wait(args.timeout, || {
        let carrier = match fs::read_to_string(&path) {
            Ok(text) => text.trim() == "1",
            // The kernel's error while the interface is down.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => false,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Err(format!("no interface {}", args.name)));
            }
            Err(error) => return Err(error),
        };
        Ok(if carrier == matches!(args.state, State::Up) {
            Ok(())
        } else {
            Err(format!(
                "carrier of {} is {}",
                args.name,
                if carrier { "up" } else { "down" }
            ))
        })
    })
}

/// Waits for the carrier of an interface that is up.
pub fn carrier(name: &str) -> Result<()> {
    wait_for_carrier(name, true)
}

/// Waits until an interface has a carrier, or has none.
pub fn wait_for_carrier(name: &str, on: bool) -> Result<()> {
    wait_carrier(&CarrierArgs {
        name: name.to_owned(),
        state: if on { State::Up } else { State::Down },
        timeout: TIMEOUT,
    })
}

/// Waits for a state of an interface's carrier.
pub fn carrier_is(name: &str, up: bool, timeout: u64) -> Result<()> {
    wait_carrier(&CarrierArgs {
        name: name.to_owned(),
        state: if up { State::Up } else { State::Down },
        timeout,
    })
}

/// Calls `check` now and after each change of a link, until it succeeds or the time is over.
fn wait(seconds: u64, mut check: impl FnMut() -> io::Result<Result<(), String>>) -> Result<()> {
    // Subscribed before the first check, so that no change is missed.
    let links = [Events::links()?];
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        let Err(state) = check()? else { return Ok(()) };
        let left = end.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "after {seconds} s: {state}");
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        events::changed(&links, left)?;
    }
}
