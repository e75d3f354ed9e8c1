// SPDX-License-Identifier: GPL-2.0

//! Interfaces of the stack, caif.ko, beyond the traffic over them.

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;

use super::{Case, USER_NS, one, recovery, traffic::all_sizes};
use crate::{
    link::{DRIVER, MODEM, REFUSED, STACK},
    namespace::{self, END, INSIDE, wait_carrier},
    vm::Vm,
};

pub const CASES: &[Case] = &[
    one("stack_ping", ping),
    one("stack_counts_each_packet", counted),
    one("stack_refuses", refused),
    one("stack_loopback", loopback),
    one("stack_gives_channels_back", given_back),
    one("stack_interface_comes_back", comes_back),
    one("stack_waits_for_no_modem", silent),
    Case {
        needs: USER_NS,
        ..one("stack_keeps_nobody_waiting", at_once)
    },
    Case {
        needs: USER_NS,
        ..one("stack_interface_of_others", of_others)
    },
    one("stack_interface_of_a_link", bound),
    one("stack_kind_keeps_its_contract", kind),
    one("stack_link_changes", changes),
    one("stack_link_moves", moves),
    one("stack_ignores_nonsense", noise),
    one("stack_segments_and_taps", taps),
    one("stack_goes_under_traffic", teardown),
];

/// Reads an attribute of `caif0` in sysfs.
fn attribute(vm: &mut Vm, name: &str) -> Result<String> {
    let value = vm.guest.ok(&format!("cat /sys/class/net/caif0/{name}"))?;
    Ok(value.trim().to_owned())
}

/// Pings of many sizes come back, all of them.
fn ping(vm: &mut Vm) -> Result<()> {
    // With counters of its own.
    vm.delete_interfaces()?;
    vm.up()?;
    for (name, want) in [
        ("mtu", "1500"),
        ("type", "65534"),
        ("carrier", "1"),
        ("tx_queue_len", "500"),
    ] {
        let value = attribute(vm, name)?;
        ensure!(value == want, "{name} is {value}, not {want}");
    }
    // The kernel reports it with a delay.
    vm.guest
        .ok("guest-tool until --net '[ $(cat /sys/class/net/caif0/operstate) = up ]'")?;
    all_sizes(vm)?;
    let counters = vm.guest.ok("guest-tool counters caif0 --clean")?;
    for counter in ["rx_packets", "tx_packets"] {
        let count: u64 = attribute(vm, &format!("statistics/{counter}"))?.parse()?;
        ensure!(count >= 270, "{count} {counter} of 270 pings: {counters}");
    }
    Ok(())
}

/// Packets that two CPUs send at once are all counted, and no other ones.
fn counted(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest
        .start_for(&format!("guest-tool two-senders caif0 {MODEM}"), 300)?
        .ok()?;
    vm.guest.ok("guest-tool counters caif0 --clean").map(drop)
}

/// A packet socket on the link sees complete frames, and one on the interface merged segments.
/// Streams are intact with and without such sockets.
fn taps(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let link = vm.link(0)?;
    vm.guest.ok(&format!(
        "guest-tool tap {link} caif0 {MODEM} --bytes 1000000"
    ))?;
    Ok(())
}

/// A modem's refusal is the error of setting up an interface, and does not affect other channels.
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
    // Without a link there is no modem to ask.
    vm.guest.ok("ip link set cfvrt0 down")?;
    vm.guest.ok("guest-tool link-add caifx --connid 7")?;
    let out = vm.guest.fails("ip link set caifx up")?;
    ensure!(out.to_lowercase().contains("no such device"), "{out}");
    vm.guest.ok("ip link del caifx")?;
    vm.ip_up(0)
}

/// Packets that the modem returns come from the peer's address. `ip` can make such an interface.
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

/// The modem is sent LINK_DESTROY for each channel when a link goes down: it does not notice that,
/// and would keep them.
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
        let storm = recovery::storm(vm)?;
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

