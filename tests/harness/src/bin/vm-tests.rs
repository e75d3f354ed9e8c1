// SPDX-License-Identifier: GPL-2.0

//! End-to-end tests in a virtual machine; see `Config` for the command line.

use std::process::ExitCode;

use clap::Parser;
use harness::{cases, config, runner};

fn main() -> ExitCode {
    let config = config::Config::parse();
    let cases: Vec<_> = cases::of(config.place.machine)
        .into_iter()
        .filter(|case| {
            if config.filter.is_empty() {
                config.long || !case.is_of_long
            } else {
                config.filter.iter().any(|f| case.name.contains(f.as_str()))
            }
        })
        .collect();
    if config.list {
        cases.iter().for_each(|case| println!("{}", case.name));
        return ExitCode::SUCCESS;
    }
    let (passed, failed) = runner::run(&config, &cases);
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
