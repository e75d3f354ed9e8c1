// SPDX-License-Identifier: GPL-2.0

//! Ends what commands left behind in process groups of their own.

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::{Pid, getpid},
};

/// Kills all children of this process, and theirs, which become ours when a parent ends, see
/// `Supervisor::catch_signals`. To be called when no command runs.
pub fn end_strays() {
    loop {
        // Those of a stray that has ended are ours in the next round.
        for pid in children() {
            let _ = kill(pid, Signal::SIGKILL);
        }
        if !matches!(waitpid(None, None), Ok(_) | Err(Errno::EINTR)) {
            return;
        }
    }
}

/// Returns the children of this process.
fn children() -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_ours = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        parent(&stat) == Some(getpid().as_raw())
    };
    pids.filter(is_ours).map(Pid::from_raw).collect()
}

/// Returns the parent in a line of `/proc/PID/stat`.
fn parent(stat: &str) -> Option<i32> {
    // The name in parentheses may have any characters.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parent;

    #[test]
    fn the_parent_is_read_behind_any_name() {
        assert_eq!(parent("7 (a b) c) S 12 7 7 0 -1"), Some(12));
        assert_eq!(parent("7 (a"), None);
    }
}
