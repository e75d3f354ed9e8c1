// SPDX-License-Identifier: GPL-2.0

//! The modem's side of the reversed vring: it makes frames available in its own buffers.
//!
//! Sound chains are put together by [`ModemRx::post`]. What a faulty modem would write goes
//! through the methods below it, each of which writes one thing.

use crate::{
    fake::{
        Fake,
        TIMEOUT_MS, //
    },
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

/// A buffer of a chain, as a descriptor has it.
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    /// Device address.
    pub addr: u64,
    /// Bytes, with headroom and tailroom.
    pub len: u32,
    /// Flags beside the one that the chain goes on.
    pub flags: u16,
}

/// Bytes before and behind a frame in its buffer.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Bytes before.
    pub head: usize,
    /// Bytes behind.
    pub tail: usize,
}

/// What holds without a config space.
pub const DEFAULT_ROOM: Room = Room { head: 32, tail: 32 };

/// Byte around frames that must not be seen in any of them.
const POISON: u8 = 0xee;

/// The driver's side, in the words of the Virtio specification, of vring 0.
pub struct ModemRx<'a> {
    fake: &'a Fake,
    base: usize,
    layout: Layout,
    room: Room,
    event_idx: bool,
    /// The free-running index of the available ring, published or not.
    avail: u16,
    /// The one that was published last.
    published: u16,
    /// The free-running index of the used ring up to which chains were taken back.
    seen: u16,
    /// Descriptors that are not in use.
    free: KVec<u16>,
    /// The descriptor behind each one in its chain.
    behind: KVec<Option<u16>>,
    /// First byte of the heap that is not used, from the start of the memory.
    brk: usize,
}

impl<'a> ModemRx<'a> {
    /// Takes over the vring, which nobody has used since Linux set it up.
    pub fn new(fake: &'a Fake, room: Room) -> Result<Self> {
        let layout = fake.layout(0)?;
        let mut free = KVec::with_capacity(layout.num().into(), GFP_KERNEL)?;
        for i in (0..layout.num()).rev() {
            free.push(i, GFP_KERNEL)?;
        }
        Ok(Self {
            fake,
            base: fake.vring(0)?,
            layout,
            room,
            event_idx: fake.features()? & 1 << vring_layout::F_EVENT_IDX != 0,
            avail: 0,
            published: 0,
            seen: 0,
            free,
            behind: KVec::from_elem(None, layout.num().into(), GFP_KERNEL)?,
            brk: fake.heap(),
        })
    }

    /// Number of descriptors.
    pub fn num(&self) -> u16 {
        self.layout.num()
    }

    /// Puts a frame into a new buffer.
    pub fn buffer(&mut self, frame: &[u8]) -> Result<Buffer> {
        let Room { head, tail } = self.room;
        let len = head + frame.len() + tail;
        let at = self.brk;
        let memory = self.fake.memory();
        unsafe_memory::fill(memory, at, head, POISON)?;
        unsafe_memory::write(memory, at + head, frame)?;
        unsafe_memory::fill(memory, at + head + frame.len(), tail, POISON)?;
        // The next one begins at an address that is not aligned.
        self.brk = at + len + 1;
        Ok(Buffer {
            addr: self.fake.da(at),
            len: u32::try_from(len)?,
            flags: 0,
        })
    }

    /// Frees all buffers. Those that Linux has keep their place.
    pub fn free_buffers(&mut self) {
        self.brk = self.fake.heap();
    }

    /// Makes a chain of buffers available, without telling so. Returns its first descriptor.
    pub fn post(&mut self, buffers: &[Buffer]) -> Result<u16> {
        let mut next = None;
        for buffer in buffers.iter().rev() {
            let desc = self.free.pop().ok_or(ENOSPC)?;
            let link = match next {
                Some(_) => vring_layout::DESC_F_NEXT,
                None => 0,
            };
            self.write_desc(
                desc,
                &Buffer {
                    flags: buffer.flags | link,
                    ..*buffer
                },
                next.unwrap_or(0),
            )?;
            if let Some(behind) = self.behind.get_mut(usize::from(desc)) {
                *behind = next;
            }
            next = Some(desc);
        }
        let head = next.ok_or(EINVAL)?;
        self.write_avail(head)?;
        Ok(head)
    }

    /// Makes what was posted visible. Returns whether Linux wants an interrupt.
    pub fn publish(&mut self) -> Result<bool> {
        self.write_avail_idx(self.avail)?;
        mb(Full);
        let old = core::mem::replace(&mut self.published, self.avail);
        if self.event_idx {
            let event = self.load16(self.layout.avail_event())?;
            Ok(vring_layout::need_event(event, self.avail, old))
        } else {
            let flags = self.load16(self.layout.used_flags())?;
            Ok(flags & vring_layout::USED_F_NO_NOTIFY == 0)
        }
    }

