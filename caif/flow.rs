// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Flow control of a channel: whether payloads may be sent, and the wake-up of senders.
//!
//! The modem and the link can each switch the flow off. Payloads may be sent while neither does and
//! the channel is not closed. All of it is one atomic word, which senders read without a lock.
//!
//! The word is changed with the channel's flow lock held, until the client was told what
//! [`Flow::set`] returned, so that the client is told in order and ends in the present state. A
//! sender that finds the flow off announces that it waits, executes a full barrier, and looks again
//! before it sleeps: either it finds the flow on, or the CPU that switches it on finds the sender
//! and wakes it.

#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

/// A variable that several CPUs change: the kernel's `atomic_t`.
pub trait FlowBits {
    /// Returns the value; no ordering.
    fn load(&self) -> u32;

    /// Sets the value to `new` if it is `old`, and returns whether it was. If so it is a full
    /// barrier.
    fn replace(&self, old: u32, new: u32) -> bool;
}

/// The sides that can switch the flow off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The modem, by a byte on the channel.
    Modem = 1,
    /// The link, whose device takes no more frames.
    Link = 2,
}

/// The bits of both sides.
const OFF: u32 = Side::Modem as u32 | Side::Link as u32;
/// The channel is closed, permanently.
const CLOSED: u32 = 4;

/// The change that the client must be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// No change for senders.
    Nothing,
    /// Payloads may not be sent any more.
    Off,
    /// Payloads may be sent again: waiting senders are woken.
    On,
}

/// The reason why a payload may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The flow is off.
    Off,
    /// The channel is closed.
    Closed,
}

/// The flow word of a channel.
#[derive(Debug)]
pub struct Flow<W: FlowBits>(W);

impl<W: FlowBits> Flow<W> {
    /// Creates a flow that is on, from a word that is 0.
    pub const fn new(word: W) -> Self {
        Self(word)
    }

    /// Returns whether a payload may be sent.
    #[inline]
    pub fn check(&self) -> Result<(), Stopped> {
        match self.0.load() {
            0 => Ok(()),
            word if word & CLOSED != 0 => Err(Stopped::Closed),
            _ => Err(Stopped::Off),
        }
    }

    /// Like [`check`](Self::check), but ignores that the link is congested: for a payload that left
    /// its queue before. The link keeps room for those.
    #[inline]
    pub fn check_late(&self) -> Result<(), Stopped> {
        match self.0.load() & !(Side::Link as u32) {
            0 => Ok(()),
            word if word & CLOSED != 0 => Err(Stopped::Closed),
            _ => Err(Stopped::Off),
        }
    }

    /// Returns whether a side has switched the flow off. No ordering.
    pub fn is_off(&self, side: Side) -> bool {
        self.0.load() & side as u32 != 0
    }

    /// Switches the flow on or off for one side. Returns what the client is to be told, in the
    /// order of the calls: see above.
    #[must_use]
    pub fn set(&self, side: Side, on: bool) -> Tell {
        let bit = side as u32;
        let old = self.update(|word| if on { word & !bit } else { word | bit });
        let (was, is) = (old & OFF, if on { old & !bit } else { old | bit } & OFF);
        match (was, is) {
            _ if old & CLOSED != 0 => Tell::Nothing,
            (0, 1..) => Tell::Off,
            (1.., 0) => Tell::On,
            _ => Tell::Nothing,
        }
    }

    /// Closes the channel. Returns whether it was open: then the caller removes it from its slot
    /// and ends it.
    #[must_use]
    pub fn close(&self) -> bool {
        self.update(|word| word | CLOSED) & CLOSED == 0
    }

    /// Changes the word. Returns its old value.
    fn update(&self, change: impl Fn(u32) -> u32) -> u32 {
        loop {
            let old = self.0.load();
            let new = change(old);
            if new == old || self.0.replace(old, new) {
                return old;
            }
        }
    }
}
