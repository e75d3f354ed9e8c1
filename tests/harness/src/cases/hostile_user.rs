// SPDX-License-Identifier: GPL-2.0

//! A user that makes random calls of all interfaces of CAIF. Each kind of run is a short case;
//! tests/soak has the long ones.

use anyhow::Result;

use super::{Case, one};
use crate::{hostile_user::Against, vm::Vm};

pub const CASES: &[Case] = &[
    one("hostile_user_of_a_modem", |vm| run(vm, Against::Modem, 6)),
    one("hostile_user_of_a_silent_modem", |vm| {
        run(vm, Against::Silence, 3)
    }),
    one("hostile_user_without_memory", |vm| {
        run(vm, Against::StackFaults, 5)
    }),
    one("hostile_user_of_links", |vm| run(vm, Against::Links, 12)),
    one("hostile_user_of_a_tun", |vm| run(vm, Against::Tun, 5)),
];

fn run(vm: &mut Vm, mut against: Against, seconds: u64) -> Result<()> {
    vm.up()?;
    // The kernel without sanitizers cannot let memory fail.
    let can_fail = vm.guest.run("[ -e /sys/kernel/debug/failslab ]")?.status == 0;
    if against == Against::StackFaults && !can_fail {
        against = Against::Modem;
    }
    against.run(vm, 1, seconds).map(|_| ())
}
