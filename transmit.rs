// SPDX-License-Identifier: GPL-2.0

//! Transmission: frames into slots, slots on the vring, and back.

use crate::{
    abstractions::net::{
        SkBuff,
        TxQueue, //
    },
    counters::{
        Counter,
        Counters, //
    },
    link_config::Direction,
    log,
    remoteproc_glue::{
        doorbell::Seen,
        queues::Queues,
        ring_mem::VringMem,
        slots::Slots,
        Link,
        VRING_TX, //
    },
    vring_driver::{
        Ring,
        RingError,
        Slot, //
    },
    vring_layout::Layout,
    vring_mem::Features, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Fewest slots to send from that are of use.
const SLOTS_MIN: u16 = 4;

/// State of transmission.
pub struct Tx<'bound> {
    ring: Ring<VringMem<'bound>, KVec<u16>>,
    /// The slots to send from.
    pub slots: Slots,
    /// Bytes of the packet in each slot.
    lens: KVec<u32>,
    seen: Arc<Seen>,
    config: Direction,
}

impl<'bound> Tx<'bound> {
    /// Takes the driver side of the vring to send by, and allocates slots to send from: as many as
    /// it has descriptors, or as there is memory for.
    pub fn new(
        queues: &Queues<'bound>,
        link: &Link<'bound>,
        layout: Layout,
        features: Features,
        config: Direction,
    ) -> Result<Self> {
        let size = config.mtu as usize;
        let want = layout.num();
        let least = SLOTS_MIN.min(want);
        let slots = Slots::new(link.dma_device(), size, want, least).inspect_err(|_| {
            log!(
                dev_err,
                link.vdev().as_ref(),
                "no shared memory for {least} slots of {size} bytes to send from\n"
            )
        })?;
        let states = KVec::from_elem(0, slots.count().into(), GFP_KERNEL)?;
        let lens = KVec::from_elem(0, slots.count().into(), GFP_KERNEL)?;
        let mem = queues.ring_mem(VRING_TX)?;
        Ok(Self {
            ring: Ring::new(mem, layout, features, states).map_err(|_| EINVAL)?,
            slots,
            lens,
            seen: queues.seen(),
            config,
        })
    }

    /// Takes back the slots that the modem is done with, and wakes the queue when there are some.
    pub fn complete(&mut self, queue: &TxQueue<'_>) -> Result<(), RingError> {
        let mut packets = 0;
        let mut bytes = 0;
        let result = loop {
            match self.ring.reclaim() {
                Ok(Some(slot)) => {
                    packets += 1;
                    bytes += self.lens.get(usize::from(slot)).copied().unwrap_or(0);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if packets > 0 {
            self.seen.tx(self.ring.next());
            queue.completed(packets, bytes);
            queue.progress();
        }
        if result.is_ok() && queue.is_stopped() && self.ring.free() >= self.wake_at() {
            queue.wake();
        }
        result
    }

    /// Free slots that make it worth to wake the queue.
    fn wake_at(&self) -> u16 {
        (self.slots.count() / 4).max(1)
    }

    /// Asks for an interrupt, if the queue waits for slots, and for none otherwise. The modem may
    /// have returned some before it knew; then they are taken back, and the queue may run again.
    pub fn rearm(&mut self, queue: &TxQueue<'_>) -> Result<(), RingError> {
        while queue.is_halted() {
            if !self.ring.enable_notify() {
                return Ok(());
            }
            let free = self.ring.free();
            self.complete(queue)?;
            if self.ring.free() == free {
                // The modem took its word back. It does not get to keep us here.
                return Ok(());
            }
        }
        self.ring.disable_notify();
        Ok(())
    }

    /// A free slot, if there is one; otherwise the queue is stopped now.
    pub fn take(&mut self, queue: &TxQueue<'_>) -> Result<Option<Slot>, RingError> {
        // Slots are taken back a few at a time, and before the last one is gone.
        if self.ring.free() <= self.slots.count() / 2 {
            self.complete(queue)?;
        }
        if self.ring.free() == 0 {
            // Nobody stopped the queue: the interface came up while the modem had all slots.
            queue.stop();
            self.rearm(queue)?;
        }
        Ok(self.ring.take())
    }

    /// Sends a packet from `slot`. Returns whether the modem must be kicked, which waits for the
    /// last packet of a burst.
    pub fn send(
        &mut self,
        queue: &TxQueue<'_>,
        slot: Slot,
        skb: SkBuff,
        counters: &Counters,
    ) -> Result<bool, RingError> {
        let more = queue.xmit_more();
        let config = &self.config;
        let filled = self
            .slots
            .fill(&slot, config.headroom, &skb, config.tailroom);
        let (tell, halted) = match filled {
            Ok(total) => {
                if let Some(len) = self.lens.get_mut(usize::from(slot.index())) {
                    *len = skb.len();
                }
                let addr = self.slots.dma_address(&slot);
                self.ring.add(slot, addr, total)?;
                let sent = queue.sent(skb, more);
                (sent.tell, sent.halted)
            }
            Err(_) => {
                self.ring.put(slot);
                counters.count(Counter::TxLength);
                (!more, false)
            }
        };
        let full = self.ring.free() == 0;
        if full {
            queue.stop();
        }
        if !(tell || halted || full) {
            return Ok(false);
        }
        let kick = self.ring.publish();
        self.rearm(queue)?;
        Ok(kick)
    }
}
