// SPDX-License-Identifier: GPL-2.0

//! What is left in the kernel of all that the clients did.

use anyhow::{Context, Result, ensure};

use super::{Case, explained, one};
use crate::{leaks, vm::Vm};

pub(super) const CASES: &[Case] = &[Case {
    is_of_long: true,
    ..one("clients_leak_nothing", |vm| explained(vm, nothing))
}];

/// Once all clients have ended there is no interface and no socket, and no memory has leaked.
fn nothing(vm: &mut Vm) -> Result<()> {
    vm.online()?;
    // In a run that is not long the command line says kmemleak=off, and this fails.
    vm.guest
        .ok("echo scan=off >/sys/kernel/debug/kmemleak")
        .context("this kernel does not look for leaks")?;
    vm.end_daemon("ofonod")?;
    vm.swept()?;
    for daemon in vm.daemons()? {
        vm.end_daemon(&daemon)?;
    }
    vm.sockets_are_freed()?;
    let left = vm.netdevs()?;
    ensure!(left == ["cfvrt0"], "interfaces are left: {left:?}");
    leaks::scan(&mut vm.guest).context("with the modules loaded")?;
    vm.unload()?;
    leaks::scan(&mut vm.guest).context("with the modules removed")
}
