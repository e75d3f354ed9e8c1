// SPDX-License-Identifier: GPL-2.0

//! What the programs that profile a machine share.

pub mod console;
pub mod symbols;
