// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modem's end of a CAIF virtio link.
//!
//! [`Table`] reads from the resource table what Linux negotiated, [`Link`] moves frames: the uplink
//! is served by the crate `virtio-queue`, the reversed downlink is driven by the model in
//! `modem/ring`, with buffers from the modem's own heap.
//!
//! Everything that Linux writes is checked: a ring that breaks the rules is an [`Error`], and the
//! modem asks for a new boot.

#![forbid(unsafe_code)]

pub mod downlink;
pub mod heap;
pub mod table;
pub mod uplink;
pub mod view;

use downlink::Downlink;
use heap::Heap;
use ivshmem::{
    control,
    memory::{DA_BASE, SharedMemory},
};
use table::Table;
use uplink::Uplink;

/// An error of a link.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The memory cannot be accessed.
    #[error(transparent)]
    Memory(#[from] ivshmem::Error),
    /// The resource table is invalid.
    #[error("resource table: {0}")]
    Table(String),
    /// Linux violated the rules of a vring.
    #[error("vring {vring}: {what}")]
    Ring {
        /// Number of the vring.
        vring: usize,
        /// The fault, and the values that are allowed.
        what: String,
    },
}

/// Both directions of a link.
pub struct Link {
    /// To Linux.
    pub downlink: Downlink,
    /// From Linux.
    pub uplink: Uplink,
}

impl Link {
    /// Opens the rings of the table, which must be unused. At most `chain_max` frames go on one
    /// chain.
    pub fn open(
        memory: &SharedMemory,
        table: &Table,
        chain_max: u16,
        seed: u64,
    ) -> Result<Self, Error> {
        let heap = Heap::new(control::HEAP, DA_BASE + memory.size() - control::HEAP);
        Ok(Self {
            downlink: Downlink::new(memory.clone(), table, heap, chain_max, seed)?,
            uplink: Uplink::new(memory.clone(), table)?,
        })
    }

    /// Returns whether Linux has cleared the rings, as it does when a driver is bound anew.
    pub fn was_reset(&self) -> Result<bool, Error> {
        Ok(self.downlink.was_reset() || self.uplink.was_reset()?)
    }
}
