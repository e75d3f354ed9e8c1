// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The command line, and what is generated of it.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

const EXIT: &str = "\
Exit status: 0 after SIGTERM or SIGINT; 1 if the bus cannot be reached, its name is taken or not allowed, or \
the kernel refuses, with a line that says why; 2 if the command line is wrong.";

/// Tells oFono of the modems behind CAIF links
///
/// Has the name com.stericsson.modeminit on the system bus, which oFono looks for. Each CAIF link of a
/// remote processor is a modem; its state is that of the remote processor and of the link. Sets a link up
/// when it appears, and deletes the interfaces that oFono leaves behind.
#[derive(Parser)]
#[command(name = "caif-modeminit", version, after_help = EXIT, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to generate, instead of running.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// How to run.
#[derive(clap::Args)]
pub struct RunArgs {
    /// The address of another bus than the system's
    #[arg(long, value_name = "ADDRESS")]
    pub bus: Option<String>,
    /// Delete no interfaces
    #[arg(long)]
    pub keep_interfaces: bool,
    /// Keep here which interfaces oFono made, for the next start
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// What to log: error, warn, info, debug, trace
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "RUST_LOG",
        hide_env_values = true
    )]
    pub log: String,
    /// Where sysfs is
    #[arg(long, value_name = "FOLDER", default_value = "/sys", hide = true)]
    pub sys: PathBuf,
}

/// What to generate.
#[derive(Subcommand)]
pub enum Command {
    /// Print the completion of a shell
    Completion {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page, or write it to a folder
    Man {
        /// The folder
        #[arg(long, value_name = "FOLDER")]
        dir: Option<PathBuf>,
    },
}

/// Generates completion or manual page.
pub fn generate(command: &Command) -> Result<()> {
    let mut bytes = Vec::new();
    let dir = match command {
        Command::Completion { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "caif-modeminit", &mut bytes);
            None
        }
        Command::Man { dir } => {
            clap_mangen::Man::new(Cli::command())
                .section("8")
                .render(&mut bytes)?;
            dir.as_ref()
        }
    };
    match dir {
        Some(dir) => fs::write(dir.join("caif-modeminit.8"), bytes)
            .with_context(|| format!("cannot write to {}", dir.display())),
        None => Ok(io::stdout().write_all(&bytes)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in [
            "caif-modeminit --bus",
            "caif-modeminit start",
            "caif-modeminit --keep-interfaces man",
            "caif-modeminit completion dash",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
