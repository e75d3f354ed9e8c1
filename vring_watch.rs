// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Decides whether the modem still returns buffers of the TX ring.
//!
//! A watchdog looks at the TX ring once a period. Buffers are returned in any order, so what counts
//! is whether *any* was returned: a modem that keeps one and returns others works. It is stuck if
//! it had buffers at one look and returned none, those or others, for [`PERIODS`] periods. This
//! finds a kept buffer at an age of [`PERIODS`] to [`PERIODS`] + 1 periods, without time stamps.

/// Number of periods without a returned buffer after which the modem is stuck.
pub const PERIODS: u32 = 2;

/// The result of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The modem has no buffers: no look is needed until one is published.
    Idle,
    /// The modem returns buffers, or got the oldest less than a period ago.
    Working,
    /// For one period the modem returned nothing: it may have missed a notification.
    Silent,
    /// The modem returns buffers, but has kept some for [`PERIODS`] periods. Reported once, until
    /// it keeps none.
    Keeping,
    /// For [`PERIODS`] periods the modem returned nothing.
    Stuck,
}

/// State of the watchdog. Time before the first look does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Value of `published` at the last look but one, and at the last.
    published: [u64; 2],
    /// Number of buffers that had been returned at the last look, if there was one.
    returned: Option<u64>,
    /// The number of periods in a row in which nothing was returned.
    silent: u32,
    /// Whether the modem keeps buffers while it returns others.
    keeping: bool,
}

impl Watch {
    /// Looks at a ring on which `published` buffers were published since it was set up, of which
    /// `in_flight` are still with the modem. `oldest` returns the number of the first of those.
    pub fn look(
        &mut self,
        published: u64,
        in_flight: u16,
        oldest: impl FnOnce() -> Option<u64>,
    ) -> Finding {
        let returned = published.wrapping_sub(in_flight.into());
        let [before, last] = self.published;
        self.published = [last, published];
        let before_that = self.returned.replace(returned);
        if in_flight == 0 {
            self.silent = 0;
            self.keeping = false;
            return Finding::Idle;
        }
        // The modem had buffers at the last look, and has returned none since.
        if before_that == Some(returned) && last > returned {
            self.silent = self.silent.saturating_add(1);
            return if self.silent < PERIODS {
                Finding::Silent
            } else {
                Finding::Stuck
            };
        }
        self.silent = 0;
        // A buffer published at the last look but one has been with the modem for two periods.
        let keeps = oldest().is_some_and(|number| number < before);
        let found = keeps && !self.keeping;
        self.keeping = keeps;
        if found {
            Finding::Keeping
        } else {
            Finding::Working
        }
    }
}
