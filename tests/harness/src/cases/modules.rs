// SPDX-License-Identifier: GPL-2.0

//! Loading and unloading.

use anyhow::{Context, Result, ensure};

use super::{Case, one};
use crate::{
    link::{DRIVER, STACK},
    vm::Vm,
};

pub const CASES: &[Case] = &[
    one("modules_load_by_their_aliases", aliases),
    one("stack_loads_by_its_aliases", stack_aliases),
    one("unload_leaves_nothing_behind", unload),
    Case {
        boards: 0,
        ..one("no_board", no_board)
    },
];

/// Both drivers are found by the device ids that the kernel announces.
fn aliases(vm: &mut Vm) -> Result<()> {
    vm.unload()?;
    let mark = vm.kernel.mark();
    vm.guest.ok(
        "modprobe $(cat $(dirname $(grep -lx 0x1110 /sys/bus/pci/devices/*/device))/modalias)",
    )?;
    let board = vm.machine.board();
    ensure!(loaded(vm, board)?, "the PCI alias did not load {board}");
    vm.kernel_says(mark, "is now up")?;
    ensure!(
        !loaded(vm, DRIVER)?,
        "{DRIVER} was loaded before its device was known"
    );
    let alias = vm
        .guest
        .ok("cat /sys/bus/virtio/devices/virtio0/modalias")?;
    ensure!(
        alias.trim() == "virtio:d0000000Cv00001AF4" || alias.starts_with("virtio:d0000000C"),
        "{alias}"
    );
    vm.guest
        .ok("modprobe $(cat /sys/bus/virtio/devices/virtio0/modalias)")?;
    ensure!(
        loaded(vm, DRIVER)?,
        "the virtio alias did not load {DRIVER}"
    );
    vm.guest.ok("guest-tool wait-netdev cfvrt0")?;
    Ok(())
}

/// The kernel loads the stack for the first socket or interface, and the stack uses the links that
/// exist already.
fn stack_aliases(vm: &mut Vm) -> Result<()> {
    vm.load()?;
    vm.link_up(0)?;
    vm.delete_interfaces()?;
    vm.guest.unload_unused(STACK)?;
    for (wants, then) in [
        ("guest-tool at AT", "true"),
        (
            "guest-tool link-add caifx --connid 7",
            "ip link set caifx up && guest-tool wait-carrier caifx && ip link del caifx",
        ),
        ("modprobe caif_socket", "true"),
        ("modprobe chnl_net", "true"),
    ] {
        ensure!(!loaded(vm, STACK)?, "it was not removed before {wants}");
        vm.guest.ok(wants)?;
        ensure!(loaded(vm, STACK)?, "{wants} did not load {STACK}");
        vm.guest.ok(then).with_context(|| wants.to_owned())?;
        vm.guest.unload_unused(STACK)?;
    }
    Ok(())
}

fn loaded(vm: &mut Vm, module: &str) -> Result<bool> {
    Ok(vm
        .guest
        .run(&format!("grep -q '^{module} ' /proc/modules"))?
        .status
        == 0)
}

/// After traffic and rmmod nothing is left: no module, interface or remote processor.
fn unload(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.traffic()?;
    vm.unload()?;
    for (what, cmd) in [
        ("modules", "cat /proc/modules"),
        // There are files, too, such as the bonding driver's.
        (
            "interfaces",
            "cd /sys/class/net && ls -d */ | grep -vx lo/ || true",
        ),
        ("remote processors", "ls /sys/class/remoteproc"),
        ("virtio devices", "ls /sys/bus/virtio/devices"),
        (
            "virtio drivers",
            "ls /sys/bus/virtio/drivers | grep -i caif || true",
        ),
        (
            "interrupts",
            "grep -i -e caif -e ivshmem -e soc-rproc /proc/interrupts || true",
        ),
        (
            "memory regions",
            "grep -i -e caif -e ivshmem -e vdev0 /proc/iomem || true",
        ),
    ] {
        let left = vm.guest.ok(cmd).with_context(|| what.to_owned())?;
        ensure!(left.is_empty(), "{what} left behind: {left}");
    }
    // Everything can be loaded again.
    vm.up()?;
    vm.traffic()
}

/// Without a board both modules load, do nothing, and unload.
fn no_board(vm: &mut Vm) -> Result<()> {
    vm.modprobe(DRIVER)?;
    vm.modprobe(vm.machine.board())?;
    let netdevs = vm.netdevs()?;
    ensure!(
        netdevs.is_empty(),
        "interfaces without a board: {netdevs:?}"
    );
    vm.unload()
}
