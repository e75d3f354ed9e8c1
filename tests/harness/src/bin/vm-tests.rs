// SPDX-License-Identifier: GPL-2.0

//! End-to-end tests in a virtual machine; see `Config` for the command line.

use std::process::ExitCode;

use harness::{cases, runner};

fn main() -> ExitCode {
    runner::main(cases::of, true)
}
