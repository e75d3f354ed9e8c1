// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The failures of commands, and the results for the terminal.

/// An error of the mobile equipment: TS 27.007, 9.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cme {
    NotAllowed,
    NotSupported,
    NoSim,
    PinRequired,
    PukRequired,
    WrongPin,
    NoService,
    BadParameters,
    NoResources,
}

impl Cme {
    fn parts(self) -> (u16, &'static str) {
        match self {
            Self::NotAllowed => (3, "operation not allowed"),
            Self::NotSupported => (4, "operation not supported"),
            Self::NoSim => (10, "SIM not inserted"),
            Self::PinRequired => (11, "SIM PIN required"),
            Self::PukRequired => (12, "SIM PUK required"),
            Self::WrongPin => (16, "incorrect password"),
            Self::NoService => (30, "no network service"),
            Self::BadParameters => (50, "incorrect parameters"),
            Self::NoResources => (126, "insufficient resources"),
        }
    }
}

/// An error of the message service: TS 27.005, 3.2.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cms {
    NotSupported,
    BadParameters,
    NoSim,
    BadIndex,
}

impl Cms {
    fn parts(self) -> (u16, &'static str) {
        match self {
            Self::NotSupported => (303, "operation not supported"),
            Self::BadParameters => (305, "invalid text mode parameter"),
            Self::NoSim => (310, "SIM not inserted"),
            Self::BadIndex => (321, "invalid memory index"),
        }
    }
}

/// The reason why a command fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The command is unknown or cannot be read: ERROR, whatever +CMEE says.
    Unknown,
    /// A dialled connection does not come about.
    NoCarrier,
    Cme(Cme),
    Cms(Cms),
    /// A scenario tells the modem to fail with a code of TS 27.007.
    Given(u16),
}

impl From<Cme> for Failure {
    fn from(cme: Cme) -> Self {
        Self::Cme(cme)
    }
}

impl From<Cms> for Failure {
    fn from(cms: Cms) -> Self {
        Self::Cms(cms)
    }
}

/// The form in which errors are reported, as +CMEE sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Detail {
    #[default]
    Plain,
    Number,
    Text,
}

impl Failure {
    /// Returns the final result code; `None` for the one that is a number where ATV0 is set.
    pub(crate) fn text(self, detail: Detail) -> Option<String> {
        let (kind, (code, text)) = match self {
            Self::Unknown | Self::NoCarrier => return None,
            Self::Cme(cme) => ("CME", cme.parts()),
            Self::Cms(cms) => ("CMS", cms.parts()),
            Self::Given(code) => ("CME", (code, "unknown")),
        };
        match detail {
            Detail::Plain => None,
            Detail::Number => Some(format!("+{kind} ERROR: {code}")),
            Detail::Text => Some(format!("+{kind} ERROR: {text}")),
        }
    }
}
