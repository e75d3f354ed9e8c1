// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The `vring_*.rs` files under a weak memory model, in every order that it allows.
//!
//! The rings are built here exactly as the driver builds them, over memory of loom's atomics
//! ([`memory`]). Their loads and stores are relaxed, as the volatile ones of the kernel are, and
//! only their barriers order anything. The other side of each ring is a thread of its own, which
//! obeys the specification and has correct barriers ([`modem`]). The [`models`] run both sides in
//! all orders and with all values that loads may return, and check for a lost notification, a stale
//! descriptor or used element, and a buffer that both sides access at once.
//!
//! A model proves little if it cannot fail. So each barrier of the rings can be left out, one at a
//! time ([`memory::Barrier`]), and a model must fail for each such ring, with the right error.
//!
//! The protocol stack shares words and addresses between CPUs, too, by traits that define their
//! ordering. Their models ([`models::flow`], [`models::slot`]) fail if any of it is missing
//! ([`models::Lacks`]).
//!
//! Limits of the model: it has no `dma_wmb()`, which orders stores but not loads, so that it does
//! not tell a write barrier that is too weak from one that is strong enough; and it does not
//! reorder loads after later stores.
//!
//! How to run: `cargo test --release -p vring-loom`, or `tests/host/run`, which counts these tests too.

pub use kernel_pure::{
    caif, slot, vring_chain, vring_driver, vring_layout, vring_mem, vring_news, vring_reversed,
};

pub mod memory;
pub mod models;
pub mod modem;
