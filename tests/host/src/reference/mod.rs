// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The rings and their layout against references that interpret the same accesses.
//!
//! Each `fuzz` function eats any bytes: calls of a ring's methods, and what a modem does to the
//! memory in between, sound or not. The reference knows the formulas of the specification and
//! shares no code with the ring. It reads the log of all accesses of a call and says for each one
//! whether it must be there, and what the call must return. After an error there may be none.
//!
//! `tests/reference.rs` feeds them random calls, `tests/fuzz` what libFuzzer finds.

pub mod driver;
pub mod input;
pub mod layout;
pub mod memory;
pub mod reversed;
pub mod trace;
