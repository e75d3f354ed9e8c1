// SPDX-License-Identifier: GPL-2.0

//! Ends what commands left behind in process groups of their own.

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::waitpid,
    },
};

use crate::descent::descendants;

/// Kills all processes that descend from this one. Those whose parent has ended do so as well, see
/// `Supervisor::catch_signals`. To be called when no command runs.
pub fn end_strays() {
    loop {
        // What one of them has started meanwhile is found in the next round.
        for pid in descendants() {
            let _ = kill(pid, Signal::SIGKILL);
        }
        if !matches!(waitpid(None, None), Ok(_) | Err(Errno::EINTR)) {
            return;
        }
    }
}
