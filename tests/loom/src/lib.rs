// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The `vring_*.rs` files under a weak memory model, in every order that it allows.
//!
//! The rings are built here exactly as the driver builds them, over memory of loom's atomics
//! ([`memory`]). Their loads and stores are relaxed, as the volatile ones of the kernel are, and only
//! their barriers order anything. The other side of each ring is a thread of its own, which
//! obeys the specification and brings its own, correct barriers ([`modem`]). The [`models`] let
//! both sides run against each other in all orders and with all values that loads may return, and
//! look for a lost notification, a stale descriptor or used element, and a buffer that both sides
//! touch at once.
//!
//! A model proves little if it cannot fail. So each barrier of the rings can be left out, one at a
//! time ([`memory::Barrier`]), and the tests want each such ring to be caught, by a model that
//! names what went wrong.
//!
//! The protocol stack shares words and addresses between CPUs, too, by traits that say how they order.
//! Their models ([`models::flow`], [`models::slot`]) fail when any of that is missing ([`models::Lacks`]).
//!
//! What the model cannot tell: it knows no `dma_wmb()`, which orders stores but not loads, so
//! that a write barrier that is too weak is the same to it as one that is strong enough; and
//! loads are never done after later stores on their own.
//!
//! How to run: `cargo test --release -p vring-loom`, or `tests/host/run`, which counts these tests too.

pub use kernel_pure::{
    caif, slot, vring_chain, vring_driver, vring_layout, vring_mem, vring_news, vring_reversed,
};

pub mod memory;
pub mod models;
pub mod modem;
