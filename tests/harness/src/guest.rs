// SPDX-License-Identifier: GPL-2.0

//! The host's end of the agent inside the machine.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    os::{
        fd::AsFd,
        unix::net::{UnixListener, UnixStream},
    },
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Deserialize;

/// Seconds that a command may take unless the test says otherwise.
const PATIENCE: u64 = 60;
/// The first line of an agent.
const READY: &str = r#"{"ready":true}"#;

#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    pub status: i32,
    pub out: String,
}

#[derive(Deserialize)]
struct Line {
    id: u64,
    #[serde(flatten)]
    answer: Answer,
}

type Waiting = Arc<Mutex<HashMap<u64, mpsc::Sender<Answer>>>>;

pub struct Guest {
    stream: UnixStream,
    next: u64,
    waiting: Waiting,
    /// Has the beginnings of further agents.
    ready: mpsc::Receiver<()>,
}

/// A command that is still running.
#[must_use]
pub struct Running {
    cmd: String,
    receiver: mpsc::Receiver<Answer>,
    limit: Duration,
}

impl Guest {
    /// Takes the connection that QEMU makes for the agent's port, and waits for the agent.
    pub fn accept(listener: &UnixListener, limit: Duration) -> Result<Self> {
        let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        ensure!(
            poll(&mut fds, timeout)? > 0,
            "QEMU did not start within {limit:?}"
        );
        let (stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(limit))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        while line.trim() != READY {
            line.clear();
            let len = reader
                .read_line(&mut line)
                .with_context(|| format!("the guest's agent did not start within {limit:?}"))?;
            ensure!(len > 0, "the machine ended before the agent was ready");
        }
        stream.set_read_timeout(None)?;
        let waiting = Waiting::default();
        let shared = Arc::clone(&waiting);
        let (begins, ready) = mpsc::channel();
        thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                if line.trim() == READY {
                    // Most tests wait for no other agent.
                    let _ = begins.send(());
                    continue;
                }
                let Ok(Line { id, answer }) = serde_json::from_str(&line) else {
                    eprintln!("not an answer of the agent: {line:?}");
                    continue;
                };
                let sender = shared
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&id);
                if let Some(sender) = sender {
                    // The test may have given up on the command.
                    let _ = sender.send(answer);
                }
            }
            // Dropping the senders tells all waiting threads that the machine is gone.
            shared
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        });
        Ok(Self {
            stream,
            next: 0,
            waiting,
            ready,
        })
    }

    /// Waits for an agent that takes the place of the one that ended.
    pub fn accept_another(&mut self, limit: Duration) -> Result<()> {
        self.ready
            .recv_timeout(limit)
            .context("no other agent in the guest began")
    }

    /// Starts a command with a limit in seconds.
    pub fn start_for(&mut self, cmd: &str, seconds: u64) -> Result<Running> {
        self.next += 1;
        let (sender, receiver) = mpsc::channel();
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(self.next, sender);
        let request = serde_json::json!({ "id": self.next, "cmd": cmd, "timeout": seconds });
        writeln!(self.stream, "{request}").context("the machine is gone")?;
        // The agent enforces the limit; the host only notices an agent that is stuck itself.
        let limit = Duration::from_secs(seconds + 30);
        Ok(Running {
            cmd: cmd.to_owned(),
            receiver,
            limit,
        })
    }

    pub fn start(&mut self, cmd: &str) -> Result<Running> {
        self.start_for(cmd, PATIENCE)
    }

    /// Runs a command, whatever its exit status.
    pub fn run(&mut self, cmd: &str) -> Result<Answer> {
        self.start(cmd)?.wait()
    }

    /// Runs a command that must succeed. Returns its output.
    pub fn ok(&mut self, cmd: &str) -> Result<String> {
        self.start(cmd)?.ok()
    }

    /// Removes a module of a stack, if it is there, once it is unused: a socket holds it until it is
    /// freed, a moment after it was closed.
    pub fn unload_unused(&mut self, module: &str) -> Result<()> {
        self.ok(&format!(
            "for i in $(seq 200); do \
             ! grep -q '^{module} [0-9]* [1-9]' /proc/modules || {{ usleep 50000; continue; }}; \
             break; done; ! grep -q '^{module} ' /proc/modules || rmmod {module}"
        ))
        .map(|_| ())
    }

    /// Runs a command that must fail. Returns its output.
    pub fn fails(&mut self, cmd: &str) -> Result<String> {
        let answer = self.run(cmd)?;
        ensure!(
            answer.status != 0,
            "{cmd} succeeded and should not have:\n{}",
            answer.out
        );
        ensure!(answer.status != 124, "{cmd} hung:\n{}", answer.out);
        Ok(answer.out)
    }
}

impl Running {
    /// Waits for the end, up to a limit. Returns the answer if there is one.
    pub fn ended_within(&self, limit: Duration) -> Result<Option<Answer>> {
        match self.receiver.recv_timeout(limit) {
            Ok(answer) => Ok(Some(answer)),
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                bail!("the machine ended during: {}", self.cmd)
            }
        }
    }

    pub fn wait(self) -> Result<Answer> {
        match self.receiver.recv_timeout(self.limit) {
            Ok(answer) => Ok(answer),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("the guest does not answer: {}", self.cmd)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(anyhow!("the machine ended during: {}", self.cmd))
            }
        }
    }

    pub fn ok(self) -> Result<String> {
        let cmd = self.cmd.clone();
        let answer = self.wait()?;
        ensure!(
            answer.status == 0,
            "{cmd}: exit status {}\n{}",
            answer.status,
            answer.out
        );
        Ok(answer.out)
    }
}
