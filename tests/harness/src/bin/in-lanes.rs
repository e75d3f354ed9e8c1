// SPDX-License-Identifier: GPL-2.0

//! Runs the jobs of a script, some at a time.

use std::{
    ffi::OsString,
    fs::File,
    io::Write,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
};

use anyhow::{Context, Result};
use clap::Parser;
use harness::{
    process::end_with_us,
    suite::plan::{self, Job, Next, State},
};

/// Runs jobs, some at a time, and prints a line for each that has ended: its name and its exit
/// status, as the shell counts it.
///
/// They are started in their order. All are killed if this program is ended.
#[derive(Parser)]
#[command(name = "in-lanes")]
struct Args {
    /// How many run at a time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    lanes: u8,
    /// What a job prints goes to a file of this name, with the job's at its end and .log
    #[arg(long, value_name = "PATH")]
    logs: PathBuf,
    /// A name, or NAME=OTHER for one that waits until the other has ended
    #[arg(required = true)]
    job: Vec<String>,
    /// What starts a job, which gets the name as its last argument
    #[arg(last = true, required = true)]
    line: Vec<OsString>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let names: Vec<_> = args
        .job
        .iter()
        .map(|job| job.split_once('=').unwrap_or((job, "")))
        .collect();
    let jobs: Vec<_> = names
        .iter()
        .map(|(_, other)| Job {
            needs: names
                .iter()
                .position(|(name, _)| name == other)
                .into_iter()
                .collect(),
            alone: false,
        })
        .collect();
    let mut states = vec![State::Waiting; jobs.len()];
    let (sender, receiver) = mpsc::channel();
    loop {
        match plan::next(&jobs, &states, args.lanes.into()) {
            Next::Start(at) => {
                let child = start(&args, names[at].0)?;
                states[at] = State::Running;
                let sender = sender.clone();
                thread::spawn(move || wait(child, at, &sender));
            }
            // None is skipped: one that waits for another does so whatever comes of that.
            Next::Skip(at) => states[at] = State::Good,
            Next::Over => return Ok(()),
            Next::Wait => {
                let (at, status) = receiver.recv()?;
                let status = status?;
                let code = status.code().or(status.signal().map(|signal| 128 + signal));
                states[at] = State::Good;
                writeln!(std::io::stdout(), "{} {}", names[at].0, code.unwrap_or(255))?;
            }
        }
    }
}

fn start(args: &Args, name: &str) -> Result<Child> {
    let mut path = args.logs.clone().into_os_string();
    path.push(format!("{name}.log"));
    let log = File::create(&path).with_context(|| path.display().to_string())?;
    let (program, arguments) = args.line.split_first().context("there is no command")?;
    let mut command = Command::new(program);
    command.args(arguments).arg(name);
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    end_with_us(&mut command);
    command
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))
}

fn wait(mut child: Child, at: usize, sender: &mpsc::Sender<(usize, std::io::Result<ExitStatus>)>) {
    // The receiver is gone if the program ends.
    let _ = sender.send((at, child.wait()));
}
