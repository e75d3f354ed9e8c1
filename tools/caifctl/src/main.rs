// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Shows and uses the CAIF links of modems: their state, IP interfaces over them, AT commands, and
//! channels that return their payloads.

mod at;
mod caif;
mod cli;
mod ethtool;
mod generate;
mod link;
mod loopback;
mod output;
mod signals;
mod status;
mod table;

use std::process::ExitCode;

use anyhow::{Error, Result};
use caif_links::{netdevs, netlink, remoteproc};
use clap::Parser;

use crate::{
    at::exec::Refused,
    cli::{Cli, Command},
    output::is_closed,
};

/// The exit status where the modem answered, by an error.
const REFUSED: u8 = 3;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has read all that it wanted.
        Err(error) if is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&one_line(&error));
            match error.downcast_ref::<Refused>() {
                Some(_) => REFUSED.into(),
                None => ExitCode::FAILURE,
            }
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Status(args) => status::run(&args),
        Command::Link(link::LinkCommand::Add(args)) => link::add(&args),
        Command::Link(link::LinkCommand::Del(args)) => link::delete(&args),
        Command::Link(link::LinkCommand::Show(args)) => link::show(&args),
        Command::At(args) => at::run(&args),
        Command::PingChannel(args) => loopback::ping::run(&args),
        Command::Bench(args) => loopback::bench::run(&args),
        Command::Completion(args) => generate::completion(&args),
        Command::Man(args) => generate::manual(&args),
    }
}

/// Returns an error with its causes.
fn one_line(error: &Error) -> String {
    format!("{error:#}").replace('\n', " ")
}
