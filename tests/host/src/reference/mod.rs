// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The rings and their layout against references that interpret the same accesses.
//!
//! Each `fuzz` function takes any bytes: calls of a ring's methods, and a modem's writes in
//! between, valid or not. The reference has the formulas of the specification and shares no code
//! with the ring. It reads the log of all accesses of a call, decides for each one whether it is
//! correct, and computes the call's result. After an error there may be no access.
//!
//! `tests/reference.rs` runs them with random calls, `tests/fuzz` with libFuzzer's inputs.

pub mod driver;
pub mod input;
pub mod layout;
pub mod memory;
pub mod reversed;
pub mod trace;
