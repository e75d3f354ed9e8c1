// SPDX-License-Identifier: GPL-2.0

//! Debian's tools for network devices: ip of iproute2, and ethtool.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{
    super::{Case, caifctl::has, one},
    explained,
    kind::plain,
};
use crate::{link::MODEM, vm::Vm};

pub(super) const CASES: &[Case] = &[
    one("ip_shows_link_and_interface", |vm| {
        explained(vm, |vm| plain(vm, shows))
    }),
    one("ip_makes_changes_and_removes", |vm| {
        explained(vm, |vm| plain(vm, makes))
    }),
    one("ethtool_shows_the_link", |vm| {
        explained(vm, |vm| plain(vm, ethtool))
    }),
];

/// Returns the only device that `ip` lists. By its path, as `ip` alone is busybox's.
fn device(vm: &mut Vm, args: &str) -> Result<Value> {
    let out = vm.guest.ok(&format!("/bin/ip -s -s -d -j {args}"))?;
    let listed: Vec<Value> = serde_json::from_str(&out).with_context(|| out.clone())?;
    // A device that does not match is an empty object.
    let mut listed = listed.into_iter().filter(|device| device != &json!({}));
    let device = listed.next().with_context(|| format!("nothing: {out}"))?;
    ensure!(listed.next().is_none(), "more than one device: {out}");
    Ok(device)
}

/// Returns a counter of a device.
fn count(device: &Value, path: &str) -> Result<u64> {
    let found = device.pointer(&format!("/stats64/{path}"));
    found
        .and_then(Value::as_u64)
        .with_context(|| format!("no counter {path}: {device}"))
}

/// What `ip -s -d link` shows of a link and of an interface, packets and bytes included.
fn shows(vm: &mut Vm) -> Result<()> {
    const PINGS: u64 = 40;
    // An IP header, an ICMP header and the data.
    const LEN: u64 = 20 + 8 + 100;
    // Its own packets are counted, too.
    vm.guest
        .ok("echo 1 >/proc/sys/net/ipv6/conf/caif0/disable_ipv6")?;
    let link = device(vm, "link show dev cfvrt0")?;
    has(
        &link,
        &[
            ("/link_type", json!("caif")),
            ("/operstate", json!("UP")),
            ("/min_mtu", json!(128)),
            ("/parentbus", json!("virtio")),
        ],
    )?;
    ensure!(link["mtu"] == link["max_mtu"], "{link}");

    // The same by its kind.
    let before = device(vm, "link show type caif")?;
    has(
        &before,
        &[
            ("/ifname", json!("caif0")),
            ("/linkinfo/info_kind", json!("caif")),
            ("/operstate", json!("UP")),
            ("/flags", json!(["POINTOPOINT", "NOARP", "UP", "LOWER_UP"])),
            ("/mtu", json!(1500)),
            ("/min_mtu", json!(68)),
            ("/max_mtu", json!(1500)),
            ("/txqlen", json!(500)),
        ],
    )?;
    vm.guest.ok(&format!(
        "guest-tool ping {MODEM} --sizes 100 --count {PINGS}"
    ))?;
    let after = device(vm, "link show dev caif0")?;
    for way in ["rx", "tx"] {
        for (what, wanted) in [
            ("packets", PINGS),
            ("bytes", PINGS * LEN),
            ("errors", 0),
            ("dropped", 0),
        ] {
            let path = format!("{way}/{what}");
            let more = count(&after, &path)?.checked_sub(count(&before, &path)?);
            ensure!(more == Some(wanted), "{path}: {more:?}, not {wanted}");
        }
    }
    let carried = device(vm, "link show dev cfvrt0")?;
    for path in ["rx/packets", "tx/packets"] {
        let more = count(&carried, path)?.checked_sub(count(&link, path)?);
        ensure!(more >= Some(PINGS), "the link's {path}: {more:?}");
    }
    // As a person reads it.
    let text = vm.guest.ok("/bin/ip -s -d link show dev caif0")?;
    for says in [
        "caif0: ",
        "RX:  bytes packets errors dropped",
        "numtxqueues 1",
    ] {
        ensure!(text.contains(says), "no {says:?}: {text}");
    }
    let address = device(vm, "addr show dev caif0")?;
    has(
        &address,
        &[
            ("/addr_info/0/local", json!("10.9.1.2")),
            ("/addr_info/0/address", json!(MODEM)),
        ],
    )
}

