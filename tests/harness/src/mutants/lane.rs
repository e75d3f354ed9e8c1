// SPDX-License-Identifier: GPL-2.0

//! A lane: puts mutants into its copy, one at a time, and runs suites until one catches them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    failures::{failures, ran},
    patch::{Mutant, Spec},
    queue::{Queue, first_specs},
    report::{Caught, MutantRow},
    suites::Suite,
    supervise::{Outcome, Supervisor},
    tree,
    workspace::Workspace,
};
use crate::suite::{logs::last_line, verdict::End};

/// What the lanes share.
pub struct Shared<'a> {
    /// The cache of the checkout.
    pub cache: &'a Path,
    /// Folder of the copies, their caches, and the logs.
    pub work: &'a Path,
    /// The copy of the checkout that no lane changes, and its files.
    pub source: &'a Path,
    pub files: &'a [PathBuf],
    pub kernel: &'a str,
    pub supervisor: &'a Supervisor,
    /// The mutants that are run.
    pub open: &'a [&'a Mutant],
    pub queue: &'a Queue,
    /// Called with each result.
    pub done: &'a (dyn Fn(&Mutant, &MutantRow) -> Result<()> + Sync),
    /// Whether the lanes end at a mutant that is not caught.
    pub stop: bool,
}

pub struct Lane<'a> {
    shared: &'a Shared<'a>,
    number: usize,
    workspace: Workspace,
}

/// How a suite ended.
enum Ran {
    Passed,
    Failed,
    DoesNotBuild,
    NoTest,
    /// It was killed by this signal, and not by us.
    Killed(&'static str),
}

impl<'a> Lane<'a> {
    /// Makes a lane's copy and its cache.
    pub fn new(shared: &'a Shared<'a>, number: usize) -> Result<Self> {
        let workspace = Workspace::new(shared.work, number, shared.cache, shared.kernel)?;
        let lane = Self {
            shared,
            number,
            workspace,
        };
        lane.restore()?;
        Ok(lane)
    }

    /// Tries the suites without a fault, and runs the mutants of the queue.
    pub fn run(&self, suites: &[Suite]) -> Result<()> {
        for spec in first_specs(suites, self.shared.open) {
            self.verify(&spec)?;
        }
        while let Some((at, count)) = self.shared.queue.take(self.number == 1) {
            let Some(mutant) = self.shared.open.get(at) else {
                break;
            };
            let total = self.shared.open.len();
            say(&format!(
                "{} ({count} of {total}): {}",
                mutant.name, mutant.fault
            ));
            let start = Instant::now();
            let caught = self.hunt(mutant)?;
            let row = MutantRow::new(mutant, caught, start.elapsed());
            eprintln!("    {}: {}", row.mutant, row.caught);
            if self.shared.stop && !row.caught.passed() {
                self.shared.queue.stop();
            }
            (self.shared.done)(mutant, &row)?;
        }
        self.restore()
    }

    fn restore(&self) -> Result<()> {
        tree::restore(self.shared.source, self.shared.files, &self.workspace.tree)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.shared.work.join(format!("log/{name}.log"))
    }

    /// Returns what catches a mutant.
    fn hunt(&self, mutant: &Mutant) -> Result<Caught> {
        let name = &mutant.name;
        let put = || {
            let log = self.log(&format!("{name}-patch"));
            let applies = tree::apply(&self.workspace.tree, &mutant.patch, &log, false)?;
            ensure!(
                applies,
                "{name} does not apply any more, see {}",
                log.display()
            );
            Ok(())
        };
        self.restore()?;
        mutant.specs.iter().try_for_each(|spec| self.verify(spec))?;
        put()?;
        for spec in &mutant.specs {
            if let Some(caught) = self.attempt(mutant, spec)? {
                return Ok(caught);
            }
        }
        let rest = mutant.rest();
        let texts: Vec<_> = mutant.specs.iter().map(ToString::to_string).collect();
        let names: Vec<_> = rest.iter().map(|suite| suite.name()).collect();
        let (texts, names) = (texts.join(" "), names.join(" "));
        say(&format!("{name}: not caught by '{texts}', trying {names}"));
        for spec in rest.into_iter().map(Spec::whole) {
            if !self.shared.queue.is_verified(&spec) {
                self.restore()?;
                self.verify(&spec)?;
                put()?;
            }
            match self.attempt(mutant, &spec)? {
                Some(Caught::By(by)) => return Ok(Caught::Elsewhere(by)),
                Some(caught) => return Ok(caught),
                None => {}
            }
        }
        Ok(Caught::No)
    }

