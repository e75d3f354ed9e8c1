// SPDX-License-Identifier: GPL-2.0

//! The modem's side of the vring by which Linux sends.

use crate::{
    check::violated,
    fake::Fake,
    link_config::Direction,
    modem_ring::{
        Desc,
        Device, //
    },
    unsafe_memory,
    vring::VringMem, //
};
use kernel::prelude::*;

/// A buffer that Linux made available.
pub(crate) struct Sent {
    /// Its descriptor.
    pub(crate) head: u16,
    /// All of its bytes: headroom, frame and tailroom.
    pub(crate) bytes: KVec<u8>,
}

/// The modem's side of vring 1.
pub(crate) struct ModemTx<'a> {
    fake: &'a Fake,
    pub(crate) ring: Device<VringMem<'a>>,
    config: Direction,
}

impl<'a> ModemTx<'a> {
    /// Takes the vring, which must be unused since Linux set it up.
    pub(crate) fn new(fake: &'a Fake, config: Direction) -> Result<Self> {
        Ok(Self {
            fake,
            ring: Device::new(fake.vring_mem(1)?, fake.layout(1)?, fake.ring_features()?),
            config,
        })
    }

    /// Waits for kicks until Linux has made that many buffers available.
    pub(crate) fn wait(&self, buffers: u16) -> Result {
        self.ring.notify_after(buffers);
        let there = self.fake.record().wait(|_| self.ring.waiting() >= buffers);
        check!(
            there,
            "{} frames were sent, not {buffers}",
            self.ring.waiting()
        );
        Ok(())
    }

    /// Takes the next buffer.
    fn take(&mut self) -> Result<(u16, Desc)> {
        let next = self.ring.fetch().map_err(violated)?;
        check!(next.is_some(), "no frame was sent");
        next.ok_or(ENOENT)
    }

    /// Takes the next buffer and checks that it is this frame, with the room around it.
    pub(crate) fn expect(&mut self, frame: &[u8]) -> Result<Sent> {
        let start = usize::from(self.config.headroom);
        let tail = usize::from(self.config.tailroom);
        let (head, desc) = self.take()?;
        check_eq!(desc.flags, 0, "flags of a frame that was sent");
        let bytes = unsafe_memory::read_dma(desc.addr, desc.len as usize)?;
        let end = start + frame.len();
        check_eq!(bytes.len(), end + tail, "length of a buffer that was sent");
        let found = bytes.get(start..end).unwrap_or_default();
        check!(found == frame, "a frame was sent with other content");
        let behind = bytes.get(end..).unwrap_or_default();
        check!(
            behind.iter().all(|byte| *byte == 0),
            "the room behind a frame shows what was there before"
        );
        Ok(Sent { head, bytes })
    }

    /// Returns the oldest buffers without publishing that. Any context.
    pub(crate) fn put_back(&mut self, buffers: u16) -> Result {
        for _ in 0..buffers {
            let (head, _) = self.take()?;
            self.ring.put_used(head.into(), 0);
        }
        Ok(())
    }

    /// Publishes the returned buffers, and interrupts if Linux wants that. Returns whether it did.
    pub(crate) fn flush(&mut self) -> bool {
        let wanted = self.ring.publish();
        if wanted {
            self.fake.interrupt(1);
        }
        wanted
    }

    /// Returns one buffer and publishes it.
    pub(crate) fn complete(&mut self, head: u16) -> bool {
        self.ring.put_used(head.into(), 0);
        self.flush()
    }
}
