// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The LINK_DESTROY messages that a modem has still to be sent, by link id.
//!
//! A control message overtakes payloads that wait in the queue of a link's device. If the message
//! that ends a channel did, what was sent on the channel would reach the next one to which the
//! modem assigns the link id. So the message waits until the queue is empty, whatever the queueing
//! discipline, but not for ever. And one that is sent while the queue is not empty goes behind the
//! payloads, in their [band](Band), as the request for the next channel does. It may be lost with
//! the queue: it is remembered until the queue was seen empty.
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

/// A band of a device's queue, by which the default queueing discipline sorts packets. Those of one
/// band stay in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// That of control messages, and of AT commands.
    High,
    /// That of all other payloads.
    Middle,
}

impl Band {
    /// Returns the band of a packet's priority, `TC_PRIO_*`: `sch_default_prio2band` in
    /// net/sched/sch_generic.c, whose lowest band is not used.
    pub const fn of(priority: u32) -> Self {
        match priority & 15 {
            6 | 7 => Self::High,
            _ => Self::Middle,
        }
    }

    /// Returns the priority that all packets of the band have, so that also other disciplines which
    /// sort by priorities keep them in order.
    pub const fn priority(self) -> u32 {
        match self {
            // TC_PRIO_CONTROL
            Self::High => 7,
            // TC_PRIO_INTERACTIVE_BULK: not 0, which a control group may replace.
            Self::Middle => 4,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The modem was told, or need not be.
    Settled,
    /// The modem is to be told.
    Owed,
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
pub struct Owed {
    states: [State; 256],
    /// From which time on the modem is told also if the queue is not empty.
    until: [u32; 256],
    behind: Band,
}

impl Default for Owed {
    fn default() -> Self {
        Self::new()
    }
}

impl Owed {
    /// Creates the state of a link that owes nothing. All bytes are zero, which are written to
    /// their place without a copy on the stack.
    pub const fn new() -> Self {
        Self {
            states: [State::Settled; 256],
            until: [0; 256],
            behind: Band::High,
        }
    }

    /// Records that a channel ended whose payloads may be in the queue, in this band or a higher
    /// one.
    pub fn ended(&mut self, band: Band) {
        self.behind = self.behind.max(band);
    }

    /// Returns the band of a message that must not overtake what was sent on channels that ended.
    pub fn behind(&self) -> Band {
        self.behind
    }

    /// Records that the modem is to be told, `wait` later at the latest. One that is owed already
    /// does not wait longer.
    pub fn owe(&mut self, id: u8, now: u64, wait: u32) {
        let until = low(now).wrapping_add(wait);
        let at = usize::from(id);
        if let (Some(state), Some(time)) = (self.states.get_mut(at), self.until.get_mut(at)) {
            if *state != State::Owed || !is_reached(*time, until) {
                *state = State::Owed;
                *time = until;
            }
        }
    }

    /// Takes the next id that the modem is to be told of now: any if `all` are to be sent,
    /// otherwise one that waited long enough.
    pub fn next(&mut self, all: bool, now: u64) -> Option<u8> {
        let is_due = |(state, until): (&State, &u32)| {
            *state == State::Owed && (all || is_reached(*until, low(now)))
        };
        let mut messages = self.states.iter().zip(&self.until);
        let id = u8::try_from(messages.position(is_due)?).ok()?;
        self.settle(id);
        Some(id)
    }

    /// Records that the message for an id that was [taken](Self::next) was sent, and may still be
    /// in the queue.
    pub fn doubt(&mut self, id: u8) {
        if let Some(state) = self.states.get_mut(usize::from(id)) {
            if *state == State::Settled {
                *state = State::Doubtful;
            }
        }
    }

    /// Records that the queue is empty: what was in it has left.
    pub fn left(&mut self) {
        self.behind = Band::High;
        for state in &mut self.states {
            if *state == State::Doubtful {
                *state = State::Settled;
            }
        }
    }

    /// Records that messages which were in the queue are lost: they are owed again, at once.
    pub fn lost(&mut self, now: u64) {
        for (state, until) in self.states.iter_mut().zip(&mut self.until) {
            if *state == State::Doubtful {
                *state = State::Owed;
                *until = low(now);
            }
        }
    }

    /// Records that the modem need not be told: it has assigned the id anew.
    pub fn settle(&mut self, id: u8) {
        if let Some(state) = self.states.get_mut(usize::from(id)) {
            *state = State::Settled;
        }
    }

    /// Records that the modem knows no channel any more. Payloads may be in the queue all the same.
    pub fn clear(&mut self) {
        self.states = [State::Settled; 256];
    }

    /// Returns whether a message is still to be sent for an id.
    pub fn is_owed(&self, id: u8) -> bool {
        matches!(self.states.get(usize::from(id)), Some(State::Owed))
    }

    /// Returns whether the modem must still be told of any, or was told of one by a message that
    /// may be in the queue.
    pub fn any(&self) -> bool {
        self.states.iter().any(|state| *state != State::Settled)
    }
}
