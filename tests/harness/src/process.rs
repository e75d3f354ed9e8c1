// SPDX-License-Identifier: GPL-2.0

//! A process of the test bench, which never outlives it.

#![expect(unsafe_code, reason = "a child runs code of ours before its program")]

use std::{
    fs::File,
    io::PipeReader,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use nix::{
    sys::{
        prctl::set_pdeathsig,
        signal::{Signal, kill},
    },
    unistd::Pid,
};

use crate::output::Output;

pub struct Process {
    name: String,
    pid: Pid,
    /// Its output.
    pub output: Output,
    ended: mpsc::Receiver<ExitStatus>,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts a process whose standard output and standard error are one.
    pub fn start(name: &str, mut command: Command, dir: &Path) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        Self::spawn(name, command, dir, reader)
    }

    /// Starts a process whose standard error is a file of its own, see [`Self::error_log`].
    pub fn start_apart(name: &str, mut command: Command, dir: &Path) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        command.stdout(writer);
        command.stderr(File::create(Self::error_log(name, dir))?);
        Self::spawn(name, command, dir, reader)
    }

    /// Returns the path of the standard error of a process that was started apart.
    pub fn error_log(name: &str, dir: &Path) -> PathBuf {
        dir.join(format!("{name}.stderr.log"))
    }

    /// Starts the command, which holds the pipe's other end.
    fn spawn(name: &str, mut command: Command, dir: &Path, reader: PipeReader) -> Result<Self> {
        end_with_us(&mut command);
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}: {command:?}"))?;
        // Without this the output would never end.
        drop(command);
        let output = Output::collect(reader, &dir.join(format!("{name}.log")))?;
        let pid = Pid::from_raw(child.id().cast_signed());
        Ok(Self {
            name: name.to_owned(),
            pid,
            output,
            ended: reap(child),
            status: None,
        })
    }

    /// Returns its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Opens the anonymous memory (memfd) of the process.
    pub fn open_memory(&self) -> Result<File> {
        for entry in std::fs::read_dir(format!("/proc/{}/fd", self.pid))? {
            let path = entry?.path();
            let target = std::fs::read_link(&path)?;
            if target
                .as_os_str()
                .as_encoded_bytes()
                .starts_with(b"/memfd:")
            {
                return Ok(File::options().read(true).write(true).open(&path)?);
            }
        }
        Err(anyhow!("{} has no memory", self.name))
    }

    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.exited(Duration::ZERO).is_none() {
            kill(self.pid, signal)
                .with_context(|| format!("cannot send {signal} to {}", self.name))?;
        }
        Ok(())
    }

    /// Waits for its end. Returns the exit status, or `None` after the time.
    pub fn exited(&mut self, limit: Duration) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.ended.recv_timeout(limit).ok();
        }
        self.status
    }

    /// Waits for its end, which must be clean.
    pub fn must_end_well(&mut self, limit: Duration) -> Result<()> {
        let status = self
            .exited(limit)
            .ok_or_else(|| anyhow!("{} still runs after {limit:?}", self.name))?;
        anyhow::ensure!(
            status.success(),
            "{} ended with status {:?}, signal {:?}",
            self.name,
            status.code(),
            status.signal()
        );
        Ok(())
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.exited(Duration::from_secs(10))
            .map(|_| ())
            .ok_or_else(|| anyhow!("{} survives SIGKILL", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("{error:#}");
        }
    }
}

/// Lets the command's process be killed when the thread that starts it ends.
pub fn end_with_us(command: &mut Command) {
    let end = || Ok(set_pdeathsig(Signal::SIGKILL)?);
    // SAFETY: The closure makes one system call, which is allowed between fork and exec, and
    // allocates nothing.
    unsafe { command.pre_exec(end) };
}

/// Waits for the child in a thread of its own, because the standard library cannot wait with a
/// time limit. The pid stays valid for `kill` until the status was received.
fn reap(mut child: Child) -> mpsc::Receiver<ExitStatus> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        if let Ok(status) = child.wait() {
            // The receiver is gone if the process was dropped.
            let _ = sender.send(status);
        }
    });
    receiver
}
