// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Which interfaces oFono left behind.
//!
//! oFono makes four interfaces of the kind `caif` whenever a modem goes online, and means to delete
//! them when it goes offline, but its request to delete has flags that Linux refuses.
//! Only interfaces that were seen being made are looked at. The kernel's notification has the port
//! of the netlink socket that asked for it if the request had `NLM_F_ECHO`, which oFono's have not:
//! then oFono's are those that it made without a name while it was on the bus. Those that anybody
//! else made otherwise, and those that were there before, are never touched.

use crate::modems::Interface;

/// An interface that was seen being made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Made {
    index: u32,
    name: String,
    /// The port of the socket that asked for it.
    maker: u32,
    fate: Fate,
}

/// The fate of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The interface may be in use.
    Live,
    /// No modem was online after the interface had been created: it is deleted if it is down.
    Left,
    /// The process that created it has left the bus: it is deleted.
    Orphan,
}

/// The interfaces that were seen being made.
#[derive(Clone, Debug, Default)]
pub struct Sweeper {
    made: Vec<Made>,
    /// oFono's process.
    ofono: Option<u32>,
}

impl Sweeper {
    /// Notes that an interface was created, by a request from this port, or from one that the
    /// kernel does not tell, 0, but as oFono creates them.
    pub fn made(&mut self, index: u32, name: &str, maker: u32) {
        let maker = match maker {
            0 => self.ofono,
            port => Some(port),
        };
        if let Some(maker) = maker {
            self.made.push(Made {
                index,
                name: name.to_owned(),
                maker,
                fate: Fate::Live,
            });
        }
    }

    /// Notes which process oFono is. Interfaces that another one created are orphans.
    pub fn ofono_is(&mut self, process: Option<u32>) {
        if self.ofono == process {
            return;
        }
        for one in &mut self.made {
            if Some(one.maker) == self.ofono {
                one.fate = Fate::Orphan;
            }
        }
        self.ofono = process;
    }

    /// Returns what is to be kept until another start of the program: what oFono made, one in a
    /// line.
    pub fn text(&self) -> String {
        let is_its = |one: &&Made| one.fate != Fate::Live || Some(one.maker) == self.ofono;
        let line = |one: &Made| format!("{} {} {}\n", one.index, one.maker, one.name);
        self.made.iter().filter(is_its).map(line).collect()
    }

    /// Loads a kept list, once it is known which process oFono is. Invalid lines are ignored.
    pub fn load(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.splitn(3, ' ');
            let mut number = || words.next()?.parse().ok();
            let (Some(index), Some(maker)) = (number(), number()) else {
                continue;
            };
            let Some(name) = words.next() else {
                continue;
            };
            self.made.push(Made {
                index,
                name: name.to_owned(),
                maker,
                fate: match self.ofono == Some(maker) {
                    true => Fate::Live,
                    false => Fate::Orphan,
                },
            });
        }
    }

    /// Returns the interfaces of which oFono is to be asked, which are all that it made so far.
    pub fn candidates(&self) -> Vec<u32> {
        let is_its = |one: &&Made| Some(one.maker) == self.ofono && one.fate == Fate::Live;
        self.made
            .iter()
            .filter(is_its)
            .map(|one| one.index)
            .collect()
    }

    /// Notes that no modem was online at a time when all of these had been created.
    pub fn left(&mut self, candidates: &[u32]) {
        for one in &mut self.made {
            if candidates.contains(&one.index) && one.fate == Fate::Live {
                one.fate = Fate::Left;
            }
        }
    }

    /// Returns the interfaces to delete, of those that there are. They are returned once.
    pub fn sweep(&mut self, there: &[Interface]) -> Vec<Interface> {
        // One with another name is somebody else's by now.
        self.made.retain(|one| {
            there
                .iter()
                .any(|dev| dev.index == one.index && dev.name == one.name)
        });
        let made = std::mem::take(&mut self.made);
        let is_due = |one: &Made| {
            let dev = there.iter().find(|dev| dev.index == one.index)?;
            let due = match one.fate {
                Fate::Live => false,
                Fate::Left => !dev.up,
                Fate::Orphan => true,
            };
            due.then(|| dev.clone())
        };
        let mut due = Vec::new();
        for one in made {
            match is_due(&one) {
                Some(dev) => due.push(dev),
                None => self.made.push(one),
            }
        }
        due
    }
}
