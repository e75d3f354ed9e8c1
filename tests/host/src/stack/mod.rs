// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The protocol stack's logic (`caif/*.rs`) against models that share no code with it.
//!
//! Each `fuzz` function takes any bytes, which encode a sequence of events. `tests/stack` runs them
//! with random ones, `tests/fuzz` with libFuzzer's inputs.

pub mod control;
pub mod rfm;
