// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Codec of the CAIF protocol, for the modem and for tests: frames, messages of the control
//! channel, parameters of a link set-up, headers of the data channels.
//!
//! The kernel mounts the folder of the codec as a module, so the codec refers to nothing by the
//! crate's root and is written in the kernel's edition.

#![no_std]
#![forbid(unsafe_code)]

mod codec;

pub use codec::*;
