// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Messages between the harness and the modem, each a line of JSON.

use crate::{execute::Counters, step::Step};
use serde::{Deserialize, Serialize};

/// A request of the harness.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Execute a step.
    Step(Box<Step>),
    /// Return the state.
    State,
    /// Wait for a link in another boot than this one, and until more links than this have come up.
    WaitLink(Option<u32>, u32),
    /// Pass a frame each way, with a mark that the guest writes to its log.
    Report(u32),
}

/// An answer of the modem.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// The request was executed.
    Done,
    /// The boot, and links since the process began.
    State(Option<u32>, u32),
    /// Counters of the guest.
    Counters(Counters),
    /// The request failed.
    Failed(String),
}
