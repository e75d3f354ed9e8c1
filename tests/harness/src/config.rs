// SPDX-License-Identifier: GPL-2.0

//! The command line of the VM tests, and the arguments of all programs that boot machines.

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::machine::Machine;

/// Boots virtual machines with real modem processes and tests the driver end to end.
///
/// The last line is "N passed, N failed"; the exit status is 0 only when none failed and at
/// least one ran.
#[derive(Parser)]
#[command(version)]
pub struct Config {
    /// Only the cases whose name contains one of these
    pub filter: Vec<String>,
    /// Print the names of the cases and end
    #[arg(long)]
    pub list: bool,
    /// Let transfers have as many bytes as in a release's tests, not a fifth of them
    #[arg(long)]
    pub long: bool,
    /// Keep the results of the stack in C in the case calls_in_c_as_they_were, in tests/vm/calls
    #[arg(long)]
    pub keep: bool,
    /// The configuration of the machine's kernel, for cases that need an option of it
    #[arg(long, env = "CAIF_KERNEL_CONFIG", value_name = "FILE")]
    pub kernel_config: Option<PathBuf>,
    #[command(flatten)]
    pub place: Place,
}

/// Paths of the parts of a machine with modems.
#[derive(Args, Clone)]
pub struct Place {
    /// The script that starts QEMU
    #[arg(long, env = "CAIF_RUN_VM")]
    pub run_vm: PathBuf,
    /// Root file system of the machine, with all modules and firmware
    #[arg(long, env = "CAIF_INITRAMFS")]
    pub initramfs: PathBuf,
    /// Folder with the modem's programs: ivshmem-server, caif-modem, caif-hostile
    #[arg(long, env = "CAIF_MODEM_BIN")]
    pub modem_bin: PathBuf,
    /// The kind of machine
    #[arg(long, env = "CAIF_MACHINE", value_enum, default_value_t = Machine::Ivshmem)]
    pub machine: Machine,
    /// Further arguments of the modem's program, separated by blanks
    #[arg(long, env = "CAIF_MODEM_ARGUMENTS", value_delimiter = ' ')]
    pub modem_arguments: Vec<String>,
    /// Folder for the logs of every process
    #[arg(long, env = "CAIF_TEST_LOGS")]
    pub logs: PathBuf,
}
