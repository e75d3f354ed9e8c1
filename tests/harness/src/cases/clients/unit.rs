// SPDX-License-Identifier: GPL-2.0

//! A unit of systemd without systemd as the first process: its command lines, run as it says.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

use crate::vm::Vm;

/// A service, read from the file that is installed.
pub(super) struct Unit {
    lines: Vec<(String, String)>,
}

impl Unit {
    /// Reads `NAME@.service` in the guest, for an instance.
    pub(super) fn read(vm: &mut Vm, name: &str, instance: &str) -> Result<Self> {
        let text = vm
            .guest
            .ok(&format!("cat /lib/systemd/system/{name}@.service"))?;
        let mut lines = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with(['#', '[']) {
                continue;
            }
            let (key, value) = line
                .split_once('=')
                .with_context(|| format!("{name}: what is {line}"))?;
            let value = value.replace("%I", instance).replace("%i", instance);
            // Lines that go on, and other specifiers, are not read here.
            if value.contains('%') || value.ends_with('\\') {
                bail!("{name}: {line} has more than is understood here");
            }
            lines.push((key.to_owned(), value));
        }
        Ok(Self { lines })
    }

    /// Runs what is run when the unit is started.
    pub(super) fn start(&self, vm: &mut Vm) -> Result<()> {
        for key in ["ExecStartPre", "ExecStart"] {
            self.run(vm, key)?;
        }
        Ok(())
    }

    /// Runs what is run when the unit is stopped.
    pub(super) fn stop(&self, vm: &mut Vm) -> Result<()> {
        self.run(vm, "ExecStop")
    }

    fn values<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.lines
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Runs the command lines of one kind, with the unit's environment and no more than its
    /// capabilities.
    fn run(&self, vm: &mut Vm, key: &str) -> Result<()> {
        let mut shell = String::new();
        for value in self.values("Environment") {
            let assignment = value.trim_matches('"');
            let (name, value) = assignment
                .split_once('=')
                .with_context(|| format!("no assignment: {assignment}"))?;
            write!(shell, "export {name}='{value}'; ")?;
        }
        for value in self.values("EnvironmentFile") {
            // Each line is an assignment, whose value goes to its end.
            let file = value.strip_prefix('-').unwrap_or(value);
            if vm.guest.run(&format!("[ -e {file} ]"))?.status == 0 || file == value {
                let text = vm.guest.ok(&format!("cat {file}"))?;
                for line in text.lines() {
                    let (name, value) = line
                        .split_once('=')
                        .with_context(|| format!("no assignment: {line}"))?;
                    write!(shell, "export {name}='{value}'; ")?;
                }
            }
        }
        let bounding: String = self
            .values("CapabilityBoundingSet")
            .flat_map(str::split_whitespace)
            .filter_map(|name| name.strip_prefix("CAP_"))
            .map(|name| format!(",+{}", name.to_lowercase()))
            .collect();
        let mut commands = 0;
        for value in self.values(key) {
            let command = value.strip_prefix('-').unwrap_or(value);
            let line = format!(
                "{shell} /usr/bin/setpriv --bounding-set=-all{bounding} --no-new-privs {command}"
            );
            let answer = vm.guest.run(&line)?;
            if answer.status != 0 && command == value {
                bail!("{key}={value}: status {}: {}", answer.status, answer.out);
            }
            commands += 1;
        }
        if commands == 0 && key == "ExecStart" {
            bail!("the unit has no {key}");
        }
        Ok(())
    }
}
