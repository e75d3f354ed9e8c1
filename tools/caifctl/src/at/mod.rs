// SPDX-License-Identifier: GPL-2.0 OR MIT

//! AT commands.

mod answer;
pub mod exec;
mod history;
mod link_name;
mod pty;
mod records;
mod serial;
mod terminal;

use std::{
    env,
    io::{IsTerminal, stdin, stdout},
    path::PathBuf,
};

use anyhow::{Context, Result};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::caif::{Peer, Service};

/// The variable of the environment by which the tests name a Unix socket in the place of a modem.
const IN_PLACE: &str = "CAIFCTL_AT_SOCKET";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    peer: Peer,
    /// Send these commands, each when the one before was answered by OK, and print the answers
    #[arg(long, value_name = "COMMAND", num_args = 1.., conflicts_with = "pty")]
    exec: Vec<String>,
    /// Make a terminal that programs can use as a serial port, print its name, and go on until
    /// interrupted; PATH becomes a symbolic link to it
    #[arg(long, value_name = "PATH", num_args = 0..=1)]
    pty: Option<Option<PathBuf>>,
    /// The same for programs that take ports from udev, as ModemManager does: the terminal is in the
    /// place of PORT, a serial port without hardware such as ttyS3, or of any such port
    #[arg(long, value_name = "PORT", num_args = 0..=1, conflicts_with_all = ["exec", "pty"])]
    serial: Option<Option<String>>,
}

impl Args {
    /// Opens a channel.
    fn open(&self) -> Result<Socket> {
        let Some(path) = env::var_os(IN_PLACE) else {
            return self.peer.open(Service::At);
        };
        let path = PathBuf::from(path);
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket
            .connect(&SockAddr::unix(&path)?)
            .with_context(|| format!("cannot connect to {}", path.display()))?;
        Ok(socket)
    }
}

pub fn run(args: &Args) -> Result<()> {
    if let Some(path) = &args.pty {
        return pty::run(args, path.as_deref());
    }
    if let Some(port) = &args.serial {
        return pty::run_as_port(args, port.as_deref());
    }
    if !args.exec.is_empty() {
        return exec::run(args, args.exec.iter().cloned().map(Ok));
    }
    let is_terminal = stdin().is_terminal() && stdout().is_terminal();
    match is_terminal.then(terminal::editor).transpose()?.flatten() {
        Some(editor) => terminal::run(args, editor),
        None => exec::run(args, stdin().lines()),
    }
}
