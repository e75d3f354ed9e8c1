// SPDX-License-Identifier: GPL-2.0

//! Waits for the process of a part, and measures its CPU time.

use std::{
    os::unix::process::ExitStatusExt,
    process::{Child, ExitStatus},
    sync::mpsc,
};

use nix::{
    sys::{
        signal::Signal,
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{Pid, SysconfVar, sysconf},
};

use super::{run::Event, verdict::End};
use crate::descent::fields;

/// Waits for a part's process, and sends its result.
pub(super) fn wait(mut child: Child, at: usize, sender: &mpsc::Sender<Event>) {
    let pid = Pid::from_raw(child.id().cast_signed());
    // The process stays a zombie, with its CPU time, until `Child::wait`.
    let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
    let cpu = cpu_seconds(pid).unwrap_or(0.0);
    if let Ok(status) = child.wait() {
        // The receiver is gone when the run is over.
        let _ = sender.send(Event::Ended(at, status, cpu));
    }
}

/// Seconds that CPUs worked for a process that has ended, and for its children that have.
fn cpu_seconds(pid: Pid) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = ticks(&stat)?;
    let second = sysconf(SysconfVar::CLK_TCK).ok()??;
    Some(ticks as f64 / second as f64)
}

/// Returns the sum of utime, stime, cutime and cstime, which are fields 14 to 17 of
/// `/proc/PID/stat`.
fn ticks(stat: &str) -> Option<u64> {
    let fields: Vec<_> = fields(stat)?.skip(11).take(4).collect();
    let numbers = fields.iter().map(|field| field.parse::<u64>().ok());
    (fields.len() == 4).then(|| numbers.sum()).flatten()
}

/// Returns how a process came to its end.
pub(crate) fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => {
            let signal = signal.and_then(|signal| Signal::try_from(signal).ok());
            End::Killed(signal.map_or("a signal", Signal::as_str))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn cpu_time_is_that_of_all_children() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 200 0 0 10 20 30 40 20 0 1 0 100";
        assert_eq!(ticks(stat), Some(100));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
