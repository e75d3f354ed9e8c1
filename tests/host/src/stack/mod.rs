// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The protocol stack's logic (`caif/*.rs`) against models that share no code with it.
//!
//! Each `fuzz` function eats any bytes, which say what happens in which order. `tests/stack` feeds
//! them random ones, `tests/fuzz` what libFuzzer finds.

pub mod control;
pub mod rfm;
