// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modems that are known, and their states, of what the kernel shows and when. This does
//! nothing itself: it returns what is to be done.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::state::{Processor, State};

/// Time that a modem without its link may be `offline` before it counts as off. A recovery goes
/// through `offline` while it loads the firmware.
pub const GRACE: Duration = Duration::from_secs(10);
/// Delay before the kernel is looked at again while something is pending of which it sends no
/// event. It doubles each time, up to the limit.
pub const FIRST_LOOK: Duration = Duration::from_millis(50);
const LOOK_LIMIT: Duration = Duration::from_secs(2);
/// Time that a remote processor may run without its link before that counts as no stop any more.
const STOPPING: Duration = Duration::from_secs(10);
/// Time that a modem may be booting before that is logged.
pub const SLOW: Duration = Duration::from_secs(30);

/// The kernel's state at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The links that belong to a remote processor.
    pub links: Vec<Link>,
    /// The states of the remote processors, by name, read before the links.
    pub processors: BTreeMap<String, String>,
    /// The IP interfaces over CAIF.
    pub interfaces: Vec<Interface>,
}

/// A CAIF link of a remote processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The number of the network device.
    pub index: u32,
    /// Name of the device.
    pub name: String,
    /// Whether it is set up.
    pub up: bool,
    /// Whether it has a carrier.
    pub carrier: bool,
    /// The remote processor.
    pub processor: String,
    /// The virtio device's parent below it, which stays in a recovery.
    pub device: String,
}

/// An IP interface over CAIF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The number of the network device.
    pub index: u32,
    /// Name of the device.
    pub name: String,
    /// Whether it is set up.
    pub up: bool,
}

/// An action that a new state of the kernel requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Set a link up that was made.
    SetUp(Link),
    /// Tell that the state of the modem of this serial changed.
    Tell(String, State),
    /// Log that a modem does not become ready, and why.
    Slow(String, String),
}

/// A modem.
#[derive(Clone, Debug)]
pub struct Modem {
    /// Name of the modem on the bus and in oFono.
    pub serial: String,
    /// The name of its link, the last one if there is none now.
    pub interface: String,
    /// State of the modem.
    pub state: State,
    processor: String,
    device: String,
    link: Option<Link>,
    /// The last known state of the remote processor.
    seen: Processor,
    /// The time at which the link went.
    lost: Option<Instant>,
    /// Since when it has been stopped without a link.
    stopped: Option<Stopped>,
    /// The time of the next check, and the delay after that.
    look: Option<(Instant, Duration)>,
    /// The time at which a slow boot is logged; `None` once it was.
    slow: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Stopped {
    since: Instant,
    /// Whether it was seen running without its link before: it was told to stop. A processor that
    /// crashes is `crashed` before its link goes.
    told: bool,
}

impl Modem {
    fn new(serial: String, link: &Link, now: Instant) -> Self {
        Self {
            serial,
            interface: link.name.clone(),
            state: State::Booting,
            processor: link.processor.clone(),
            device: link.device.clone(),
            link: Some(link.clone()),
            seen: Processor::Other,
            lost: None,
            stopped: None,
            look: None,
            slow: Some(now + SLOW),
        }
    }

    /// Applies what was seen, and sets the state.
    fn update(&mut self, link: Option<Link>, processor: Processor, now: Instant) {
        if let Some(link) = &link {
            self.interface.clone_from(&link.name);
            self.device.clone_from(&link.device);
            self.lost = None;
        } else if self.link.is_some() {
            self.lost = Some(now);
        }
        let told = self.seen == Processor::Running && self.link.is_none();
        self.stopped = match (processor, &link, self.stopped) {
            (Processor::Stopped, None, Some(stopped)) => Some(stopped),
            (Processor::Stopped, None, None) => Some(Stopped { since: now, told }),
            _ => None,
        };
        let changed = self.link != link || self.seen != processor;
        (self.link, self.seen) = (link, processor);
        self.look = match self.is_pending(now) {
            false => None,
            true => Some(match self.look {
                Some((at, after)) if !changed && at > now => (at, after),
                Some((_, after)) if !changed => (now + after, (after * 2).min(LOOK_LIMIT)),
                _ => (now + FIRST_LOOK, FIRST_LOOK * 2),
            }),
        };
        let state = self.current(now);
        match (self.state, state) {
            (_, State::Booting) if self.state != State::Booting => self.slow = Some(now + SLOW),
            (_, State::Booting) => {}
            _ => self.slow = None,
        }
        self.state = state;
    }

    fn current(&self, now: Instant) -> State {
        match (self.seen, &self.link) {
            (Processor::Gone, None) => State::Off,
            (Processor::Crashed, _) => State::Dumping,
            (Processor::Running, Some(link)) if link.up && link.carrier => State::Ready,
            (Processor::Stopped, None) => match self.stopped {
                Some(stopped) if !stopped.told && now < stopped.since + GRACE => State::Dumping,
                _ => State::Off,
            },
            // A processor is `offline` until all that depends on it has started.
            _ => State::Booting,
        }
    }

