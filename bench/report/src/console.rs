// SPDX-License-Identifier: GPL-2.0

//! A QEMU machine whose console and monitor are one stream.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, PipeReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use harness::process::end_with_us;

/// How long a machine may say nothing.
const SILENCE: Duration = Duration::from_secs(300);
/// Leads from the console to QEMU's monitor, and back.
const SWITCH: &str = "\u{1}c";

/// The arguments of a program that lets such a machine run.
#[derive(clap::Args)]
pub struct Job {
    /// System.map of the kernel
    #[arg(long)]
    pub system_map: PathBuf,
    /// The folder for profile.md and profile.json
    #[arg(long)]
    pub out: PathBuf,
    /// The command of the machine, which has a monitor
    #[arg(last = true, required = true)]
    pub line: Vec<OsString>,
}

/// A machine that was started by `scripts/run-vm --monitor`. It is killed when this is dropped.
pub struct Console {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Console {
    /// Starts a command, which is such a machine or starts one.
    pub fn start(line: &[OsString]) -> Result<Self> {
        let (program, arguments) = line.split_first().context("there is no command")?;
        let (reader, writer) = std::io::pipe()?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped());
        command.stdout(writer.try_clone()?).stderr(writer);
        end_with_us(&mut command);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        // Without this the output would never end.
        drop(command);
        let input = child.stdin.take().context("the machine has no input")?;
        Ok(Self {
            child,
            input,
            lines: lines(reader),
        })
    }

    /// Returns the next line, of the console or of the monitor.
    pub fn line(&self) -> Result<String> {
        match self.lines.recv_timeout(SILENCE) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Disconnected) => bail!("the machine stopped early"),
            Err(RecvTimeoutError::Timeout) => bail!("the machine said nothing for {SILENCE:?}"),
        }
    }

    /// Gives a command to the monitor.
    pub fn monitor(&mut self, command: &str) -> Result<()> {
        self.write(&format!("{SWITCH}{command}\n{SWITCH}"))
    }

    /// Gives an empty line to the machine's script.
    pub fn enter(&mut self) -> Result<()> {
        self.write("\n")
    }

    fn write(&mut self, text: &str) -> Result<()> {
        let done = self.input.write_all(text.as_bytes());
        done.and_then(|()| self.input.flush())
            .context("the machine takes no input")
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            eprintln!("the machine: {error}");
        }
    }
}

/// Reads lines in a thread of its own, because a pipe cannot be waited for with a limit of time.
fn lines(reader: PipeReader) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line);
            if sender.send(line.trim_end_matches('\r').to_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Console {
        Console::start(&["sh", "-c", script].map(OsString::from)).unwrap()
    }

    #[test]
    fn lines_of_both_outputs() {
        let console = shell(r"printf 'one\r\n'; printf 'two\n' >&2");
        assert_eq!(console.line().unwrap(), "one");
        assert_eq!(console.line().unwrap(), "two");
        let error = console.line().unwrap_err();
        assert!(error.to_string().contains("stopped early"), "{error}");
    }

    #[test]
    fn commands_for_the_monitor() {
        let mut console = shell("head -n 2 | od -An -c | tr -s ' '");
        console.monitor("x").unwrap();
        console.enter().unwrap();
        assert_eq!(console.line().unwrap(), r" 001 c x \n 001 c \n");
    }

    #[test]
    fn command_that_is_not_there() {
        assert!(Console::start(&["/nonexistent".into()]).is_err());
        assert!(Console::start(&[]).is_err());
    }
}
