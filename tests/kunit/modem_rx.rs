// SPDX-License-Identifier: GPL-2.0

//! The modem's side of the reversed vring: it makes frames available in its own buffers.

use crate::{
    check::violated,
    fake::{
        Fake,
        TIMEOUT_MS, //
    },
    link_config::Direction,
    modem_ring::{
        Desc,
        Driver,
        Place, //
    },
    unsafe_memory,
    vring::VringMem, //
};
use kernel::prelude::*;

/// The byte around frames, which no received frame may have.
const POISON: u8 = 0xee;

/// The modem's side of vring 0, with a heap for buffers.
pub(crate) struct ModemRx<'a> {
    fake: &'a Fake,
    pub(crate) ring: Driver<VringMem<'a>, KVec<Place>>,
    config: Direction,
    /// First byte of the heap that is not used, from the start of the memory.
    brk: usize,
}

/// Lets a kernel with KASAN report accesses to buffers but by the functions for I/O memory.
pub(crate) struct OnlyIo<'a>(&'a Fake);

impl OnlyIo<'_> {
    fn set(&self, on: bool) -> Result {
        unsafe_memory::only_io(self.0.memory(), self.0.heap(), self.0.heap_len(), on)
    }
}

impl Drop for OnlyIo<'_> {
    fn drop(&mut self) {
        // The range was valid before.
        let _ = self.set(false);
    }
}

impl<'a> ModemRx<'a> {
    /// Takes the vring, which must be unused since Linux set it up.
    pub(crate) fn new(fake: &'a Fake, config: Direction) -> Result<Self> {
        let layout = fake.layout(0)?;
        let places = KVec::from_elem(Place::default(), layout.num().into(), GFP_KERNEL)?;
        let mem = fake.vring_mem(0)?;
        Ok(Self {
            fake,
            ring: Driver::new(mem, layout, fake.ring_features()?, places).ok_or(EINVAL)?,
            config,
            brk: fake.heap(),
        })
    }

    /// Puts a frame into a new buffer.
    pub(crate) fn buffer(&mut self, frame: &[u8]) -> Result<Desc> {
        let [head, tail] = [self.config.headroom.into(), self.config.tailroom.into()];
        let len = head + frame.len() + tail;
        let at = self.brk;
        let memory = self.fake.memory();
        unsafe_memory::fill(memory, at, head, POISON)?;
        unsafe_memory::write(memory, at + head, frame)?;
        unsafe_memory::fill(memory, at + head + frame.len(), tail, POISON)?;
        // The next buffer begins at an unaligned address.
        self.brk = at + len + 1;
        Ok(Desc {
            addr: self.fake.da(at),
            len: u32::try_from(len)?,
            ..Desc::default()
        })
    }

    /// Lets a kernel with KASAN report accesses to buffers but by the functions for I/O memory,
    /// until the guard is dropped.
    pub(crate) fn only_io(&self) -> Result<OnlyIo<'a>> {
        let guard = OnlyIo(self.fake);
        guard.set(true)?;
        Ok(guard)
    }

    /// Frees all buffers. Those that Linux has keep their place.
    pub(crate) fn free_buffers(&mut self) {
        self.brk = self.fake.heap();
    }

    /// Posts a chain of buffers without publishing it. Returns its first descriptor.
    pub(crate) fn post(&mut self, buffers: &[Desc]) -> Result<u16> {
        self.ring.post(buffers).ok_or(ENOSPC)
    }

    /// Publishes the posted chains, and interrupts if Linux wants that.
    pub(crate) fn flush(&mut self) -> Result {
        if self.ring.publish() {
            check!(self.fake.interrupt(0), "an interrupt was swallowed");
        }
        Ok(())
    }

    /// Waits for kicks until that many chains are back.
    pub(crate) fn wait_used(&self, chains: u16) -> Result {
        self.ring.notify_after(chains);
        let back = self.fake.record().wait(|_| self.ring.returned() >= chains);
        check!(
            back,
            "{} of {chains} chains are back after {TIMEOUT_MS} ms",
            self.ring.returned()
        );
        Ok(())
    }

    /// Takes the oldest returned chain, to which nothing may have been written, and returns its
    /// first descriptor.
    pub(crate) fn take_used(&mut self) -> Result<Option<u32>> {
        let used = self.ring.reclaim().map_err(violated)?;
        if let Some(used) = used {
            check_eq!(used.len, 0, "bytes written to a chain");
        }
        Ok(used.map(|used| used.id))
    }

    /// Waits for chains and checks that these come back next.
    pub(crate) fn expect_used(&mut self, heads: &[u16]) -> Result {
        self.wait_used(u16::try_from(heads.len())?)?;
        for head in heads {
            let head = u32::from(*head);
            check_eq!(self.take_used()?, Some(head), "returned chain");
        }
        Ok(())
    }
}
