// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Registration with the network, in the circuit switched, packet switched and EPS domains.

use std::time::{Duration, Instant};

/// State of registration: `<stat>` of TS 27.007, +CREG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Status {
    #[default]
    NotSearching,
    Home,
    Searching,
    Denied,
    Roaming,
}

impl Status {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::NotSearching => 0,
            Self::Home => 1,
            Self::Searching => 2,
            Self::Denied => 3,
            Self::Roaming => 5,
        }
    }

    pub(crate) fn is_registered(self) -> bool {
        matches!(self, Self::Home | Self::Roaming)
    }
}

/// Registration in the domains that have commands of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Domains {
    /// +CREG
    pub(crate) cs: Status,
    /// +CGREG and +CEREG
    pub(crate) ps: Status,
}

/// Registration with the network.
#[derive(Debug)]
pub(crate) struct Registration {
    /// The answer of the network.
    pub(crate) offer: Status,
    /// `AT+COPS=2` makes it false.
    pub(crate) wanted: bool,
    /// `AT+COPS=1`: the user chose the operator.
    pub(crate) manual: bool,
    /// `AT+CGATT=0` makes it false.
    pub(crate) attach_wanted: bool,
    status: Status,
    /// The time at which the network answers.
    due: Option<Instant>,
}

impl Registration {
    pub(crate) fn new() -> Self {
        Self {
            offer: Status::Home,
            wanted: true,
            manual: false,
            attach_wanted: true,
            status: Status::NotSearching,
            due: None,
        }
    }

    /// Brings the status up to date. `radio` is whether the modem may use the network.
    pub(crate) fn update(&mut self, radio: bool, time: Duration, now: Instant) {
        if !radio || !self.wanted {
            self.status = Status::NotSearching;
            self.due = None;
            return;
        }
        if self.status == Status::NotSearching {
            self.status = Status::Searching;
            self.due = now.checked_add(time);
        } else if self.status != self.offer && self.due.is_none() {
            // The network has changed its answer.
            self.due = Some(now);
        }
        if self.due.is_some_and(|due| due <= now) {
            self.status = self.offer;
            self.due = None;
        }
    }

    /// Returns when to bring the status up to date again.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(crate) fn domains(&self) -> Domains {
        Domains {
            cs: self.status,
            ps: if self.attach_wanted {
                self.status
            } else {
                Status::NotSearching
            },
        }
    }

    pub(crate) fn is_registered(&self) -> bool {
        self.status.is_registered()
    }

    /// Returns whether packets can be sent.
    pub(crate) fn is_attached(&self) -> bool {
        self.domains().ps.is_registered()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_its_time_and_ends_at_once() {
        let mut registration = Registration::new();
        let time = Duration::from_millis(100);
        let start = Instant::now();
        let mut at = |radio, ms, change: fn(&mut Registration)| {
            change(&mut registration);
            registration.update(radio, time, start + Duration::from_millis(ms));
            registration.domains().cs
        };
        assert_eq!(at(false, 0, |_| ()), Status::NotSearching);
        assert_eq!(at(true, 10, |_| ()), Status::Searching);
        assert_eq!(at(true, 109, |_| ()), Status::Searching);
        assert_eq!(at(true, 110, |_| ()), Status::Home);
        assert_eq!(
            at(true, 120, |r| r.offer = Status::Searching),
            Status::Searching
        );
        assert_eq!(at(true, 130, |_| ()), Status::Searching);
        assert_eq!(
            at(true, 140, |r| r.offer = Status::Roaming),
            Status::Roaming
        );
        assert_eq!(at(true, 150, |r| r.wanted = false), Status::NotSearching);
        assert_eq!(at(true, 160, |r| r.wanted = true), Status::Searching);
        assert_eq!(at(false, 170, |_| ()), Status::NotSearching);
        assert_eq!(registration.due(), None);
    }

    #[test]
    fn without_attach_there_are_no_packets() {
        let mut registration = Registration::new();
        registration.update(true, Duration::ZERO, Instant::now());
        assert!(registration.is_attached());
        registration.attach_wanted = false;
        assert!(registration.is_registered());
        assert!(!registration.is_attached());
        assert_eq!(registration.domains().ps, Status::NotSearching);
    }
}
