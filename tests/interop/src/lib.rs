// SPDX-License-Identifier: GPL-2.0

//! The ring files against the kernel's own code for both sides of a ring.
//!
//! `virtio_ring.c`, the driver of every virtio device of Linux, posts chains that
//! `vring_reversed.rs` takes, and `vringh.c`, the kernel's own device side, serves
//! `vring_driver.rs`. Both are built from the kernel's source for user space, with the headers
//! that it has for this purpose in `tools/virtio`. None of it is copied.
//!
//! How to run: `tests/interop/run`, which fetches the source.

pub mod arena;
pub mod bell;
pub mod kernel;
