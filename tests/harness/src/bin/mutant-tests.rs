// SPDX-License-Identifier: GPL-2.0

//! Puts faults into the sources, one at a time, and names the test that catches each.

use std::{fs::File, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::{ArgAction, Parser, builder::NonEmptyStringValueParser};
use harness::mutants::{
    self, Options,
    patch::{Mutant, Refused, select},
    strays::end_strays,
    suites::{self, Suite},
    supervise::Supervisor,
};

/// Applies each patch of tests/mutants/*.patch to a copy of the checkout, in the cache, and runs the suites
/// that its header names until one fails; if none does, the other quick ones. The suites must pass without a
/// fault first.
#[derive(Parser)]
#[command(
    override_usage = "tests/mutants/run [OPTIONS]",
    args_override_self = true,
    disable_help_flag = true,
    verbatim_doc_comment
)]
#[command(after_help = after_help())]
struct Args {
    /// Print the mutants, with the suites that should catch them
    #[arg(long)]
    list: bool,
    /// Only this one; may be given more than once, and as a GLOB
    #[arg(long = "mutant", value_name = "NAME")]
    mutants: Vec<String>,
    /// End at the first mutant that is not caught
    #[arg(long, overrides_with = "keep_going")]
    stop: bool,
    /// Run them all (the default)
    #[arg(long)]
    keep_going: bool,
    /// Do not run again what an earlier run caught whose header names the same suites and whose sources,
    /// those of the suites included, were the same
    #[arg(long, verbatim_doc_comment)]
    resume: bool,
    /// How many are run side by side, 1 or 2
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    lanes: u8,
    /// Write the results to FILE as well
    #[arg(long, value_name = "FILE", value_parser = NonEmptyStringValueParser::new())]
    json: Option<String>,
    #[arg(
        long,
        value_name = "NAME",
        help = kernel_help(),
        env = "CAIF_TEST_KERNEL",
        hide_env = true,
        value_parser = NonEmptyStringValueParser::new()
    )]
    kernel: String,
    /// Print this
    #[arg(short, long, action = ArgAction::HelpLong)]
    help: Option<bool>,
    /// The checkout
    #[arg(long, env = "CAIF_TOP", hide = true)]
    top: PathBuf,
    /// The cache
    #[arg(long, env = "CAIF_CACHE", hide = true)]
    cache: PathBuf,
    /// Folder of the copies and of what was caught
    #[arg(long, env = "CAIF_MUTANTS", hide = true)]
    work: PathBuf,
}

fn kernel_help() -> String {
    let default = std::env::var("CAIF_TEST_KERNEL").unwrap_or_default();
    format!("The kernel of the suites that boot [default: {default}]")
}

fn after_help() -> String {
    format!(
        "The quick suites are {}.\n\
        A header is what precedes the patch: the lines Fault, Seen as, and one or more of\n  \
        Suite: NAME [FILTER...]\n\
        {}\
        A filter that catches nothing is followed by the whole suite, but for {}, of which\n\
        all takes too long. A patch that does not apply, or a mutant that does not build, is an\n\
        error and not caught. What a run that ended early had caught is known to --resume. The last line is\n\
        'N passed, N failed'; passed is caught. The exit status is 0 if all are.",
        Suite::QUICK.map(Suite::name).join(", "),
        suites::help(),
        Suite::ALL
            .into_iter()
            .filter(|suite| suite.is_long())
            .map(Suite::name)
            .collect::<Vec<_>>()
            .join(", "),
    )
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mutants = match select(&args.top.join("tests/mutants"), &args.mutants) {
        Ok(mutants) => mutants,
        Err(Refused::Unknown(name)) => {
            eprintln!("error: no mutant '{name}', see --list");
            return ExitCode::from(2);
        }
        Err(Refused::Bad(error)) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    if args.list {
        mutants
            .iter()
            .for_each(|mutant| println!("{}", mutant.line()));
        return ExitCode::SUCCESS;
    }
    let supervisor = Box::leak(Box::new(Supervisor::new(Duration::from_secs(10))));
    let result = run(args, &mutants, supervisor);
    end_strays();
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            // The status that a shell gives to a program that a signal ended.
            let signal = supervisor.interrupted().map(|signal| signal as u8);
            signal.map_or(ExitCode::FAILURE, |signal| ExitCode::from(128 + signal))
        }
    }
}

/// Runs the mutants. Returns whether all were caught.
fn run(args: Args, mutants: &[Mutant], supervisor: &'static Supervisor) -> Result<bool> {
    let json = args.json.as_ref().map(|path| {
        let file = File::create(path);
        file.with_context(|| format!("cannot write to {path}"))
    });
    let json = json.transpose()?;
    let _lock = mutants::lock(&args.cache)?;
    supervisor.catch_signals()?;
    let options = Options {
        top: args.top,
        cache: args.cache,
        work: args.work,
        kernel: args.kernel,
        lanes: args.lanes.into(),
        stop: args.stop,
        resume: args.resume,
    };
    let report = mutants::run(&options, mutants, supervisor)?;
    if let Some(file) = json {
        report.write_json(&file)?;
    }
    print!("\n{report}");
    Ok(report.sum().1 == 0)
}
