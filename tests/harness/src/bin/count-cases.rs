// SPDX-License-Identifier: GPL-2.0

//! Runs a script of tests, ends what it has started, and counts its cases.

use std::{
    ffi::OsString,
    io::Write,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result};
use clap::Parser;
use harness::{
    count::Counts,
    suite::verdict::End,
    supervise::{self, Ended},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    low_level::{emulate_default_handler, signal_name},
};

/// Runs a script of tests by bash, ends what it has started, and counts its cases.
///
/// The script writes a record of each case to the file that it finds in its environment, as
/// scripts/cases.sh does. The last line is "N passed, N failed"; the exit status is 0 if none
/// failed, one passed, and the script came to its end.
#[derive(Parser)]
#[command(name = "count-cases")]
struct Args {
    /// The script, and all that comes after it is the script's
    #[arg(
        value_name = "SCRIPT [ARG]",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    line: Vec<OsString>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    run(&args).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        println!("0 passed, 1 failed");
        ExitCode::FAILURE
    })
}

fn run(args: &Args) -> Result<ExitCode> {
    let records = tempfile::NamedTempFile::new()?;
    let mut command = Command::new("bash");
    command
        .args(&args.line)
        // A script that this one runs knows by the former that it has no part in the latter.
        .env("CAIF_COUNTER", std::process::id().to_string())
        .env("CAIF_RECORDS", records.path());
    let Ended { end, signal, left } = supervise::run(command)?;

    let mut counts = Counts::of(&String::from_utf8_lossy(&std::fs::read(records.path())?));
    drop(records);
    let mut out = String::new();
    for fault in &counts.faults {
        out += &format!("FAIL  {fault}\n");
    }
    let script = args.line.first().map(|script| script.display());
    let script = script.context("there is a script")?;
    if let Some(why) = counts.judge(end) {
        eprintln!("error: {script} {why}");
    }
    if !left.is_empty() {
        eprintln!("error: what {script} has started cannot be ended: {left:?}");
        counts.failed = counts.failed.max(1);
    }
    out += &format!("{} passed, {} failed\n", counts.passed, counts.failed);
    // Nobody may be there to read it.
    let told = std::io::stdout().write_all(out.as_bytes());

    // To those who started it, it was ended by the signal: a shell stops at ^C only then.
    let signal = signal.or_else(|| {
        let stops = |number: &i32| end == End::Killed(signal_name(*number).unwrap_or_default());
        [SIGINT, SIGTERM, SIGHUP].into_iter().find(stops)
    });
    if let Some(number) = signal {
        emulate_default_handler(number)?;
    }
    Ok(match end {
        End::Exited(status @ 1..=255) => ExitCode::from(status.try_into().unwrap_or(1)),
        _ if counts.failed == 0 && told.is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
