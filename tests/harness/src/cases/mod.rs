// SPDX-License-Identifier: GPL-2.0

//! The test cases, in the order they run.

use anyhow::Result;

use crate::{machine::Machine, vm::Vm};

mod bad_input;
mod c_stack;
mod caifctl;
mod calls;
mod clients;
mod crashes;
mod hostile_user;
mod listing;
mod modules;
mod namespaces;
mod operation;
mod other_kinds;
mod recovery;
mod soc;
mod sockets;
mod stack;
mod traffic;
mod two_modems;

pub struct Case {
    pub name: &'static str,
    /// Number of boards of the machine, each with a modem.
    pub boards: usize,
    /// Whether the modem runs before Linux does, as it can on the same-SoC machine.
    pub modem_first: bool,
    /// Runs only in a long run, or if it is named.
    pub is_of_long: bool,
    /// Uses the stack in C, which leaks.
    pub in_c: bool,
    /// The option of the kernel without which the case is left out, without `CONFIG_`.
    pub needs: Option<&'static str>,
    /// Leaves the machine in a state that [`Vm::up`] can start from.
    pub run: fn(&mut Vm) -> Result<()>,
}

/// Makes a case with a machine of one board.
const fn one(name: &'static str, run: fn(&mut Vm) -> Result<()>) -> Case {
    Case {
        name,
        boards: 1,
        modem_first: false,
        is_of_long: false,
        in_c: false,
        needs: None,
        run,
    }
}

/// Makes such a case that uses the stack in C.
const fn in_c(name: &'static str, run: fn(&mut Vm) -> Result<()>) -> Case {
    Case {
        in_c: true,
        ..one(name, run)
    }
}

/// Lets allocations fail.
const FAILSLAB: Option<&str> = Some("FAILSLAB");
/// A CPU can be taken offline.
const HOTPLUG_CPU: Option<&str> = Some("HOTPLUG_CPU");
/// Users other than root can be root in a namespace of their own.
const USER_NS: Option<&str> = Some("USER_NS");
/// Interfaces can be made over others: VLANs, and what is beside them in a kernel of a distribution.
const OTHER_KINDS: Option<&str> = Some("VLAN_8021Q");

/// Cases of boards other than that of the same-SoC machine, or of several.
const NOT_OF_SOC: &[&str] = &[
    // The ivshmem board's parameter, and its PCI alias.
    "frames_in_io_memory",
    "modules_load_by_their_aliases",
    "no_board",
    // Its kernel traces nothing.
    "trace_events",
];

/// The cases of a machine.
pub fn of(machine: Machine) -> Vec<Case> {
    match machine {
        Machine::Ivshmem => all(),
        Machine::Soc => {
            // That machine does not have the stack in C.
            let of_both =
                |case: &Case| case.boards == 1 && !case.in_c && !NOT_OF_SOC.contains(&case.name);
            let own = soc::CASES.iter().map(|case| Case { ..*case });
            own.chain(all().into_iter().filter(of_both)).collect()
        }
    }
}

/// The cases of the machine with Debian's clients.
pub fn of_clients(_: Machine) -> Vec<Case> {
    clients::all()
}

fn all() -> Vec<Case> {
    let mut cases: Vec<_> = [
        modules::CASES,
        traffic::CASES,
        stack::CASES,
        other_kinds::CASES,
        namespaces::CASES,
        sockets::CASES,
        listing::CASES,
        operation::CASES,
        recovery::CASES,
        crashes::CASES,
        bad_input::CASES,
        hostile_user::CASES,
        caifctl::CASES,
        c_stack::CASES,
        calls::CASES,
        two_modems::CASES,
        recovery::LAST,
    ]
    .into_iter()
    .flatten()
    .map(|case| Case { ..*case })
    .collect();
    // Cases with the same number of boards share a machine, which is looked through for leaks before
    // it gets the stack in C.
    cases.sort_by_key(|case| (case.boards != 1, case.boards, case.in_c));
    cases
}