    /// Returns whether something will change of which there may be no event: remoteproc tells
    /// nobody of its states.
    fn is_pending(&self, now: Instant) -> bool {
        match (self.seen, &self.link) {
            // It becomes `running` after its link was made, and `crashed` before its link goes.
            (Processor::Stopped | Processor::Other, Some(_)) => true,
            (Processor::Crashed | Processor::Other, None) => true,
            // It stops, or the driver was unbound.
            (Processor::Running, None) => self.lost.is_some_and(|lost| now < lost + STOPPING),
            _ => false,
        }
    }

    /// Returns when to look at the kernel again, which may be over.
    fn deadline(&self) -> Option<Instant> {
        let grace = self
            .stopped
            .filter(|_| self.state == State::Dumping)
            .map(|stopped| stopped.since + GRACE);
        let look = self.look.map(|(at, _)| at);
        [grace, look, self.slow].into_iter().flatten().min()
    }

    /// Returns why the modem is not ready.
    fn why(&self) -> String {
        let link = match &self.link {
            None => format!("its link {} is gone", self.interface),
            Some(link) if !link.up => format!("its link {} is down", link.name),
            Some(link) if !link.carrier => format!("its link {} has no carrier", link.name),
            Some(link) => format!("its link {} is up", link.name),
        };
        let processor = match self.seen {
            Processor::Running => "is running",
            Processor::Crashed => "has crashed",
            Processor::Stopped => "is offline",
            Processor::Other => "is in another state",
            Processor::Gone => "is gone",
        };
        format!("{link}, and {} {processor}", self.processor)
    }
}

/// The modems.
#[derive(Clone, Debug, Default)]
pub struct Modems(Vec<Modem>);

impl Modems {
    /// Returns all modems.
    pub fn all(&self) -> &[Modem] {
        &self.0
    }

    /// Returns when to look at the kernel again, even if it sends no event.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(Modem::deadline).min()
    }

    /// Applies the kernel's state, and returns the actions that it requires.
    pub fn observe(&mut self, snapshot: &Snapshot, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut links = self.assign(&snapshot.links, now, &mut actions);
        for (modem, link) in self.0.iter_mut().zip(&mut links) {
            let processor = snapshot.processors.get(&modem.processor);
            let before = modem.state;
            modem.update(
                link.take(),
                Processor::new(processor.map(String::as_str)),
                now,
            );
            if modem.state != before {
                actions.push(Action::Tell(modem.serial.clone(), modem.state));
            }
            if modem.slow.is_some_and(|at| at <= now) {
                modem.slow = None;
                actions.push(Action::Slow(modem.serial.clone(), modem.why()));
            }
        }
        self.0
            .retain(|modem| modem.seen != Processor::Gone || modem.link.is_some());
        actions
    }

    /// Returns the link of each modem, and makes the modems of links that are new.
    fn assign(
        &mut self,
        links: &[Link],
        now: Instant,
        actions: &mut Vec<Action>,
    ) -> Vec<Option<Link>> {
        let mut assigned: Vec<Option<Link>> = self
            .0
            .iter()
            .map(|modem| {
                let index = modem.link.as_ref()?.index;
                links.iter().find(|link| link.index == index).cloned()
            })
            .collect();
        let known = |assigned: &[Option<Link>], link: &Link| {
            assigned.iter().flatten().any(|one| one.index == link.index)
        };
        for link in links {
            if known(&assigned, link) {
                continue;
            }
            actions.extend((!link.up).then(|| Action::SetUp(link.clone())));
            match self
                .place(&assigned, link)
                .and_then(|at| assigned.get_mut(at))
            {
                Some(free) => *free = Some(link.clone()),
                None => {
                    self.0
                        .push(Modem::new(self.serial(&link.processor), link, now));
                    assigned.push(Some(link.clone()));
                }
            }
        }
        assigned
    }

    /// Returns the position of the modem that a new link belongs to: one of its remote processor
    /// that has none.
    fn place(&self, assigned: &[Option<Link>], link: &Link) -> Option<usize> {
        let free = |(at, modem): &(usize, &Modem)| {
            modem.processor == link.processor && assigned.get(*at).is_some_and(Option::is_none)
        };
        let candidates = || self.0.iter().enumerate().filter(free);
        candidates()
            .find(|(_, modem)| modem.device == link.device)
            .or_else(|| candidates().find(|(_, modem)| modem.interface == link.name))
            .or_else(|| candidates().next())
            .map(|(at, _)| at)
    }

    /// Returns a serial that no other modem has: the name of the remote processor, and a number if
    /// it has several links.
    fn serial(&self, processor: &str) -> String {
        // Such as a path on the bus may have.
        let base: String = processor
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let is_free = |serial: &String| self.0.iter().all(|modem| modem.serial != *serial);
        let numbered = (1_u32..).map(|number| format!("{base}_{number}"));
        std::iter::once(base.clone())
            .chain(numbered)
            .find(is_free)
            .unwrap_or(base)
    }
}
