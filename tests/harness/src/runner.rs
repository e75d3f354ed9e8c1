// SPDX-License-Identifier: GPL-2.0

//! Runs the cases, several on one machine as long as they leave it sound.

use std::{process::ExitCode, time::Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::{cases::Case, config::Config, klog, leaks, machine::Machine as Kind, vm::Vm};

/// Does what the command line says with the cases of a kind of machine, and ends with a line that
/// counts them. With `leaks` each machine is looked through for leaked memory when its last case has
/// passed, if the kernel supports it.
pub fn main(cases: fn(Kind) -> Vec<Case>, leaks: bool) -> ExitCode {
    let config = Config::parse();
    let cases = match select(&config, cases(config.place.machine)) {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("error: {error:#}");
            println!("0 passed, 1 failed");
            return ExitCode::FAILURE;
        }
    };
    if config.list {
        cases.iter().for_each(|case| println!("{}", case.name));
        return ExitCode::SUCCESS;
    }
    let (passed, failed) = run(&config, &cases, leaks);
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Returns the cases that the command line asks for and the kernel can run. Those that it cannot are
/// named on standard error.
fn select(config: &Config, cases: Vec<Case>) -> Result<Vec<Case>> {
    let mut selected = Vec::new();
    for case in cases {
        let wanted = if config.filter.is_empty() {
            config.long || !case.is_of_long
        } else {
            config.filter.iter().any(|f| case.name.contains(f.as_str()))
        };
        if !wanted {
            continue;
        }
        match case.needs {
            Some(option) if !kernel_has(config, option)? => {
                eprintln!("left out: {}, the kernel lacks CONFIG_{option}", case.name);
            }
            _ => selected.push(case),
        }
    }
    Ok(selected)
}

/// Whether the machine's kernel was built with an option, or has it as a module.
fn kernel_has(config: &Config, option: &str) -> Result<bool> {
    let file = config.kernel_config.as_ref().with_context(|| {
        format!(
            "a case needs CONFIG_{option}: CAIF_KERNEL_CONFIG must name the kernel's configuration"
        )
    })?;
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the kernel's configuration {}", file.display()))?;
    let lines = ["y", "m"].map(|value| format!("CONFIG_{option}={value}"));
    Ok(text.lines().any(|had| lines.iter().any(|line| had == line)))
}

/// Runs all cases. Returns the numbers of passed and failed ones.
fn run(config: &Config, cases: &[Case], leaks: bool) -> (usize, usize) {
    let (mut passed, mut failed) = (0, 0);
    let mut machine: Option<Machine> = None;
    for case in cases {
        let start = Instant::now();
        // Another number of boards needs another machine, and so does a modem that runs first: the case
        // before may have left one that Linux has booted.
        let other = |m: &Machine| m.boards != case.boards || m.modem_first || case.modem_first;
        if machine.as_ref().is_some_and(other) {
            failed += end(&mut machine);
        }
        if case.in_c {
            failed += look_no_more(&mut machine);
        }
        let result = run_case(config, case, &mut machine, leaks && !case.in_c);
        let seconds = start.elapsed().as_secs_f32();
        match result {
            Ok(()) => {
                println!("ok     {:32} {seconds:6.1} s", case.name);
                passed += 1;
            }
            Err(error) => {
                println!("FAILED {:32} {seconds:6.1} s\n{error:#}", case.name);
                failed += 1;
                if let Some(machine) = machine.take() {
                    machine.explain();
                }
            }
        }
    }
    failed += end(&mut machine);
    (passed, failed)
}

struct Machine {
    vm: Vm,
    boards: usize,
    modem_first: bool,
    /// Whether to look for leaks in the end.
    leaks: bool,
    /// Position up to which the kernel's log was checked.
    mark: usize,
    /// Position in the kernel's log at the start of the case.
    case_mark: usize,
}

fn run_case(
    config: &Config,
    case: &Case,
    machine: &mut Option<Machine>,
    leaks: bool,
) -> Result<()> {
    let machine = match machine {
        Some(machine) => machine,
        None => {
            let logs = config.place.logs.join(case.name);
            let mut vm = Vm::boot_with(&config.place, case.boards, case.modem_first, &logs)?;
            vm.long = config.long;
            vm.keep = config.keep;
            leaks::scan_when_told(&mut vm.guest)?;
            machine.insert(Machine {
                vm,
                boards: case.boards,
                modem_first: case.modem_first,
                leaks,
                mark: 0,
                case_mark: 0,
            })
        }
    };
    machine.case_mark = machine.vm.kernel.mark();
    let result = (case.run)(&mut machine.vm);
    // A complaint of the kernel explains a failure better than the failure itself.
    machine.check_log()?;
    result
}

impl Machine {
    /// Looks for memory that the cases so far have leaked.
    fn check_leaks(&mut self) -> Result<()> {
        if !self.leaks {
            return Ok(());
        }
        leaks::scan(&mut self.vm.guest).context("leaks of the cases of this machine")
    }

    fn check_log(&mut self) -> Result<()> {
        // Console output is asynchronous: once our own line has arrived, so have all before it.
        let sync = format!("vm-tests: mark {}", self.mark);
        if self
            .vm
            .guest
            .run(&format!("echo '{sync}' >/dev/kmsg"))
            .is_ok_and(|a| a.status == 0)
        {
            self.vm.kernel_says(self.mark, &sync)?;
        }
        let lines = self.vm.kernel.since(self.mark);
        self.mark += lines.len();
        let bad = klog::bad_lines(&lines);
        if !bad.is_empty() {
            bail!("the kernel complains:\n{}", bad.join("\n"));
        }
        Ok(())
    }

    /// Prints lines that explain a failure.
    fn explain(&self) {
        println!("--- kernel log of the case");
        let lines = self.vm.kernel.since(self.case_mark);
        let skipped = lines.len().saturating_sub(80);
        if skipped > 0 {
            println!("    ({skipped} lines more)");
        }
        lines
            .iter()
            .skip(skipped)
            .for_each(|line| println!("    {line}"));
        for (index, modem) in self.vm.modems.iter().enumerate() {
            println!("--- log of modem {index}");
            modem
                .process
                .output
                .tail(20)
                .iter()
                .for_each(|line| println!("    {line}"));
        }
        println!("--- all logs: {}", self.vm.logs.display());
    }
}

/// Looks for leaks for the last time, before cases that are known to have some. Returns 1 if there are.
fn look_no_more(machine: &mut Option<Machine>) -> usize {
    let Some(machine) = machine.as_mut().filter(|machine| machine.leaks) else {
        return 0;
    };
    let result = machine.check_leaks();
    machine.leaks = false;
    match result.and_then(|()| leaks::look_no_more(&mut machine.vm.guest)) {
        Ok(()) => 0,
        Err(error) => {
            println!("FAILED leaks: {error:#}");
            1
        }
    }
}

/// Ends the machine, if there is one. Returns 1 if that fails.
fn end(machine: &mut Option<Machine>) -> usize {
    let Some(mut machine) = machine.take() else {
        return 0;
    };
    let kernel = machine.vm.kernel.clone();
    let leaked = machine.check_leaks();
    let mut mark = machine.mark;
    let result = machine.check_log().and(leaked).and_then(|()| {
        mark = machine.mark;
        machine.vm.shut_down()
    });
    let lines = kernel.since(mark);
    let bad = klog::bad_lines(&lines);
    match result {
        Ok(()) if bad.is_empty() => 0,
        Ok(()) => {
            println!(
                "FAILED shut-down: the kernel complains:\n{}",
                bad.join("\n")
            );
            1
        }
        Err(error) => {
            println!("FAILED shut-down: {error:#}");
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Config, select};
    use crate::cases::Case;

    fn cases() -> Vec<Case> {
        let case = |name, needs, is_of_long| Case {
            name,
            boards: 1,
            modem_first: false,
            is_of_long,
            in_c: false,
            needs,
            run: |_| Ok(()),
        };
        vec![
            case("any", None, false),
            case("slab", Some("FAILSLAB"), false),
            case("cpu", Some("HOTPLUG_CPU"), true),
        ]
    }

    fn names(arguments: &[&str]) -> Result<Vec<&'static str>, String> {
        let place = ["--run-vm=r", "--initramfs=i", "--modem-bin=m", "--logs=l"];
        let line = ["vm-tests"].iter().chain(&place).chain(arguments);
        let config = Config::try_parse_from(line).map_err(|error| error.to_string())?;
        let cases = select(&config, cases()).map_err(|error| format!("{error:#}"))?;
        Ok(cases.iter().map(|case| case.name).collect())
    }

    #[test]
    fn cases_are_left_out_only_of_kernels_that_lack_their_option() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "CONFIG_HOTPLUG_CPU=y\n# CONFIG_FAILSLAB is not set\n",
        )
        .unwrap();
        let config = format!("--kernel-config={}", file.path().display());
        assert_eq!(names(&[&config]).unwrap(), ["any"]);
        assert_eq!(names(&[&config, "--long"]).unwrap(), ["any", "cpu"]);
        assert_eq!(names(&[&config, "cpu"]).unwrap(), ["cpu"]);
        std::fs::write(file.path(), "CONFIG_FAILSLAB=m\n").unwrap();
        assert_eq!(names(&[&config, "--long"]).unwrap(), ["any", "slab"]);
    }

    #[test]
    fn no_case_is_left_out_because_the_configuration_is_unknown() {
        assert!(names(&[]).unwrap_err().contains("CONFIG_FAILSLAB"));
        let none = "--kernel-config=/nonexistent";
        assert!(names(&[none]).unwrap_err().contains("/nonexistent"));
        assert_eq!(names(&[none, "any"]).unwrap(), ["any"]);
    }
}
