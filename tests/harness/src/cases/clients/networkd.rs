// SPDX-License-Identifier: GPL-2.0

//! systemd-networkd with the files of the package, and the units' command lines.

use anyhow::{Context, Result, ensure};

use super::{
    super::{Case, one},
    explained,
    kind::plain,
    unit::Unit,
};
use crate::{link::CRASH, vm::Vm};

pub(super) const CASES: &[Case] = &[one("networkd_brings_all_up", |vm| {
    explained(vm, |vm| alone(vm, brings_up))
})];

/// The daemons as at boot, before the driver is loaded.
const DAEMONS: [(&str, &str); 2] = [
    ("udevd", "/lib/systemd/systemd-udevd"),
    ("networkd", "/lib/systemd/systemd-networkd"),
];

/// The number of the device that is the link.
const LINK_INDEX: &str = "/sys/class/net/cfvrt0/ifindex";
/// Whether the interface has its address.
const HAS_ADDRESS: &str = "ip addr show dev caif0 | grep -q 'inet 10.9.1.2 peer 10.9.1.1/32'";

/// Runs a case without the clients of earlier ones, to whom the interface would be another of theirs.
pub(super) fn alone(vm: &mut Vm, case: fn(&mut Vm) -> Result<()>) -> Result<()> {
    for daemon in vm.daemons()? {
        vm.end_daemon(&daemon)?;
    }
    plain(vm, case)
}

/// Link and interface come up at boot and after a crash of the modem, with nothing but networkd and
/// the units. A link that is set down by hand stays down.
fn brings_up(vm: &mut Vm) -> Result<()> {
    vm.unload()?;
    start(vm)?;
    let result = uses(vm);
    stop(vm)?;
    result?;
    vm.unload()
}

fn uses(vm: &mut Vm) -> Result<()> {
    vm.load()?;
    vm.guest
        .ok("guest-tool wait-carrier cfvrt0")
        .context("the link at boot")?;
    let interface = Unit::read(vm, "caif-interface", "caif0")?;
    interface.start(vm)?;
    all_is_there(vm).context("at boot")?;

    crash(vm)?;
    all_is_there(vm).context("after a crash")?;

    // networkd has seen the link go down when it knows of an interface that is made later.
    vm.guest.ok("ip link set cfvrt0 down")?;
    vm.guest.ok(
        "mkdir -p /etc/caif && echo OPTIONS=--connection-id 8 --link cfvrt0 >/etc/caif/caif7.conf",
    )?;
    let other = Unit::read(vm, "caif-interface", "caif7")?;
    other.start(vm)?;
    vm.guest.ok(
        "file=/run/systemd/netif/links/$(cat /sys/class/net/caif7/ifindex) && \
         guest-tool until --file $file \"grep -q '^ADMIN_STATE=unmanaged\\$' $file 2>/dev/null\"",
    )?;
    let flags = vm.guest.ok("cat /sys/class/net/cfvrt0/flags")?;
    ensure!(
        flags
            .trim()
            .ends_with(['0', '2', '4', '6', '8', 'a', 'c', 'e']),
        "the link was set up again: its flags are {flags}"
    );
    vm.guest.ok("ip link set cfvrt0 up")?;
    all_is_there(vm).context("after the link was set up by hand")?;

    for unit in [other, interface] {
        unit.stop(vm)?;
    }
    vm.guest
        .ok("[ ! -e /sys/class/net/caif0 ] && [ ! -e /sys/class/net/caif7 ]")
        .context("interfaces are left when their units are stopped")?;
    Ok(())
}

/// Crashes the modem, and waits until its link is up again. The address stays meanwhile.
pub(super) fn crash(vm: &mut Vm) -> Result<()> {
    let first = vm.guest.ok(&format!("cat {LINK_INDEX}"))?;
    vm.guest.ok(&format!(
        "echo 1 >$(echo {CRASH}) && \
         guest-tool until --net \"! {HAS_ADDRESS} || \
         grep -qsvx {first} {LINK_INDEX}\" && {HAS_ADDRESS}",
        first = first.trim()
    ))?;
    vm.guest
        .ok("guest-tool wait-carrier cfvrt0")
        .context("the link after a crash")
        .map(drop)
}

/// The interface has its channel and its address, and is of use.
pub(super) fn all_is_there(vm: &mut Vm) -> Result<()> {
    vm.guest.ok(&format!(
        "guest-tool wait-carrier caif0 && guest-tool until --net \"{HAS_ADDRESS}\""
    ))?;
    vm.traffic()
}

fn start(vm: &mut Vm) -> Result<()> {
    vm.bus()?;
    for (name, command) in DAEMONS {
        vm.service(name, command)?;
    }
    vm.guest
        .ok("udevadm trigger --action=add && udevadm settle && \
         guest-tool until --file /run/systemd/netif/state '[ -e /run/systemd/netif/state ]'")?;
    Ok(())
}

fn stop(vm: &mut Vm) -> Result<()> {
    DAEMONS.iter().try_for_each(|(name, _)| vm.end_daemon(name))
}
