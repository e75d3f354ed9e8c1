// SPDX-License-Identifier: GPL-2.0

//! The tests' own bindings, and those of the abstractions.

#![allow(
    clippy::all,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    reason = "generated code"
)]

pub use crate::abstractions::bindings::*;
use kernel::ffi;

include!(concat!(
    env!("CAIF_OBJ"),
    "/tests/kunit/bindings_generated.rs"
));
