// SPDX-License-Identifier: GPL-2.0

//! Debian's clients of a modem, unmodified: oFono and ConnMan, ModemManager, programs for serial ports,
//! networkd, iproute2 and ethtool.

use anyhow::{Result, ensure};

use super::{Case, one};
use crate::vm::Vm;

mod bus;
mod daemons;
mod kind;
mod leaks;
mod life;
mod modem_manager;
mod network;
mod networkd;
mod online;
mod programs;
mod pty;
mod systemd;
mod tools;
mod unit;

const CASES: &[Case] = &[
    one("clients_are_unmodified", |vm| explained(vm, unmodified)),
    one("clients_have_a_bus", |vm| explained(vm, bus)),
];

/// All cases.
pub(super) fn all() -> Vec<Case> {
    let cases = [
        CASES,
        pty::CASES,
        programs::CASES,
        modem_manager::CASES,
        kind::CASES,
        tools::CASES,
        online::CASES,
        life::CASES,
        network::CASES,
        networkd::CASES,
        leaks::CASES,
        // The last one, since it leaves another first process.
        systemd::CASES,
    ];
    let cases = cases.into_iter().flatten();
    cases.map(|case| Case { ..*case }).collect()
}

/// Runs a case. What the clients said explains its failure.
fn explained(vm: &mut Vm, case: fn(&mut Vm) -> Result<()>) -> Result<()> {
    case(vm).map_err(|error| {
        let logs = vm.guest.run("tail -n 60 /tmp/*.log");
        let logs = logs.map_or_else(|error| error.to_string(), |answer| answer.out);
        error.context(format!("the clients' logs:\n{logs}\n---"))
    })
}

/// Each file that is a package's is as in the package.
fn unmodified(vm: &mut Vm) -> Result<()> {
    let out = vm.guest.ok("cd / && md5sum -c packaged.md5sums")?;
    for program in [
        "ofonod",
        "connmand",
        "dbus-daemon",
        "ModemManager",
        "gammu",
        "systemd-networkd",
        "ip",
        "ethtool",
    ] {
        let checked = |line: &str| line.ends_with(&format!("/{program}: OK"));
        ensure!(out.lines().any(checked), "{program} was not checked: {out}");
    }
    Ok(())
}

/// The system bus starts with Debian's configuration, and answers.
fn bus(vm: &mut Vm) -> Result<()> {
    vm.bus()?;
    let names = vm
        .guest
        .ok("guest-tool bus org.freedesktop.DBus / org.freedesktop.DBus.ListNames")?;
    ensure!(names.contains("org.freedesktop.DBus"), "{names}");
    Ok(())
}
