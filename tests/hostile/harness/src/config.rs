// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::path::PathBuf;

use clap::Parser;
use harness::config::Place;

/// Runs the hostile modem's catalogue against the driver in a virtual machine.
///
/// A table of all cases comes at the end; the last line is "N passed, N failed". The exit status is
/// 0 only when none failed and at least one ran.
#[derive(Parser)]
#[command(version)]
pub struct Config {
    /// Only the cases whose names match, as file names do in a shell. May be repeated
    #[arg(long = "case", value_name = "GLOB")]
    pub cases: Vec<glob::Pattern>,
    /// Print the cases and the results that they must have
    #[arg(long)]
    pub list: bool,
    /// Write the results to a file as well
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Run each case with one way of notification, which is always the same one
    #[arg(long)]
    pub one_flavour: bool,
    /// Do not look for leaks at the end
    #[arg(long)]
    pub no_leaks: bool,
    /// Folder of the catalogue
    #[arg(long, env = "CAIF_CATALOGUE")]
    pub catalogue: PathBuf,
    #[command(flatten)]
    pub place: Place,
}
