// SPDX-License-Identifier: GPL-2.0

//! Interfaces of the stack where there is IPv6, of a modem that does not know of networks.

use anyhow::{Context, Result, ensure};

use super::{Case, explained, one};
use crate::{link::MODEM, vm::Vm};

pub(super) const CASES: &[Case] = &[
    one("clients_kind_beside_ipv6", |vm| {
        explained(vm, |vm| plain(vm, kind))
    }),
    one("clients_tcpdump_sees_ip", |vm| {
        explained(vm, |vm| plain(vm, tcpdump))
    }),
    one("clients_link_in_a_bridge", |vm| {
        explained(vm, |vm| plain(vm, bridge))
    }),
    one("clients_link_in_a_bond", |vm| {
        explained(vm, |vm| plain(vm, bond))
    }),
];

/// Runs a case with a modem that knows nothing of a network: each connection id is served.
pub(super) fn plain(vm: &mut Vm, case: fn(&mut Vm) -> Result<()>) -> Result<()> {
    vm.unload()?;
    let arguments = std::mem::take(&mut vm.modems[0].arguments);
    let result = restart(vm).and_then(|()| vm.up()).and_then(|()| case(vm));
    vm.modems[0].arguments = arguments;
    result?;
    vm.unload()?;
    restart(vm)
}

/// Starts the modem again, with its present arguments, while Linux does not use it.
fn restart(vm: &mut Vm) -> Result<()> {
    vm.modems[0].stop()?;
    vm.modems[0].restart()
}

/// oFono can read the notification of a new interface, though there is IPv6, which comes when the
/// interface is set up.
fn kind(vm: &mut Vm) -> Result<()> {
    vm.guest.ok("guest-tool rtnl cfvrt0")?;
    late(vm)
}

/// tcpdump captures packets of IP without a header of another layer.
fn tcpdump(vm: &mut Vm) -> Result<()> {
    vm.guest.ok(&format!(
        "tcpdump -n -i caif0 -c 2 >/tmp/tcpdump.log 2>&1 & \
         guest-tool until --file /tmp/tcpdump.log 'grep -q listening /tmp/tcpdump.log'; \
         guest-tool ping {MODEM} --sizes 64 --count 1 && wait"
    ))?;
    let seen = vm.guest.ok("cat /tmp/tcpdump.log")?;
    for text in [
        "link-type RAW (Raw IP)".to_owned(),
        format!("IP 10.9.1.2 > {MODEM}: ICMP echo request"),
        format!("IP {MODEM} > 10.9.1.2: ICMP echo reply"),
    ] {
        ensure!(seen.contains(&text), "no {text}: {seen}");
    }
    Ok(())
}

/// A bridge refuses a link, which goes on working, and an interface, too.
fn bridge(vm: &mut Vm) -> Result<()> {
    vm.guest
        .ok("ip link add br0 type bridge && ip link set br0 up")?;
    for port in ["cfvrt0", "caif0"] {
        let out = vm.guest.fails(&format!("ip link set {port} master br0"))?;
        ensure!(out.contains("Invalid argument"), "{port}: {out}");
        vm.traffic()?;
    }
    vm.guest.ok("ip link del br0")?;
    vm.traffic()
}

/// A link that is put into a bond by mistake is taken out again, and works as before. A bond of the
/// default kind refuses it.
fn bond(vm: &mut Vm) -> Result<()> {
    const BOND: &str = "/sys/class/net/bond0/bonding";
    for (mode, taken) in [("balance-rr", false), ("active-backup", true)] {
        vm.guest.ok(&format!(
            "ip link add bond0 type bond && echo {mode} >{BOND}/mode"
        ))?;
        vm.guest.fails(&format!("echo +cfvrt0 >{BOND}/slaves"))?;
        vm.traffic()
            .context("after a link that is up was refused")?;
        vm.guest.ok("ip link set cfvrt0 down")?;
        let answer = vm.guest.run(&format!("echo +cfvrt0 >{BOND}/slaves"))?;
        ensure!((answer.status == 0) == taken, "{mode}: {}", answer.out);
        if taken {
            // It is the stack's link now, as any device of its type is.
            vm.guest
                .ok("ip link set bond0 up && guest-tool wait-carrier bond0")?;
            vm.is_back(0).context("over the bond")?;
            vm.traffic().context("over the bond")?;
            // The link in the bond has nothing to do with channels that are made now.
            vm.guest
                .ok("ip link set caif0 down && ip link set caif0 up")?;
            vm.is_back(0).context("over the bond, once more")?;
            vm.traffic().context("over the bond, once more")?;
            vm.guest
                .ok("guest-tool at AT AT")
                .context("over the bond")?;
            vm.guest.ok(&format!(
                "ip link set bond0 down; echo -cfvrt0 >{BOND}/slaves"
            ))?;
        }
        vm.guest.ok("ip link del bond0 && ip link set cfvrt0 up")?;
        vm.is_back(0)?;
        vm.traffic().with_context(|| format!("after {mode}"))?;
    }
    Ok(())
}

fn late(vm: &mut Vm) -> Result<()> {
    const CONF: &str = "/proc/sys/net/ipv6/conf/caifk";
    vm.guest.ok(&format!(
        "guest-tool link-add caifk --connid 7 && [ -e /proc/sys/net/ipv6/conf/lo ] && [ ! -e {CONF} ]"
    ))?;
    let mtu = vm.guest.ok("cat /sys/class/net/caifk/mtu")?;
    ensure!(mtu.trim() == "1500", "its MTU is {mtu}");
    vm.guest.ok(&format!(
        "ip link set caifk up && guest-tool wait-carrier caifk && \
         guest-tool until --net \"ip -6 addr show dev caifk | grep -q 'inet6 fe80::.* scope link'\" && \
         [ -e {CONF} ]"
    ))
    .context("IPv6 once it is up")?;
    // An address comes before that, too, and other MTUs than the default one.
    vm.guest.ok(
        "ip link del caifk && guest-tool link-add caifk --connid 7 --mtu 1400 && \
         ip -6 addr add fd00:9::2/64 dev caifk && \
         ip -6 addr show dev caifk | grep -q fd00:9::2 && \
         [ $(cat /sys/class/net/caifk/mtu) = 1400 ]",
    )?;
    vm.guest.ok(
        "ip link del caifk && guest-tool link-add caifk --connid 7 --mtu 1000 && \
         ip link set caifk up && guest-tool wait-carrier caifk && \
         [ $(cat /sys/class/net/caifk/mtu) = 1000 ] && ip link del caifk",
    )?;
    Ok(())
}
