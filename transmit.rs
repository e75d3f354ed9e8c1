// SPDX-License-Identifier: GPL-2.0

//! Transmission of frames from slots on the TX vring.

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
    log::log,
    remoteproc_glue::{
        frames,
        LastSeen,
        Link,
        Queues,
        Slots,
        Vring,
        VringMem, //
    },
    vring_driver::{
        DriverRing,
        DriverRingError,
        Slot,
        SlotState, //
    },
    vring_layout::Layout,
    vring_mem::Features,
    vring_watch::{
        Finding,
        Watch, //
    }, //
};
use core::ops::Range;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Smallest number of slots that a link is set up with.
const SLOTS_MIN: u16 = 4;

/// State of transmission.
pub(crate) struct Tx<'bound> {
    ring: DriverRing<VringMem<'bound>, KVec<SlotState>>,
    slots: Slots,
    /// Bytes of the packet in each slot.
    lens: KVec<u32>,
    last_seen: Arc<LastSeen>,
    config: Direction,
    watch: Watch,
}

impl<'bound> Tx<'bound> {
    /// Creates the driver side of the TX vring, and allocates its slots: one for each descriptor,
    /// or fewer if memory is short.
    pub(crate) fn new(
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
        if let Some((most, bytes)) = slots.shortage() {
            log!(
                dev_warn,
                link.vdev().as_ref(),
                "only {} of {most} slots of {size} bytes to send from: all of them need {bytes} bytes of shared memory in one piece\n",
                slots.count()
            );
        }
        let states = KVec::from_elem(SlotState::Taken, slots.count().into(), GFP_KERNEL)?;
        let lens = KVec::from_elem(0, slots.count().into(), GFP_KERNEL)?;
        let mem = queues.ring_mem(Vring::Tx)?;
        Ok(Self {
            ring: DriverRing::new(mem, layout, features, states).map_err(|_| EINVAL)?,
            slots,
            lens,
            last_seen: queues.last_seen(),
            config,
            watch: Watch::default(),
        })
    }

    /// Returns the number of slots.
    pub(crate) fn slots(&self) -> u16 {
        self.slots.count()
    }

    /// Returns the device addresses of the slots.
    pub(crate) fn dma_range(&self) -> Range<u64> {
        self.slots.dma_range()
    }

    /// Takes back the slots that the modem is done with, and wakes the queue when enough are free.
    pub(crate) fn complete(&mut self, queue: &TxQueue<'_>) -> Result<(), DriverRingError> {
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
            self.last_seen.tx(self.ring.next());
            queue.completed(packets, bytes);
        }
        if result.is_ok() && queue.is_stopped() && self.ring.free() >= self.wake_at() {
            queue.wake();
        }
        result
    }

    /// Returns whether the modem's index must be read again, see [`DriverRing::is_half_stored`].
    #[inline]
    pub(crate) fn is_half_stored(&self) -> bool {
        self.ring.is_half_stored()
    }

    /// Counts a look at a half-stored index.
    #[cold]
    pub(crate) fn count_look(&mut self) {
        self.ring.count_look();
    }

    /// Returns the number of free slots at which a stopped queue is woken.
    fn wake_at(&self) -> u16 {
        (self.slots.count() / 4).max(1)
    }

    /// Enables interrupts if the queue is stopped, and disables them otherwise. Slots that the
    /// modem returned before interrupts were enabled are taken back, after which the queue may run
    /// again.
    pub(crate) fn rearm(&mut self, queue: &TxQueue<'_>) -> Result<(), DriverRingError> {
        while queue.is_halted() {
            if !self.ring.enable_notify() {
                return Ok(());
            }
            let free = self.ring.free();
            self.complete(queue)?;
            if self.ring.free() == free {
                // The modem moved `used.idx` back. A retry might never end.
                return Ok(());
            }
        }
        self.ring.disable_notify();
        Ok(())
    }

    /// Checks, once each period of the watchdog, whether the modem still returns slots. Time before
    /// a restart does not count.
    pub(crate) fn look(&mut self, restarted: bool) -> Finding {
        if restarted {
            self.watch = Watch::default();
        }
        let ring = &self.ring;
        self.watch
            .look(ring.published(), ring.in_flight(), || ring.oldest())
    }

    /// Resets the byte queue limits if they stop the queue because of a packet that the modem
    /// keeps: they start at a single packet, and the modem can return others only after it got
    /// them.
    pub(crate) fn let_others_pass(&self, queue: &TxQueue<'_>) {
        if queue.is_halted() && !queue.is_stopped() {
            queue.reset_byte_limits();
        }
    }

    /// Returns a free slot, or stops the queue if there is none.
    pub(crate) fn take(&mut self, queue: &TxQueue<'_>) -> Result<Option<Slot>, DriverRingError> {
        // Reclaims early, so that the queue need not be stopped.
        if self.ring.free() <= self.slots.count() / 2 {
            self.complete(queue)?;
        }
        if self.ring.free() == 0 {
            // Attaching the device started the queue while the modem had all slots.
            queue.stop();
            self.rearm(queue)?;
        }
        Ok(self.ring.take())
    }

    /// Sends a packet from `slot`. Returns whether the modem must be kicked now; in a burst, that
    /// is after the last packet.
    pub(crate) fn send(
        &mut self,
        queue: &TxQueue<'_>,
        slot: Slot,
        skb: SkBuff,
        counters: &Counters,
    ) -> Result<bool, DriverRingError> {
        let more = queue.xmit_more();
        let config = &self.config;
        let filled = self
            .slots
            .fill(&slot, config.headroom, &skb, config.tailroom);
        let (need_kick, stopped) = match filled {
            Ok(total) => {
                // The packet may have had no check sequence.
                let around = u32::from(config.headroom) + u32::from(config.tailroom);
                let frame = total.saturating_sub(around);
                if let Some(len) = self.lens.get_mut(usize::from(slot.index())) {
                    *len = frame;
                }
                let addr = self.slots.dma_address(&slot);
                self.ring.add(slot, addr, total)?;
                let sent = frames::sent(queue, skb, frame, more);
                (sent.need_kick, sent.stopped)
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
        if !(need_kick || stopped || full) {
            return Ok(false);
        }
        let kick = self.ring.publish();
        self.rearm(queue)?;
        Ok(kick)
    }
}
