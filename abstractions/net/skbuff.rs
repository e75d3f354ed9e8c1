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

/// A socket buffer that we own. Dropping it counts as a drop of the packet;
/// [`into_raw`](Self::into_raw) gives up one that was sent.
///
/// # Invariants
///
/// `0` is a valid `struct sk_buff`, and we own the only reference to it.
#[repr(transparent)]
pub(crate) struct SkBuff(NonNull<bindings::sk_buff>);

// SAFETY: A socket buffer has no ties to the thread or CPU that allocated it.
unsafe impl Send for SkBuff {}

impl SkBuff {
    /// Takes ownership of a socket buffer.
    ///
    /// # Safety
    ///
    /// `ptr` must be a valid socket buffer, the only reference to which passes to the new object.
    pub(crate) unsafe fn from_raw(ptr: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: By the safety requirements, the socket buffer is valid, and its only
        // reference passes to us.
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

    /// Returns the number of bytes before the first fragment.
    #[inline]
    pub(super) fn linear_len(&self) -> u32 {
        // SAFETY: By the type invariant, the socket buffer is valid.
        let in_fragments = unsafe { (*self.as_raw()).data_len };
        self.len().saturating_sub(in_fragments)
    }

    /// Returns the first bytes; `None` if there are fewer outside of fragments.
    #[inline]
    #[allow(dead_code, reason = "for the driver only")]
    pub(crate) fn first<const N: usize>(&self) -> Option<[u8; N]> {
        if (self.linear_len() as usize) < N {
            return None;
        }
        // SAFETY: By the type invariant, the socket buffer is valid.
        let data = unsafe { (*self.as_raw()).data };
        // SAFETY: There are as many bytes, which nothing changes while `self` is borrowed.
        Some(unsafe { data.cast::<[u8; N]>().read() })
    }

    /// Copies the packet, which may be nonlinear, to `dst`, and completes its checksum there if
    /// that is pending.
    ///
    /// # Safety
    ///
    /// `dst` must be valid for writes of as many bytes as the packet has.
    #[allow(dead_code, reason = "for the driver only")]
    pub(crate) unsafe fn copy_to(&self, dst: *mut u8) -> Result {
        let len = c_int::try_from(self.len())?;
        // SAFETY: By the type invariant, the socket buffer is valid, and `dst` is valid for writes
        // of its `len` bytes by the safety requirements; the checksum is among them.
        to_result(unsafe { bindings::helper_skb_copy(self.as_raw(), dst.cast(), len) })
    }
}

impl Drop for SkBuff {
    fn drop(&mut self) {
        let reason = bindings::skb_drop_reason_SKB_DROP_REASON_NOT_SPECIFIED;
        // SAFETY: By the type invariant we own a reference, which passes to the callee.
        unsafe { bindings::dev_kfree_skb_any_reason(self.as_raw(), reason) }
    }
}
