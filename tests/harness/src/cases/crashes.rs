// SPDX-License-Identifier: GPL-2.0

//! Crashes that are not simply recovered: the firmware file was replaced, the link was in another
//! namespace, recovery was disabled, or the driver is unbound meanwhile.

use anyhow::{Context, Result, ensure};

use super::{Case, HOTPLUG_CPU, one};
use crate::{
    link::{CRASH, FIRMWARE},
    namespace::{self, END},
    vm::Vm,
};

pub const CASES: &[Case] = &[
    one("recovery_with_other_firmware", other_firmware),
    one("crash_of_a_link_in_a_namespace", moved),
    one("link_broken_without_recovery", without_recovery),
    Case {
        needs: HOTPLUG_CPU,
        ..one("unbind_while_the_modem_crashes", unbind_at_crash)
    },
];

const GOOD: &str = "/tmp/good.elf";
const STATE: &str = "/sys/class/remoteproc/remoteproc*/state";
const RECOVERY: &str = "/sys/class/remoteproc/remoteproc*/recovery";
const DRIVER: &str = "/sys/bus/virtio/drivers/caif_virtio";
const CPU1: &str = "/sys/devices/system/cpu/cpu1/online";
const FAILED: &str = "the recovery failed: start it again once a valid firmware file is in place";

/// Reports a crash of the modem, as a user does.
fn crash(vm: &mut Vm) -> Result<()> {
    vm.guest.ok(&format!("echo 1 >$(echo {CRASH})")).map(|_| ())
}

fn start(vm: &mut Vm) -> Result<()> {
    vm.guest
        .ok(&format!("echo start >$(echo {STATE})"))
        .map(|_| ())
}

fn restore(vm: &mut Vm) -> Result<()> {
    vm.guest.ok(&format!("cp {GOOD} {FIRMWARE}")).map(|_| ())
}

/// Waits until there is a link again.
fn comes_back(vm: &mut Vm) -> Result<()> {
    vm.guest.ok("guest-tool wait-netdev cfvrt0").map(|_| ())
}

/// A crash with a file that is missing, damaged or another is one line, and then a good file and a
/// start bring the link back.
fn other_firmware(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok(&format!("cp {FIRMWARE} {GOOD}"))?;
    // This is a file of 64 KiB with its section headers at the end, which are cut off.
    let copy = "head -c 4096 /dev/zero | cat /tmp/patched - | head -c 4096";
    for (command, text) in [
        (
            format!("printf '\\0\\0\\0\\020' | dd of={FIRMWARE} bs=1 seek=32 conv=notrunc"),
            "the firmware is truncated: section headers up to byte",
        ),
        (
            format!("head -c 4096 /dev/urandom >{FIRMWARE}"),
            "the firmware is not a 32-bit little-endian ELF file",
        ),
        (
            format!(
                "cp {GOOD} /tmp/patched && printf '\\0\\0377\\0\\0' | \
                 dd of=/tmp/patched bs=1 seek=32 conv=notrunc && {copy} >{FIRMWARE}"
            ),
            "the firmware is truncated: section headers up to byte",
        ),
        (
            format!("head -c $(($(wc -c <{GOOD}) - 200)) {GOOD} >{FIRMWARE}"),
            "the firmware is truncated: section headers up to byte",
        ),
        (
            format!("cp /lib/firmware/bad-machine.elf {FIRMWARE}"),
            "the firmware is for machine 0x003e, while the modem's is 0xca1f",
        ),
        (format!("rm {FIRMWARE}"), "request_firmware failed: -2"),
    ] {
        let mark = vm.kernel.mark();
        vm.guest.ok(&command)?;
        refused(vm, mark, text).with_context(|| command.clone())?;
        restore(vm)?;
        start(vm)?;
        comes_back(vm).with_context(|| command.clone())?;
    }
    vm.up()?;
    vm.traffic()?;

    // A recovery keeps the rings, and with them the table; a start takes the new one.
    let mark = vm.kernel.mark();
    vm.guest
        .ok(&format!("cp /lib/firmware/odd-small-rings.elf {FIRMWARE}"))?;
    refused(
        vm,
        mark,
        "the firmware has another resource table from byte",
    )?;
    start(vm)?;
    vm.kernel_says(mark, "uplink: 8 slots")?;
    vm.up()?;
    vm.traffic()?;

    // Without recovery the processor stays as it is, and a stop and a start boot it.
    vm.guest.ok(&format!("echo disabled >$(echo {RECOVERY})"))?;
    let mark = vm.kernel.mark();
    crash(vm)?;
    vm.kernel_says(mark, "handling crash")?;
    restore(vm)?;
    vm.guest.ok(&format!(
        "echo stop >$(echo {STATE}) && echo enabled >$(echo {RECOVERY})"
    ))?;
    start(vm)?;
    vm.kernel_says(mark, "uplink: 256 slots")?;
    vm.up()?;
    vm.traffic()
}

