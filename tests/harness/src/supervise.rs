// SPDX-License-Identifier: GPL-2.0

//! Runs a command, and ends all that it has started when it has ended or is to end.
//!
//! The command stays in the caller's group of processes, so that it has the terminal, and ends
//! with the group. What it started is known by its descent instead: this process is made the parent
//! of those whose own parent has ended, and so learns when there is nobody left.

use std::{
    process::Command,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    sys::{
        prctl::set_child_subreaper,
        signal::{Signal, kill},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{descent::descendants, process::end_with_us, suite::verdict::End};

/// Time for the command to end after SIGTERM. Those for all that follows are less than what
/// tests/run gives a part, altogether.
const GRACE: Duration = Duration::from_secs(5);
/// Time for others to end by themselves after the command.
const LINGER: Duration = Duration::from_secs(1);
/// Time for others to end after SIGTERM, and then after SIGKILL.
const GRACE_OF_OTHERS: Duration = Duration::from_secs(2);

enum Event {
    /// A child has ended.
    Ended(Pid, End),
    /// There are no children any more.
    Gone,
    /// The command is to end.
    Signal(i32),
}

/// The end of a command.
pub struct Ended {
    pub end: End,
    /// The signal by which it was to end.
    pub signal: Option<i32>,
    /// What it has started and cannot be ended.
    pub left: Vec<Pid>,
}

/// Runs the command until it and all that it has started have ended. To be called once, by the main
/// thread of a process without other children.
pub fn run(mut command: Command) -> Result<Ended> {
    let (sender, receiver) = mpsc::channel();
    set_child_subreaper(true)?;
    catch_signals(sender.clone())?;
    end_with_us(&mut command);
    let child = command
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let script = Pid::from_raw(child.id().cast_signed());
    thread::spawn(move || reap(&sender));

    let (mut end, mut signal) = (None, None);
    let mut deadline: Option<Instant> = None;
    // SIGTERM first, SIGKILL after that.
    let mut means = [Signal::SIGTERM, Signal::SIGKILL].into_iter();
    loop {
        let event = match deadline {
            Some(at) => receiver.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => receiver.recv().map_err(RecvTimeoutError::from),
        };
        match event {
            Ok(Event::Ended(pid, how)) if pid == script => {
                end = Some(how);
                deadline = Some(Instant::now() + LINGER);
            }
            Ok(Event::Ended(..)) => {}
            // The terminal has told the whole group, and tests/run as well. To the script it may be
            // told twice: a shell that is ending does not start to end anew.
            Ok(Event::Signal(number)) if signal.is_none() => {
                signal = Some(number);
                if end.is_none() {
                    let _ = kill(script, Signal::SIGTERM);
                    deadline = Some(Instant::now() + GRACE);
                }
            }
            // Somebody is impatient.
            Ok(Event::Signal(_)) => deadline = Some(Instant::now()),
            Err(RecvTimeoutError::Timeout) => match means.next() {
                Some(how) => {
                    for pid in descendants() {
                        // It may have ended since.
                        let _ = kill(pid, how);
                    }
                    deadline = Some(Instant::now() + GRACE_OF_OTHERS);
                }
                None => break,
            },
            Ok(Event::Gone) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(Ended {
        end: end.unwrap_or(End::Killed("nobody")),
        signal,
        left: descendants(),
    })
}

/// Sends the ends of all children, also of those that were another's.
fn reap(sender: &mpsc::Sender<Event>) {
    loop {
        let event = match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, status)) => Event::Ended(pid, End::Exited(status)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                Event::Ended(pid, End::Killed(signal.as_str()))
            }
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(_) => Event::Gone,
        };
        let gone = matches!(event, Event::Gone);
        if sender.send(event).is_err() || gone {
            return;
        }
    }
}

/// Sends SIGINT, SIGTERM and SIGHUP, but for those that nohup and the like have this process ignore.
fn catch_signals(sender: mpsc::Sender<Event>) -> Result<()> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let caught = [SIGINT, SIGTERM, SIGHUP];
    let mut signals = Signals::new(caught.iter().filter(|number| !ignores(&status, **number)))?;
    thread::spawn(move || {
        for number in signals.forever() {
            if sender.send(Event::Signal(number)).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Whether a process with this `/proc/PID/status` ignores a signal.
fn ignores(status: &str, number: i32) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0) & 1 << (number - 1) != 0
}

#[cfg(test)]
mod tests {
    use super::ignores;

    #[test]
    fn ignored_signals_are_those_of_the_mask() {
        let status = "SigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\n";
        assert!(ignores(status, 1) && ignores(status, 13));
        assert!(!ignores(status, 2) && !ignores(status, 15));
        assert!(!ignores("", 1));
    }
}
