// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modem's side of both vrings: driver of one, device of the other, and the fields of either
//! for writes that keep to no rules.

mod device;
mod driver;
mod fields;

use super::{
    vring_layout,
    vring_mem, //
};
use core::fmt;

pub use self::{
    device::Device,
    driver::{
        Driver,
        Place, //
    },
    fields::{
        Desc,
        Fields,
        Used, //
    }, //
};

/// A rule of a ring that Linux broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// `used.idx` moved by more than Linux has chains.
    UsedJump {
        /// Entries from the last one taken to the new index.
        delta: u16,
        /// Chains that Linux can see and that are not back.
        allowed: u16,
    },
    /// The used ring names a chain that Linux does not have.
    UsedId {
        /// The entry.
        id: u32,
    },
    /// `avail.idx` moved by more than there are descriptors.
    AvailJump {
        /// Entries from the last one taken to the new index.
        delta: u16,
        /// Number of descriptors.
        num: u16,
    },
    /// The available ring names a descriptor that does not exist.
    Head {
        /// The descriptor.
        head: u16,
        /// Number of descriptors.
        num: u16,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UsedJump { delta, allowed } => write!(
                f,
                "used.idx moved by {delta}, at most {allowed} chains can come back"
            ),
            Self::UsedId { id } => {
                write!(f, "chain {id} came back, but Linux does not have it")
            }
            Self::AvailJump { delta, num } => write!(
                f,
                "avail.idx moved by {delta}, at most {num} buffers can be new"
            ),
            Self::Head { head, num } => {
                write!(f, "descriptor {head} made available, must be below {num}")
            }
        }
    }
}

impl core::error::Error for Violation {}
