// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A scenario: the network that a modem finds, and what it does when. A file of TOML has it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::action::Action;
use crate::messages::Message;
use crate::network::{Addressing, Network};
use crate::pool::Pool;

/// The most contexts that a pool has addresses for.
const MAX_POOL: u16 = 4096;

/// The event that a step waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// The modem is switched on.
    Start,
    /// The modem is registered with the network.
    Registered,
    /// A context was activated.
    Activated,
    /// A command that begins so, in capital letters.
    Command(String),
}

/// A step of a scenario, which is done once.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    trigger: Trigger,
    /// Number of times that the trigger must still come.
    times: u32,
    after: Duration,
    actions: Vec<Action>,
}

/// The steps that are still to be done, and those whose time has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    steps: Vec<Step>,
    due: Vec<(Instant, Action)>,
}

impl Script {
    /// Counts what steps wait for, and has those that are to be done now done at their time.
    /// Returns the actions that take the place of a command.
    pub(crate) fn happened(&mut self, what: &Trigger, now: Instant) -> Vec<Action> {
        let mut instead = Vec::new();
        for step in &mut self.steps {
            let meant = match (&step.trigger, what) {
                (Trigger::Command(start), Trigger::Command(text)) => text.starts_with(start),
                (expected, what) => expected == what,
            };
            if !meant || step.times == 0 {
                continue;
            }
            step.times = step.times.saturating_sub(1);
            if step.times > 0 {
                continue;
            }
            let time = now.checked_add(step.after).unwrap_or(now);
            for action in std::mem::take(&mut step.actions) {
                let is_command = matches!(what, Trigger::Command(_));
                if is_command && step.after.is_zero() && action.replaces_a_command() {
                    instead.push(action);
                } else {
                    self.due.push((time, action));
                }
            }
        }
        self.steps.retain(|step| step.times > 0);
        instead
    }

    /// Adds an action that is due now.
    pub(crate) fn add(&mut self, action: Action, now: Instant) {
        self.due.push((now, action));
    }

    /// Removes and returns the actions whose time has come, in the order of their times.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Action> {
        self.due.sort_by_key(|(time, _)| *time);
        let later = self.due.partition_point(|(time, _)| *time <= now);
        self.due.drain(..later).map(|(_, action)| action).collect()
    }

    /// Returns when the next action is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.iter().map(|(time, _)| *time).min()
    }

    /// Forgets the actions whose time is still to come, as a modem that is switched off does.
    pub(crate) fn forget_due(&mut self) {
        self.due.clear();
    }
}

/// The file.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    network: NetworkTable,
    message: Vec<MessageTable>,
    step: Vec<StepTable>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct NetworkTable {
    operator: Option<String>,
    operator_name: Option<String>,
    imsi: Option<String>,
    pin: Option<String>,
    signal: Option<u8>,
    registration_ms: Option<u64>,
    contexts: Option<u16>,
    dns: Option<[Ipv4Addr; 2]>,
    dns6: Option<[Ipv6Addr; 2]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageTable {
    from: String,
    text: String,
    time: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTable {
    on: String,
    #[serde(default = "once")]
    nth: u32,
    #[serde(default)]
    after_ms: u64,
    #[serde(rename = "do")]
    actions: Actions,
}

fn once() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Actions {
    One(String),
    Several(Vec<String>),
}

/// The reason why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadScenario {
    /// The scenario is not TOML, or has unknown keys.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// A value is out of range.
    #[error("{0}")]
    Value(String),
}

impl Network {
    /// Reads a scenario. What it leaves out is as in [`Network::default`].
    pub fn parse(text: &str) -> Result<Self, BadScenario> {
        let file: File = toml::from_str(text)?;
        let mut network = Self::default();
        let table = file.network;
        let digits = |name: &str, text: Option<String>, len: std::ops::RangeInclusive<usize>| {
            let valid = |text: &String| {
                len.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
            };
            match text {
                Some(text) if !valid(&text) => {
                    let (least, most) = (len.start(), len.end());
                    let why = format!("{name} = {text:?}: want {least} to {most} digits");
                    Err(BadScenario::Value(why))
                }
                text => Ok(text),
            }
        };
        if let Some(operator) = digits("operator", table.operator, 5..=6)? {
            network.operator = operator;
        }
        if let Some(imsi) = digits("imsi", table.imsi, 6..=15)? {
            network.imsi = imsi;
        }
        network.pin = digits("pin", table.pin, 4..=8)?;
        if let Some(name) = table.operator_name {
            network.operator_name = name.replace(['"', '\r', '\n'], " ");
        }
        if let Some(signal) = table.signal {
            Action::parse(&format!("signal {signal}")).map_err(BadScenario::Value)?;
            network.signal = signal;
        }
        if let Some(ms) = table.registration_ms {
            network.registration_time = Duration::from_millis(ms);
        }
        if let Some(contexts) = table.contexts {
            if contexts > MAX_POOL {
                let why = format!("contexts = {contexts}: want at most {MAX_POOL}");
                return Err(BadScenario::Value(why));
            }
            if let Addressing::Pool(pool) = &mut network.addressing {
                *pool = Pool::new(pool.base, pool.base6, contexts);
            }
        }
        network.dns = table.dns.unwrap_or(network.dns);
        network.dns6 = table.dns6.unwrap_or(network.dns6);
        for message in file.message {
            let stored = Message::new(&message.from, &message.text, message.time.as_deref());
            network.messages.push(stored.map_err(BadScenario::Value)?);
        }
        for step in file.step {
            network
                .script
                .steps
                .push(step.read().map_err(BadScenario::Value)?);
        }
        Ok(network)
    }
}

impl StepTable {
    fn read(self) -> Result<Step, String> {
        let on = self.on.to_ascii_uppercase();
        let trigger = match (self.on.as_str(), on.strip_prefix("AT")) {
            ("start", _) => Trigger::Start,
            ("registered", _) => Trigger::Registered,
            ("activated", _) => Trigger::Activated,
            (_, Some(command)) if command.starts_with(['+', '*']) => {
                Trigger::Command(command.to_owned())
            }
            _ => {
                let on = &self.on;
                return Err(format!(
                    "on = {on:?}: want start, registered, activated, or a command as AT*EPPSD=1"
                ));
            }
        };
        if self.nth == 0 {
            return Err("nth = 0: want at least 1".to_owned());
        }
        let actions = match self.actions {
            Actions::One(action) => vec![action],
            Actions::Several(actions) => actions,
        };
        let actions: Result<Vec<_>, _> =
            actions.iter().map(|action| Action::parse(action)).collect();
        Ok(Step {
            trigger,
            times: self.nth,
            after: Duration::from_millis(self.after_ms),
            actions: actions?,
        })
    }
}