/// Interfaces that `ip` makes, renames, changes and removes, with the link renamed meanwhile.
fn makes(vm: &mut Vm) -> Result<()> {
    // Without a connection id it is a loopback.
    vm.guest.ok(
        "/bin/ip link add link cfvrt0 name caifi mtu 1400 txqueuelen 100 type caif && \
         /bin/ip link set dev caifi up && /bin/ip addr add 10.8.8.1 peer 10.8.8.2 dev caifi && \
         guest-tool wait-carrier caifi",
    )?;
    let made = device(vm, "link show dev caifi")?;
    has(
        &made,
        &[
            ("/link", json!("cfvrt0")),
            ("/linkinfo/info_kind", json!("caif")),
            ("/mtu", json!(1400)),
            ("/txqlen", json!(100)),
        ],
    )?;
    let text = vm.guest.ok("/bin/ip -s -d link show dev caifi")?;
    ensure!(text.contains(": caifi@cfvrt0: "), "{text}");
    let out = vm
        .guest
        .ok("guest-tool ping 10.8.8.2 --sizes 0,1372 --count 10")?;
    ensure!(out.contains(" 0% packet loss"), "{out}");
    let again = vm.guest.fails("/bin/ip link add name caifi type caif")?;
    ensure!(again.contains("File exists"), "{again}");

    // A change without attributes changes nothing.
    vm.guest.ok("/bin/ip link change dev caifi type caif")?;
    vm.guest
        .ok("/bin/ip link set dev caifi name caifj && /bin/ip link set dev cfvrt0 name lte0")?;
    let renamed = device(vm, "link show dev caifj")?;
    has(&renamed, &[("/link", json!("lte0"))])?;
    let out = vm
        .guest
        .ok("guest-tool ping 10.8.8.2 --sizes 100 --count 10")?;
    ensure!(out.contains(" 0% packet loss"), "{out}");
    vm.traffic()?;
    vm.guest
        .ok("/bin/ip link set dev lte0 name cfvrt0 && /bin/ip link del dev caifj")?;
    vm.guest.fails("/bin/ip link show dev caifj")?;
    vm.traffic()
}

/// What ethtool says of link and interface, and each counter that Documentation/operation.md names.
fn ethtool(vm: &mut Vm) -> Result<()> {
    for (command, wanted) in [
        (
            "-i cfvrt0",
            vec![
                "driver: caif_virtio",
                "bus-info: virtio0",
                "supports-statistics: yes",
            ],
        ),
        ("-i caif0", vec!["driver: caif"]),
        ("-g cfvrt0", vec!["Pre-set maximums:", "RX: 256", "TX: 256"]),
        ("cfvrt0", vec!["Link detected: yes"]),
    ] {
        let out = vm.guest.ok(&format!("ethtool {command}"))?;
        let lines: Vec<String> = out
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        for line in wanted {
            ensure!(
                lines.iter().any(|found| found == line),
                "ethtool {command} has no {line:?}: {out}"
            );
        }
    }
    // No counter is missing on the page, and none too many.
    let page = include_str!("../../../../../Documentation/operation.md");
    let named = |text: &str| -> Vec<String> {
        let counters = text
            .lines()
            .skip_while(|line| *line != "NIC statistics:")
            .skip(1);
        let counters = counters.map_while(|line| line.split_once(": "));
        counters.map(|(name, _)| name.trim().to_owned()).collect()
    };
    let out = vm.guest.ok("ethtool -S cfvrt0")?;
    ensure!(
        named(&out) == named(page) && !named(&out).is_empty(),
        "the page has {:?}: {out}",
        named(page)
    );
    Ok(())
}
