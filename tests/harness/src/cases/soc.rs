// SPDX-License-Identifier: GPL-2.0

//! What only the same-SoC machine has: a modem that runs before Linux does, and the device tree.

use anyhow::{Result, ensure};
use kernel_pure::ivshmem::rsc_table::{OFFSET_LEN, TYPE_LEN, header, vdev};
use nix::sys::signal::Signal;

use super::{Case, one};
use crate::{
    link::{DRIVER, MODEM},
    modem::Modem,
    vm::Vm,
};

pub const CASES: &[Case] = &[
    Case {
        modem_first: true,
        ..one("soc_modem_that_runs_is_attached_to", attach)
    },
    Case {
        modem_first: true,
        ..one("soc_table_that_the_modem_changes", changed_table)
    },
    Case {
        modem_first: true,
        ..one("soc_table_that_is_too_long", long_table)
    },
    Case {
        modem_first: true,
        ..one("soc_table_that_is_elsewhere", table_elsewhere)
    },
    one("soc_board_loads_by_its_alias", alias),
    one("soc_addresses_are_the_modems", addresses),
];

const STATE: &str = "/sys/class/remoteproc/remoteproc0/state";

fn state_is(vm: &mut Vm, want: &str) -> Result<()> {
    let state = vm.guest.ok(&format!("cat {STATE}"))?;
    ensure!(state.trim() == want, "the state is {state}, not {want}");
    Ok(())
}

/// A modem that a boot loader started is attached to, left alone and attached to again. When it
/// stands still, Linux boots it with firmware of its own.
fn attach(vm: &mut Vm) -> Result<()> {
    let mark = vm.kernel.mark();
    vm.up()?;
    vm.kernel_says(mark, "is now attached")?;
    state_is(vm, "attached")?;
    vm.traffic()?;
    let boots = vm.kernel.since(mark);
    ensure!(
        !boots.iter().any(|line| line.contains("Booting fw image")),
        "firmware was loaded: {boots:?}"
    );

    vm.guest.ok(&format!("echo detach >{STATE}"))?;
    state_is(vm, "detached")?;
    let left = vm.netdevs()?;
    ensure!(
        !left.iter().any(|name| name.starts_with("cfvrt")),
        "{left:?} after detach"
    );
    vm.guest.ok(&format!("echo start >{STATE}"))?;
    state_is(vm, "attached")?;
    vm.up()?;
    vm.traffic()?;

    let storm = vm.start_storm(&format!(
        "{MODEM} --sizes 0,700,1472 --count 50 --window 16 --timeout 500"
    ))?;
    let mark = vm.kernel.mark();
    vm.modems[0].process.signal(Signal::SIGSTOP)?;
    vm.kernel_says(mark, "the modem has stopped")?;
    vm.kernel_says(mark, "is now up")?;
    vm.modems[0].process.signal(Signal::SIGCONT)?;
    vm.end_storm(storm)?;
    state_is(vm, "running")?;
    vm.up()?;
    vm.traffic()
}

/// Where the table's only entry is, behind its type.
const ENTRY: usize = header::OFFSETS + OFFSET_LEN + TYPE_LEN;
/// The table's version, and the number of vrings with the reserved bytes behind it.
const CHANGED: [(usize, &[u8]); 2] = [
    (header::VERSION, &[9]),
    (ENTRY + vdev::NUM_OF_VRINGS, &[7, 1, 1]),
];

/// Linux uses its copy of the table of a modem that it is attached to, whatever the modem does to its
/// own, which Linux puts back when it detaches. A crash is recovered by firmware with the table that
/// Linux read.
fn changed_table(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    state_is(vm, "attached")?;
    for _ in 0..2 {
        for (offset, bytes) in CHANGED {
            vm.modems[0].write_table(offset, bytes)?;
        }
        vm.traffic()?;
        vm.guest.ok(&format!("echo detach >{STATE}"))?;
        vm.guest.ok(&format!("echo start >{STATE}"))?;
        state_is(vm, "attached")?;
        vm.up()?;
    }
    for (offset, bytes) in CHANGED {
        vm.modems[0].write_table(offset, bytes)?;
    }
    let mark = vm.kernel.mark();
    vm.modems[0].process.signal(Signal::SIGSTOP)?;
    vm.kernel_says(mark, "the modem has stopped")?;
    vm.kernel_says(mark, "is now up")?;
    vm.modems[0].process.signal(Signal::SIGCONT)?;
    vm.up()?;
    vm.traffic()
}

