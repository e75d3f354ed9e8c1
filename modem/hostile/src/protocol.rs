// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What the harness and the modem tell each other, one line of JSON each.

use crate::{execute::Counters, step::Step};
use serde::{Deserialize, Serialize};

/// From the harness.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Execute a step.
    Step(Step),
    /// Tell in which state you are.
    State,
    /// Wait for a link in another boot than this, and for more than so many links.
    WaitLink(Option<u32>, u32),
    /// Pass a frame each way, with a mark that the guest writes to its log.
    Report(u32),
}

/// From the modem.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// It is done.
    Done,
    /// The boot, and links since the process began.
    State(Option<u32>, u32),
    /// Counters of the guest.
    Counters(Counters),
    /// Something went wrong.
    Failed(String),
}
