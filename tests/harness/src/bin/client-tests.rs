// SPDX-License-Identifier: GPL-2.0

//! Tests of Debian's clients in a virtual machine; see `Config` for the command line.

use std::process::ExitCode;

use harness::{cases, runner};

fn main() -> ExitCode {
    // One of the cases does.
    runner::main(cases::of_clients, false)
}
