// SPDX-License-Identifier: GPL-2.0

//! Bindings that the kernel crate lacks, made from the kernel's headers at build time.
//!
//! Types that `kernel::bindings` has are its own, so that both agree; where that one has only
//! a forward declaration, the complete type here shadows it.

#![allow(
    clippy::all,
    clippy::cast_lossless,
    clippy::multiple_unsafe_ops_per_block,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unnecessary_transmutes,
    unreachable_pub,
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    unused_imports,
    reason = "generated code"
)]

pub use kernel::bindings::*;
use kernel::ffi;
use pin_init::{
    MaybeZeroable,
    Zeroable, //
};

// As in rust/bindings/lib.rs: bindgen would make them of another width than `usize`.
type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

// SAFETY: The type is a newtype around `Storage`.
unsafe impl<Storage: Zeroable> Zeroable for __BindgenBitfieldUnit<Storage> {}

include!(concat!(
    env!("CAIF_OBJ"),
    "/abstractions/bindings_generated.rs"
));