/// An interface whose modem does not answer comes up without a carrier within a second, and gets
/// one when the modem answers.
fn silent(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok("ip link set caif0 down")?;
    vm.modems[0].process.signal(Signal::SIGSTOP)?;
    // A signal ends the wait earlier, with the same result. This comes first, since the modem's
    // heartbeat will be missed soon.
    let interrupted = vm
        .guest
        .ok("guest-tool up-interrupted caif0 && ip link set caif0 down");
    let opened = vm.guest.ok("ip link set caif0 up");
    let carrier = attribute(vm, "carrier");
    vm.modems[0].process.signal(Signal::SIGCONT)?;
    interrupted?;
    opened?;
    ensure!(
        carrier? == "0",
        "it has a carrier of a modem that is silent"
    );
    // On a slow machine the modem's heartbeat is missed meanwhile, and the link is a new one.
    vm.guest.ok(
        "guest-tool until --net '[ $(cat /sys/class/net/caif0/carrier) = 1 ] || \
         { [ ! -e /sys/class/net/cfvrt0 ] || ip link set cfvrt0 up; false; }'",
    )?;
    is_back(vm)
}

/// In a namespace of a user other than root an interface does not wait for its modem: RTNL is held
/// meanwhile, which everybody needs.
fn at_once(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok(&namespace::begin("-U -n"))?;
    vm.guest.ok(&format!(
        "ip link set cfvrt0 netns $(cat /tmp/ns) && {INSIDE} ip link set cfvrt0 up && \
         {} && {INSIDE} guest-tool link-add caifn --connid 7",
        wait_carrier("cfvrt0")
    ))?;
    vm.modems[0].process.signal(Signal::SIGSTOP)?;
    let opened = vm
        .guest
        .ok(&format!("{INSIDE} guest-tool up-at-once caifn"));
    vm.modems[0].process.signal(Signal::SIGCONT)?;
    opened?;
    vm.guest.ok(&format!(
        "{END}; guest-tool wait-netdev cfvrt0 && ip link set cfvrt0 up"
    ))?;
    is_back(vm)
}

/// Root of another user namespace cannot give an interface of a link that is not in it another
/// connection of that modem.
fn of_others(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok(&namespace::begin("-U -r -n"))?;
    vm.guest.ok(
        "ip link add link cfvrt0 name caifm type caif && guest-tool link-change caifm --connid 5 && \
         ip link set caifm netns $(cat /tmp/ns) && \
         nsenter -t $(cat /tmp/ns) -n guest-tool link-change caifm --connid 6 && \
         nsenter -t $(cat /tmp/ns) -U -n ip link set caifm mtu 1000",
    )?;
    let refused = vm
        .guest
        .fails("nsenter -t $(cat /tmp/ns) -U -n guest-tool link-change caifm --connid 7")?;
    ensure!(refused.contains("not permitted"), "{refused}");
    few_requests(vm)?;
    vm.guest.ok(END).map(drop)
}

