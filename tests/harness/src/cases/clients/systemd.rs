// SPDX-License-Identifier: GPL-2.0

//! A boot by Debian's systemd, with the units and files of the package.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{
    super::{Case, one},
    explained,
    networkd::{all_is_there, alone, crash},
};
use crate::vm::Vm;

pub(super) const CASES: &[Case] = &[one("systemd_brings_all_up", |vm| {
    explained(vm, |vm| alone(vm, boots))
})];

/// Limit for the boot up to the agent.
const BOOT: Duration = Duration::from_secs(120);
/// Enables units as `systemctl enable` does, the agent of the tests among them.
const ENABLE: &str = "\
    cd /etc/systemd/system && mkdir -p multi-user.target.wants && cd multi-user.target.wants && \
    ln -s ../agent.service . && ln -s /lib/systemd/system/systemd-networkd.service . && \
    ln -s /lib/systemd/system/caif-interface@.service caif-interface@caif0.service";
/// A route that a user has networkd give the interface.
const ROUTE: &str = "\
    mkdir /etc/systemd/network/caif0.network.d && \
    printf '[Route]\\nDestination=192.0.2.0/24\\n' >/etc/systemd/network/caif0.network.d/route.conf";
const HAS_ROUTE: &str = "guest-tool until --net 'ip route show 192.0.2.0/24 | grep -q caif0'";
/// What the first process runs when the agent has ended. A machine that has an id does not enable all
/// units at its first boot.
const NEXT_INIT: &str = "\
    tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id && \
    printf '#!/bin/sh\\nexec /lib/systemd/systemd --log-target=kmsg --show-status=no\\n' >/next-init && \
    chmod +x /next-init";

/// systemd becomes the first process of a machine on which no module is loaded. Link and interface come
/// up, and do again after a crash of the modem, with nothing but udevd, networkd and the units.
fn boots(vm: &mut Vm) -> Result<()> {
    vm.unload()?;
    vm.guest.ok(ENABLE)?;
    vm.guest.ok(ROUTE)?;
    vm.guest.ok(NEXT_INIT)?;
    // The answer is lost with the agent.
    drop(vm.guest.start("kill $PPID")?);
    vm.guest.accept_another(BOOT)?;
    let first = vm.guest.ok("readlink /proc/1/exe")?;
    ensure!(first == "/lib/systemd/systemd\n", "it is {first}");

    vm.guest
        .ok("guest-tool wait-netdev cfvrt0 && guest-tool wait-carrier cfvrt0")
        .context("the link at boot")?;
    vm.guest
        .ok("guest-tool wait-netdev caif0")
        .context("the interface at boot")?;
    all_is_there(vm).context("at boot")?;
    vm.guest.ok(HAS_ROUTE).context("the route at boot")?;
    for unit in ["caif-interface@caif0", "systemd-networkd", "systemd-udevd"] {
        let state = vm.guest.run(&format!("systemctl is-active {unit}"))?.out;
        ensure!(state == "active\n", "{unit} is {state}");
    }
    crash(vm)?;
    all_is_there(vm).context("after a crash")?;
    vm.guest.ok(HAS_ROUTE).context("the route after a crash")?;
    // Its end is that of the interface.
    vm.guest
        .ok("systemctl stop caif-interface@caif0 && [ ! -e /sys/class/net/caif0 ]")
        .map(drop)
}
