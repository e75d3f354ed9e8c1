// SPDX-License-Identifier: GPL-2.0

//! Runs the commands of the lanes, each to its end or to that of the run, with all that it starts.

use std::{
    fs::File,
    io::ErrorKind,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::{
        prctl,
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, waitid, waitpid},
    },
    unistd::Pid,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    process::end_with_us,
    suite::{child, verdict::End},
};

/// Ends the commands of all lanes when the run is to end.
pub struct Supervisor {
    state: Mutex<State>,
    /// Something in the state has changed.
    changed: Condvar,
    /// Time for a command to end after SIGTERM.
    grace: Duration,
}

#[derive(Default)]
struct State {
    /// The signal that ends the run.
    interrupted: Option<Signal>,
    /// Whether another came after it: there is no time for anything.
    again: bool,
    /// Commands that have ended, and were not waited for yet.
    ended: Vec<Pid>,
}

/// How a command came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ended(End),
    /// It was ended after the time that it may take.
    Late,
}

impl Supervisor {
    pub fn new(grace: Duration) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            grace,
        }
    }

    /// Ends the run at SIGINT, SIGTERM and SIGHUP, from now on.
    pub fn catch_signals(&'static self) -> Result<()> {
        // What outlives the process that started it becomes a child of ours, see the module `strays`.
        prctl::set_child_subreaper(true)?;
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        thread::spawn(move || {
            for signal in signals.forever() {
                self.interrupt(Signal::try_from(signal).unwrap_or(Signal::SIGTERM));
            }
        });
        Ok(())
    }

    /// Ends the run: commands get SIGTERM and, after their time or a second call, SIGKILL.
    pub fn interrupt(&self, signal: Signal) {
        let mut state = self.lock();
        state.again = state.interrupted.is_some();
        state.interrupted.get_or_insert(signal);
        self.changed.notify_all();
    }

    /// Returns the signal that ends the run, if one does.
    pub fn interrupted(&self) -> Option<Signal> {
        self.lock().interrupted
    }

    /// Runs a command, with its output in a log, until it ends or its time is over. No process that it
    /// started, and that did not leave its group, goes on after that. Fails if the run is to end.
    pub fn run(
        &self,
        mut command: Command,
        log: &Path,
        limit: Option<Duration>,
    ) -> Result<Outcome> {
        let file = File::create(log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null());
        command.stdout(file.try_clone()?).stderr(file);
        command.process_group(0);
        end_with_us(&mut command);
        let mut child = loop {
            if let Some(signal) = self.interrupted() {
                bail!("the run was ended by {signal}");
            }
            match command.spawn() {
                // The script was just written, and a process that another lane is starting has the file
                // until it becomes its program.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::yield_now(),
                spawned => break spawned.with_context(|| format!("cannot start {command:?}"))?,
            }
        };
        let group = Pid::from_raw(child.id().cast_signed());
        let late = thread::scope(|scope| {
            scope.spawn(|| {
                // It stays a zombie, so that no other process gets its number.
                let _ = waitid(Id::Pid(group), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
                self.lock().ended.push(group);
                self.changed.notify_all();
            });
            self.attend(group, limit)
        });
        // No process of it may go on: it would take the time of others, or write into the copy.
        let _ = killpg(group, Signal::SIGKILL);
        let status = child.wait()?;
        while waitpid(Pid::from_raw(-group.as_raw()), None).is_ok() {}
        match (self.interrupted(), late) {
            (Some(signal), _) => bail!("the run was ended by {signal}"),
            (None, true) => Ok(Outcome::Late),
            (None, false) => Ok(Outcome::Ended(child::end(status))),
        }
    }

    /// Waits until the leader of a group has ended, and ends the group after the limit, or if the run is
    /// to end. Returns whether it was late.
    fn attend(&self, group: Pid, limit: Option<Duration>) -> bool {
        let over = limit.map(|limit| Instant::now() + limit);
        let mut asked: Option<Instant> = None;
        let mut killed = false;
        let mut late = false;
        let mut state = self.lock();
        loop {
            if let Some(at) = state.ended.iter().position(|ended| *ended == group) {
                state.ended.swap_remove(at);
                return late;
            }
            let now = Instant::now();
            late |= asked.is_none() && over.is_some_and(|over| over <= now);
            if asked.is_none() && (late || state.interrupted.is_some()) {
                asked = Some(now);
                let _ = killpg(group, Signal::SIGTERM);
            }
            let until = match asked {
                None => over,
                Some(asked) if !killed => Some(asked + self.grace),
                Some(_) => None,
            };
            if asked.is_some()
                && !killed
                && (state.again || until.is_some_and(|until| until <= now))
            {
                killed = true;
                let _ = killpg(group, Signal::SIGKILL);
                continue;
            }
            state = match until {
                Some(until) => {
                    let waited = self.changed.wait_timeout(state, until - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.changed.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Outcome, Supervisor};
    use nix::{sys::signal::Signal, sys::stat::Mode, unistd::mkfifo};
    use std::{fs::File, io::Read, path::Path, process::Command, time::Duration};

    fn shell(dir: &Path, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).current_dir(dir);
        command
    }

    fn run(script: &str, limit: Option<Duration>) -> (Outcome, String) {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let supervisor = Supervisor::new(Duration::from_millis(50));
        let outcome = supervisor.run(shell(dir.path(), script), &log, limit);
        (outcome.unwrap(), std::fs::read_to_string(log).unwrap())
    }

    #[test]
    fn a_command_ends_with_its_status_and_its_log() {
        let (outcome, log) = run("echo out; echo err >&2; exit 3", None);
        assert_eq!(outcome, Outcome::Ended(End::Exited(3)));
        assert_eq!(log, "out\nerr\n");
        let (outcome, _) = run("kill -9 $$", Some(Duration::from_secs(600)));
        assert_eq!(outcome, Outcome::Ended(End::Killed("SIGKILL")));
    }

    #[test]
    fn a_command_is_ended_after_its_time() {
        let limit = Some(Duration::from_millis(50));
        assert_eq!(run("exec sleep 600", limit).0, Outcome::Late);
        let stubborn = "trap '' TERM; while :; do sleep 600; done";
        assert_eq!(run(stubborn, limit).0, Outcome::Late);
    }

    /// Runs a script whose processes hold the named pipe `held`, interrupts the run as often as is said
    /// once it is open, and waits until no process has it.
    fn interrupted(grace: Duration, times: usize, script: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("held");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let supervisor = Supervisor::new(grace);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut held = File::open(&fifo).unwrap();
                (0..times).for_each(|_| supervisor.interrupt(Signal::SIGHUP));
                held.read_to_end(&mut Vec::new()).unwrap();
            });
            let command = shell(dir.path(), script);
            let log = dir.path().join("log");
            let error = supervisor.run(command, &log, None).unwrap_err();
            // Nothing is started any more.
            let command = shell(dir.path(), "echo started");
            assert!(supervisor.run(command, &log, None).is_err());
            assert_eq!(std::fs::read(&log).unwrap(), b"");
            error.to_string()
        })
    }

    #[test]
    fn an_interrupted_command_ends_with_all_that_it_started() {
        let long = Duration::from_secs(600);
        let said = interrupted(long, 1, "sleep 600 >held & wait");
        assert_eq!(said, "the run was ended by SIGHUP");
        // The shell ends, and what it started ignores the signal.
        interrupted(long, 1, "(trap '' TERM; exec sleep 600 >held) & wait");
        let stubborn = "trap '' TERM; exec >held; while :; do sleep 600; done";
        interrupted(Duration::from_millis(50), 1, stubborn);
        interrupted(long, 2, stubborn);
    }

    #[test]
    fn what_a_command_leaves_behind_ends_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("held");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                File::open(&fifo)
                    .unwrap()
                    .read_to_end(&mut Vec::new())
                    .unwrap()
            });
            let command = shell(dir.path(), "sleep 600 >held & exec 3>held");
            let supervisor = Supervisor::new(Duration::from_secs(600));
            let outcome = supervisor.run(command, &dir.path().join("log"), None);
            assert_eq!(outcome.unwrap(), Outcome::Ended(End::Exited(0)));
        });
    }
}
