// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Tests of the `vring_*.rs` files outside any kernel.
//!
//! The files are built here exactly as the driver builds them. A small model of the modem
//! ([`driver::Driver`]) fills rings in plain memory ([`memory::Memory`]), the ring under test
//! reads them, and either hand-written expectations, an independent reading of the same bytes, or
//! the device side of the crate `virtio-queue` ([`differential`]) say what must come out.
//!
//! How to run:
//!
//! - `tests/host/run` runs everything and counts the cases.
//! - `cargo test --release -p vring-host-tests` runs the unit and property tests and a short
//!   differential run. Without `--release` they do the same, much slower.
//! - `cargo run --release -p vring-host-tests -- --chains 10000000 --event-idx --seed 7` compares
//!   as many chains as asked for. A disagreement is printed with the seed that brings it back.
//!
//! A chain can be given back only once. The compiler sees to it:
//!
//! ```compile_fail,E0382
//! use vring_host_tests::vring_mem::RingMem;
//! use vring_host_tests::vring_reversed::{Chain, Ring, RingError};
//!
//! fn twice<M: RingMem>(ring: &mut Ring<M, Vec<bool>>, chain: Chain) -> Result<(), RingError> {
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

pub use kernel_pure::{vring_driver, vring_layout, vring_mem, vring_news, vring_reversed};

pub mod differential;
pub mod driver;
pub mod memory;
pub mod reference;
pub mod spy;
