// SPDX-License-Identifier: GPL-2.0

//! The test cases, in the order they run.

use anyhow::Result;

use crate::vm::Vm;

mod bad_input;
mod c_stack;
mod caifctl;
mod calls;
mod crashes;
mod hostile_user;
mod modules;
mod operation;
mod recovery;
mod sockets;
mod stack;
mod traffic;
mod two_modems;

pub struct Case {
    pub name: &'static str,
    /// Number of boards of the machine, each with a modem.
    pub boards: usize,
    /// Runs only in a long run, or if it is named.
    pub is_of_long: bool,
    /// Leaves the machine in a state that [`Vm::up`] can start from.
    pub run: fn(&mut Vm) -> Result<()>,
}

/// Makes a case with a machine of one board.
const fn one(name: &'static str, run: fn(&mut Vm) -> Result<()>) -> Case {
    Case {
        name,
        boards: 1,
        is_of_long: false,
        run,
    }
}

pub fn all() -> Vec<Case> {
    let mut cases: Vec<_> = [
        modules::CASES,
        traffic::CASES,
        stack::CASES,
        sockets::CASES,
        operation::CASES,
        recovery::CASES,
        crashes::CASES,
        bad_input::CASES,
        hostile_user::CASES,
        caifctl::CASES,
        c_stack::CASES,
        calls::CASES,
        two_modems::CASES,
    ]
    .into_iter()
    .flatten()
    .map(|case| Case { ..*case })
    .collect();
    // Cases with the same number of boards share a machine.
    cases.sort_by_key(|case| (case.boards != 1, case.boards));
    cases
}
