// SPDX-License-Identifier: GPL-2.0

//! The driver below the C stack of Linux 6.12, an independent peer: one case for each kind of
//! traffic.

use anyhow::{Result, ensure};

use super::{Case, in_c, recovery, traffic::all_sizes};
use crate::{link::MODEM, vm::Vm};

pub const CASES: &[Case] = &[
    in_c("c_stack_ping", ping),
    in_c("c_stack_socket", socket),
    in_c("c_stack_crash", crash),
];

/// Pings of many sizes, and streams both ways at once.
fn ping(vm: &mut Vm) -> Result<()> {
    vm.up_on_c_stack()?;
    all_sizes(vm)?;
    let bytes = vm.bytes(5_000_000);
    vm.guest
        .start_for(&format!("guest-tool tcp both {MODEM} --bytes {bytes}"), 240)?
        .ok()?;
    vm.unload()
}

/// AT dialogues and payloads that the modem returns work.
fn socket(vm: &mut Vm) -> Result<()> {
    vm.up_on_c_stack()?;
    for kind in ["", "--stream"] {
        let out = vm
            .guest
            .ok(&format!("guest-tool at {kind} AT AT+CGMI AT+CSQ"))?;
        ensure!(out.matches("OK").count() == 3, "{out}");
    }
    for service in ["datagram-loop", "util", "debug"] {
        vm.guest
            .ok(&format!("guest-tool loop --service {service} --count 20"))?;
    }
    vm.unload()
}

/// The modem crashes under traffic. The stack in C does not set channels up again.
fn crash(vm: &mut Vm) -> Result<()> {
    vm.up_on_c_stack()?;
    let storm = recovery::storm(vm)?;
    recovery::restart(vm)?;
    vm.end_storm(storm)?;
    vm.link_up(0)?;
    vm.reopen_on_c_stack()?;
    vm.traffic()?;
    vm.unload()
}
