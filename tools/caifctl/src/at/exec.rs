// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Commands of a script: each waits for the answer to the one before.

use std::{
    io::{self, ErrorKind, Read},
    time::{Duration, Instant},
};

use anyhow::{Context, Error, Result, bail};
use socket2::Socket;
use thiserror::Error;

use super::{
    Args,
    answer::{Lines, check, result},
};
use crate::{
    caif::{CLOSED, LOST, is_late},
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
        check(command).map_err(Error::msg)?;
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
        let end = Instant::now() + limit;
        self.print_pending(end)?;
        send(&self.socket, command)?;
        let mut is_echoed = false;
        loop {
            let mut answer = None;
            for line in self.receive(command, limit, end)? {
                // The modem's echo, if it is on, is no part of the answer.
                if !std::mem::replace(&mut is_echoed, true) && line == command {
                    continue;
                }
                print_line(&line)?;
                // What follows the result is unsolicited.
                answer = answer.or_else(|| result(&line).map(|is_good| (is_good, line)));
            }
            match answer {
                Some((true, _)) => return Ok(()),
                Some((false, line)) => {
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

    /// Prints what came before a command, which is no part of its answer.
    fn print_pending(&mut self, end: Instant) -> Result<()> {
        self.socket.set_nonblocking(true)?;
        while Instant::now() < end {
            match self.read() {
                Ok(lines) => lines.iter().try_for_each(|line| print_line(line))?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_late(&error) => break,
                Err(error) => return Err(lost(error)),
            }
        }
        self.socket.set_nonblocking(false)?;
        // The answer begins with a line of its own.
        self.lines.flush().map_or(Ok(()), |line| print_line(&line))
    }

    fn receive(&mut self, command: &str, limit: Duration, end: Instant) -> Result<Vec<String>> {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!(silent(command, limit));
        }
        set_limit(&self.socket, left)?;
        match self.read() {
            Ok(lines) => Ok(lines),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Vec::new()),
            Err(error) if is_late(&error) => bail!(silent(command, limit)),
            Err(error) => Err(lost(error)),
        }
    }

    /// Reads what is there. End of file is an error. Returns the lines that are complete by that.
    fn read(&mut self) -> io::Result<Vec<String>> {
        let mut buffer = [0; 4096];
        match self.socket.read(&mut buffer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            len => Ok(self.lines.push(buffer.get(..len).unwrap_or_default())),
        }
    }
}

/// Limits the time of a read. Less than a microsecond would be no limit.
fn set_limit(socket: &Socket, left: Duration) -> io::Result<()> {
    socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))
}

fn print_line(line: &str) -> Result<()> {
    print(&format!("{}\n", printable(line)))
}

fn lost(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => Error::msg(CLOSED),
        _ => Error::new(error).context(LOST),
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
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_late(&error) => {
                bail!("the modem takes no data: see its state by `caifctl status`")
            }
            Err(error) => return Err(lost(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Type};

    #[test]
    fn each_read_has_a_limit() {
        let (socket, _other) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        for left in [1, 999, 1_000_000_000].map(Duration::from_nanos) {
            set_limit(&socket, left).unwrap();
            assert!(socket.read_timeout().unwrap().is_some(), "{left:?}");
        }
    }
}
