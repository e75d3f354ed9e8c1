// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modem: its state, and the terminals that ask for it and change it.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::action::Action;
use crate::commands;
use crate::contexts::Addresses;
use crate::events;
use crate::failure::Failure;
use crate::line::Line;
use crate::network::Network;
use crate::order::{Order, Report};
use crate::parse;
use crate::state::State;
use crate::terminal::Terminal;

/// A modem as its AT commands show it.
#[derive(Debug)]
pub struct Modem {
    state: State,
    terminals: BTreeMap<u8, Terminal>,
}

impl Modem {
    /// Creates a modem, which is switched on at the first call that passes the time.
    pub fn new(network: Network) -> Self {
        Self {
            state: State::new(network),
            terminals: BTreeMap::new(),
        }
    }

    /// Switches the modem off and on: all terminals and contexts are gone.
    pub fn reset(&mut self) {
        self.terminals.clear();
        self.state.power_cycle();
    }

    /// Opens a terminal.
    pub fn open(&mut self, terminal: u8, now: Instant) {
        self.settle(now);
        self.terminals.insert(terminal, Terminal::default());
    }

    /// Closes a terminal, whatever it was about to send.
    pub fn close(&mut self, terminal: u8) {
        self.terminals.remove(&terminal);
    }

    /// Handles bytes from a terminal, and runs the lines that they complete.
    pub fn input(&mut self, terminal: u8, bytes: &[u8], report: Report<'_>, now: Instant) {
        self.settle(now);
        for byte in bytes {
            if self.state.dead {
                return;
            }
            let Some(terminal) = self.terminals.get_mut(&terminal) else {
                return;
            };
            if terminal.settings.echo {
                terminal.reply.echo(*byte);
            }
            let Some(line) = terminal.editor.push(*byte) else {
                continue;
            };
            run(line, terminal, &mut self.state, report, now);
            self.settle(now);
        }
    }

    /// Does the work that is due. Returns the deadline of the next call.
    pub fn poll(&mut self, now: Instant) -> Option<Instant> {
        self.settle(now);
        self.state.due()
    }

    /// Removes and returns the text for a terminal.
    pub fn output(&mut self, terminal: u8) -> Vec<u8> {
        self.terminals
            .get_mut(&terminal)
            .map(Terminal::take)
            .unwrap_or_default()
    }

    /// Removes and returns the orders for the modem around this model.
    pub fn orders(&mut self) -> Vec<Order> {
        self.state.orders()
    }

    /// Returns the addresses of the context that is active on a connection id.
    pub fn bearer(&self, connection: u32) -> Option<&Addresses> {
        let (_, active) = self.state.contexts.on_connection(connection)?;
        Some(&active.addresses)
    }

    /// Returns the network that the modem is in.
    pub fn network(&self) -> &Network {
        &self.state.network
    }

    /// Draws the conclusions of all changes, and tells the terminals that asked for it.
    fn settle(&mut self, now: Instant) {
        self.state.update(now);
        for event in self.state.events() {
            for terminal in self.terminals.values_mut() {
                for line in events::results(&event, &terminal.settings) {
                    terminal.notify(line);
                }
            }
        }
    }
}

/// Runs the commands of a line up to the first that fails, and ends with its result.
fn run(line: Line, terminal: &mut Terminal, state: &mut State, report: Report<'_>, now: Instant) {
    let result = match &line {
        Line::TooLong => Err(Failure::Unknown),
        Line::Text(text) if text.is_empty() => return,
        Line::Text(text) => match text.split_at_checked(2) {
            Some((at, text)) if at.eq_ignore_ascii_case("AT") => {
                match run_commands(text, terminal, state, report, now) {
                    Err(Stop::Silent) => return,
                    Err(Stop::Failed(failure)) => Err(failure),
                    Ok(()) => Ok(()),
                }
            }
            _ => Err(Failure::Unknown),
        },
    };
    terminal.reply.end(result);
}

/// The reason why the rest of a line is not run.
enum Stop {
    Failed(Failure),
    /// A scenario wants no answer.
    Silent,
}

fn run_commands(
    text: &str,
    terminal: &mut Terminal,
    state: &mut State,
    report: Report<'_>,
    now: Instant,
) -> Result<(), Stop> {
    for command in parse::commands(text) {
        let command = command.map_err(Stop::Failed)?;
        for action in state.before_command(&command.text(), now) {
            match action {
                Action::Fail(code) => return Err(Stop::Failed(Failure::Given(code))),
                Action::Silence => return Err(Stop::Silent),
                action => state.happen(action),
            }
        }
        if state.dead {
            return Err(Stop::Silent);
        }
        let mut run = commands::Run {
            terminal,
            state,
            report,
        };
        run.command(&command).map_err(Stop::Failed)?;
        // What the next command shows is what this one has changed.
        state.update(now);
        if state.dead {
            return Err(Stop::Silent);
        }
    }
    Ok(())
}
