// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The actions of a network, a user or a fault on a modem: the steps of scenarios and `AT*NET`.

use crate::messages::Message;
use crate::registration::Status;

/// An action on a modem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// `drop CID`: the network ends a context.
    Drop(u8),
    /// `detach`: the network ends all packet service.
    Detach,
    /// `network home|roaming|denied|none`: what the network answers to a registration.
    Network(Status),
    /// `sim in|out`
    Sim(bool),
    /// `signal 0-31|99`
    Signal(u8),
    /// `message FROM TEXT`
    Message(Message),
    /// `say TEXT`: all terminals get a line.
    Say(String),
    /// `fail CODE`: the command fails with a code of +CME ERROR.
    Fail(u16),
    /// `silence`: the command is not answered.
    Silence,
    /// `crash`: the firmware crashes.
    Crash,
    /// `die`: the modem's process ends, as if it were killed.
    Die,
}

impl Action {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |want: &str| format!("{text:?}: want {want}");
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        let alone = |action: Self| {
            let is_alone = rest.is_empty();
            is_alone
                .then_some(action)
                .ok_or_else(|| wrong("nothing after it"))
        };
        match verb {
            "drop" => rest
                .parse()
                .map(Self::Drop)
                .map_err(|_| wrong("drop and a context")),
            "detach" => alone(Self::Detach),
            "network" => match rest {
                "home" => Ok(Self::Network(Status::Home)),
                "roaming" => Ok(Self::Network(Status::Roaming)),
                "denied" => Ok(Self::Network(Status::Denied)),
                "none" => Ok(Self::Network(Status::Searching)),
                _ => Err(wrong("network home, roaming, denied or none")),
            },
            "sim" => match rest {
                "in" => Ok(Self::Sim(true)),
                "out" => Ok(Self::Sim(false)),
                _ => Err(wrong("sim in or out")),
            },
            "signal" => match rest.parse() {
                Ok(signal @ (0..=31 | 99)) => Ok(Self::Signal(signal)),
                _ => Err(wrong("signal 0 to 31 or 99")),
            },
            "message" => {
                let (from, text) = rest.split_once(' ').unwrap_or((rest, ""));
                Message::new(from, text, None).map(Self::Message)
            }
            "say" => {
                let printable = !rest.is_empty() && !rest.contains(char::is_control);
                let line = printable.then(|| rest.to_owned());
                line.map(Self::Say).ok_or_else(|| wrong("say and a line"))
            }
            "fail" => rest
                .parse()
                .map(Self::Fail)
                .map_err(|_| wrong("fail and a code of +CME ERROR")),
            "silence" => alone(Self::Silence),
            "crash" => alone(Self::Crash),
            "die" => alone(Self::Die),
            _ => Err(wrong(
                "drop, detach, network, sim, signal, message, say, fail, silence, crash or die",
            )),
        }
    }

    /// Returns whether this is done in the place of the command that it waits for.
    pub(crate) fn replaces_a_command(&self) -> bool {
        matches!(
            self,
            Self::Fail(_) | Self::Silence | Self::Crash | Self::Die
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (text, action) in [
            ("drop 3", Action::Drop(3)),
            ("detach", Action::Detach),
            ("network none", Action::Network(Status::Searching)),
            ("sim out", Action::Sim(false)),
            ("signal 99", Action::Signal(99)),
            ("say RING", Action::Say("RING".to_owned())),
            ("fail 30", Action::Fail(30)),
            ("die", Action::Die),
        ] {
            assert_eq!(Action::parse(text), Ok(action));
        }
        for bad in [
            "",
            "drop",
            "drop x",
            "detach 1",
            "network",
            "sim",
            "signal 32",
            "message",
            "say",
            "say \u{7}",
            "fail",
            "fail 99999",
            "crash now",
            "dies",
        ] {
            assert!(Action::parse(bad).is_err(), "{bad}");
        }
    }
}
