// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A modem as its AT commands show it: SIM, registration, contexts and their addresses, signal,
//! messages, and the terminals that ask.
//!
//! [`Modem`] does no input or output and reads no clock. Its driver passes it what terminals send
//! and the time, sends on what it answers, and does what its [`Order`]s say. README.md has a table
//! of the commands.

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

mod action;
mod commands;
mod contexts;
mod events;
mod failure;
mod line;
mod messages;
mod modem;
mod network;
mod order;
mod parse;
mod pool;
mod registration;
mod reply;
mod scenario;
mod sim;
mod state;
mod terminal;

pub use contexts::{Addresses, Ipv4Link, Ipv6Link};
pub use modem::Modem;
pub use network::{Addressing, Network};
pub use order::{Order, Report};
pub use pool::Pool;
pub use scenario::BadScenario;
