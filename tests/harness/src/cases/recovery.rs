// SPDX-License-Identifier: GPL-2.0

//! Links, modems and drivers that are removed under traffic, and come back.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::{Case, one};
use crate::{
    guest::Running,
    link::{DRIVER, MODEM},
    vm::Vm,
};

pub const CASES: &[Case] = &[
    one("link_down_up_under_traffic", link_down_up),
    one("modem_killed_and_restarted", modem_restart),
    one("modem_stopped_and_restarted", modem_clean_restart),
    one("modem_hangs_and_goes_on", modem_hangs),
    one("modem_starts_after_linux", modem_late),
    one("driver_reload_under_traffic", driver_reload),
    one("driver_rebind_under_traffic", driver_rebind),
    one("board_reload_under_traffic", board_reload),
    one("remoteproc_stop_and_start", stop_start),
];

/// The last case of its machine: remoteproc keeps a virtio device that it cannot remove any more.
pub const LAST: &[Case] = &[one("transport_unbound_under_traffic", transport_unbind)];

/// Pings without a pause while the case removes things.
pub(super) fn storm(vm: &mut Vm) -> Result<Running> {
    vm.start_storm(&format!(
        "{MODEM} --sizes 0,700,1472 --count 50 --window 16 --timeout 500"
    ))
}

fn link_down_up(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let storm = storm(vm)?;
    for _ in 0..10 {
        vm.guest
            .ok("ip link set cfvrt0 down && ip link set cfvrt0 up")?;
        vm.is_back(0)?;
    }
    for _ in 0..10 {
        vm.reopen(0)?;
    }
    let out = vm.end_storm(storm)?;
    ensure!(!out.contains(" 0 received"), "nothing came through: {out}");
    vm.traffic()
}

/// Kills the modem, starts it again, and waits for remoteproc, which boots it without help.
pub(super) fn restart(vm: &mut Vm) -> Result<()> {
    let mark = vm.kernel.mark();
    vm.modems[0].kill()?;
    vm.kernel_says(mark, "crash")?;
    vm.modems[0].restart()?;
    vm.kernel_says(mark, "is now up")?;
    vm.guest.ok("guest-tool wait-netdev cfvrt0").map(drop)
}

fn modem_restart(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    for round in 0..3 {
        let storm = storm(vm)?;
        restart(vm)?;
        vm.end_storm(storm)?;
        vm.up()?;
        vm.traffic()
            .with_context(|| format!("after restart {round}"))?;
    }
    Ok(())
}

/// The modem ends in an orderly way, which is a crash for Linux.
fn modem_clean_restart(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let mark = vm.kernel.mark();
    vm.modems[0].stop()?;
    vm.kernel_says(mark, "crash")?;
    vm.modems[0].restart()?;
    vm.kernel_says(mark, "is now up")?;
    vm.up()?;
    vm.traffic()
}

/// A modem that hangs is found by its heartbeat; when it goes on it finds that its boot is over,
/// and takes the next one.
fn modem_hangs(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let storm = storm(vm)?;
    let mark = vm.kernel.mark();
    vm.modems[0].process.signal(Signal::SIGSTOP)?;
    vm.kernel_says(mark, "crash detected")?;
    vm.kernel_says(mark, "is now up")?;
    vm.modems[0].process.signal(Signal::SIGCONT)?;
    vm.end_storm(storm)?;
    vm.up()?;
    vm.traffic()
}

/// Linux does not wait for a modem; the link works once there is one.
fn modem_late(vm: &mut Vm) -> Result<()> {
    vm.unload()?;
    vm.modems[0].stop()?;
    vm.load()?;
    vm.guest.ok("ip link set cfvrt0 up")?;
    vm.modems[0].restart()?;
    vm.up()?;
    vm.traffic()
}

fn driver_reload(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    for round in 0..5 {
        let storm = storm(vm)?;
        vm.guest.ok(&format!("rmmod {DRIVER}"))?;
        let left = vm.netdevs()?;
        ensure!(
            !left.iter().any(|name| name.starts_with("cfvrt")),
            "{left:?} after rmmod"
        );
        vm.up()?;
        vm.traffic()
            .with_context(|| format!("after reload {round}"))?;
        vm.end_storm(storm)?;
    }
    Ok(())
}

fn driver_rebind(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    for round in 0..5 {
        let storm = storm(vm)?;
        vm.guest.ok(
            "cd /sys/bus/virtio/drivers/caif_virtio && device=$(ls -d virtio[0-9]*) && \
             echo $device >unbind && [ ! -e /sys/class/net/cfvrt0 ] && echo $device >bind",
        )?;
        vm.up()?;
        vm.traffic()
            .with_context(|| format!("after rebind {round}"))?;
        vm.end_storm(storm)?;
    }
    Ok(())
}

fn board_reload(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let board = vm.machine.board();
    for round in 0..3 {
        let storm = storm(vm)?;
        vm.guest.ok(&format!("rmmod {board}"))?;
        let left = vm
            .guest
            .ok("ls /sys/class/remoteproc /sys/bus/virtio/devices | grep -v : || true")?;
        ensure!(left.trim().is_empty(), "after rmmod {board}: {left}");
        vm.up()?;
        vm.traffic()
            .with_context(|| format!("after reload {round}"))?;
        vm.end_storm(storm)?;
    }
    Ok(())
}

/// Root unbinds remoteproc's own driver of the virtio device, below this one: the link ends, and
/// comes with the next start.
fn transport_unbind(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let storm = storm(vm)?;
    vm.guest.ok(
        "cd /sys/bus/platform/drivers/rproc-virtio && device=$(ls -d rproc-virtio.*) && \
         echo $device >unbind && [ ! -e /sys/class/net/cfvrt0 ]",
    )?;
    vm.end_storm(storm)?;
    let state = "$(echo /sys/class/remoteproc/remoteproc*/state)";
    vm.guest
        .ok(&format!("echo stop >{state} && echo start >{state}"))?;
    vm.up()?;
    vm.traffic()
}

fn stop_start(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let rproc = "/sys/class/remoteproc/remoteproc*";
    vm.guest.ok(&format!("echo stop >$(echo {rproc}/state)"))?;
    let state = vm.guest.ok(&format!("cat {rproc}/state"))?;
    ensure!(state.trim() == "offline", "{state}");
    let left = vm.netdevs()?;
    ensure!(
        !left.iter().any(|name| name.starts_with("cfvrt")),
        "{left:?} after stop"
    );
    vm.guest.ok(&format!("echo start >$(echo {rproc}/state)"))?;
    vm.up()?;
    vm.traffic()
}
