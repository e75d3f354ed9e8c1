// SPDX-License-Identifier: GPL-2.0

//! A user that makes random calls of all interfaces of CAIF: sockets, rtnetlink, packets, links,
//! namespaces and the module.
//!
//! Each task is a process. Its calls follow from the seed and its number, so that a run can be
//! repeated, except for effects between the tasks. The program fails at a fault: a call that
//! succeeds and must not, an error that is not for users, corrupted data, a task that does not end.
//! The caller checks the log and the memory.

mod counts;
mod faults;
mod interfaces;
mod links;
mod messages;
mod netlink;
mod options;
mod packets;
mod sockets;
mod task;
mod tun;

use std::{
    fs,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;
use nix::{
    poll::PollTimeout,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::events;
use counts::Shared;
use task::Task;

/// Time for a task to end once its run is over: one that waits for a modem is interrupted by a
/// signal, but the machine may be slow.
const GRACE: Duration = Duration::from_secs(60);
/// Time for calls that must succeed.
const LIMIT: Duration = Duration::from_secs(600);

fn parse_want(text: &str) -> Result<(String, u32), String> {
    let parts = text.rsplit_once('=').ok_or("want NAME=NUMBER")?;
    let number = parts
        .1
        .parse()
        .map_err(|error| format!("{text}: {error}"))?;
    Ok((parts.0.to_owned(), number))
}

#[derive(clap::Args)]
pub struct Args {
    /// Seed of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds of the run
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// A call that must succeed a number of times, as NAME=NUMBER; the run continues until then,
    /// for ten minutes at most. May be repeated
    #[arg(long, value_parser = parse_want)]
    want: Vec<(String, u32)>,
    /// Tasks that use sockets
    #[arg(long, default_value_t = 3)]
    tasks: u64,
    /// Actions; all if not given
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<Part>,
    /// The link
    #[arg(long, default_value = "cfvrt0")]
    link: String,
    /// The file of the stack's module, to remove and load it
    #[arg(long)]
    module: Option<String>,
    /// Let one allocation fail, in every fourth call
    #[arg(long)]
    faults: bool,
    /// Let one in fifty of the stack's own allocations fail as well
    #[arg(long, requires = "faults")]
    stack_faults: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Sockets,
    Interfaces,
    Packets,
    Links,
    Tun,
}

/// The parameters of tasks.
#[derive(Clone)]
pub struct World {
    link: String,
    module: Option<String>,
    faults: bool,
}

type Run = Box<dyn FnOnce(&mut Task) -> Result<()>>;

pub fn run(args: &Args) -> Result<()> {
    let shared = Shared::new()?;
    let world = World {
        link: args.link.clone(),
        module: args.module.clone(),
        faults: args.faults,
    };
    let has = |part| args.parts.is_empty() || args.parts.contains(&part);
    let mut runs: Vec<(String, Run)> = Vec::new();
    if has(Part::Sockets) {
        for number in 0..args.tasks {
            runs.push((format!("sockets {number}"), Box::new(sockets::run)));
        }
    }
    if has(Part::Interfaces) {
        for number in 0..2 {
            let run = move |task: &mut Task| interfaces::run(task, number);
            runs.push((format!("interfaces {number}"), Box::new(run)));
        }
    }
    if has(Part::Packets) {
        runs.push(("packets".to_owned(), Box::new(packets::run)));
    }
    if has(Part::Links) {
        runs.push(("links".to_owned(), Box::new(links::run)));
    }
    if has(Part::Tun) {
        runs.push(("tun".to_owned(), Box::new(tun::run)));
    }
    println!("seed {}, {} tasks", args.seed, runs.len());
    let faults = args
        .faults
        .then(|| faults::Faults::begin(args.stack_faults));
    let faults = faults.transpose()?;
    let mut running = Vec::new();
    for (index, (name, run)) in runs.into_iter().enumerate() {
        let seed = args.seed.wrapping_mul(1_000_003).wrapping_add(index as u64);
        let mut task = Task::new(seed, shared, &world)?;
        let child = task.spawn(|task| {
            *task = Task::new(seed, shared, &world).unwrap_or_else(|error| {
                println!("{error:#}");
                std::process::exit(1)
            });
            if let Err(error) = run(task) {
                shared.fault(&format!("{error:#}"));
            }
        })?;
        running.push((name, child));
    }
    let start = Instant::now();
    let mut missing;
    loop {
        // Tasks count without a system call, so that nothing tells of a count that is enough.
        std::thread::sleep(Duration::from_millis(50));
        let totals = shared.totals();
        let well = |name: &str| totals.get(name).map_or(0, |(_, well)| *well);
        missing = args.want.clone();
        missing.retain(|(name, number)| well(name) < *number);
        let is_over = start.elapsed() >= Duration::from_secs(args.seconds);
        if (is_over && missing.is_empty()) || start.elapsed() >= LIMIT || shared.faults() > 0 {
            break;
        }
    }
    shared.over.store(true, Ordering::Relaxed);
    wait(shared, running, Instant::now() + GRACE);
    drop(faults);
    println!("{:36} {:>7} {:>7}", "call", "made", "well");
    print!("{}", shared.table());
    ensure!(missing.is_empty(), "too few that succeeded of: {missing:?}");
    ensure!(shared.faults() == 0, "{} faults", shared.faults());
    Ok(())
}

#[derive(clap::Args)]
pub struct AtOnceArgs {
    /// The interface
    name: String,
}

/// Sets an interface up, which must not wait for its modem. Only a slow machine needs more than one
/// attempt.
pub fn at_once(args: &AtOnceArgs) -> Result<()> {
    // Half of the time for which root waits.
    const LIMIT: Duration = Duration::from_millis(500);
    for _ in 0..3 {
        let up = crate::link::Request::up(&args.name)?;
        let start = Instant::now();
        up.send()?;
        let took = start.elapsed();
        if took < LIMIT {
            return Ok(());
        }
        println!("setting it up takes {took:?}");
        crate::link::Request::down(&args.name)?.send()?;
    }
    bail!("it waits");
}

#[derive(clap::Args)]
pub struct InterruptedArgs {
    /// The interface
    name: String,
}

/// Sets an interface up, which a signal interrupts. The kernel's answer must be that it is up.
pub fn interrupted(args: &InterruptedArgs) -> Result<()> {
    let world = World {
        link: String::new(),
        module: None,
        faults: false,
    };
    let mut task = Task::new(1, Shared::new()?, &world)?;
    let errno = |errno| anyhow::anyhow!("error {errno}");
    let rtnl = netlink::Rtnl::new(&task).map_err(errno)?;
    task.alarm_every(100_000);
    rtnl.set_up(&mut task, counts::Call::Up, &args.name, true)
        .map_err(errno)
}

/// Waits for all tasks. One that does not end is a fault: where it is stuck is printed.
fn wait(shared: &Shared, mut running: Vec<(String, Pid)>, end: Instant) {
    let mut told = false;
    loop {
        running.retain(
            |(name, pid)| match waitpid(*pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::EINTR) => true,
                Ok(WaitStatus::Exited(_, 0)) => false,
                ended => {
                    shared.fault(&format!("{name} ended: {ended:?}"));
                    false
                }
            },
        );
        if running.is_empty() {
            break;
        }
        if Instant::now() > end && !told {
            told = true;
            for (name, pid) in &running {
                let stack = fs::read_to_string(format!("/proc/{pid}/stack")).unwrap_or_default();
                let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
                shared.fault(&format!("{name} does not end: {call}{stack}"));
                let _ = kill(*pid, Signal::SIGKILL);
            }
        }
        if Instant::now() > end + GRACE {
            break;
        }
        let limit = if told { end + GRACE } else { end };
        let left = limit.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let ends = running.iter().filter_map(|(_, pid)| {
            let pid = pid.as_raw().cast_unsigned();
            events::end_of(pid).ok().flatten()
        });
        // The next round sees what happened.
        let _ = events::readable(&ends.collect::<Vec<_>>(), left);
    }
}
