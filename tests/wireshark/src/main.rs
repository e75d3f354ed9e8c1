// SPDX-License-Identifier: GPL-2.0

//! Makes captures, and files that say what a dissector must make of each frame.

#![forbid(unsafe_code)]

mod capture;
mod catalogue;
mod ip;
mod mutations;
mod odd;
mod oracle;
mod services;

use std::{fs, path::PathBuf};

use anyhow::{Result, ensure};
use clap::Parser;

/// Makes captures: NAME.pcapng, and NAME.marks with a line for each frame.
#[derive(Parser)]
struct Args {
    /// The folder for them
    #[arg(long)]
    out: PathBuf,
    /// The hostile modem's catalogue
    #[arg(long)]
    catalogue: PathBuf,
    /// How many frames with random faults there are
    #[arg(long, default_value_t = 6000)]
    mutated: usize,
    /// Seed of the random faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let services = services::capture()?;
    let odd = odd::capture()?;
    let catalogue = catalogue::capture(&args.catalogue)?;
    ensure!(
        catalogue.links.len() > 100,
        "the catalogue has only {} cases with frames",
        catalogue.links.len()
    );
    // Often those in which all is right, so that there is something to break.
    let all = [&services, &services, &odd, &catalogue, &catalogue];
    let mutated = mutations::capture(&all, args.mutated, args.seed);
    let cut = mutations::cut(&services, args.seed);
    for (name, capture) in [
        ("services", &services),
        ("odd", &odd),
        ("catalogue", &catalogue),
        ("mutated", &mutated),
        ("cut", &cut),
    ] {
        capture.write(&args.out.join(name).with_extension("pcapng"))?;
        let marks = args.out.join(name).with_extension("marks");
        fs::write(marks, oracle::lines(capture))?;
        println!(
            "{name}: {} frames, {} links",
            capture.frames.len(),
            capture.links.len()
        );
    }
    Ok(())
}
