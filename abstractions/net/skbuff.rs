// SPDX-License-Identifier: GPL-2.0

//! An owned socket buffer.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::abstractions::bindings;
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// A socket buffer that we own. Dropping it counts as a drop of the packet; one that was
/// sent is given up by `into_raw()`.
///
/// # Invariants
///
/// `0` is a valid `struct sk_buff`, and we own the only reference to it.
#[repr(transparent)]
pub(crate) struct SkBuff(NonNull<bindings::sk_buff>);

// SAFETY: A socket buffer has no ties to the thread or CPU that allocated it.
unsafe impl Send for SkBuff {}

impl SkBuff {
    /// Takes over a socket buffer.
    ///
    /// # Safety
    ///
    /// `ptr` must be a valid socket buffer, the only reference to which passes to the new object.
    pub(crate) unsafe fn from_raw(ptr: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: By the safety requirements.
        Self(ptr)
    }

    /// Passes our reference to the caller.
    pub(crate) fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// Returns the C object.
    pub(super) fn as_raw(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// Returns the number of bytes of the packet, fragments included.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        // SAFETY: By the type invariant, the socket buffer is valid.
        unsafe { (*self.as_raw()).len }
    }

    /// Copies the first `len` bytes of the packet, which may be in fragments, to `dst`.
    ///
    /// # Safety
    ///
    /// `dst` must be valid for writes of `len` bytes.
    pub(crate) unsafe fn copy_bits(&self, dst: *mut u8, len: u32) -> Result {
        let len = c_int::try_from(len)?;
        // SAFETY: The socket buffer is valid, `skb_copy_bits()` checks `len` against its length,
        // and `dst` is valid for writes of `len` bytes by the safety requirements.
        to_result(unsafe { bindings::skb_copy_bits(self.as_raw(), 0, dst.cast(), len) })
    }
}

impl Drop for SkBuff {
    fn drop(&mut self) {
        let reason = bindings::skb_drop_reason_SKB_DROP_REASON_NOT_SPECIFIED;
        // SAFETY: By the type invariant we own a reference, which passes to the callee.
        unsafe { bindings::dev_kfree_skb_any_reason(self.as_raw(), reason) }
    }
}
