// SPDX-License-Identifier: GPL-2.0

//! Bindings that the kernel crate lacks, made from the kernel's headers at build time.
//!
//! Types that `kernel::bindings` has are its own, so that both agree; where that one has only
//! a forward declaration, the complete type here shadows it.

#![allow(
    unknown_lints,
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

// The same as in rust/bindings/lib.rs: bindgen would choose a width other than that of `usize`.
type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

/// Result of `ndo_start_xmit`.
///
/// The network core calls that function by a pointer, and with `CONFIG_CFI` traps unless its type
/// is the one of C by name. bindgen makes integers of enumerations, which have other names; of a
/// structure of Rust with the layout of C the name is kept. On the architectures where Rust can be
/// had with `CONFIG_CFI`, a structure of one word is returned in the same register as an
/// enumeration; elsewhere the type is an integer for the calling convention.
#[cfg_attr(CONFIG_CFI, repr(C))]
#[cfg_attr(not(CONFIG_CFI), repr(transparent))]
pub struct netdev_tx(ffi::c_int);

pub type netdev_tx_t = netdev_tx;

impl netdev_tx {
    /// `NETDEV_TX_OK`: sent or dropped.
    pub const OK: Self = Self(HELPER_NETDEV_TX_OK as ffi::c_int);
    /// `NETDEV_TX_BUSY`: not accepted.
    pub const BUSY: Self = Self(HELPER_NETDEV_TX_BUSY as ffi::c_int);
}

#[cfg(all(CONFIG_CFI, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("netdev_tx: look up how this architecture returns a structure of one word");

// SAFETY: The type is a newtype around `Storage`.
unsafe impl<Storage: Zeroable> Zeroable for __BindgenBitfieldUnit<Storage> {}

include!(concat!(
    env!("CAIF_OBJ"),
    "/abstractions/bindings_generated.rs"
));
