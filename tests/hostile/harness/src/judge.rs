// SPDX-License-Identifier: GPL-2.0

//! Runs a case and judges its result.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use hostile::{
    catalogue::{Case, Count, Flavour, Verdict},
    execute::Counters,
    protocol::Request,
    step::Step,
};
use nix::sys::signal::Signal;

use crate::machine::Machine;

/// The text of remoteproc's line about a reported crash.
const CRASH: &str = "crash detected in";

/// The text of the guest's lines about reports.
const MARK: &str = "guest-tool: mark";

/// The result of a case.
pub struct Outcome {
    pub verdict: Verdict,
    /// The counters that moved, or the line of the log.
    pub seen: String,
    /// The reasons of its failure.
    pub faults: Vec<String>,
}

/// A running case.
struct Run<'a> {
    machine: &'a mut Machine,
    case: &'a Case,
    /// The length of the kernel's log when the case began.
    mark: usize,
    /// The last known boot and number of links: steps wait for new ones after these.
    seen: (Option<u32>, u32),
}

/// Runs a case. An error means that the machine cannot be used for further cases.
pub fn run(machine: &mut Machine, case: &Case, flavour: Flavour) -> Result<Outcome> {
    if !case.stack {
        machine.use_stack(false).context("without the stack")?;
    }
    machine
        .use_firmware(flavour.firmware())
        .and_then(|()| machine.use_stack(case.stack))
        .context("before the case")?;
    let mark = machine.kernel.mark();
    let seen = machine.modem.state()?;
    let mut run = Run {
        machine,
        case,
        mark,
        seen,
    };
    let mut outcome = if case.refused {
        run.refused()?
    } else if case.firmware.is_some() {
        run.machine.switch_firmware(&case.name)?;
        run.machine.modem.demand(&Request::WaitLink(None, seen.1))?;
        run.seen = run.machine.modem.state()?;
        run.faulty()?
    } else {
        run.faulty()?
    };
    if case.restart {
        run.machine.restart().context("after the case")?;
    }
    if case.firmware.is_some() {
        run.machine
            .use_firmware(flavour.firmware())
            .and_then(|()| run.machine.report())
            .context("with good firmware again")?;
    }
    let bad = run.machine.complaints(&case.allow);
    if !bad.is_empty() {
        outcome
            .faults
            .push(format!("the kernel complains:\n{}", bad.join("\n")));
    }
    if !bad.is_empty() || (!outcome.faults.is_empty() && outcome.verdict != Verdict::Wedged) {
        outcome.verdict = Verdict::Failed;
    }
    Ok(outcome)
}

