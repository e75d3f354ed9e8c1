// SPDX-License-Identifier: GPL-2.0

//! Samples what the processors of a machine do.

mod machine;
mod register;
mod subject;
mod table;

use std::fs;

use anyhow::{Context, Result};
use bench_report::console::Job;
use clap::Parser;

/// Samples what the processors of a machine do while its script says so, by QEMU's monitor, and counts
/// the samples by subject.
///
/// The script prints the lines `symbols NAME`, before those of /proc/kallsyms, `sample begin NAME-WAY`,
/// `sample end` and, at its end, `samples end`.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    job: Job,
}

fn main() -> Result<()> {
    let args = Args::parse().job;
    fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let sampled = machine::run(&args.line)?;
    let columns = table::columns(&args.system_map, &sampled)?;
    let table = table::markdown(&columns);
    print!("{table}");
    fs::write(args.out.join("profile.md"), table)?;
    fs::write(
        args.out.join("profile.json"),
        serde_json::to_vec_pretty(&table::json(&columns))?,
    )?;
    Ok(())
}
