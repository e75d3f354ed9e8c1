// SPDX-License-Identifier: GPL-2.0

//! A user that makes random calls of all interfaces of CAIF, for little more than a minute in all.
//! Each kind of run is a short case; tests/soak has the long ones.

use anyhow::Result;

use super::{Case, FAILSLAB, one};
use crate::{hostile_user::Against, vm::Vm};

pub const CASES: &[Case] = &[
    one("hostile_user_of_a_modem", |vm| run(vm, Against::Modem, 12)),
    one("hostile_user_of_a_hostile_modem", |vm| {
        run(vm, Against::SomeNoise, 6)
    }),
    one("hostile_user_of_a_silent_modem", |vm| {
        run(vm, Against::Silence, 6)
    }),
    Case {
        needs: FAILSLAB,
        ..one("hostile_user_without_memory", |vm| {
            run(vm, Against::StackFaults, 10)
        })
    },
    one("hostile_user_of_links", |vm| run(vm, Against::Links, 24)),
    one("hostile_user_of_a_tun", |vm| run(vm, Against::Tun, 10)),
];

fn run(vm: &mut Vm, against: Against, seconds: u64) -> Result<()> {
    vm.up()?;
    against.run(vm, 1, seconds).map(|_| ())
}
