// SPDX-License-Identifier: GPL-2.0

//! Repeats crashes, rebinds and failing allocations under traffic, and checks the kernel's memory;
//! `Args` is the command line.

mod crash;
mod cycles;
mod failing;
mod memory;
mod report;
mod user;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use harness::{config::Place, klog, leaks, vm::Vm};

use memory::Watch;
use report::{Outcome, Row};

/// Puts driver and stack through crashes, rebinds and failing memory, many times, under traffic.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Run as many cycles as fit into a few minutes
    #[arg(long)]
    short: bool,
    /// Run this many cycles of each phase
    #[arg(long)]
    cycles: Option<u32>,
    /// Run only this phase, or the phases of this group; may be repeated
    #[arg(long)]
    phase: Vec<String>,
    /// Run all phases but this one, or those of this group; may be repeated
    #[arg(long)]
    without: Vec<String>,
    /// Write the results to a file as well
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Args {
    /// Whether the phase is one of those to run.
    fn chooses(&self, phase: &Phase) -> bool {
        let named = |names: &[String]| names.iter().any(|name| phase.is(name));
        (self.phase.is_empty() || named(&self.phase)) && !named(&self.without)
    }
}

/// A phase: an operation that is repeated.
struct Phase {
    name: &'static str,
    what: &'static str,
    cycles: u32,
    /// 0: only if it is named.
    short: u32,
    run: fn(&mut Soak, u32) -> Result<Outcome>,
}

impl Phase {
    /// Whether this is the phase's name, or that of its group: `nomem` is that of `nomem-xmit`.
    fn is(&self, name: &str) -> bool {
        self.name == name
            || self
                .name
                .split_once('-')
                .is_some_and(|(group, _)| group == name)
    }
}

const PHASES: &[Phase] = &[
    Phase {
        name: "crash",
        what: "modem killed under traffic, recovered",
        cycles: 1000,
        short: 6,
        run: crash::run,
    },
    Phase {
        name: "updown",
        what: "interface down and up under traffic",
        cycles: 1000,
        short: 10,
        run: cycles::updown,
    },
    Phase {
        name: "rebind",
        what: "driver unbound and bound under traffic",
        cycles: 1000,
        short: 10,
        run: cycles::rebind,
    },
    Phase {
        name: "rmmod",
        what: "rmmod at every point of coming up, traffic, recovery",
        cycles: 300,
        short: 10,
        run: cycles::rmmod,
    },
    Phase {
        name: "interfaces",
        what: "interfaces made and deleted under traffic",
        cycles: 1000,
        short: 10,
        run: cycles::interfaces,
    },
    Phase {
        name: "sockets",
        what: "modem killed while sockets are opened and closed",
        cycles: 200,
        short: 3,
        run: crash::sockets,
    },
    Phase {
        name: "stack",
        what: "stack removed and loaded under traffic",
        cycles: 300,
        short: 3,
        run: cycles::stack,
    },
    Phase {
        name: "nomem-probe",
        what: "each allocation of the probe fails",
        cycles: 1,
        short: 1,
        run: failing::probe,
    },
    Phase {
        name: "nomem-open",
        what: "each allocation of bringing it up fails",
        cycles: 1,
        short: 1,
        run: failing::open,
    },
    Phase {
        name: "nomem-xmit",
        what: "each allocation of sending fails",
        cycles: 1,
        short: 1,
        run: failing::xmit,
    },
    Phase {
        name: "nomem-newlink",
        what: "each allocation of making an interface fails",
        cycles: 1,
        short: 1,
        run: failing::interface,
    },
    Phase {
        name: "nomem-ifup",
        what: "each allocation of bringing an interface up fails",
        cycles: 1,
        short: 1,
        run: failing::ifup,
    },
    Phase {
        name: "nomem-ip",
        what: "each allocation of sending over an interface fails",
        cycles: 1,
        short: 1,
        run: failing::ip,
    },
    Phase {
        name: "nomem-socket",
        what: "each allocation of a socket fails, up to its end",
        cycles: 1,
        short: 1,
        run: failing::socket,
    },
    Phase {
        name: "nomem-poll",
        what: "every other allocation of receiving fails",
        cycles: 1,
        short: 1,
        run: failing::poll,
    },
    Phase {
        name: "nomem-recovery",
        what: "a recovery fails with a good file, the board boots again",
        cycles: 20,
        short: 2,
        run: failing::recovery,
    },
    // Ten seconds each, an hour in all. The short ones are cases of the VM tests.
    Phase {
        name: "user-modem",
        what: "random calls, the modem answers",
        cycles: 80,
        short: 0,
        run: user::modem,
    },
    Phase {
        name: "user-noise",
        what: "random calls, the modem sends nonsense as well",
        cycles: 40,
        short: 0,
        run: user::noise,
    },
    Phase {
        name: "user-silence",
        what: "random calls, the modem is silent",
        cycles: 40,
        short: 0,
        run: user::silence,
    },
    Phase {
        name: "user-nomem",
        what: "random calls whose allocations fail",
        cycles: 60,
        short: 0,
        run: user::faults,
    },
    Phase {
        name: "user-nomem-stack",
        what: "random calls, and the stack's allocations fail",
        cycles: 60,
        short: 0,
        run: user::stack_faults,
    },
    Phase {
        name: "user-links",
        what: "random calls while links and the stack come and go",
        cycles: 60,
        short: 0,
        run: user::links,
    },
    Phase {
        name: "user-tun",
        what: "random calls with a tun as the modem",
        cycles: 40,
        short: 0,
        run: user::tun,
    },
];

