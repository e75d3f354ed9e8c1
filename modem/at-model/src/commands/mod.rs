// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The commands, by subject.

mod contexts;
mod ericsson;
mod identity;
mod messages;
mod registration;
mod settings;
mod sim;
mod ste;
mod test_tools;

pub(crate) use sim::esimsr;

use crate::failure::{Cme, Failure};
use crate::order::Report;
use crate::parse::{Command, Request};
use crate::state::State;
use crate::terminal::Terminal;

/// The result of a command: OK, or why not.
type Outcome = Result<(), Failure>;

/// The commands of a subject. Each returns `None` for a command that is not one of its own.
type Subject = fn(&mut Run<'_>, &str, Request<'_>) -> Option<Outcome>;

const SUBJECTS: [Subject; 9] = [
    settings::run,
    identity::run,
    sim::run,
    registration::run,
    contexts::run,
    messages::run,
    ericsson::run,
    ste::run,
    test_tools::run,
];

/// The state that a command uses.
pub(crate) struct Run<'a> {
    pub(crate) terminal: &'a mut Terminal,
    pub(crate) state: &'a mut State,
    pub(crate) report: Report<'a>,
}

impl Run<'_> {
    pub(crate) fn command(&mut self, command: &Command<'_>) -> Outcome {
        SUBJECTS
            .iter()
            .find_map(|subject| subject(self, &command.name, command.request))
            .unwrap_or(Err(Failure::Unknown))
    }

    /// Adds a line to the answer.
    fn say(&mut self, line: &str) -> Outcome {
        self.terminal.reply.say(line);
        Ok(())
    }
}

/// Returns a parameter of 0 or 1, 0 if it was left out.
fn switch(request: Request<'_>) -> Result<bool, Failure> {
    Ok(level(request, 1)? == 1)
}

/// Returns a parameter of 0 to `most`, 0 if it was left out.
fn level(request: Request<'_>, most: u8) -> Result<u8, Failure> {
    let level = match request {
        Request::Run => 0,
        Request::Set(args) => args.optional(0)?.unwrap_or(0),
        Request::Read | Request::Test => return Err(Failure::Unknown),
    };
    if level > most {
        return Err(Cme::BadParameters.into());
    }
    Ok(level)
}