/// A table that is longer than any is not read. Linux boots such a modem with firmware of its own.
fn long_table(vm: &mut Vm) -> Result<()> {
    refused(
        vm,
        0x2000,
        Modem::set_table_len,
        "it has a resource table of 0x2000 bytes, allowed are 0x1000",
    )
}

/// A table that is in the memory for firmware, but not in the region for tables, is not read. Linux
/// boots such a modem with firmware of its own.
fn table_elsewhere(vm: &mut Vm) -> Result<()> {
    refused(
        vm,
        0x8001_1000,
        Modem::move_table,
        "bytes at 0x80011000, while 0x10000 bytes at 0x800f0000 are for it",
    )
}

/// A modem whose table was made `wrong` by `change`, which returns what was right, is not attached to,
/// for which Linux gives `reason`: neither when it was detached from, nor when the driver is bound,
/// which then boots it.
fn refused(
    vm: &mut Vm,
    wrong: u32,
    change: impl Fn(&Modem, u32) -> Result<u32>,
    reason: &str,
) -> Result<()> {
    vm.up()?;
    state_is(vm, "attached")?;
    vm.guest.ok(&format!("echo detach >{STATE}"))?;
    let right = change(&vm.modems[0], wrong)?;
    let mark = vm.kernel.mark();
    let out = vm.guest.run(&format!("echo start >{STATE}"))?;
    ensure!(out.status != 0, "it is attached to");
    vm.kernel_says(mark, reason)?;
    change(&vm.modems[0], right)?;
    vm.guest.ok(&format!("echo start >{STATE}"))?;
    state_is(vm, "attached")?;
    vm.up()?;
    vm.traffic()?;

    vm.guest.ok(&format!("echo detach >{STATE}"))?;
    change(&vm.modems[0], wrong)?;
    let mark = vm.kernel.mark();
    vm.guest.ok(
        "cd /sys/bus/platform/drivers/soc_rproc && echo 9000000.remoteproc >unbind && \
         echo 9000000.remoteproc >bind",
    )?;
    vm.kernel_says(mark, reason)?;
    vm.kernel_says(mark, "is now up")?;
    state_is(vm, "running")?;
    vm.up()?;
    vm.traffic()
}

/// The board's driver is found by `compatible`.
fn alias(vm: &mut Vm) -> Result<()> {
    vm.unload()?;
    let mark = vm.kernel.mark();
    let modalias = vm
        .guest
        .ok("cat /sys/bus/platform/devices/9000000.remoteproc/modalias")?;
    ensure!(
        modalias.trim_end().ends_with("Clinux,caif-virt-modem"),
        "{modalias}"
    );
    vm.guest
        .ok(&format!("modprobe '{}'", modalias.trim_end()))?;
    vm.kernel_says(mark, "is now up")?;
    vm.modprobe(DRIVER)?;
    vm.up()?;
    vm.traffic()
}

/// The modem's addresses are those of `dma-ranges`, not the CPU's.
fn addresses(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let carveouts = vm
        .guest
        .ok("cat /sys/kernel/debug/remoteproc/remoteproc0/carveout_memories")?;
    for (name, da) in [
        ("firmware", "0x80010000"),
        ("rsc-table", "0x800f0000"),
        ("vdev0vring0", "0x80100000"),
        ("vdev0vring1", "0x80200000"),
        ("vdev0buffer", "0x80300000"),
        ("heap", "0x80700000"),
    ] {
        let entry = carveouts
            .split("Carveout memory entry:")
            .find(|entry| entry.contains(&format!("Name: {name}\n")));
        ensure!(
            entry.is_some_and(|entry| entry.contains(da)),
            "{name} is not at {da}: {carveouts}"
        );
    }
    let claimed = vm.guest.ok("cat /proc/iomem")?;
    ensure!(
        claimed.contains("60300000-606fffff : vdev0buffer"),
        "the pool is not in the machine's RAM: {claimed}"
    );
    Ok(())
}