/// The machine, and the position up to which its log was checked.
pub struct Soak {
    /// The machine.
    pub vm: Vm,
    mark: usize,
}

impl Soak {
    /// Checks the kernel's log since the last call for complaints.
    pub fn check_log(&mut self) -> Result<()> {
        let sync = format!("soak: mark {}", self.mark);
        self.vm.guest.ok(&format!("echo '{sync}' >/dev/kmsg"))?;
        self.vm.kernel_says(self.mark, &sync)?;
        let lines = self.vm.kernel.since(self.mark);
        self.mark += lines.len();
        let bad = klog::bad_lines(&lines);
        ensure!(bad.is_empty(), "the kernel complains:\n{}", bad.join("\n"));
        Ok(())
    }

    /// Prints the progress of a phase.
    pub fn progress(&self, phase: &str, done: u32, of: u32) {
        eprintln!("  {phase}: {done} of {of}");
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{error:#}");
            println!("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<bool> {
    for name in args.phase.iter().chain(&args.without) {
        if !PHASES.iter().any(|phase| phase.is(name)) {
            let names: Vec<_> = PHASES.iter().map(|phase| phase.name).collect();
            bail!("no phase {name}, there are: {}", names.join(", "));
        }
    }
    if !PHASES.iter().any(|phase| args.chooses(phase)) {
        bail!("no phase is left to run");
    }
    let start = Instant::now();
    let mut rows = Vec::new();
    let mut soak = Soak {
        vm: Vm::boot(&args.place, 1, &args.place.logs).context("booting")?,
        mark: 0,
    };
    // No rate limit: each line about a fault is checked.
    soak.vm
        .guest
        .ok("echo 0 >/proc/sys/net/core/message_cost")?;
    leaks::scan_when_told(&mut soak.vm.guest)?;
    soak.vm.up()?;
    soak.vm.traffic()?;
    for phase in PHASES {
        if !args.chooses(phase) {
            continue;
        }
        if args.phase.is_empty() && args.short && phase.short == 0 {
            continue;
        }
        let row = run_phase(args, &mut soak, phase);
        eprintln!("{}", row.line());
        let over = row.fault.is_some();
        rows.push(row);
        // The next phase needs a machine in a known state.
        if over {
            break;
        }
    }
    let sound = rows.iter().all(|row| row.fault.is_none());
    if sound {
        rows.push(end(soak));
    }
    report::print(&rows);
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(&rows)?)
            .with_context(|| path.display().to_string())?;
    }
    let failed = rows.iter().filter(|row| row.fault.is_some()).count();
    println!(
        "{:.0} s, logs in {}",
        start.elapsed().as_secs_f32(),
        args.place.logs.display()
    );
    println!("{} passed, {failed} failed", rows.len() - failed);
    Ok(failed == 0)
}

fn run_phase(args: &Args, soak: &mut Soak, phase: &Phase) -> Row {
    let cycles = match (args.cycles, args.short) {
        // The sweeps end by themselves.
        (Some(cycles), _) if phase.cycles > 1 => cycles,
        (_, true) => phase.short,
        _ => phase.cycles,
    };
    let mut row = Row::new(phase.name, phase.what);
    let start = Instant::now();
    let result = (|| {
        // The first cycles make lasting allocations, so memory is measured after them.
        let warm = (cycles / 10).max(1);
        let outcome = (phase.run)(soak, warm)?;
        let watch = Watch::new(&mut soak.vm)?;
        let outcome = if cycles > warm {
            (phase.run)(soak, cycles - warm)?.with(outcome)
        } else {
            outcome
        };
        soak.vm.traffic().context("afterwards")?;
        let grown = watch.grown(&mut soak.vm, outcome.cycles)?;
        Ok((outcome, grown))
    })();
    // A complaint of the kernel is reported first, as the likely cause of the failure.
    let result = soak.check_log().and(result);
    row.seconds = start.elapsed().as_secs_f32();
    match result {
        Ok((outcome, grown)) => {
            row.outcome = outcome;
            row.grown_kib = Some(grown);
        }
        Err(error) => row.fault = Some(format!("{error:#}")),
    }
    row
}

/// Unloads everything, looks for leaks, and ends the machine.
fn end(mut soak: Soak) -> Row {
    let mut row = Row::new("afterwards", "no leak, all unloaded, no complaint");
    let start = Instant::now();
    let result = (|| {
        leaks::scan(&mut soak.vm.guest).context("with the modules loaded")?;
        soak.vm.unload()?;
        leaks::scan(&mut soak.vm.guest).context("with the modules removed")?;
        soak.check_log()?;
        soak.vm.shut_down()
    })();
    row.seconds = start.elapsed().as_secs_f32();
    row.outcome.cycles = 1;
    row.fault = result.err().map(|error| format!("{error:#}"));
    row
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{Args, PHASES};

    fn chosen(line: &[&str]) -> Vec<&'static str> {
        let place =
            ["run-vm", "initramfs", "modem-bin", "logs"].map(|name| format!("--{name}=none"));
        let line = ["soak-tests"]
            .iter()
            .chain(line)
            .map(|word| (*word).to_owned());
        let args = Args::try_parse_from(line.chain(place)).unwrap();
        let phases = PHASES.iter().filter(|phase| args.chooses(phase));
        phases.map(|phase| phase.name).collect()
    }

    #[test]
    fn a_group_and_all_without_it_are_all_phases() {
        let user = chosen(&["--phase", "user"]);
        assert!(user.iter().all(|name| name.starts_with("user-")) && user.len() > 1);
        let others = chosen(&["--without", "user"]);
        assert_eq!([others, user].concat(), chosen(&[]));
    }

    #[test]
    fn a_phase_is_not_those_that_begin_with_its_name() {
        assert_eq!(chosen(&["--phase", "user-nomem"]), ["user-nomem"]);
        assert_eq!(chosen(&["--phase", "stack"]), ["stack"]);
        assert!(chosen(&["--phase", "user", "--without", "user"]).is_empty());
    }
}
