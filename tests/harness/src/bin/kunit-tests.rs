// SPDX-License-Identifier: GPL-2.0

//! Boots a machine that runs the KUnit suites, and prints the result of each case.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use harness::{ktap, process::Process};

/// Runs KUnit suites in QEMU, and prints one line for each case.
///
/// The last line is "N passed, N failed"; the exit status is 0 if none failed.
#[derive(Parser)]
struct Args {
    /// Only this suite, or this SUITE.CASE
    only: Option<String>,
    /// Seconds after which the machine is stopped
    #[arg(long, default_value_t = 900)]
    timeout: u64,
    /// Source files with suites
    #[arg(long = "source", required = true)]
    sources: Vec<PathBuf>,
    /// The script that starts QEMU
    #[arg(long, env = "CAIF_RUN_VM")]
    run_vm: PathBuf,
    /// Root file system of the machine, whose init runs the suites
    #[arg(long, env = "CAIF_INITRAMFS")]
    initramfs: PathBuf,
    /// Folder for the logs
    #[arg(long, env = "CAIF_TEST_LOGS")]
    logs: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            println!("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<bool> {
    let mut cases = Vec::new();
    for path in &args.sources {
        let source = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        cases.extend(ktap::cases(&source));
    }
    let mut command = Command::new(&args.run_vm);
    if let Some(only) = &args.only {
        let all = suites(&cases);
        cases.retain(|case| case == only || case.split('.').next() == Some(only));
        ensure!(
            !cases.is_empty(),
            "no suite or case {only}, the suites are: {}",
            all.join(" ")
        );
    }
    // The kernel's own suites are left out.
    let glob = args.only.as_deref().unwrap_or("caif_*");
    command.args(["--append", &format!("kunit.filter_glob={glob}")]);
    command.arg(&args.initramfs);
    eprintln!("==> running {} cases in QEMU", cases.len());
    std::fs::create_dir_all(&args.logs)?;
    let start = Instant::now();
    let mut machine = Process::start("console", command, &args.logs)?;
    let status = machine.exited(Duration::from_secs(args.timeout));
    if status.is_none() {
        machine.kill()?;
    }
    eprintln!(
        "==> the machine ran for {} s, its log is {}",
        start.elapsed().as_secs(),
        args.logs.join("console.log").display()
    );
    let lines = machine.output.all();
    let mut report = ktap::read(&cases, lines.iter().map(String::as_str));
    match status {
        None => {
            let limit = args.timeout;
            let what = format!("the machine still ran after {limit} s and was stopped");
            report.failed.push(what);
        }
        Some(status) if !status.success() => {
            report.failed.push(format!("the machine ended by {status}"));
        }
        Some(_) => {}
    }
    print!("{report}");
    Ok(report.failed.is_empty() && !report.passed.is_empty())
}

/// Returns the suites of cases, each once.
fn suites(cases: &[String]) -> Vec<String> {
    let suites = cases.iter().filter_map(|case| case.split('.').next());
    let mut suites: Vec<_> = suites.map(str::to_owned).collect();
    suites.dedup();
    suites
}
