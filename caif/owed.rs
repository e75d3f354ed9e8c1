// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The LINK_DESTROY messages that a modem has still to be sent, by link id.
//!
//! A control message overtakes payloads that wait in the queue of a link's device. If the message
//! that ends a channel did, what was sent on the channel would reach the next one to which the
//! modem assigns the link id. So the message waits until the queue is empty, whatever the queueing
//! discipline, but not for ever. And one that is sent while the queue is not empty goes behind the
//! channel's payloads, in the [band](Band) of theirs. It may be lost with the queue: it is
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

/// A band of a device's queue, by which the default queueing disciplines sort packets. Those of one
/// band stay in order, and a lower band waits for the higher ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// That of control messages.
    High,
    /// That of most payloads.
    Middle,
    /// That of payloads which may wait, such as those of bulk transfers.
    Low,
}

impl Band {
    /// Returns the band of a packet's priority, `TC_PRIO_*`: `sch_default_prio2band` in
    /// net/sched/sch_generic.c.
    pub const fn of(priority: u32) -> Self {
        match priority & 15 {
            6 | 7 => Self::High,
            1 | 2 | 3 | 5 => Self::Low,
            _ => Self::Middle,
        }
    }

    /// Returns a priority of the band.
    pub fn priority(self) -> u32 {
        match self {
            // TC_PRIO_CONTROL
            Self::High => 7,
            // TC_PRIO_BESTEFFORT
            Self::Middle => 0,
            // TC_PRIO_FILLER
            Self::Low => 1,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The modem was told, or need not be.
    Settled,
    /// The modem is to be told, from this time on also if the queue is not empty. The payloads are
    /// in this band and the higher ones.
    Owed(u32, Band),
    /// The modem was told, by a message of this band that may still be in the queue.
    Doubtful(Band),
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

    /// Records that the modem is to be told, `wait` later at the latest, and behind payloads of a
    /// band. One that is owed already does not wait longer.
    pub fn owe(&mut self, id: u8, now: u64, wait: u32, band: Band) {
        let until = low(now).wrapping_add(wait);
        if let Some(state) = self.0.get_mut(usize::from(id)) {
            *state = match *state {
                State::Owed(time, other) if is_reached(time, until) => {
                    State::Owed(time, other.max(band))
                }
                State::Owed(_, other) => State::Owed(until, other.max(band)),
                _ => State::Owed(until, band),
            };
        }
    }

    /// Takes the next id that the modem is to be told of now, with the band that the message
    /// belongs to while the queue is not empty: any id if `all` are to be sent, otherwise one that
    /// waited long enough.
    pub fn next(&mut self, all: bool, now: u64) -> Option<(u8, Band)> {
        let due = |state: &State| match state {
            State::Owed(until, band) if all || is_reached(*until, low(now)) => Some(*band),
            _ => None,
        };
        let mut states = (u8::MIN..=u8::MAX).zip(&self.0);
        let (id, band) = states.find_map(|(id, state)| Some((id, due(state)?)))?;
        self.settle(id);
        Some((id, band))
    }

    /// Records that the message for an id that was [taken](Self::next) was sent in a band, and may
    /// still be in the queue.
    pub fn doubt(&mut self, id: u8, band: Band) {
        if let Some(state) = self.0.get_mut(usize::from(id)) {
            if *state == State::Settled {
                *state = State::Doubtful(band);
            }
        }
    }

    /// Returns the band of a message that must not overtake one that may be in the queue. Not the
    /// lowest: what others send would keep the message there.
    pub fn behind(&self) -> Band {
        let band = |state: &State| match state {
            State::Settled => Band::High,
            State::Owed(_, band) | State::Doubtful(band) => *band,
        };
        let lowest = self.0.iter().map(band).max().unwrap_or(Band::High);
        lowest.min(Band::Middle)
    }

    /// Records that the queue is empty: what was in it has left.
    pub fn left(&mut self) {
        self.replace_doubtful(State::Settled);
    }

    /// Records that what was in the queue is lost: it is owed again, at once.
    pub fn lost(&mut self, now: u64) {
        self.replace_doubtful(State::Owed(low(now), Band::High));
    }

    fn replace_doubtful(&mut self, new: State) {
        for state in &mut self.0 {
            if matches!(state, State::Doubtful(_)) {
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
        matches!(self.0.get(usize::from(id)), Some(State::Owed(..)))
    }

    /// Returns whether the modem must still be told of any, or was told of one by a message that
    /// may be in the queue.
    pub fn any(&self) -> bool {
        self.0.iter().any(|state| *state != State::Settled)
    }
}
