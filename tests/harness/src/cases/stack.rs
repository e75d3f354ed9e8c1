// SPDX-License-Identifier: GPL-2.0

//! Interfaces of the stack, caif.ko, beyond the traffic over them.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::{Case, one, traffic::all_sizes};
use crate::{
    link::{DRIVER, MODEM, STACK},
    vm::Vm,
};

pub const CASES: &[Case] = &[
    one("stack_ping", ping),
    one("stack_refuses", refused),
    one("stack_loopback", loopback),
    one("stack_gives_channels_back", given_back),
    one("stack_interface_comes_back", comes_back),
    one("stack_waits_for_no_modem", silent),
    one("stack_interface_of_a_link", bound),
    one("stack_ignores_nonsense", noise),
    one("stack_goes_under_traffic", teardown),
];

/// The connection id that the modem refuses.
const REFUSED: u32 = 0xdead;

/// Reads an attribute of `caif0` in sysfs.
fn attribute(vm: &mut Vm, name: &str) -> Result<String> {
    let value = vm.guest.ok(&format!("cat /sys/class/net/caif0/{name}"))?;
    Ok(value.trim().to_owned())
}

/// Pings of many sizes come back, all of them.
fn ping(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    for (name, want) in [
        ("mtu", "1500"),
        ("type", "519"),
        ("carrier", "1"),
        ("tx_queue_len", "500"),
    ] {
        let value = attribute(vm, name)?;
        ensure!(value == want, "{name} is {value}, not {want}");
    }
    // The kernel takes its time to say so.
    vm.guest
        .ok("until [ $(cat /sys/class/net/caif0/operstate) = up ]; do usleep 10000; done")?;
    all_sizes(vm)?;
    let counters = vm.guest.ok("guest-tool counters caif0 --clean")?;
    for counter in ["rx_packets", "tx_packets"] {
        let count: u64 = attribute(vm, &format!("statistics/{counter}"))?.parse()?;
        ensure!(count >= 270, "{count} {counter} of 270 pings: {counters}");
    }
    Ok(())
}

/// A modem's refusal is the error of setting up an interface, and other channels do not notice.
fn refused(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest
        .ok(&format!("guest-tool link-add caifx --connid {REFUSED}"))?;
    for _ in 0..3 {
        let out = vm.guest.fails("ip link set caifx up")?;
        ensure!(out.to_lowercase().contains("connection refused"), "{out}");
    }
    vm.guest.ok("ip link del caifx")?;
    // Nor is there a channel for a socket.
    vm.guest.ok(&format!(
        "guest-tool connect-fails --service datagram --connid {REFUSED} --errno econnrefused"
    ))?;
    vm.traffic()?;
    // Without a link there is nobody to ask.
    vm.guest.ok("ip link set cfvrt0 down")?;
    vm.guest.ok("guest-tool link-add caifx --connid 7")?;
    let out = vm.guest.fails("ip link set caifx up")?;
    ensure!(out.to_lowercase().contains("no such device"), "{out}");
    vm.guest.ok("ip link del caifx")?;
    vm.ip_up(0)
}

/// What the modem returns comes from the peer's address. `ip` can make such an interface.
fn loopback(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest
        .ok("ip link add caifl type caif && ip link set caifl up && \
         ip addr add 10.8.8.1 peer 10.8.8.2 dev caifl")?;
    let out = vm
        .guest
        .ok("guest-tool ping 10.8.8.2 --sizes 0,100,1472 --count 10")?;
    ensure!(out.contains(" 0% packet loss"), "{out}");
    vm.traffic()?;
    vm.guest.ok("ip link del caifl").map(|_| ())
}

/// The modem is told that channels are given up when a link goes down: it would keep them, as it
/// does not notice that.
fn given_back(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let channels = "guest-tool at --device cfvrt0 'AT*CHANNELS?' | sed -n 's/.*CHANNELS: //p'";
    let before = vm.guest.ok(channels)?;
    for _ in 0..3 {
        vm.guest
            .ok("ip link set cfvrt0 down && ip link set cfvrt0 up")?;
        vm.is_back(0)?;
    }
    let after = vm.guest.ok(channels)?;
    ensure!(
        before == after && before.trim() == "2",
        "that of the interface and that of the question, but the modem has {before} and then {after}"
    );
    Ok(())
}

/// An interface that lost its link keeps its address and stays up, without a carrier, until there
/// is a link again: then it has a channel again by itself.
fn comes_back(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok("ip link set cfvrt0 down")?;
    lost(vm).context("after the link went down")?;
    vm.guest.ok("ip link set cfvrt0 up")?;
    is_back(vm).context("after the link came up")?;

    for round in 0..2 {
        let storm = vm.start_storm(&format!(
            "{MODEM} --sizes 0,700,1472 --count 50 --window 16 --timeout 500"
        ))?;
        let mark = vm.kernel.mark();
        vm.modems[0].kill()?;
        vm.kernel_says(mark, "crash")?;
        lost(vm).with_context(|| format!("after crash {round}"))?;
        vm.modems[0].restart()?;
        vm.kernel_says(mark, "is now up")?;
        vm.guest
            .ok("guest-tool wait-netdev cfvrt0 && ip link set cfvrt0 up")?;
        is_back(vm).with_context(|| format!("after crash {round}"))?;
        vm.end_storm(storm)?;
    }
    Ok(())
}