impl Run<'_> {
    /// Boots firmware that must be refused, with one line and no interface.
    fn refused(&mut self) -> Result<Outcome> {
        let text = self.case.log.clone().unwrap_or_default();
        self.machine.try_bad_firmware(&self.case.name)?;
        let mut faults = Vec::new();
        if let Err(error) = self.machine.says(self.mark, &text) {
            faults.push(format!("{error:#}"));
        }
        let links = self
            .machine
            .guest
            .ok("ls /sys/class/net | grep cfvrt || true")?;
        if !links.is_empty() {
            faults.push(format!("there is an interface: {links}"));
        }
        self.check_log(&mut faults);
        Ok(Outcome {
            verdict: Verdict::Pass,
            seen: text,
            faults,
        })
    }

    /// Executes the steps, and checks that frames pass afterwards.
    fn faulty(&mut self) -> Result<Outcome> {
        // There are many cases about the stack, and they leave nothing behind.
        let before = match self.machine.last_report.take() {
            Some(last) if self.case.stack => last,
            _ => self.machine.report().context("before the case")?,
        };
        let boot = self.seen.0;
        self.mark = self.machine.kernel.mark();
        let mut faults = Vec::new();
        let steps = self.steps();
        let after = steps.and_then(|()| {
            if self.case.stack {
                self.close_all(&before, &mut faults)?;
            }
            self.settle(boot)
        });
        let after = match after {
            Ok(after) => Some(after),
            Err(error) => {
                faults.push(format!("{error:#}"));
                if self.case.stack {
                    // Further errors follow from the first fault.
                    let _ = self
                        .machine
                        .modem
                        .demand(&Request::Step(Box::new(Step::CloseAll {})));
                }
                // Waits for a recovery that was not expected.
                self.machine
                    .modem
                    .demand(&Request::Step(Box::new(Step::Calm {})))
                    .and_then(|()| self.machine.modem.demand(&Request::WaitLink(None, 0)))
                    .and_then(|()| self.machine.report())
                    .ok()
            }
        };
        let Some(after) = after else {
            return Ok(Outcome {
                verdict: Verdict::Wedged,
                seen: String::new(),
                faults,
            });
        };
        let verdict = if self.machine.modem.state()?.0 == boot {
            Verdict::Pass
        } else {
            Verdict::Recovered
        };
        let mut seen = self.check_counters(&before, &after, verdict, &mut faults);
        if self.case.stack {
            self.check_memory("at the end", &before, &after, &mut faults);
        }
        self.check_log(&mut faults);
        if let Some(text) = &self.case.log {
            seen.push(text.clone());
        }
        self.machine.last_report = Some(after);
        Ok(Outcome {
            verdict,
            seen: seen.join(", "),
            faults,
        })
    }

    fn steps(&mut self) -> Result<()> {
        self.case
            .steps
            .iter()
            .enumerate()
            .try_for_each(|(at, step)| {
                self.step(step).with_context(|| {
                    let text = serde_json::to_string(step).unwrap_or_default();
                    format!("step {}, {text}", at + 1)
                })
            })
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        let machine = &mut *self.machine;
        match step {
            Step::NewBoot {} => {
                let (boot, _) = self.seen;
                machine.modem.demand(&Request::WaitLink(boot, 0))?;
                self.seen = machine.modem.state()?;
            }
            Step::NewLink {} => {
                let (_, links) = self.seen;
                machine.modem.demand(&Request::WaitLink(None, links))?;
                self.seen = machine.modem.state()?;
            }
            Step::Kill {} => machine.modem.process.kill()?,
            Step::Start {} => machine.modem.restart()?,
            Step::Freeze {} => machine.modem.process.signal(Signal::SIGSTOP)?,
            Step::Thaw {} => machine.modem.process.signal(Signal::SIGCONT)?,
            Step::Stable {} => {
                /// Recoveries that may be under way.
                const TRIES: u32 = 20;
                let mut result = machine.report();
                for _ in 0..TRIES {
                    if result.is_ok() {
                        break;
                    }
                    machine.modem.demand(&Request::WaitLink(None, 0))?;
                    result = machine.report();
                }
                result?;
                self.seen = machine.modem.state()?;
            }
            Step::Reboot {} => machine.reboot()?,
            Step::Rebind { fails } => machine.rebind(*fails)?,
            Step::Guest { run } => drop(machine.guest.ok(run)?),
            Step::Log { text } => machine.says(self.mark, text)?,
            step => machine
                .modem
                .demand(&Request::Step(Box::new(step.clone())))?,
        }
        Ok(())
    }

    /// Waits until the link is in the expected state, and passes a frame each way.
    fn settle(&mut self, boot: Option<u32>) -> Result<Counters> {
        if self.case.expect == Verdict::Recovered {
            self.machine.modem.demand(&Request::WaitLink(boot, 0))?;
        } else {
            self.machine
                .modem
                .demand(&Request::Step(Box::new(Step::Returned {})))?;
        }
        self.machine.report()
    }

    /// Checks the memory that the case has used, and closes all its sockets.
    fn close_all(&mut self, before: &Counters, faults: &mut Vec<String>) -> Result<()> {
        let held = self.machine.report()?;
        self.check_memory("with its sockets", before, &held, faults);
        let close = Request::Step(Box::new(Step::CloseAll {}));
        self.machine.modem.demand(&close)
    }

    fn check_memory(
        &self,
        when: &str,
        before: &Counters,
        now: &Counters,
        faults: &mut Vec<String>,
    ) {
        let (Some(before), Some(now)) = (before.get("memory"), now.get("memory")) else {
            faults.push("the guest does not say how much memory is used".into());
            return;
        };
        let more = now.saturating_sub(*before);
        if more > self.case.memory {
            faults.push(format!(
                "{when} {more} KiB more are used, at most {} may",
                self.case.memory
            ));
        }
    }

    fn check_counters(
        &self,
        before: &Counters,
        after: &Counters,
        verdict: Verdict,
        faults: &mut Vec<String>,
    ) -> Vec<String> {
        let mut seen = Vec::new();
        let value = |counters: &Counters, name: &str| counters.get(name).copied().unwrap_or(0);
        // A new interface's counters begin at 0.
        let same = value(before, "ifindex") == value(after, "ifindex");
        let delta = |name: &str, from_zero: bool| {
            let start = if from_zero { 0 } else { value(before, name) };
            value(after, name).wrapping_sub(start)
        };
        let mut check = |name: &str, want: Option<Count>, from_zero: bool| {
            let moved = delta(name, from_zero);
            if !want.unwrap_or(Count::Exactly(0)).allows(moved) {
                faults.push(format!("{name} moved by {moved}, want {want:?}"));
            }
            if moved != 0 {
                seen.push(format!("{name} +{moved}"));
            }
        };
        for name in ["good", "torn", "foreign"] {
            check(name, self.case.frames.get(name).copied(), false);
        }
        if verdict == Verdict::Pass {
            let names: BTreeSet<_> = [before, after]
                .into_iter()
                .flat_map(Counters::keys)
                .chain(self.case.counters.keys())
                .filter(|name| name.contains("error") || name.contains("dropped"))
                // The standard counter is the sum of the others.
                .filter(|name| *name != "rx_errors" || self.case.counters.contains_key(*name))
                .collect();
            for name in names {
                check(name, self.case.counters.get(name).copied(), !same);
            }
        }
        seen
    }

    fn check_log(&self, faults: &mut Vec<String>) {
        let lines = self.machine.kernel.since(self.mark);
        let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count() as u64;
        if let Some(text) = &self.case.log
            && count(text) != 1
        {
            let from = lines.len().saturating_sub(12);
            let last = lines.get(from..).unwrap_or_default().join("\n");
            faults.push(format!(
                "{} lines have {text:?}; the last ones are\n{last}",
                count(text)
            ));
        }
        let others = lines.iter().filter(|line| !line.contains(MARK)).count() as u64;
        if self.case.stack && others > self.case.lines {
            faults.push(format!(
                "{others} lines in the log, at most {} may be",
                self.case.lines
            ));
        }
        let crashes = count(CRASH);
        let want = match self.case.expect {
            Verdict::Recovered => self.case.recoveries,
            _ => Count::Exactly(0),
        };
        if !want.allows(crashes) {
            faults.push(format!("{crashes} crashes reported, want {want:?}"));
        }
    }
}

/// Checks that there are cases and that each of them is run.
pub fn check(cases: &[Case]) -> Result<()> {
    ensure!(!cases.is_empty(), "there are no cases");
    for case in cases {
        if case.flavours.is_empty() {
            bail!("{} is never run", case.name);
        }
    }
    Ok(())
}
