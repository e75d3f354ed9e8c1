// SPDX-License-Identifier: GPL-2.0

//! Firmware that is missing, foreign or odd: one clear line, and nothing half loaded. The files
//! are made from the list in `tests/vm/firmware`.

use anyhow::{Context, Result, ensure};

use super::{Case, one};
use crate::{
    link::{DRIVER, FIRMWARE},
    vm::Vm,
};

pub const CASES: &[Case] = &[
    one("firmware_missing", missing),
    one("firmware_not_for_this_board", foreign),
    one("vrings_that_are_not_allowed", vrings),
    one("config_that_is_not_allowed", config),
    one("odd_firmware_that_is_allowed", odd),
];

/// Makes the command's result the firmware, and loads driver and board. Returns the position in the
/// kernel's log before that.
fn load_with(vm: &mut Vm, command: &str) -> Result<usize> {
    vm.unload()?;
    // The good file is kept for the end of the case.
    vm.guest.ok(&format!(
        "[ -e /tmp/good.elf ] || cp {FIRMWARE} /tmp/good.elf"
    ))?;
    vm.guest.ok(command)?;
    let mark = vm.kernel.mark();
    for module in [DRIVER, vm.machine.board()] {
        vm.modprobe(module)?;
    }
    Ok(mark)
}

fn install(name: &str) -> String {
    format!("cp /lib/firmware/{name}.elf {FIRMWARE}")
}

/// Puts the good firmware back, with which all must work.
fn restore(vm: &mut Vm) -> Result<()> {
    load_with(vm, &format!("cp /tmp/good.elf {FIRMWARE}"))?;
    vm.up()?;
    vm.traffic().context("with the good firmware again")
}

/// Checks that there is no interface, and that exactly one line has the text, also after the board
/// is unbound.
fn refused(vm: &mut Vm, mark: usize, text: &str) -> Result<()> {
    vm.kernel_says(mark, text)?;
    let netdevs = vm.netdevs()?;
    ensure!(
        netdevs.is_empty(),
        "interfaces with bad firmware: {netdevs:?}"
    );
    vm.unload()?;
    let lines = vm.kernel.since(mark);
    let said = lines.iter().filter(|line| line.contains(text)).count();
    ensure!(said == 1, "{text:?} is said {said} times");
    Ok(())
}

/// Checks that remoteproc or the board refused: nothing was started.
fn not_booted(vm: &mut Vm, mark: usize, text: &str) -> Result<()> {
    vm.kernel_says(mark, text)?;
    let state = vm.guest.ok("cat /sys/class/remoteproc/remoteproc*/state")?;
    ensure!(state.trim() == "offline", "the remote processor is {state}");
    let devices = vm.guest.ok("ls /sys/bus/virtio/devices")?;
    ensure!(
        devices.is_empty(),
        "virtio devices without firmware: {devices}"
    );
    refused(vm, mark, text)?;
    ensure!(
        !vm.kernel
            .since(mark)
            .iter()
            .any(|line| line.contains("is now up")),
        "it was booted"
    );
    Ok(())
}

fn missing(vm: &mut Vm) -> Result<()> {
    let mark = load_with(vm, &format!("rm {FIRMWARE}"))?;
    not_booted(vm, mark, "request_firmware failed: -2")?;
    restore(vm)
}

fn foreign(vm: &mut Vm) -> Result<()> {
    for (command, text) in [
        (
            install("bad-machine"),
            "the firmware is for machine 0x003e, while the modem's is 0xca1f",
        ),
        (
            install("bad-no-table"),
            "the firmware has no section .resource_table",
        ),
        (
            format!("yes 'no firmware' | head -c 500 >{FIRMWARE}"),
            "the firmware is not a 32-bit little-endian ELF file",
        ),
        (
            format!("head -c 40 /tmp/good.elf >{FIRMWARE}"),
            "the firmware is truncated: ELF header up to byte 52, while it has 40 bytes",
        ),
        (
            format!("head -c 200 /tmp/good.elf >{FIRMWARE}"),
            "the firmware is truncated: a segment up to byte",
        ),
    ] {
        let mark = load_with(vm, &command)?;
        not_booted(vm, mark, text).with_context(|| command.clone())?;
    }
    restore(vm)
}

fn vrings(vm: &mut Vm) -> Result<()> {
    for name in ["bad-rx-num", "bad-tx-num", "bad-align"] {
        let mark = load_with(vm, &install(name))?;
        not_booted(vm, mark, "the firmware has a vring with").context(name)?;
    }
    restore(vm)
}

/// The modem boots, but the driver does not bind to its link.
fn config(vm: &mut Vm) -> Result<()> {
    for (name, text) in [
        (
            "bad-uplink-config",
            "uplink config has headroom 32, tailroom 32, mtu 64: must be headroom + tailroom + 128 <= mtu <= 65536",
        ),
        (
            "bad-downlink-config",
            "downlink config has headroom 60000, tailroom 60000, mtu 4096",
        ),
        (
            "bad-huge-config",
            "uplink config has headroom 32, tailroom 32, mtu 70000",
        ),
    ] {
        let mark = load_with(vm, &install(name))?;
        vm.kernel_says(mark, "is now up").context(name)?;
        let bound = vm
            .guest
            .ok("ls /sys/bus/virtio/drivers/*/ | grep virtio[0-9] || true")?;
        ensure!(bound.is_empty(), "a driver is bound: {bound}");
        refused(vm, mark, text).context(name)?;
    }
    restore(vm)
}

fn odd(vm: &mut Vm) -> Result<()> {
    let names = vm.guest.ok("cd /lib/firmware && ls odd-*.elf")?;
    ensure!(
        names.lines().any(|name| name == "odd-many-slots.elf"),
        "the firmware files are missing: {names}"
    );
    for name in names.lines().filter_map(|line| line.strip_suffix(".elf")) {
        let mark = load_with(vm, &install(name))?;
        vm.up().context(name.to_owned())?;
        if name == "odd-many-slots" {
            vm.kernel_says(
                mark,
                "only 511 of 1023 slots of 4097 bytes to send from: all of them need 8388608 bytes",
            )?;
        }
        vm.traffic().context(name.to_owned())?;
        let modem = crate::link::MODEM;
        vm.guest
            .ok(&format!("guest-tool tcp both {modem} --bytes 200000"))
            .context(name.to_owned())?;
    }
    restore(vm)
}
