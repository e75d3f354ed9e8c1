// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Codec of the CAIF protocol, as it runs on a virtio link.
//!
//! Parsing is total: every byte string gives a value or a typed error, and nothing panics.
//! Nothing allocates: parsed values borrow from the input, built ones go into a buffer of the
//! caller. All integers on the wire are little-endian.
//!
//! - [`frame`]: length, mux byte, body, frame check sequence
//! - [`control`]: messages of the control channel (mux 0)
//! - [`params`]: the parameters of a link set-up, by service
//! - [`data`]: headers and flow control of the data channels

#![forbid(unsafe_code)]
// No input of a peer may cause a panic. Tests may panic: that is how they fail.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod bytes;
pub mod control;
pub mod data;
pub mod fcs;
pub mod frame;
pub mod params;

#[allow(
    unused_imports,
    reason = "the kernel mounts this folder as a module, and uses some of them by their modules"
)]
pub use self::{
    control::{ControlError, Message},
    data::{Data, DataError, Service},
    frame::{Fcs, Frame, FrameError},
    params::{LinkParams, ServiceParams},
};

/// Mux byte of the control channel; 1 to 255 are data channels.
pub const CONTROL_CHANNEL: u8 = 0;

/// The largest payload of a DATAGRAM channel.
pub const DATAGRAM_MTU: usize = 1500;
