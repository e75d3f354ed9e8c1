// SPDX-License-Identifier: GPL-2.0

//! Runs the hostile modem against the driver; `Config` is the command line.

mod config;
mod judge;
mod machine;
mod modem;
mod table;

use std::{process::ExitCode, time::Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hostile::catalogue::{self, Case, Flavour, Verdict};

use config::Config;
use machine::Machine;
use table::Row;

fn main() -> ExitCode {
    match run(&Config::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{error:#}");
            println!("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

fn run(config: &Config) -> Result<bool> {
    let mut cases = catalogue::load(&config.catalogue)?;
    for glob in &config.cases {
        let known = cases.iter().any(|case| glob.matches(&case.name));
        ensure!(known, "no case has a name like {glob}");
    }
    cases.retain(|case| {
        config.cases.is_empty() || config.cases.iter().any(|glob| glob.matches(&case.name))
    });
    judge::check(&cases)?;
    if config.list {
        table::list(&cases);
        println!("{} cases", cases.len());
        return Ok(true);
    }
    let start = Instant::now();
    let rows = run_all(config, &cases);
    table::print(&rows);
    if let Some(path) = &config.json {
        table::write_json(&rows, path)?;
    }
    let failed = rows.iter().filter(|row| !row.passed()).count();
    println!(
        "{} cases in {} runs, {:.0} s, logs in {}",
        cases.len(),
        rows.len(),
        start.elapsed().as_secs_f32(),
        config.place.logs.display()
    );
    println!("{} passed, {failed} failed", rows.len() - failed);
    // A run of no case proves nothing.
    Ok(failed == 0 && !rows.is_empty())
}

/// Runs all cases with all flavours, and looks for leaks in between and at the end.
fn run_all(config: &Config, cases: &[Case]) -> Vec<Row> {
    let runs: Vec<(&Case, Flavour)> = [Flavour::EventIdx, Flavour::Flags]
        .into_iter()
        .flat_map(|flavour| {
            cases
                .iter()
                .filter(move |case| flavours(case, config.one_flavour).contains(&flavour))
                .map(move |case| (case, flavour))
        })
        .collect();
    let mut rows = Vec::new();
    let mut machine = None;
    for (at, (case, flavour)) in runs.iter().enumerate() {
        let start = Instant::now();
        let outcome = run_case(config, &mut machine, case, *flavour);
        let mut row = Row::new(case, *flavour, start.elapsed());
        match outcome {
            Ok(outcome) => {
                row.verdict = outcome.verdict;
                row.seen = outcome.seen;
                row.faults = outcome.faults;
            }
            Err(error) => row.faults.push(format!("{error:#}")),
        }
        eprintln!(
            "{:4}/{} {:44} {:9} {:5.1} s",
            at + 1,
            runs.len(),
            row.case,
            row.verdict,
            row.seconds
        );
        for fault in &row.faults {
            eprintln!("     {fault}");
        }
        // A machine after a failed case proves nothing about the next one. A case that had to fail
        // leaves it usable, if frames still pass.
        let sound = match row.verdict {
            Verdict::Wedged => false,
            Verdict::Failed => {
                let passes = |machine: &mut Machine| machine.report().is_ok();
                row.had_to_fail() && row.passed() && machine.as_mut().is_some_and(passes)
            }
            _ => true,
        };
        if !sound {
            machine = None;
        }
        rows.push(row);
    }
    if let Some(machine) = machine {
        rows.push(end(config, machine));
    }
    rows
}

/// Returns the flavours with which a case is run: all, or one that is chosen by its name, so that
/// they are evenly used and a new case does not change those of others.
fn flavours(case: &Case, one: bool) -> &[Flavour] {
    if !one {
        return &case.flavours;
    }
    let sum = case.name.bytes().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    let at = sum.checked_rem(case.flavours.len()).unwrap_or(0);
    case.flavours.get(at..=at).unwrap_or_default()
}

fn run_case(
    config: &Config,
    machine: &mut Option<Machine>,
    case: &Case,
    flavour: Flavour,
) -> Result<judge::Outcome> {
    let machine = match machine {
        Some(machine) => machine,
        None => {
            let logs = config.place.logs.join(format!("{}-{flavour:?}", case.name));
            let booted = Machine::boot(&config.place, flavour.firmware(), &logs);
            machine.insert(booted.context("booting")?)
        }
    };
    judge::run(machine, case, flavour)
}

/// Looks for leaks, and ends the machine. This counts as a case.
fn end(config: &Config, mut machine: Machine) -> Row {
    let start = Instant::now();
    let leaks = if config.no_leaks {
        Ok(())
    } else {
        machine.look_for_leaks()
    };
    let faults = [leaks, machine.shut_down()]
        .into_iter()
        .filter_map(Result::err)
        .map(|error| format!("{error:#}"));
    Row::afterwards(start.elapsed(), faults.collect())
}

#[cfg(test)]
mod tests {
    use super::{Flavour, catalogue, flavours};
    use std::path::Path;

    #[test]
    fn each_case_has_one_flavour_and_each_flavour_about_half_of_those_with_both() {
        // When it runs: a checkout may use what another one has compiled.
        let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
        let folder = Path::new(&crate_folder).join("../../../modem/hostile/catalogue");
        let cases = catalogue::load(&folder).unwrap();
        let one: Vec<Flavour> = cases
            .iter()
            .map(|case| match flavours(case, true) {
                [flavour] if case.flavours.contains(flavour) => *flavour,
                other => panic!("{}: {other:?}", case.name),
            })
            .collect();
        // Cases with more than one flavour.
        let both: Vec<_> = cases
            .iter()
            .zip(&one)
            .filter(|(case, _)| case.flavours.len() > 1)
            .collect();
        let flags = both
            .iter()
            .filter(|(_, one)| **one == Flavour::Flags)
            .count();
        assert!(
            flags * 5 > both.len() * 2 && flags * 5 < both.len() * 3,
            "{flags} of {}",
            both.len()
        );
        assert!(
            cases
                .iter()
                .all(|case| flavours(case, false) == case.flavours)
        );
    }
}
