// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The upper half of a CAIF modem: the control channel and the services behind the data
//! channels, from the AT interpreter to IP stacks. README.md states every line format.
//!
//! [`Engine`] does no input or output and reads no clock: its driver passes it the host's frames
//! and the time, and takes the modem's frames while the link has room.

#![forbid(unsafe_code)]
// No input of a peer may cause a panic. Tests may panic: that is how they fail.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod at;
mod channel;
mod config;
mod control;
mod engine;
mod ip;
mod linkid;
pub mod pattern;
mod stats;

pub use at_model::{BadScenario, Network};
pub use config::{Config, Ipv4Net};
pub use engine::{End, Engine};
pub use ip::{Forward, IpConfig, IpStack, Remote};
pub use stats::Stats;
