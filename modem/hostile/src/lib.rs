// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A modem that does single things wrong.
//!
//! It comes up as any modem does and passes frames each way. In between, a harness tells it, one
//! [step](step::Step) after the other, what to write to the memory that it shares with Linux.
//! What there is to be done wrong, and what must come of it, is in the
//! [catalogue](catalogue), which is data.

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
pub mod step;
