// SPDX-License-Identifier: GPL-2.0

//! Samples what the processors of a machine do.

mod machine;
mod register;
mod subject;
mod table;

use std::{ffi::OsString, fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::Parser;

/// Samples what the processors of a machine do while its script says so, by QEMU's monitor, and counts
/// the samples by subject.
///
/// The script prints the lines `symbols NAME`, before those of /proc/kallsyms, `sample begin NAME-WAY`,
/// `sample end` and, at its end, `samples end`.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// System.map of the kernel
    #[arg(long)]
    system_map: PathBuf,
    /// The folder for profile.md and profile.json
    #[arg(long)]
    out: PathBuf,
    /// The command of the machine, which has a monitor
    #[arg(last = true, required = true)]
    line: Vec<OsString>,
}

fn main() -> Result<()> {
    let args = Args::parse();
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
