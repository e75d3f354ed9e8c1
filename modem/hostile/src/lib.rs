// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A modem with single faults, to test Linux against.
//!
//! It starts normally and passes frames each way. In between it executes [steps](step::Step) of a
//! harness, which write to the memory that it shares with Linux. The [catalogue](catalogue) has the
//! faults, and the result that each must have, as data.

#![forbid(unsafe_code)]

pub mod background;
pub mod catalogue;
pub mod execute;
pub mod expr;
pub mod firmware_file;
pub mod link;
pub mod modem;
pub mod names;
pub mod protocol;
pub mod stack;
mod stack_steps;
pub mod step;
