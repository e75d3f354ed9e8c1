// SPDX-License-Identifier: GPL-2.0

//! Packets that are sent together.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::{
    netdev::Netdev,
    skbuff::SkBuff, //
};
use crate::abstractions::bindings;
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::rcu, //
};

/// Packets, one after the other.
///
/// # Invariants
///
/// The pointer is NULL or to a list of valid packets, the only references to which are ours.
pub(crate) struct Packets(*mut bindings::sk_buff);

impl Iterator for Packets {
    type Item = SkBuff;

    fn next(&mut self) -> Option<SkBuff> {
        let skb = NonNull::new(self.0)?;
        // SAFETY: By the type invariant, the packet is valid and ours.
        self.0 = unsafe { bindings::net_helper_skb_unlink(skb.as_ptr()) };
        // SAFETY: By the type invariant, the packet is valid and ours; it is not on the list any
        // more.
        Some(unsafe { SkBuff::from_raw(skb) })
    }
}

impl Drop for Packets {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: By the type invariant, the packets are ours.
            unsafe { bindings::net_helper_kfree_skb_list(self.0) }
        }
    }
}

/// Packets that are being collected, to be sent together.
///
/// # Invariants
///
/// `last` is the last packet of the list, and `None` if there is none.
pub(crate) struct Burst {
    packets: Packets,
    last: Option<NonNull<bindings::sk_buff>>,
}

impl Burst {
    /// Creates an empty burst.
    #[inline]
    pub(crate) fn new() -> Self {
        // INVARIANT: The list is empty.
        Self {
            packets: Packets(null_mut()),
            last: None,
        }
    }

    /// Adds a packet.
    #[inline]
    pub(crate) fn push(&mut self, skb: SkBuff) {
        let skb = skb.into_raw();
        match self.last {
            // SAFETY: By the type invariant, `last` ends the list, and is ours.
            Some(last) => unsafe { bindings::net_helper_skb_link(last.as_ptr(), skb) },
            None => self.packets.0 = skb,
        }
        // INVARIANT: The packet was ours, is on no other list, and ends this one.
        self.last = NonNull::new(skb);
    }
}

impl SkBuff {
    /// Returns whether the packet consists of several segments.
    #[inline]
    pub(crate) fn is_segmented(&self) -> bool {
        // SAFETY: By the type invariant, the packet is valid.
        unsafe { bindings::net_helper_skb_is_gso(self.as_raw()) }
    }

    /// Returns the segments of the packet.
    pub(crate) fn segments(self) -> Result<Packets> {
        // SAFETY: By the type invariant, the packet is valid, and the reference to it is the only
        // one.
        let first = from_err_ptr(unsafe { bindings::net_helper_skb_segment(self.as_raw()) })?;
        // The function consumed the packet.
        self.into_raw();
        // INVARIANT: The list is new, and ours.
        Ok(Packets(first))
    }
}

impl Netdev {
    /// Passes packets of a protocol, `ETH_P_*`, to the driver at once. Returns those that it cannot
    /// take now, or that others must see first; they must be sent one by one. With bottom halves
    /// off.
    #[inline]
    pub(crate) fn start_xmit(&self, burst: Burst, protocol: u16, _guard: &rcu::Guard) -> Packets {
        let list = core::mem::ManuallyDrop::new(burst).packets.0;
        // SAFETY: By the type invariant, the device is valid, the packets pass to the callee, and
        // the guard keeps what RCU protects.
        let first = unsafe { bindings::net_helper_start_xmit(list, self.as_raw(), protocol) };
        // INVARIANT: What the callee returns is ours again.
        Packets(first)
    }
}