/// Whoever sets such an interface up and down without a pause requests a channel every half second:
/// others need requests of the link, too. At last the interface gets a channel.
fn few_requests(vm: &mut Vm) -> Result<()> {
    const TIMES: u32 = 30;
    // ENUM, LINK_SETUP and LINK_DESTROY.
    const FRAMES: f64 = 3.0;
    const STATE: &str = "cat /sys/class/net/cfvrt0/statistics/tx_packets /proc/uptime";
    let numbers = vm.guest.ok(&format!(
        "{STATE} && nsenter -t $(cat /tmp/ns) -U -n sh -c 'i=0; while [ $i -lt {TIMES} ]; do \
         ip link set caifm up && ip link set caifm down || exit; i=$((i + 1)); done' && {STATE}"
    ))?;
    let numbers: Vec<f64> = numbers
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let &[frames, began, _, more, ended, _] = &numbers[..] else {
        bail!("{numbers:?}");
    };
    let (frames, seconds) = (more - frames, ended - began);
    let most = FRAMES * (2.0 * seconds + 2.0);
    ensure!(
        frames <= most && most < FRAMES * f64::from(TIMES),
        "{frames} frames in {seconds} s"
    );
    vm.guest
        .ok("nsenter -t $(cat /tmp/ns) -U -n ip link set caifm up")?;
    vm.guest.ok(&wait_carrier("caifm")).map(drop)
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

/// A link under traffic gets another name and a smaller MTU, which interfaces and sockets on it
/// follow.
fn changes(vm: &mut Vm) -> Result<()> {
    // With a new interface's counters: packets of earlier cases without a channel were dropped.
    vm.delete_interfaces()?;
    vm.up()?;
    vm.guest.ok("ip link set cfvrt0 name modem0")?;
    vm.guest.ok("guest-tool at --device modem0 AT")?;
    vm.traffic()?;
    vm.guest.ok("ip link set modem0 name cfvrt0")?;
    let mtu = vm.guest.ok("cat /sys/class/net/cfvrt0/mtu")?;
    let utilities = vm.guest.start_for(
        "guest-tool loop --service util --stream --sizes 5000 --count 200 --timeout 60",
        200,
    )?;
    vm.guest.ok("ip link set cfvrt0 mtu 600")?;
    let own = attribute(vm, "mtu")?;
    ensure!(own == "591", "its MTU is {own} on a link with 600");
    // The longest that fits, and longer ones, which IP cuts.
    let out = vm.guest.ok(&format!(
        "guest-tool ping {MODEM} --sizes 0,563,564,1472 --count 5"
    ))?;
    ensure!(out.contains(" 0% packet loss"), "{out}");
    utilities.ok().context("a stream meanwhile")?;
    for service in ["util", "rfm", "datagram-loop"] {
        vm.guest.ok(&format!(
            "guest-tool loop --service {service} --sizes 100,580 --count 3"
        ))?;
    }
    vm.guest.ok(&format!(
        "ip link set cfvrt0 mtu {} && ip link set caif0 mtu 1500",
        mtu.trim()
    ))?;
    vm.traffic()?;
    vm.guest.ok("guest-tool counters caif0 --clean")?;
    // A stack that is loaded later finds the link, which is up.
    vm.delete_interfaces()?;
    vm.guest.unload_unused(STACK)?;
    vm.modprobe(STACK)?;
    vm.guest.ok("guest-tool at AT").map(|_| ())
}

/// rtnetlink accepts, refuses and reports the attributes of interfaces as documented.
fn kind(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok("guest-tool rtnl cfvrt0")?;
    vm.traffic()
}

/// A link moves to another namespace, whose sockets and interfaces it serves then, and comes back
/// when that ends. An interface of a link serves another namespace than the link's.
fn moves(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok(&namespace::begin("-n"))?;
    vm.guest.ok("ip link set cfvrt0 netns $(cat /tmp/ns)")?;
    lost(vm)?;
    vm.guest
        .ok("guest-tool connect-fails --service at --errno enodev")?;
    vm.guest.ok(&format!(
        "{INSIDE} ip link set cfvrt0 up && {} && \
         {INSIDE} guest-tool at --device cfvrt0 AT && \
         {INSIDE} guest-tool loop --service util && \
         {INSIDE} guest-tool link-add caifn --connid 7 && {INSIDE} ip link set caifn up && {}",
        wait_carrier("cfvrt0"),
        wait_carrier("caifn"),
    ))?;
    // The namespace ends with an interface that is up and an open socket.
    vm.guest.ok("rm -f /tmp/loop && mkfifo /tmp/loop")?;
    let looping = vm.guest.start_for(
        &format!(
            "{INSIDE} guest-tool loop --service util --count 100000 --timeout 60 & \
             echo $! > /tmp/loop; wait $!"
        ),
        200,
    )?;
    vm.guest.ok(&format!(
        "{INSIDE} guest-tool at AT AT && kill $(cat /tmp/loop) && {END}"
    ))?;
    looping.wait()?;
    vm.guest
        .ok("guest-tool wait-netdev cfvrt0 && ip link set cfvrt0 up")?;
    is_back(vm)?;

    vm.guest.ok(&namespace::begin("-n"))?;
    vm.guest.ok(&format!(
        "ip link add link cfvrt0 name caifm type caif && ip link set caifm netns $(cat /tmp/ns) && \
         {INSIDE} ip link set caifm up && {}",
        wait_carrier("caifm")
    ))?;
    vm.traffic()?;
    vm.guest.ok(END)?;
    vm.traffic()
}

/// Interfaces and the stack are taken away under traffic.
fn teardown(vm: &mut Vm) -> Result<()> {
    for order in ["ip link set caif0 down", "ip link del caif0", "rmmod caif"] {
        vm.up()?;
        let storm = recovery::storm(vm)?;
        vm.guest.ok(order)?;
        vm.delete_interfaces()?;
        vm.guest
            .unload_unused(STACK)
            .with_context(|| format!("after {order}"))?;
        vm.end_storm(storm)?;
    }
    Ok(())
}

/// Invalid frames are dropped and counted, without a line in the log, and do not disturb the
/// traffic and the channels.
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
