// SPDX-License-Identifier: GPL-2.0

//! Transmission: frames into slots, slots on the vring, and back.

use crate::{
    abstractions::{
        netdev::TxQueue,
        skbuff::SkBuff, //
    },
    counters::Fault,
    link_config::Direction,
    log,
    remoteproc_glue::{
        queues::TxVirtqueue,
        slots::{
            Slot,
            Slots, //
        },
        Link, //
    }, //
};
use kernel::{
    device,
    prelude::*, //
};

/// Fewest slots to send from that are of use.
const SLOTS_MIN: u16 = 4;

/// State of transmission.
pub struct Tx<'bound> {
    /// The vring to send by.
    pub vq: TxVirtqueue<'bound>,
    /// The slots to send from.
    pub slots: Slots,
    /// Bytes of the frame in each slot.
    lens: KVec<u32>,
    config: Direction,
}

impl<'bound> Tx<'bound> {
    /// Allocates the slots to send from, as many as `vq` has descriptors or as there is memory for.
    pub fn new(
        dev: &device::Device<device::Bound>,
        link: &Link<'bound>,
        config: Direction,
        vq: TxVirtqueue<'bound>,
    ) -> Result<Self> {
        let size = config.mtu as usize;
        let want = u16::try_from(vq.size())?;
        let least = SLOTS_MIN.min(want);
        let slots = Slots::new(link.dma_device(), size, want, least).inspect_err(|_| {
            log!(
                dev_err,
                dev,
                "no shared memory for {least} slots of {size} bytes to send from\n"
            )
        })?;
        let lens = KVec::from_elem(0, slots.count().into(), GFP_KERNEL)?;
        Ok(Self {
            vq,
            slots,
            lens,
            config,
        })
    }

    /// Takes back the slots that the modem is done with, and wakes the queue when there are some.
    pub fn complete(&mut self, queue: &TxQueue<'_>) {
        let mut packets = 0;
        let mut bytes = 0;
        while let Some(slot) = self.vq.get_buf() {
            packets += 1;
            bytes += self.lens.get(slot.index()).copied().unwrap_or(0);
            self.slots.put(slot);
        }
        if packets == 0 {
            return;
        }
        queue.completed(packets, bytes);
        queue.progress();
        if queue.is_stopped() && self.slots.free() >= self.wake_at() {
            queue.wake();
        }
    }

    /// Free slots that make it worth to wake the queue.
    fn wake_at(&self) -> usize {
        usize::from(self.slots.count() / 4).max(1)
    }

    /// Completes, and asks for an interrupt when there is more to complete. Returns whether there
    /// already is.
    pub fn complete_and_rearm(&mut self, queue: &TxQueue<'_>) -> bool {
        self.vq.disable_cb();
        self.complete(queue);
        !self.vq.is_broken() && !self.vq.enable_cb()
    }

    /// Puts a frame into a slot and the slot on the vring, without a kick. Returns the frame's bytes.
    pub fn send(&mut self, slot: Slot, skb: &SkBuff) -> Result<u32, Fault> {
        let config = &self.config;
        let total = match self
            .slots
            .fill(&slot, config.headroom, skb, config.tailroom)
        {
            Ok(total) => total,
            Err(_) => {
                self.slots.put(slot);
                return Err(Fault::TxLength);
            }
        };
        skb.tx_timestamp();
        if let Some(len) = self.lens.get_mut(slot.index()) {
            *len = skb.len();
        }
        let addr = self.slots.dma_address(&slot);
        match self.vq.add_out(addr, total, slot) {
            Ok(()) => Ok(skb.len()),
            Err((slot, _)) => {
                self.slots.put(slot);
                Err(Fault::TxBroken)
            }
        }
    }
}
