// SPDX-License-Identifier: GPL-2.0

//! Prints the standard statistics of an interface, which busybox's `ip` does not.

use std::fs;

use anyhow::{Context, Result, ensure};

#[derive(clap::Args)]
pub struct Args {
    /// Names of interfaces
    #[arg(required = true)]
    names: Vec<String>,
    /// Fail if there were errors or drops
    #[arg(long)]
    clean: bool,
}

const WAYS: [&str; 2] = ["rx", "tx"];

pub fn run(args: &Args) -> Result<()> {
    println!(
        "{:10} {:>3} {:>12} {:>10} {:>8} {:>8}",
        "interface", "", "bytes", "packets", "errors", "dropped"
    );
    let mut faults = Vec::new();
    for name in &args.names {
        for way in WAYS {
            let read = |what| counter(name, &format!("{way}_{what}"));
            let (errors, dropped) = (read("errors")?, read("dropped")?);
            println!(
                "{name:10} {way:>3} {:>12} {:>10} {errors:>8} {dropped:>8}",
                read("bytes")?,
                read("packets")?
            );
            if errors != 0 || dropped != 0 {
                faults.push(format!("{name}: {way} errors {errors}, dropped {dropped}"));
            }
        }
    }
    ensure!(!args.clean || faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}

/// Returns one of an interface's statistics.
pub fn counter(name: &str, what: &str) -> Result<u64> {
    let path = format!("/sys/class/net/{name}/statistics/{what}");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    text.trim()
        .parse()
        .with_context(|| format!("{path}: {text:?}"))
}
