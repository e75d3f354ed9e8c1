// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Tells an interrupt that brings news of the rings from one that does not.
//!
//! Some platforms cannot tell which vring an interrupt is for and pass each on to all of them,
//! and a modem can interrupt as often as it likes. So the interrupt handlers compare the indices
//! in the rings with those that the poll function saw last, and ask for one poll, however many
//! interrupts there are before it begins.
//!
//! No news is lost by that. An index that was seen last never comes again with news behind it, as
//! 65,536 buffers are more than a ring has. And a handler that leaves its news to a poll which was
//! asked for before left them to one that has not begun.

/// A variable that the interrupt handlers and the poll function share: the kernel's `atomic_t`.
pub trait Word {
    /// The value; no ordering.
    fn load(&self) -> u32;

    /// Sets the value; no ordering.
    fn store(&self, value: u32);

    /// Sets the value, returns the old one; orders all that precedes it ahead of all that follows.
    fn swap(&self, value: u32) -> u32;
}

/// How far the driver saw the rings, and whether a poll is due.
pub struct Seen<W: Word> {
    rx: W,
    tx: W,
    /// 1 if a poll was asked for that has not begun.
    due: W,
}

impl<W: Word> Seen<W> {
    /// Nothing was seen yet, and all three words are 0.
    pub fn new([rx, tx, due]: [W; 3]) -> Self {
        Self { rx, tx, due }
    }

    /// The driver saw all chains before `index` of the reversed ring.
    #[inline]
    pub fn rx(&self, index: u16) {
        self.rx.store(index.into());
    }

    /// The driver took back all buffers before `index` of the ring to send by.
    #[inline]
    pub fn tx(&self, index: u16) {
        self.tx.store(index.into());
    }

    /// Whether buffers were returned if this is the modem's index (`used.idx`) in the ring to send
    /// by.
    #[inline]
    pub fn is_returned(&self, used: u16) -> bool {
        u32::from(used) != self.tx.load()
    }

    /// The poll function is about to look at the rings: what an interrupt brings from now on, it
    /// may not see.
    #[inline]
    pub fn begin_poll(&self) {
        // Not a mere store: whoever left its news to this poll must be seen to have done so, and
        // the news with it.
        self.due.swap(0);
    }

    /// Whether an interrupt handler that finds these indices, of the modem's in the reversed ring
    /// (`avail.idx`) and the other one (`used.idx`), must ask for a poll. The second is not looked
    /// at if the first is enough.
    #[inline]
    pub fn interrupt(&self, avail: u16, used: impl FnOnce() -> u16) -> bool {
        let news = u32::from(avail) != self.rx.load() || self.is_returned(used());
        news && self.due.swap(1) == 0
    }
}
