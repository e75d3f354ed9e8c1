// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The logic of the protocol stack (`caif/*.rs`).

mod control;
mod flow;
mod owed;
mod policy;
mod properties;
mod rfm;