/// Waits for `caif0` to lose its carrier, and checks that it lost nothing else.
fn lost(vm: &mut Vm) -> Result<()> {
    vm.guest.ok("guest-tool wait-carrier caif0 --state down")?;
    let shown = vm.guest.ok("ip addr show caif0")?;
    ensure!(shown.contains("UP"), "it is down: {shown}");
    ensure!(shown.contains("10.9.1.2"), "it lost its address: {shown}");
    Ok(())
}

/// Waits for `caif0` to have a channel again, and uses it.
fn is_back(vm: &mut Vm) -> Result<()> {
    vm.is_back(0)?;
    vm.traffic()
}

/// An interface whose modem does not answer comes up without a carrier, soon, and has one when the
/// modem does.
fn silent(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok("ip link set caif0 down")?;
    vm.modems[0].process.signal(Signal::SIGSTOP)?;
    let opened = vm.guest.ok("ip link set caif0 up");
    let carrier = attribute(vm, "carrier");
    vm.modems[0].process.signal(Signal::SIGCONT)?;
    opened?;
    ensure!(
        carrier? == "0",
        "it has a carrier of a modem that is silent"
    );
    // On a slow machine the modem's heartbeat is missed meanwhile, and the link is a new one.
    vm.guest
        .ok("until [ $(cat /sys/class/net/caif0/carrier) = 1 ]; do \
         [ ! -e /sys/class/net/cfvrt0 ] || ip link set cfvrt0 up; usleep 100000; done")?;
    is_back(vm)
}

/// An interface that was made for a link shows it, and goes with it.
fn bound(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest
        .ok("ip link add link cfvrt0 name caifb type caif && ip link set caifb up")?;
    let shown = vm.guest.ok("ip link show caifb")?;
    ensure!(shown.contains("caifb@cfvrt0"), "{shown}");
    // It goes before its link, which must not keep it, and another one after that.
    vm.guest.ok(
        "ip link del caifb && [ ! -e /sys/class/net/cfvrt0/upper_caifb ] && \
         ip link add link cfvrt0 name caifb type caif && ip link set caifb up",
    )?;
    vm.guest.ok(&format!("rmmod {DRIVER}"))?;
    vm.guest.ok("guest-tool wait-netdev caifb --count 0")?;
    let netdevs = vm.netdevs()?;
    ensure!(netdevs == ["caif0"], "{netdevs:?} without a link");
    vm.modprobe(DRIVER)?;
    vm.guest
        .ok("guest-tool wait-netdev cfvrt0 && ip link set cfvrt0 up")?;
    is_back(vm)
}

/// Interfaces and the stack are taken away under traffic.
fn teardown(vm: &mut Vm) -> Result<()> {
    for order in ["ip link set caif0 down", "ip link del caif0", "rmmod caif"] {
        vm.up()?;
        let storm = vm.start_storm(&format!(
            "{MODEM} --sizes 0,700,1472 --count 50 --window 16 --timeout 500"
        ))?;
        vm.guest.ok(order)?;
        vm.delete_interfaces()?;
        vm.unload_unused(STACK)
            .with_context(|| format!("after {order}"))?;
        vm.end_storm(storm)?;
    }
    Ok(())
}

/// Frames that mean nothing are dropped and counted, without a word in the log, and the traffic and
/// the channels among them do not notice.
fn noise(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let mark = vm.kernel.mark();
    vm.modems[0].noise = true;
    let result = among_noise(vm);
    vm.modems[0].noise = false;
    result?;
    let lines = vm.kernel.since(mark);
    let said = lines.iter().find(|line| line.contains("caif: "));
    ensure!(said.is_none(), "the stack says {said:?}");
    Ok(())
}

fn among_noise(vm: &mut Vm) -> Result<()> {
    let mark = vm.kernel.mark();
    vm.modems[0].stop()?;
    vm.modems[0].restart()?;
    vm.kernel_says(mark, "is now up")?;
    vm.guest
        .ok("guest-tool wait-netdev cfvrt0 && ip link set cfvrt0 up")?;
    is_back(vm)?;
    let out = vm.guest.ok(&format!(
        "guest-tool ping {MODEM} --sizes 0,8,1472 --count 20"
    ))?;
    ensure!(out.contains(" 0% packet loss"), "{out}");
    // Another channel, several times, while the first one is in use.
    for _ in 0..3 {
        vm.guest.ok(
            "guest-tool link-add caifx --connid 7 && ip link set caifx up && \
             [ $(cat /sys/class/net/caifx/carrier) = 1 ] && ip link del caifx",
        )?;
    }
    vm.traffic()?;
    let dropped: u64 = vm
        .guest
        .ok("cat /sys/class/net/cfvrt0/statistics/rx_dropped")?
        .trim()
        .parse()?;
    ensure!(dropped >= 1000, "{dropped} frames were dropped");
    // The next cases have a modem without noise.
    let mark = vm.kernel.mark();
    vm.modems[0].noise = false;
    vm.modems[0].stop()?;
    vm.modems[0].restart()?;
    vm.kernel_says(mark, "is now up").map(|_| ())
}
