// SPDX-License-Identifier: GPL-2.0

//! Whether a call raised SIGPIPE.

#![expect(unsafe_code, reason = "a system call that no crate wraps")]

use std::ptr;

use anyhow::Result;
use nix::sys::signal::{SigSet, Signal};

fn pipe() -> SigSet {
    let mut set = SigSet::empty();
    set.add(Signal::SIGPIPE);
    set
}

/// Blocks the signal, in this thread and those that it starts.
pub(super) fn hold_back() -> Result<()> {
    Ok(pipe().thread_block()?)
}

/// Takes the signal if it is pending.
pub(super) fn was_raised() -> bool {
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: Set and time are valid, and nothing is asked for where the pointer is null.
    let signal = unsafe { libc::sigtimedwait(pipe().as_ref(), ptr::null_mut(), &at_once) };
    signal == libc::SIGPIPE
}
