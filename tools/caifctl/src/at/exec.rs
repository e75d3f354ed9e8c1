// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Commands of a script: each waits for the answer to the one before.

use std::{
    io::{self, Read},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use socket2::Socket;
use thiserror::Error;

use super::{
    Args,
    answer::{Lines, check, result},
};
use crate::{
    caif::is_late,
    output::{print, printable},
};

/// The modem answered a command by an error.
#[derive(Debug, Error)]
#[error("the modem answers {command} by {answer}")]
pub struct Refused {
    command: String,
    answer: String,
}

/// Sends commands, prints the answers; the first error is the last answer.
pub fn run(args: &Args, commands: impl Iterator<Item = io::Result<String>>) -> Result<()> {
    let mut channel = None;
    for command in commands {
        let command = command.context("cannot read commands")?;
        let command = command.trim();
        if command.is_empty() {
            continue;
        }
        check(command).map_err(anyhow::Error::msg)?;
        // There is no channel before there is a command to send.
        let channel = match &mut channel {
            Some(channel) => channel,
            none => none.insert(Channel {
                socket: args.open()?,
                lines: Lines::default(),
            }),
        };
        channel.command(command, args.peer.timeout)?;
    }
    Ok(())
}

struct Channel {
    socket: Socket,
    lines: Lines,
}

impl Channel {
    fn command(&mut self, command: &str, limit: Duration) -> Result<()> {
        send(&self.socket, command)?;
        let end = Instant::now() + limit;
        let mut is_echoed = false;
        loop {
            for line in self.receive(command, limit, end)? {
                // The modem's echo, if it is on, is no part of the answer.
                if !std::mem::replace(&mut is_echoed, true) && line == command {
                    continue;
                }
                print(&format!("{}\n", printable(&line)))?;
                match result(&line) {
                    Some(true) => return Ok(()),
                    Some(false) => {
                        return Err(Refused {
                            command: printable(command),
                            answer: printable(&line),
                        }
                        .into());
                    }
                    None => {}
                }
            }
        }
    }

    fn receive(&mut self, command: &str, limit: Duration, end: Instant) -> Result<Vec<String>> {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!(silent(command, limit));
        }
        self.socket.set_read_timeout(Some(left))?;
        let mut buffer = [0; 4096];
        match self.socket.read(&mut buffer) {
            Ok(0) => bail!("the modem closed the channel"),
            Ok(len) => Ok(self.lines.push(buffer.get(..len).unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Vec::new()),
            Err(error) if is_late(&error) => bail!(silent(command, limit)),
            Err(error) => Err(error).context("the channel is lost"),
        }
    }
}

fn silent(command: &str, limit: Duration) -> String {
    format!(
        "the modem did not answer {} within {limit:?}: see its state by `caifctl status`, or give it more \
         time by --timeout",
        printable(command)
    )
}

/// Sends a command as a line.
pub fn send(socket: &Socket, command: &str) -> Result<()> {
    let line = format!("{command}\r");
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        match socket.send_with_flags(rest, libc::MSG_NOSIGNAL) {
            Ok(len) => rest = rest.get(len..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_late(&error) => {
                bail!("the modem takes no data: see its state by `caifctl status`")
            }
            Err(error) => return Err(error).context("the channel is lost"),
        }
    }
    Ok(())
}
