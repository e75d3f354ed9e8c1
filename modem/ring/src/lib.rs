// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modem's side of both vrings.
//!
//! [`Driver`] is the driver side of a split virtqueue, for the reversed vring (0), and [`Device`]
//! is the device side, for vring 1. Both keep to the rules and check what Linux writes. The writes
//! of a faulty modem go through [`Fields`], which loads and stores each field of a vring without
//! any check, and through the few methods that write a single wrong value: [`Driver::put`],
//! [`Driver::skip`], [`Device::put_used`] and [`Device::skip`].
//!
//! The modem process, the hostile modem, the host tests, the loom models and the KUnit suites all
//! use it, each over a [`RingMem`](vring_mem::RingMem) of its own. It allocates nothing, contains
//! no unsafe code, and knows neither the kernel nor `std`.
//!
//! # In the kernel
//!
//! The KUnit module mounts the model itself, beside the ring files that it needs:
//!
//! ```text
//! #[path = "../../modem/ring/src/ring/mod.rs"]
//! pub mod modem_ring;
//! #[path = "../../vring_layout.rs"]
//! pub mod vring_layout;
//! #[path = "../../vring_mem.rs"]
//! pub mod vring_mem;
//! ```
//!
//! `ring/mod.rs` takes `vring_layout` and `vring_mem` from its parent module and finds its own parts
//! in its own folder. A `KVec<Place>` serves as storage of a [`Driver`].
//!
//! # What stays independent of it
//!
//! These define by themselves what a ring must look like, and find faults because they share no
//! code with this model:
//!
//! - the references in `tests/host/src/reference`, which read each access of a ring by the formulas
//!   of the specification; random calls and libFuzzer (`tests/fuzz`) feed them;
//! - `virtio-queue`, with which the host tests compare both rings, and by which the modem process
//!   serves vring 1;
//! - the kernel's own `virtio_ring.c` and `vringh.c` in `tests/interop`.

#![no_std]
#![forbid(unsafe_code)]

// Formatted as the kernel wants it.
#[rustfmt::skip]
mod ring;

pub use kernel_pure::{vring_layout, vring_mem};
pub use ring::{Desc, Device, Driver, Fields, Place, Used, Violation};
