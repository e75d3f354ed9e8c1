// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Events of a modem, and the unsolicited results that terminals get for them.

use crate::registration::{Domains, Status};
use crate::terminal::Settings;

/// A change of the modem's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Registration, before and now.
    Registration(Domains, Domains),
    /// The network ended a context: `"IP","10.64.0.2",1`.
    ContextLost(String),
    /// The network ended all packet service.
    Detached,
    /// The connection of Ericsson's commands came up, or went down.
    Bearer(bool),
    /// The state of the SIM, as *ESIMSR has it.
    Sim(u8),
    /// Bars of the signal, 0 to 5.
    Signal(u8),
    /// A message was stored at this index, from 1 on.
    Message(usize),
    /// All terminals get a line.
    Say(String),
}

/// Indicators of +CIND, in order, with the range of each.
pub(crate) const INDICATORS: [(&str, &str); 4] = [
    ("battchg", "0-5"),
    ("signal", "0-5"),
    ("service", "0,1"),
    ("roam", "0,1"),
];
const SIGNAL: usize = 1;
const SERVICE: usize = 2;
const ROAM: usize = 3;

/// Returns the results that a terminal with these settings gets for an event.
pub(crate) fn results(event: &Event, settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    let mut indicator = |index: usize, value: u8| {
        let wanted = settings.indicators.get(index).copied().unwrap_or(false);
        if settings.cmer && wanted {
            let number = index.saturating_add(1);
            lines.push(format!("+CIEV: {number},{value}"));
        }
    };
    match event {
        Event::Registration(before, now) => {
            let service = now.cs.is_registered();
            if service != before.cs.is_registered() {
                indicator(SERVICE, service.into());
            }
            let roams = |domains: &Domains| domains.cs == Status::Roaming;
            if roams(now) != roams(before) {
                indicator(ROAM, roams(now).into());
            }
            lines.extend(now.lines(before, settings));
        }
        Event::ContextLost(context) if settings.cgerep => {
            lines.push(format!("+CGEV: NW DEACT {context}"));
        }
        Event::Detached if settings.cgerep => lines.push("+CGEV: NW DETACH".to_owned()),
        Event::Bearer(up) if settings.e2nap => lines.push(format!("*E2NAP: {}", u8::from(*up))),
        Event::Sim(state) if settings.esimsr => lines.push(format!("*ESIMSR: {state}")),
        Event::Signal(bars) => indicator(SIGNAL, *bars),
        Event::Message(index) if settings.cnmi => lines.push(format!("+CMTI: \"SM\",{index}")),
        Event::Say(line) => lines.push(line.clone()),
        _ => {}
    }
    lines
}

/// The modem's location area and cell, as +CREG shows them.
pub(crate) const AREA: &str = "\"0001\",\"00000001\"";

impl Domains {
    /// Returns the results of +CREG, +CGREG, +CEREG and *ERINFO that were asked for, of what has
    /// changed.
    fn lines(&self, before: &Self, settings: &Settings) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, level, old, status, act) in [
            ("+CREG", settings.creg, before.cs, self.cs, ""),
            ("+CGREG", settings.cgreg, before.ps, self.ps, ""),
            ("+CEREG", settings.cereg, before.ps, self.ps, ",7"),
        ] {
            let number = status.number();
            match level {
                _ if old == status => {}
                0 => {}
                2.. if status.is_registered() => {
                    lines.push(format!("{name}: {number},{AREA}{act}"));
                }
                _ => lines.push(format!("{name}: {number}")),
            }
        }
        if settings.erinfo && self.radio() != before.radio() {
            lines.push(self.radio());
        }
        lines
    }

    /// Returns *ERINFO: the packet services of GSM and UMTS. The best that it can say is HSPA.
    pub(crate) fn radio(&self) -> String {
        let hspa = if self.cs.is_registered() { 2 } else { 0 };
        format!("*ERINFO: 0,0,{hspa}")
    }
}
