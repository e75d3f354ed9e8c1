// SPDX-License-Identifier: GPL-2.0

//! Runs the tests, all of them or the named parts, and sums up their counts.

use std::{
    collections::BTreeMap, io::Read, os::unix::net::UnixStream, path::PathBuf, process::ExitCode,
    sync::mpsc, thread, time::Duration,
};

use anyhow::{Context, Result};
use clap::Parser;
use harness::suite::{
    content,
    parts::{self, Part, Set},
    run::{Event, Runner},
    saved::{Contents, Saved},
};

/// Runs the tests, all of them or the named parts, two at a time, and sums up their counts.
///
/// Each part's output goes to a log of its own. A table with the time of each part comes at the
/// end, and the last line is "N passed, N failed"; the exit status is 0 if none failed.
#[derive(Parser)]
#[command(name = "tests/run")]
struct Args {
    /// Only these parts, and what they need
    part: Vec<String>,
    /// Everything, for a release, instead of each case once
    #[arg(long)]
    all: bool,
    /// Do not repeat parts that passed in an earlier run which was interrupted or had failures, if
    /// the files that they depend on are the same
    #[arg(long)]
    resume: bool,
    /// Print the parts and end
    #[arg(long)]
    list: bool,
    /// Write the table to a file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How many parts run at a time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    lanes: u8,
    /// The checkout
    #[arg(long, env = "CAIF_TOP", hide = true)]
    top: PathBuf,
    /// The cache
    #[arg(long, env = "CAIF_CACHE", hide = true)]
    cache: PathBuf,
    /// The architecture of the machine
    #[arg(long, env = "CAIF_ARCH", hide = true)]
    arch: String,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let set = if args.all { Set::Full } else { Set::Short };
    let parts = match parts::select(set, &args.arch, &args.part) {
        Ok(parts) => parts,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(2);
        }
    };
    if args.list {
        let parts = parts.iter().filter(|part| part.cases);
        parts.for_each(|part| println!("{:18} {}", part.name, part.what));
        return ExitCode::SUCCESS;
    }
    run(&args, set, &parts).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        println!("0 passed, 1 failed");
        ExitCode::FAILURE
    })
}

fn run(args: &Args, set: Set, parts: &[Part]) -> Result<ExitCode> {
    let suffix = if args.arch == "x86_64" {
        String::new()
    } else {
        format!("-{}", args.arch)
    };
    let mut saved = match args.resume {
        true => Some(state(args, set, parts, &suffix)?),
        false => None,
    };
    let (sender, receiver) = mpsc::channel();
    catch_signals(sender.clone())?;
    let runner = Runner {
        top: args.top.clone(),
        logs: args.cache.join("log"),
        set,
        content: content::of,
        lanes: args.lanes.into(),
        suffix,
        grace: Duration::from_secs(10),
    };
    let (report, over) = runner.run(parts, &mut saved, (&sender, &receiver))?;
    println!();
    if let Some(path) = &args.json {
        report.write_json(path)?;
    }
    let good = over && report.sum().1 == 0;
    if !over {
        let again = if args.resume {
            ", the next one goes on from there"
        } else {
            ""
        };
        println!("The run was interrupted{again}.");
    }
    if let Some(saved) = saved.as_mut().filter(|_| good) {
        saved.end()?;
    }
    print!("{report}");
    Ok(match (over, good) {
        (_, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::FAILURE,
        (false, _) => ExitCode::from(130),
    })
}

/// Returns the results of an earlier run; each set of parts has its own.
fn state(args: &Args, set: Set, parts: &[Part], suffix: &str) -> Result<Saved> {
    let name = if set == Set::Full { "test-all" } else { "test" };
    let path = args.cache.join(format!("state/{name}{suffix}.json"));
    let mut known = BTreeMap::new();
    let mut contents = Contents::new();
    for part in parts {
        let content = match known.get(part.reads) {
            Some(content) => String::clone(content),
            None => content::of(&args.top, part.reads)
                .context("--resume tells by git whether the sources are the same")?,
        };
        known.insert(part.reads, content.clone());
        contents.insert(part.name, content);
    }
    Ok(Saved::resume(&path, contents))
}

/// Passes SIGINT, SIGTERM and SIGHUP on to the run.
fn catch_signals(sender: mpsc::Sender<Event>) -> Result<()> {
    use signal_hook::{consts, low_level::pipe};
    let (mut reader, writer) = UnixStream::pair()?;
    for signal in [consts::SIGINT, consts::SIGTERM, consts::SIGHUP] {
        pipe::register(signal, writer.try_clone()?)?;
    }
    thread::spawn(move || {
        let mut byte = [0];
        while reader.read_exact(&mut byte).is_ok() && sender.send(Event::Interrupted).is_ok() {}
    });
    Ok(())
}
