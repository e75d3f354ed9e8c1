// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Decides whether an interrupt must be followed by a poll.
//!
//! Some platforms cannot tell which vring an interrupt is for and pass each on to all vrings, and a
//! modem can interrupt at any rate. So the interrupt handlers compare the modem's indices in the
//! rings with those that the poll function saw last. If one moved, they ask for one poll, however
//! many interrupts there are before it begins.
//!
//! No buffer is missed. An index that differs from the one seen last cannot return to it before a
//! poll, as a ring has fewer than 65,536 buffers. A handler that asks for no poll, because one is
//! due, leaves its buffers to a poll that has not begun.

/// A variable that the interrupt handlers and the poll function share: the kernel's `atomic_t`.
pub trait Word {
    /// Returns the value; no ordering.
    fn load(&self) -> u32;

    /// Sets the value; no ordering.
    fn store(&self, value: u32);

    /// Sets the value, returns the old one; orders all that precedes it ahead of all that follows.
    fn swap(&self, value: u32) -> u32;
}

/// The indices that the driver saw last, and whether a poll is due.
pub struct Seen<W: Word> {
    rx: W,
    tx: W,
    /// 1 if a poll was requested that has not begun.
    due: W,
}

impl<W: Word> Seen<W> {
    /// Starts with no poll due and no buffer seen. All three words must be 0.
    pub fn new([rx, tx, due]: [W; 3]) -> Self {
        Self { rx, tx, due }
    }

    /// Stores that the driver saw all chains before `index` of the reversed ring.
    #[inline]
    pub fn rx(&self, index: u16) {
        self.rx.store(index.into());
    }

    /// Stores that the driver took back all buffers before `index` of the TX ring.
    #[inline]
    pub fn tx(&self, index: u16) {
        self.tx.store(index.into());
    }

    /// Returns whether buffers were returned that were not taken back, if `used` is the modem's
    /// index (`used.idx`) in the TX ring.
    #[inline]
    pub fn is_returned(&self, used: u16) -> bool {
        u32::from(used) != self.tx.load()
    }

    /// Stores that the poll function is about to read the rings: a later interrupt must ask for
    /// another poll.
    #[inline]
    pub fn begin_poll(&self) {
        // The swap is a full barrier: if it reads the 1 of a handler, the loads of the poll see
        // what that handler saw.
        self.due.swap(0);
    }

    /// Returns whether an interrupt handler must ask for a poll. `avail` is the modem's index in
    /// the reversed ring (`avail.idx`), `used` returns the one in the TX ring (`used.idx`) and is
    /// called only if the first has not moved.
    #[inline]
    pub fn interrupt(&self, avail: u16, used: impl FnOnce() -> u16) -> bool {
        let moved = u32::from(avail) != self.rx.load() || self.is_returned(used());
        moved && self.due.swap(1) == 0
    }
}
