// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The memory of a ring, which the other side changes at any time.

use std::cell::{Cell, RefCell};

use crate::vring_mem::RingMem;

/// An access of a ring to its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A load: offset, bytes, value.
    Load(usize, usize, u64),
    /// A store: offset, bytes, value.
    Store(usize, usize, u64),
    /// [`RingMem::rmb`].
    Rmb,
    /// [`RingMem::wmb`].
    Wmb,
    /// [`RingMem::mb`].
    Mb,
}

/// A change that the other side makes later.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// Loads from now until then.
    loads: u8,
    off: usize,
    value: u16,
}

/// The memory.
pub struct TracedMemory {
    bytes: RefCell<Vec<u8>>,
    log: RefCell<Vec<Access>>,
    changes: RefCell<Vec<Change>>,
    open: Cell<bool>,
}

impl TracedMemory {
    /// Makes zeroed memory of `size` bytes.
    pub fn new(size: usize) -> Self {
        Self {
            bytes: RefCell::new(vec![0; size]),
            log: RefCell::default(),
            changes: RefCell::default(),
            open: Cell::new(true),
        }
    }

    /// Returns the accesses since the last call.
    pub fn log(&self) -> Vec<Access> {
        self.log.take()
    }

    /// Ends the program at any further access.
    pub fn close(&self) {
        self.open.set(false);
    }

    /// Loads up to 8 bytes for the other side.
    pub fn peek(&self, off: usize, len: usize) -> u64 {
        let mut value = [0; 8];
        value[..len].copy_from_slice(&self.bytes.borrow()[off..off + len]);
        u64::from_le_bytes(value)
    }

    /// Stores up to 8 bytes for the other side.
    pub fn poke(&self, off: usize, len: usize, value: u64) {
        self.bytes.borrow_mut()[off..off + len].copy_from_slice(&value.to_le_bytes()[..len]);
    }

    /// Stores 16 bits anywhere for the other side, right before the load that is `loads` loads
    /// away.
    pub fn poke_later(&self, loads: u8, off: u16, value: u16) {
        let off = usize::from(off) % (self.bytes.borrow().len() - 1);
        self.changes.borrow_mut().push(Change { loads, off, value });
    }

    /// Returns the ring for the code under test.
    pub fn view(&self) -> TracedView<'_> {
        TracedView(self)
    }

    fn check(&self, off: usize, len: usize) {
        assert!(self.open.get(), "access at {off} to a ring that is broken");
        assert_eq!(off % len, 0, "{len} bytes at {off} are not aligned");
        let size = self.bytes.borrow().len();
        assert!(
            off.checked_add(len).is_some_and(|end| end <= size),
            "{len} bytes at {off} are not in a ring of {size}"
        );
    }

    fn load(&self, off: usize, len: usize) -> u64 {
        self.check(off, len);
        self.changes.borrow_mut().retain_mut(|change| {
            let due = change.loads == 0;
            if due {
                self.poke(change.off, 2, change.value.into());
            }
            change.loads = change.loads.saturating_sub(1);
            !due
        });
        let value = self.peek(off, len);
        self.log.borrow_mut().push(Access::Load(off, len, value));
        value
    }

    fn store(&self, off: usize, len: usize, value: u64) {
        self.check(off, len);
        self.poke(off, len, value);
        self.log.borrow_mut().push(Access::Store(off, len, value));
    }

    fn barrier(&self, access: Access) {
        assert!(self.open.get(), "barrier on a ring that is broken");
        self.log.borrow_mut().push(access);
    }
}

/// The memory as a ring.
#[derive(Clone, Copy)]
pub struct TracedView<'a>(&'a TracedMemory);

impl RingMem for TracedView<'_> {
    fn load16(&self, off: usize) -> u16 {
        self.0.load(off, 2) as u16
    }

    fn load32(&self, off: usize) -> u32 {
        self.0.load(off, 4) as u32
    }

    fn load64(&self, off: usize) -> u64 {
        self.0.load(off, 8)
    }

    fn store16(&self, off: usize, value: u16) {
        self.0.store(off, 2, value.into());
    }

    fn store32(&self, off: usize, value: u32) {
        self.0.store(off, 4, value.into());
    }

    fn store64(&self, off: usize, value: u64) {
        self.0.store(off, 8, value);
    }

    fn rmb(&self) {
        self.0.barrier(Access::Rmb);
    }

    fn wmb(&self) {
        self.0.barrier(Access::Wmb);
    }

    fn mb(&self) {
        self.0.barrier(Access::Mb);
    }
}
