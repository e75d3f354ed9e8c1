// SPDX-License-Identifier: GPL-2.0

//! Copies of frames between packets and memory that is shared with the remote processor.
//!
//! The copies, the statistics and the tracepoints of frames are in `frames.c`, so that a tracepoint
//! costs nothing until it is enabled.

use super::{
    bindings,
    SharedFrame, //
};
use crate::abstractions::net::{
    napi,
    SkBuff,
    TxQueue, //
};

/// Copies a frame, once, to a new packet of the protocol `ETH_P_CAIF`, counts it and hands it to
/// the stack. Returns whether there was memory for the packet.
#[inline]
pub(crate) fn receive(cx: &napi::Context<'_>, frame: &SharedFrame<'_>) -> bool {
    let napi = cx.as_raw();
    let from = frame.as_ptr().cast();
    if frame.is_iomem() {
        // SAFETY: The context proves that this is the poll function of the instance, whose device
        // has the statistics. By the invariant of `SharedFrame`, its bytes are mapped.
        unsafe { bindings::caif_virtio_receive_io(napi, from, frame.len()) }
    } else {
        // SAFETY: The context proves that this is the poll function of the instance, whose device
        // has the statistics. By the invariant of `SharedFrame`, its bytes are mapped.
        unsafe { bindings::caif_virtio_receive(napi, from, frame.len()) }
    }
}

/// The actions that are due after a packet was counted as sent.
pub(crate) struct Sent {
    /// The modem must be kicked now.
    pub(crate) need_kick: bool,
    /// The queue is stopped, by the driver or by the byte queue limits.
    pub(crate) stopped: bool,
}

/// Counts a packet whose frame of `len` bytes is in a slot, which may stop the queue (byte queue
/// limits), and frees it. `more` is what [`TxQueue::xmit_more`] returned.
#[inline]
pub(crate) fn sent(queue: &TxQueue<'_>, skb: SkBuff, len: u32, more: bool) -> Sent {
    let dev = queue.dev().as_raw();
    // SAFETY: By the invariant of `Device`, the device is valid; it has per-CPU statistics of this
    // kind; the lock of its transmit queue is held for as long as there is a `TxQueue`.
    // `into_raw()` gives up our reference.
    let sent = unsafe { bindings::caif_virtio_sent(dev, skb.into_raw(), len, more) };
    Sent {
        need_kick: sent & bindings::CAIF_VIRTIO_NEED_KICK != 0,
        stopped: sent & bindings::CAIF_VIRTIO_STOPPED != 0,
    }
}
