// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The states of a modem, as oFono knows them.

use std::fmt;

/// The state of a modem. oFono knows `upgrading`, too, which it treats as `off`; nothing here tells
/// an upgrade from another stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The modem starts, or its link is not usable yet. oFono resets the modem when it is ready
    /// again.
    Booting,
    /// The link is usable.
    Ready,
    /// The modem was stopped. oFono removes it.
    Off,
    /// The modem crashed, and may come back. oFono resets it when it is ready again.
    Dumping,
}

impl State {
    /// Returns the state's name on the bus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Booting => "booting",
            Self::Ready => "ready",
            Self::Off => "off",
            Self::Dumping => "dumping",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The state of a remote processor in sysfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    /// `running`, or `attached`, which is a processor that something else started.
    Running,
    /// `crashed`: remoteproc will recover it, or recovery is disabled.
    Crashed,
    /// `offline`, or `detached`: it was stopped, or it is between the two halves of a recovery.
    Stopped,
    /// Any other.
    Other,
    /// There is no such remote processor.
    Gone,
}

impl Processor {
    /// Returns the state of a name in sysfs; `None` if there is no such remote processor.
    pub fn new(name: Option<&str>) -> Self {
        match name {
            Some("running" | "attached") => Self::Running,
            Some("crashed") => Self::Crashed,
            Some("offline" | "detached") => Self::Stopped,
            Some(_) => Self::Other,
            None => Self::Gone,
        }
    }
}
