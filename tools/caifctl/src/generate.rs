// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Completion for shells and manual pages, made from the definition of the command line.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::{cli::Cli, output::print};

#[derive(clap::Args)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the completion.
pub fn completion(args: &CompletionArgs) -> Result<()> {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "caifctl", &mut bytes);
    print(&String::from_utf8(bytes)?)
}

#[derive(clap::Args)]
pub struct ManArgs {
    /// Write a page for each command to this folder
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Prints or writes pages.
pub fn manual(args: &ManArgs) -> Result<()> {
    let Some(dir) = &args.dir else {
        let mut bytes = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut bytes)?;
        return print(&String::from_utf8(bytes)?);
    };
    clap_mangen::generate_to(Cli::command(), dir)
        .with_context(|| format!("cannot write to {}", dir.display()))
}
