// SPDX-License-Identifier: GPL-2.0

//! The rate limit for log lines that a peer can cause.

use crate::abstractions::bindings;

/// Returns whether a line that a peer can cause may be logged now (`net_ratelimit()`). Any context.
pub(crate) fn may_log() -> bool {
    // SAFETY: `net_ratelimit()` can be called from any context.
    unsafe { bindings::net_ratelimit() != 0 }
}
