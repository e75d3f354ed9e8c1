// SPDX-License-Identifier: GPL-2.0

//! The modem's side of the vring by which Linux sends.

use crate::{
    fake::Fake,
    unsafe_memory,
    vring_layout::{
        self,
        Layout, //
    }, //
};
use kernel::{
    prelude::*,
    sync::barrier::{
        dma_mb,
        mb,
        Full, //
    }, //
};

/// A buffer that Linux made available.
pub struct Sent {
    /// Its descriptor.
    pub head: u16,
    /// The DMA address.
    pub addr: u64,
    /// All of its bytes: headroom, frame and tailroom.
    pub bytes: KVec<u8>,
}

/// The device's side of vring 1.
pub struct ModemTx<'a> {
    fake: &'a Fake,
    base: usize,
    layout: Layout,
    event_idx: bool,
    /// Free-running index of the available ring up to which buffers were taken.
    seen: u16,
    /// Free-running index of the used ring.
    used: u16,
    /// What of it was published.
    published: u16,
}

impl<'a> ModemTx<'a> {
    /// Takes over the vring, which nobody has used since Linux set it up.
    pub fn new(fake: &'a Fake) -> Result<Self> {
        Ok(Self {
            fake,
            base: fake.vring(1)?,
            layout: fake.layout(1)?,
            event_idx: fake.features()? & 1 << vring_layout::F_EVENT_IDX != 0,
            seen: 0,
            used: 0,
            published: 0,
        })
    }

    /// Number of buffers that Linux made available and that were not taken.
    pub fn waiting(&self) -> Result<u16> {
        Ok(self
            .load16(self.layout.avail_idx())?
            .wrapping_sub(self.seen))
    }

    /// Waits until Linux made so many buffers available, by its kicks.
    pub fn wait(&self, buffers: u16) -> Result {
        if self.event_idx && buffers > 0 {
            // A kick when all of them are there.
            let last = self.seen.wrapping_add(buffers - 1);
            self.store16(self.layout.avail_event(), last)?;
            mb(Full);
        }
        let there = || self.waiting().is_ok_and(|waiting| waiting >= buffers);
        check!(
            self.fake.record().wait(|_| there()),
            "{} frames were sent, not {buffers}",
            self.waiting()?
        );
        Ok(())
    }

    /// Takes the next buffer without a look at it, and returns its descriptor. Any context.
    pub fn take_head(&mut self) -> Result<u16> {
        check!(self.waiting()? != 0, "no frame was sent");
        dma_mb(Full);
        let head = self.load16(self.layout.avail_ring(self.seen))?;
        self.seen = self.seen.wrapping_add(1);
        check!(head < self.layout.num(), "descriptor {head} does not exist");
        Ok(head)
    }

    /// Takes the next buffer.
    pub fn take(&mut self) -> Result<Sent> {
        let head = self.take_head()?;
        let memory = self.fake.memory();
        let at = self.base + self.layout.desc(head);
        let addr: u64 = memory.read(at)?;
        let len: u32 = memory.read(at + vring_layout::DESC_LEN)?;
        let flags: u16 = memory.read(at + vring_layout::DESC_FLAGS)?;
        check_eq!(flags, 0, "flags of a frame that was sent");
        Ok(Sent {
            head,
            addr,
            bytes: unsafe_memory::read_dma(addr, len as usize)?,
        })
    }

    /// Takes the next buffer and checks that it is this frame, with so much room around it.
    pub fn expect(&mut self, frame: &[u8], head: usize, tail: usize) -> Result<Sent> {
        let sent = self.take()?;
        check_eq!(
            sent.bytes.len(),
            head + frame.len() + tail,
            "length of a buffer that was sent"
        );
        let found = sent.bytes.get(head..head + frame.len()).unwrap_or_default();
        check!(found == frame, "a frame was sent with other content");
        let behind = sent.bytes.get(head + frame.len()..).unwrap_or_default();
        check!(
            behind.iter().all(|byte| *byte == 0),
            "the room behind a frame shows what was there before"
        );
        Ok(sent)
    }

    /// Gives a buffer back, without telling so.
    pub fn put_used(&mut self, id: u32) -> Result {
        let memory = self.fake.memory();
        let elem = self.base + self.layout.used_ring(self.used);
        memory.write(elem, id)?;
        memory.write(elem + 4, 0u32)?;
        self.used = self.used.wrapping_add(1);
        Ok(())
    }

    /// Makes visible what was given back, and interrupts if Linux wants that. Returns whether it
    /// did.
    pub fn flush(&mut self) -> Result<bool> {
        dma_mb(Full);
        self.store16(self.layout.used_idx(), self.used)?;
        mb(Full);
        let old = core::mem::replace(&mut self.published, self.used);
        let wanted = if self.event_idx {
            let event = self.load16(self.layout.used_event())?;
            vring_layout::need_event(event, self.used, old)
        } else {
            self.load16(self.layout.avail_flags())? & vring_layout::AVAIL_F_NO_INTERRUPT == 0
        };
        if wanted {
            self.fake.interrupt(1);
        }
        Ok(wanted)
    }

    /// Asks for no kick before many more buffers were made available.
    pub fn want_no_kicks(&self) -> Result {
        if self.event_idx {
            let far = self.seen.wrapping_add(0x8000);
            self.store16(self.layout.avail_event(), far)
        } else {
            self.store16(self.layout.used_flags(), vring_layout::USED_F_NO_NOTIFY)
        }
    }

    /// Publishes an index of the used ring.
    pub fn write_used_idx(&self, idx: u16) -> Result {
        dma_mb(Full);
        self.store16(self.layout.used_idx(), idx)
    }

    /// The index of the used ring, published or not.
    pub fn used_idx(&self) -> u16 {
        self.used
    }

    /// Gives one buffer back and flushes.
    pub fn complete(&mut self, sent: &Sent) -> Result<bool> {
        self.put_used(sent.head.into())?;
        self.flush()
    }

    fn load16(&self, offset: usize) -> Result<u16> {
        self.fake.memory().read(self.base + offset)
    }

    fn store16(&self, offset: usize, value: u16) -> Result {
        self.fake.memory().write(self.base + offset, value)
    }
}
