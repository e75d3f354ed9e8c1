// SPDX-License-Identifier: GPL-2.0

//! Interfaces of other kinds that are made over a link, or over an interface of the stack.

use anyhow::{Context, Result, ensure};

use super::{Case, OTHER_KINDS, one};
use crate::{link::MODEM, vm::Vm};

pub const CASES: &[Case] = &[Case {
    needs: OTHER_KINDS,
    ..one("stack_under_other_kinds", other_kinds)
}];

/// Those that need Ethernet below, as `ip` has them, and the errors that they end with.
const OF_ETHERNET: [(&str, &str); 3] = [
    ("vlan id 5", "Operation not supported"),
    ("macvlan", "Invalid argument"),
    ("ipvlan", "Invalid argument"),
];
/// Tunnels that carry IP in IP.
const TUNNELS: [&str; 2] = ["gre", "ipip"];
/// What the modules of these say when they are loaded, and when they refuse.
const THEIR_LINES: [&str; 5] = [
    "8021q: ",
    "gre: ",
    "ip_gre: ",
    "ipip: ",
    ": Master is either lo or non-ether device",
];

/// What needs Ethernet is refused, and a tunnel does no harm: each time the interface works as before.
fn other_kinds(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let mark = vm.kernel.mark();
    let link = vm.link(0)?;
    for below in [&link, "caif0"] {
        for (kind, error) in OF_ETHERNET {
            let make = format!("ip link add link {below} name above type {kind}");
            let out = vm.guest.fails(&make)?;
            ensure!(out.contains(error), "{make}: {out}");
            vm.traffic().with_context(|| make)?;
        }
        for mode in TUNNELS {
            // The modem has no end of a tunnel, and no answer comes.
            make_tunnel(
                vm,
                mode,
                &format!("remote {MODEM} local 10.9.1.2 dev {below}"),
            )?;
            vm.guest.fails("ping -c 3 -A -W 1 -s 3000 10.77.0.2")?;
            vm.traffic()
                .with_context(|| format!("{mode} over {below}"))?;
            vm.guest.ok("ip tunnel del above")?;
            vm.traffic()
                .with_context(|| format!("after {mode} over {below}"))?;
        }
    }
    round_trip(vm)?;
    vm.guest.ok("rmmod ip_gre ipip 8021q macvlan ipvlan")?;
    let said = vm.kernel.since(mark);
    let theirs = |line: &String| THEIR_LINES.iter().any(|start| line.contains(start));
    ensure!(said.iter().all(theirs), "the kernel's log: {said:?}");
    vm.traffic()
}

/// The modem returns packets with their addresses exchanged, which makes this machine the other
/// end, too: what goes into the tunnel comes out of it.
fn round_trip(vm: &mut Vm) -> Result<()> {
    vm.guest
        .ok("ip link add caifl type caif && ip link set caifl up && \
             ip addr add 10.8.8.1 peer 10.8.8.2 dev caifl")?;
    // With a checksum of all that is in the packet, where there can be one.
    for mode in TUNNELS.map(|mode| mode.replace("gre", "gre csum")) {
        make_tunnel(vm, &mode, "remote 10.8.8.2 local 10.8.8.1 dev caifl")?;
        // Each is sent in three packets. It is not answered: the tunnel knows its own address.
        vm.guest.fails("ping -c 3 -A -W 1 -s 3000 10.77.0.2")?;
        // What comes back now was sent after them.
        vm.guest
            .ok("guest-tool ping 10.8.8.2 --sizes 8 --count 1")
            .with_context(|| format!("beside {mode}"))?;
        for (counter, want) in [
            ("tx_packets", "9"),
            ("rx_packets", "9"),
            ("tx_errors", "0"),
            ("rx_errors", "0"),
        ] {
            let file = format!("/sys/class/net/above/statistics/{counter}");
            let count = vm.guest.ok(&format!("cat {file}"))?;
            ensure!(count.trim() == want, "{mode}: {counter} is {count}");
        }
        vm.guest.ok("ip tunnel del above")?;
    }
    vm.guest.ok("ip link del caifl").map(drop)
}

/// Makes a tunnel that sends what it is given and nothing of its own, as IPv6 would.
fn make_tunnel(vm: &mut Vm, mode: &str, ends: &str) -> Result<()> {
    const IPV6: &str = "/proc/sys/net/ipv6/conf/above/disable_ipv6";
    vm.guest
        .ok(&format!(
            "ip tunnel add above mode {mode} {ends} && {{ [ ! -e {IPV6} ] || echo 1 >{IPV6}; }} && \
             ip addr add 10.77.0.1 peer 10.77.0.2 dev above && ip link set above up"
        ))
        .map(drop)
}
