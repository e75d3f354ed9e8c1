// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Tells oFono of the modems behind CAIF links, by D-Bus.

pub mod bus;
pub mod cli;
pub mod daemon;
pub mod kernel;
pub mod modems;
pub mod notify;
mod objects;
pub mod ofono;
pub mod state;
pub mod sweep;
