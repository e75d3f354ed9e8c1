// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Ring memory that writes down every access and barrier.

use std::cell::RefCell;

use crate::vring_mem::RingMem;

/// What was done to the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A load of so many bytes at an offset.
    Load(usize, usize),
    /// A store of so many bytes at an offset.
    Store(usize, usize),
    /// [`RingMem::rmb`].
    Rmb,
    /// [`RingMem::wmb`].
    Wmb,
    /// [`RingMem::mb`].
    Mb,
}

/// The log of a [`Spy`].
#[derive(Default)]
pub struct Log(RefCell<Vec<Event>>);

impl Log {
    /// What was done since the last call.
    pub fn take(&self) -> Vec<Event> {
        self.0.take()
    }

    fn push(&self, event: Event) {
        self.0.borrow_mut().push(event);
    }
}

/// Memory whose accesses are logged.
pub struct Spy<'a, M> {
    mem: M,
    log: &'a Log,
}

impl<'a, M: RingMem> Spy<'a, M> {
    /// Logs the accesses to `mem`.
    pub fn new(mem: M, log: &'a Log) -> Self {
        Self { mem, log }
    }
}

impl<M: RingMem> RingMem for Spy<'_, M> {
    fn load16(&self, off: usize) -> u16 {
        self.log.push(Event::Load(off, 2));
        self.mem.load16(off)
    }

    fn load32(&self, off: usize) -> u32 {
        self.log.push(Event::Load(off, 4));
        self.mem.load32(off)
    }

    fn load64(&self, off: usize) -> u64 {
        self.log.push(Event::Load(off, 8));
        self.mem.load64(off)
    }

    fn store16(&self, off: usize, value: u16) {
        self.log.push(Event::Store(off, 2));
        self.mem.store16(off, value);
    }

    fn store32(&self, off: usize, value: u32) {
        self.log.push(Event::Store(off, 4));
        self.mem.store32(off, value);
    }

    fn store64(&self, off: usize, value: u64) {
        self.log.push(Event::Store(off, 8));
        self.mem.store64(off, value);
    }

    fn rmb(&self) {
        self.log.push(Event::Rmb);
        self.mem.rmb();
    }

    fn wmb(&self) {
        self.log.push(Event::Wmb);
        self.mem.wmb();
    }

    fn mb(&self) {
        self.log.push(Event::Mb);
        self.mem.mb();
    }
}
