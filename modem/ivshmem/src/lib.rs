// SPDX-License-Identifier: GPL-2.0 OR MIT

//! QEMU's ivshmem protocol, version 0: shared memory and interrupts among peers.
//!
//! A server hands each peer that connects to its socket an id, the memory, and for every peer,
//! itself included, one eventfd for each interrupt vector. Each message is an `i64` in
//! little-endian order, most of them with a file descriptor. QEMU's device `ivshmem-doorbell` is
//! such a peer.
//!
//! Source: `docs/specs/ivshmem-spec` of QEMU.

#![forbid(unsafe_code)]

pub mod board;
pub mod client;
pub mod control;
pub mod loader;
pub mod mailbox;
pub mod memory;
pub mod message;
pub mod server;

/// The protocol's version.
pub const PROTOCOL_VERSION: i64 = 0;
/// The value that stands for an id in the message with the memory.
pub const MEMORY: i64 = -1;
/// Interrupt vectors of a peer of the modem's board.
pub const VECTORS: usize = 4;

/// An error of a peer, a server or the memory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        /// The call.
        what: &'static str,
        /// Its error.
        source: std::io::Error,
    },
    /// The other side violates the protocol.
    #[error("ivshmem protocol: {0}")]
    Protocol(String),
    /// The other side closed the connection.
    #[error("the ivshmem server closed the connection")]
    Closed,
    /// The memory cannot be used.
    #[error("shared memory: {0}")]
    Memory(String),
}

impl Error {
    /// Returns a function for `map_err` that wraps the error of a system call.
    pub fn system<E: Into<std::io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System {
            what,
            source: source.into(),
        }
    }
}
