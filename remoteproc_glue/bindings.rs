// SPDX-License-Identifier: GPL-2.0

//! The abstractions' bindings, and those to the driver's own functions in C, made from `frames.h` at
//! build time.

#![allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    unreachable_pub,
    unused_imports,
    reason = "generated code"
)]

pub(super) use crate::abstractions::bindings::*;
use kernel::ffi;

include!(concat!(
    env!("CAIF_OBJ"),
    "/remoteproc_glue/bindings_generated.rs"
));