    /// Makes what was posted visible, and interrupts if Linux wants that.
    pub fn flush(&mut self) -> Result {
        if self.publish()? {
            check!(self.fake.interrupt(0), "an interrupt was swallowed");
        }
        Ok(())
    }

    /// Posts one chain and flushes.
    pub fn send(&mut self, buffers: &[Buffer]) -> Result<u16> {
        let head = self.post(buffers)?;
        self.flush()?;
        Ok(head)
    }

    /// The index of the used ring, as Linux published it.
    pub fn used_idx(&self) -> Result<u16> {
        self.load16(self.layout.used_idx())
    }

    /// Takes the oldest chain back that Linux is done with, and returns its first descriptor and
    /// how many bytes were written, which are none.
    pub fn take_used(&mut self) -> Result<Option<(u16, u32)>> {
        if self.used_idx()? == self.seen {
            return Ok(None);
        }
        dma_mb(Full);
        let elem = self.base + self.layout.used_ring(self.seen);
        let id: u32 = self.fake.memory().read(elem)?;
        let len: u32 = self.fake.memory().read(elem + 4)?;
        self.seen = self.seen.wrapping_add(1);
        let head = u16::try_from(id)?;
        let mut desc = Some(head);
        while let Some(this) = desc {
            let behind = self.behind.get_mut(usize::from(this)).ok_or(EINVAL)?;
            desc = behind.take();
            self.free.push(this, GFP_KERNEL)?;
        }
        Ok(Some((head, len)))
    }

    /// Waits until as many chains are back, by the kicks that tell so. With `NO_INTERRUPT` there
    /// would be none.
    pub fn wait_used(&self, chains: u16) -> Result {
        if self.event_idx && chains > 0 {
            // A kick when all of them are back.
            let last = self.seen.wrapping_add(chains - 1);
            self.store16(self.layout.used_event(), last)?;
            mb(Full);
        }
        let back = || {
            self.used_idx()
                .is_ok_and(|idx| idx.wrapping_sub(self.seen) >= chains)
        };
        check!(
            self.fake.record().wait(|_| back()),
            "{chains} chains are not back after {TIMEOUT_MS} ms, used.idx is {}",
            self.used_idx()?
        );
        Ok(())
    }

    /// Waits for chains and checks that these come back next, with nothing written.
    pub fn expect_used(&mut self, heads: &[u16]) -> Result {
        self.wait_used(u16::try_from(heads.len())?)?;
        for head in heads {
            check_eq!(self.take_used()?, Some((*head, 0)), "returned chain");
        }
        Ok(())
    }

    /// Writes a descriptor.
    pub fn write_desc(&self, desc: u16, buffer: &Buffer, next: u16) -> Result {
        let memory = self.fake.memory();
        let at = self.base + self.layout.desc(desc);
        memory.write(at, buffer.addr)?;
        memory.write(at + vring_layout::DESC_LEN, buffer.len)?;
        memory.write(at + vring_layout::DESC_FLAGS, buffer.flags)?;
        memory.write(at + vring_layout::DESC_NEXT, next)
    }

    /// Writes the next entry of the available ring.
    pub fn write_avail(&mut self, head: u16) -> Result {
        self.store16(self.layout.avail_ring(self.avail), head)?;
        self.avail = self.avail.wrapping_add(1);
        Ok(())
    }

    /// Publishes an index of the available ring.
    pub fn write_avail_idx(&self, idx: u16) -> Result {
        dma_mb(Full);
        self.store16(self.layout.avail_idx(), idx)
    }

    /// Asks for a kick when this many chains more than were taken back are back; without
    /// `EVENT_IDX`, for one whenever some are.
    pub fn wants_kick_after(&self, chains: u16) -> Result {
        if self.event_idx {
            let last = self.seen.wrapping_add(chains).wrapping_sub(1);
            self.store16(self.layout.used_event(), last)?;
        }
        Ok(())
    }

    /// Asks for no kick before many more chains were returned.
    pub fn want_no_kicks(&self) -> Result {
        if self.event_idx {
            let far = self.seen.wrapping_add(0x8000);
            self.store16(self.layout.used_event(), far)
        } else {
            let quiet = vring_layout::AVAIL_F_NO_INTERRUPT;
            self.store16(self.layout.avail_flags(), quiet)
        }
    }

    /// The index of the available ring, published or not.
    pub fn avail_idx(&self) -> u16 {
        self.avail
    }

    fn load16(&self, offset: usize) -> Result<u16> {
        self.fake.memory().read(self.base + offset)
    }

    fn store16(&self, offset: usize, value: u16) -> Result {
        self.fake.memory().write(self.base + offset, value)
    }
}