    /// Checks that a suite passes without a fault; otherwise its failures prove nothing.
    fn verify(&self, spec: &Spec) -> Result<()> {
        self.shared.queue.verify(spec, || self.without_fault(spec))
    }

    fn without_fault(&self, spec: &Spec) -> Result<()> {
        say(&format!("without a fault: {spec}"));
        let log = self.log(&format!("none-{}-{}", spec.suite.name(), self.number));
        match self.run_suite(spec, &log)? {
            Ran::Passed => return Ok(()),
            Ran::DoesNotBuild => {
                tell_end(&log, 20);
                bail!(
                    "{spec} does not build without a fault, see {}",
                    log.display()
                );
            }
            Ran::NoTest => bail!("{spec} runs no test, see {}", log.display()),
            Ran::Killed(signal) => bail!(
                "{spec} was ended by {signal} without a fault, see {}",
                log.display()
            ),
            Ran::Failed => {}
        }
        failures(&read(&log)?)
            .iter()
            .take(10)
            .for_each(|name| eprintln!("{name}"));
        bail!("{spec} fails without a fault, see {}", log.display())
    }

    /// Returns the tests of a suite that catch the mutant that the copy is, or an error.
    fn attempt(&self, mutant: &Mutant, spec: &Spec) -> Result<Option<Caught>> {
        let name = &mutant.name;
        let suite = spec.suite.name();
        let log = self.log(&format!("{name}-{suite}"));
        match self.run_suite(spec, &log)? {
            Ran::Passed => Ok(None),
            Ran::DoesNotBuild => {
                tell_end(&log, 15);
                Ok(Some(Caught::Error("does not build".into())))
            }
            Ran::Killed(signal) => Ok(Some(Caught::Error(format!(
                "'{spec}' was ended by {signal}"
            )))),
            Ran::NoTest => {
                warn(&format!("{name}: no test of '{spec}' ran"));
                Ok(None)
            }
            Ran::Failed => {
                let names = failures(&read(&log)?);
                let (first, more) = names.split_at(names.len().min(2));
                if first.is_empty() {
                    warn(&format!(
                        "{name}: '{spec}' failed and names no test, see {}",
                        log.display()
                    ));
                    return Ok(None);
                }
                let mut by = format!("{suite}: {}", first.join(", "));
                if !more.is_empty() {
                    by += &format!(" and {} more", more.len());
                }
                Ok(Some(Caught::By(by)))
            }
        }
    }

    /// Runs a suite, or the cases of its filter, in the copy.
    fn run_suite(&self, spec: &Spec, log: &Path) -> Result<Ran> {
        let run = |command, limit| self.shared.supervisor.run(command, log, limit);
        let mut source = None;
        if spec.suite.needs_source() {
            let mut kernel = self.workspace.script("scripts/kernel");
            kernel.arg("--source-only");
            if run(kernel, None)? != Outcome::Ended(End::Exited(0)) {
                return Ok(Ran::DoesNotBuild);
            }
            source = Some(last_line(log));
        }
        let with_source = |mut command: std::process::Command| {
            command.envs(source.iter().map(|path| ("KERNEL_SOURCE", path)));
            command
        };
        if let Some(build) = spec.suite.build(&self.workspace, &spec.filter) {
            match run(with_source(build), None)? {
                Outcome::Ended(End::Exited(0)) => {}
                Outcome::Ended(End::Killed(signal)) => return Ok(Ran::Killed(signal)),
                _ if has_no_target(&read(log)?) => return Ok(Ran::NoTest),
                _ => return Ok(Ran::DoesNotBuild),
            }
        }
        let (command, limit) = spec.suite.run(&self.workspace, &spec.filter);
        let outcome = run(with_source(command), limit)?;
        Ok(match outcome {
            Outcome::Ended(End::Killed(signal)) => Ran::Killed(signal),
            _ if !ran(&read(log)?) => Ran::NoTest,
            Outcome::Ended(End::Exited(0)) => Ran::Passed,
            _ => Ran::Failed,
        })
    }
}

/// Whether cargo says that there is no such file of tests.
fn has_no_target(log: &str) -> bool {
    log.lines()
        .any(|line| line.starts_with("error: no test target named"))
}

fn read(log: &Path) -> Result<String> {
    let bytes = fs::read(log).with_context(|| log.display().to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Prints the last lines of a log.
fn tell_end(log: &Path, count: usize) {
    let text = read(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let skipped = lines.len().saturating_sub(count);
    lines
        .iter()
        .skip(skipped)
        .for_each(|line| eprintln!("{line}"));
}

pub(super) fn say(text: &str) {
    eprintln!("==> {text}");
}

fn warn(text: &str) {
    eprintln!("warning: {text}");
}
