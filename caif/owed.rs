// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The LINK_DESTROY messages that a modem has still to be sent, by link id.
//!
//! A control message overtakes payloads that wait in the queue of a link's device, whatever the
//! queueing discipline. So the message that ends a channel waits until the queue is empty, but not
//! for ever. And one that was sent while the queue was not empty may be lost with the queue: it is
//! remembered until the queue was seen empty.
//!
//! Times are in milliseconds, of any clock.

#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

/// How long the end of a channel waits for the queue at most.
pub const PATIENCE_MS: u32 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The modem was told, or need not be.
    Settled,
    /// The modem is to be told, from this time on also if the queue is not empty.
    Owed(u32),
    /// The modem was told, by a message that may still be in the queue.
    Doubtful,
}

/// Returns the low half of a time: enough for intervals, and it makes the table half as large.
fn low(time: u64) -> u32 {
    let [a, b, c, d, ..] = time.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Returns whether a time is reached, as `time_after_eq()` does.
fn is_reached(time: u32, now: u32) -> bool {
    now.wrapping_sub(time) <= u32::MAX / 2
}

/// The messages of a link.
#[derive(Debug)]
pub struct Owed([State; 256]);

impl Default for Owed {
    fn default() -> Self {
        Self::new()
    }
}

impl Owed {
    /// Creates the state of a link that owes nothing.
    pub const fn new() -> Self {
        Self([State::Settled; 256])
    }

    /// Records that the modem is to be told, `wait` later at the latest. One that is owed already
    /// does not wait longer.
    pub fn owe(&mut self, id: u8, now: u64, wait: u32) {
        let until = low(now).wrapping_add(wait);
        if let Some(state) = self.0.get_mut(usize::from(id)) {
            match *state {
                State::Owed(time) if is_reached(time, until) => {}
                _ => *state = State::Owed(until),
            }
        }
    }

    /// Takes the next id that the modem is to be told of now: any if the queue `is_empty`,
    /// otherwise one that waited long enough.
    pub fn next(&mut self, is_empty: bool, now: u64) -> Option<u8> {
        let is_due = |state: &State| match state {
            State::Owed(until) => is_empty || is_reached(*until, low(now)),
            State::Settled | State::Doubtful => false,
        };
        let id = u8::try_from(self.0.iter().position(is_due)?).ok()?;
        self.settle(id);
        Some(id)
    }

    /// Records that the message for an id that was [taken](Self::next) was sent, and may still be
    /// in the queue.
    pub fn doubt(&mut self, id: u8) {
        if let Some(state) = self.0.get_mut(usize::from(id)) {
            if *state == State::Settled {
                *state = State::Doubtful;
            }
        }
    }

    /// Records that the queue is empty: what was in it has left.
    pub fn left(&mut self) {
        self.replace_doubtful(State::Settled);
    }

    /// Records that what was in the queue is lost: it is owed again, at once.
    pub fn lost(&mut self, now: u64) {
        self.replace_doubtful(State::Owed(low(now)));
    }

    fn replace_doubtful(&mut self, new: State) {
        for state in &mut self.0 {
            if *state == State::Doubtful {
                *state = new;
            }
        }
    }

    /// Records that the modem need not be told: it has assigned the id anew.
    pub fn settle(&mut self, id: u8) {
        if let Some(state) = self.0.get_mut(usize::from(id)) {
            *state = State::Settled;
        }
    }

    /// Records that the modem knows no channel any more.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Returns whether a message is still to be sent for an id.
    pub fn is_owed(&self, id: u8) -> bool {
        matches!(self.0.get(usize::from(id)), Some(State::Owed(_)))
    }

    /// Returns whether the modem must still be told of any, or was told of one by a message that
    /// may be in the queue.
    pub fn any(&self) -> bool {
        self.0.iter().any(|state| *state != State::Settled)
    }
}
