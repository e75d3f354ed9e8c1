// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Tests of the `vring_*.rs` files, and of the protocol stack's logic, outside any kernel.
//!
//! The files are built here exactly as the driver builds them, over plain memory
//! ([`memory::Memory`]). There are three oracles: references that interpret the same accesses
//! ([`reference`]), the device side of the crate `virtio-queue` ([`differential`]), and
//! hand-written examples, in which the model of the modem (`modem/ring`) is the other side.
//!
//! How to run:
//!
//! - `tests/host/run` runs everything and counts the cases.
//! - `cargo test --release -p vring-host-tests` runs the tests of this crate. Without `--release`
//!   they do the same, much slower. `VRING_CHAINS` is the number of chains that are compared with
//!   `virtio-queue`, `VRING_SEED` their seed. A disagreement is printed with the seed that repeats
//!   it.
//!
//! A chain can be given back only once, which the compiler enforces:
//!
//! ```compile_fail,E0382
//! use vring_host_tests::vring_mem::RingMem;
//! use vring_host_tests::vring_chain::DeviceRingError;
//! use vring_host_tests::vring_reversed::{Chain, DeviceRing};
//!
//! fn twice<M: RingMem>(ring: &mut DeviceRing<M, Vec<bool>>, chain: Chain) -> Result<(), DeviceRingError> {
//!     ring.give_back(chain, 0)?;
//!     ring.give_back(chain, 0)
//! }
//! ```
//!
//! Nor can it be copied first:
//!
//! ```compile_fail,E0599
//! use vring_host_tests::vring_reversed::Chain;
//!
//! fn copy(chain: &Chain) -> Chain {
//!     Chain::clone(chain)
//! }
//! ```
//!
//! And one that is fetched and never used is reported:
//!
//! ```compile_fail
//! #![deny(unused_must_use)]
//! use vring_host_tests::vring_reversed::Chain;
//!
//! fn next() -> Chain {
//!     unimplemented!()
//! }
//!
//! fn lose() {
//!     next();
//! }
//! ```

#![forbid(unsafe_code)]

pub use kernel_pure::{
    caif, caif_wire, link_config, slot, vring_chain, vring_driver, vring_half_stored, vring_layout,
    vring_mem, vring_news, vring_reversed, vring_watch,
};

pub mod differential;
pub mod memory;
pub mod reference;
pub mod stack;

/// Returns a number of the environment, or a default.
pub fn from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}