/// Crashes the modem; its recovery must fail with one line about the file, and leave nothing.
fn refused(vm: &mut Vm, mark: usize, text: &str) -> Result<()> {
    crash(vm)?;
    vm.kernel_says(mark, text)?;
    vm.kernel_says(mark, FAILED)?;
    let lines = vm.kernel.since(mark);
    let said = lines.iter().filter(|line| line.contains(text)).count();
    ensure!(said == 1, "{text:?} is said {said} times");
    let state = vm.guest.ok(&format!("cat {STATE}"))?;
    ensure!(state.trim() == "offline", "the remote processor is {state}");
    let left = vm.guest.ok("ls /sys/bus/virtio/devices")?;
    ensure!(left.is_empty(), "virtio devices left behind: {left}");
    Ok(())
}

/// A link in another network namespace is a new one in the initial namespace after a crash. If the
/// namespace ends, the link moves back, under another name if there is one of its own already.
fn moved(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let mark = vm.kernel.mark();
    vm.guest.ok(&namespace::begin("-n"))?;
    vm.guest
        .ok("ip link set cfvrt0 netns $(cat /tmp/ns) && [ ! -e /sys/class/net/cfvrt0 ]")?;
    crash(vm)?;
    vm.kernel_says(mark, "is now up")?;
    comes_back(vm).context("the initial namespace")?;

    // Another interface takes the name while the link is away.
    vm.guest.ok(&format!(
        "ip link set cfvrt0 netns $(cat /tmp/ns) && ip link set caif0 down && \
         ip link set caif0 name cfvrt0 && {END}"
    ))?;
    vm.guest.ok("guest-tool wait-netdev 'dev*'")?;
    vm.guest.ok("ip link del cfvrt0")?;
    let mark = vm.kernel.mark();
    crash(vm)?;
    vm.kernel_says(mark, "is now up")?;
    comes_back(vm).context("its old name")?;
    vm.up()?;
    vm.traffic()
}

/// A link that broke while recovery was disabled comes back with a crash that a user reports;
/// enabling recovery is not enough, since remoteproc does not know of it.
fn without_recovery(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok(&format!("echo disabled >$(echo {RECOVERY})"))?;
    let mark = vm.kernel.mark();
    let index = vm.modems[0].damage_ring()?;
    // The first poll finds it.
    let found = vm
        .guest
        .ok("ip link set cfvrt0 down && ip link set cfvrt0 up")
        .and_then(|_| {
            vm.kernel_says(
                mark,
                "remoteproc does not recover the modem: unbind and bind to use the link again",
            )
        });
    vm.modems[0].mend_ring(index)?;
    found?;
    vm.guest.ok(&format!("echo enabled >$(echo {RECOVERY})"))?;
    let state = vm.guest.ok(&format!("cat {STATE}"))?;
    ensure!(state.trim() == "running", "the remote processor is {state}");
    crash(vm)?;
    vm.kernel_says(mark, "is now up")?;
    comes_back(vm)?;
    vm.up()?;
    vm.traffic()
}

/// The driver is unbound by a process that gets little CPU time, while the modem crashes. It holds
/// the virtio device, and with it the pool, until it gets some.
fn unbind_at_crash(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    // Two processes compete for the only CPU. The one that unbinds has a lower priority, so that
    // the recovery, which waits for it, preempts it before it is done.
    vm.guest.ok(&format!(
        "echo 0 >{CPU1} && rm -f /tmp/busy && \
         for i in 1 2; do (while :; do :; done) & echo $! >>/tmp/busy; done"
    ))?;
    let begin = vm.kernel.mark();
    let result = (0..4).try_for_each(|round| {
        let mark = vm.kernel.mark();
        // The driver is in `remove` once the interface is not up any more.
        vm.guest.ok(&format!(
            "ip link set cfvrt0 up; (echo virtio0 >{DRIVER}/unbind) & pid=$!; \
             guest-tool until --net \"! grep -qs '[13579bdf]$' /sys/class/net/cfvrt0/flags\"; \
             renice -n 15 -p $pid; \
             echo 1 >$(echo {CRASH}); wait $pid; true"
        ))?;
        vm.kernel_says(mark, "is now up")?;
        // Binds the driver again, unless the unbind hit the device from before the crash.
        vm.guest.ok(&format!(
            "[ -e {DRIVER}/virtio0 ] || echo virtio0 >{DRIVER}/bind"
        ))?;
        comes_back(vm).with_context(|| format!("round {round}"))
    });
    vm.guest
        .ok(&format!("kill $(cat /tmp/busy); echo 1 >{CPU1}"))?;
    result?;
    let lines = vm.kernel.since(begin);
    let failed = lines.iter().find(|line| line.contains("ailed to"));
    ensure!(failed.is_none(), "a recovery failed: {failed:?}");
    vm.up()?;
    vm.traffic()
}
