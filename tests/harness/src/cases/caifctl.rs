// SPDX-License-Identifier: GPL-2.0

//! caifctl, over both stacks.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{Case, in_c, one};
use crate::{
    link::{REFUSED, UP_AGAIN},
    vm::Vm,
};

pub const CASES: &[Case] = &[
    one("caifctl_shows_what_there_is", shows),
    one("caifctl_makes_interfaces", interfaces),
    one("caifctl_uses_channels", channels),
    one("caifctl_says_what_is_wrong", wrong),
    in_c("caifctl_on_the_c_stack", c_stack),
];

/// Runs `caifctl` with output in JSON.
fn ask(vm: &mut Vm, args: &str) -> Result<Value> {
    let out = vm.guest.ok(&format!("caifctl {args} --json"))?;
    serde_json::from_str(&out).with_context(|| format!("caifctl {args}: {out}"))
}

/// Checks values in an answer, by their paths.
pub(super) fn has(answer: &Value, wanted: &[(&str, Value)]) -> Result<()> {
    for (path, want) in wanted {
        let value = answer.pointer(path);
        ensure!(
            value == Some(want),
            "{path} is {value:?}, not {want}: {answer}"
        );
    }
    Ok(())
}

/// Runs `caifctl`, which must fail with a status and one line that has a text.
fn fails(vm: &mut Vm, args: &str, status: i32, says: &str) -> Result<()> {
    let answer = vm.guest.run(&format!("{args} </dev/null"))?;
    let out = answer.out;
    ensure!(
        answer.status == status,
        "{args}: exit status {}: {out}",
        answer.status
    );
    let lines: Vec<_> = out
        .lines()
        .filter(|line| line.starts_with("caifctl: "))
        .collect();
    ensure!(
        matches!(lines[..], [line] if line.contains(says)),
        "{args} does not say {says:?}: {out}"
    );
    // A command, or what else to do; errors of the modem itself have none.
    let remedies = [
        "`",
        "run this as root",
        "the kernel needs",
        "is the driver loaded",
    ];
    ensure!(
        status == 3 || remedies.iter().any(|remedy| out.contains(remedy)),
        "{args} does not say what to do: {out}"
    );
    Ok(())
}

/// The table and JSON have the modem, its link, the interface and its channel, with the kernel's own
/// counts.
fn shows(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.traffic()?;
    let text = vm.guest.ok("caifctl status")?;
    for (name, words) in [
        (
            "remoteproc0",
            &["processor", "running", "recovery enabled"][..],
        ),
        ("cfvrt0", &["link", "up", "4032", "no faults"]),
        (
            "caif0",
            &[
                "interface",
                "up",
                "1500",
                "connection 1 on any link, 10.9.1.2 peer 10.9.1.1",
            ],
        ),
    ] {
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(name));
        let line = line.with_context(|| format!("no {name}: {text}"))?;
        for word in words {
            ensure!(line.contains(word), "no {word:?} in {line:?}");
        }
    }
    let status = ask(vm, "status")?;
    has(
        &status,
        &[
            ("/remote_processors/0/name", json!("remoteproc0")),
            ("/remote_processors/0/state", json!("running")),
            ("/links/0/name", json!("cfvrt0")),
            ("/links/0/remote_processor", json!("remoteproc0")),
            ("/links/0/carrier", json!(true)),
            ("/links/0/driver_counters/tx_timeout", json!(0)),
            ("/channels/0/link", json!("cfvrt0")),
            ("/channels/0/service", json!("datagram")),
            ("/channels/0/connection_id", json!(1)),
            ("/channels/0/name", Value::Null),
            ("/channels/0/state", json!("open")),
            ("/channels/0/tx_stopped_by", json!([])),
            ("/channels/0/rx_stopped", json!(false)),
            ("/channels/0/interface", json!("caif0")),
            ("/channels/0/socket", Value::Null),
            ("/interfaces/0/connection_id", json!(1)),
            ("/interfaces/0/link", Value::Null),
            ("/interfaces/0/loopback", json!(false)),
            ("/interfaces/0/addresses", json!(["10.9.1.2 peer 10.9.1.1"])),
        ],
    )?;
    for (place, name) in [("links", "cfvrt0"), ("interfaces", "caif0")] {
        let packets = vm
            .guest
            .ok(&format!("cat /sys/class/net/{name}/statistics/tx_packets"))?;
        let path = format!("/{place}/0/counters/tx_packets");
        has(&status, &[(&path, json!(packets.trim().parse::<u64>()?))])?;
    }
    let only = ask(vm, "status --only caif0")?;
    has(
        &only,
        &[
            ("/links", json!([])),
            ("/channels/0/interface", json!("caif0")),
            ("/interfaces/0/name", json!("caif0")),
        ],
    )?;
    let id = &status["channels"][0]["id"];
    ensure!(id.as_u64().is_some_and(|id| id > 0), "{status}");
    let row = format!("\n    {id} ");
    ensure!(
        text.contains(&row) && text.contains(" datagram, connection 1, of caif0\n"),
        "{text}"
    );
    let channels = status["channels"].as_array().map(Vec::len);
    ensure!(channels == Some(1), "{status}");

    // It is shown below its link, and a lost carrier is shown.
    vm.guest
        .ok("caifctl link add caifb --connection-id 7 --link cfvrt0 && ip link set caifb up")?;
    let text = vm.guest.ok("caifctl status")?;
    ensure!(text.contains("\n    caifb "), "{text}");
    vm.guest
        .ok("ip link set cfvrt0 down && guest-tool wait-carrier caifb --state down")?;
    has(
        &ask(vm, "status")?,
        &[
            ("/links/0/state", json!("down")),
            ("/interfaces/0/state", json!("no carrier")),
            ("/interfaces/1/link", json!("cfvrt0")),
            ("/channels", json!([])),
        ],
    )?;
    vm.guest.ok("ip link del caifb").map(|_| ())
}

/// Interfaces are made with their attributes, work, and are deleted; other devices are not deleted.
fn interfaces(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok(
        "caifctl link add caifl --connection-id 0x7825f860 --link cfvrt0 --loopback && \
             ip link set caifl up && ip addr add 10.8.8.1 peer 10.8.8.2 dev caifl",
    )?;
    has(
        &ask(vm, "link show caifl")?,
        &[
            ("/0/name", json!("caifl")),
            ("/0/connection_id", json!(0x7825_f860_u32)),
            ("/0/link", json!("cfvrt0")),
            ("/0/loopback", json!(true)),
            ("/0/state", json!("up")),
            ("/0/addresses", json!(["10.8.8.1 peer 10.8.8.2"])),
        ],
    )?;
    let out = vm
        .guest
        .ok("guest-tool ping 10.8.8.2 --sizes 0,1472 --count 5")?;
    ensure!(out.contains(" 0% packet loss"), "{out}");
    let shown = vm.guest.ok("caifctl link show")?;
    ensure!(
        shown.lines().count() == 3 && shown.contains("2015754336"),
        "{shown}"
    );

    let add = "caifctl link add";
    fails(
        vm,
        &format!("{add} caifl --connection-id 1"),
        1,
        "the name is taken",
    )?;
    fails(
        vm,
        &format!("{add} x --connection-id 1 --link lo"),
        1,
        "lo is not a CAIF link",
    )?;
    fails(
        vm,
        &format!("{add} x --connection-id 1 --link y"),
        1,
        "there is no interface y",
    )?;
    for (name, says) in [
        ("cfvrt0", "not an interface over CAIF"),
        ("nonesuch", "there is no interface nonesuch"),
    ] {
        fails(vm, &format!("caifctl link del {name}"), 1, says)?;
        fails(vm, &format!("caifctl link show {name}"), 1, says)?;
    }
    for _ in 0..2 {
        vm.guest.ok("caifctl link add caif%d --connection-id 2")?;
    }
    vm.guest
        .ok("caifctl link del caif1 && caifctl link del caif2 && caifctl link del caifl")?;
    let netdevs = vm.netdevs()?;
    ensure!(netdevs.len() == 2, "{netdevs:?}");
    vm.traffic()
}

/// AT commands are answered, datagrams come back.
fn channels(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    at(vm)?;
    loops(vm)
}

fn at(vm: &mut Vm) -> Result<()> {
    let out = vm
        .guest
        .ok("caifctl at --link cfvrt0 --exec AT+CGMI AT+CSQ")?;
    ensure!(out == "caif-stack\nOK\n+CSQ: 23,99\nOK\n", "{out:?}");
    let out = vm.guest.ok("printf 'ATE0\\nAT+CSQ\\n' | caifctl at")?;
    ensure!(out == "OK\n+CSQ: 23,99\nOK\n", "{out:?}");
    fails(
        vm,
        "caifctl at --exec AT+NOSUCHTHING AT",
        3,
        "answers AT+NOSUCHTHING by ERROR",
    )
}

fn loops(vm: &mut Vm) -> Result<()> {
    for size in [8, 64, 1400] {
        let out = vm.guest.ok(&format!(
            "caifctl ping-channel --link cfvrt0 --size {size} --count 5 --interval 0.1 --wait 30"
        ))?;
        ensure!(
            out.contains("\n5 sent, 5 returned, time min/avg/max = "),
            "{out}"
        );
        ensure!(
            out.matches(&format!("{size} bytes, number ")).count() == 5,
            "{out}"
        );
    }
    let outcome = ask(vm, "bench --size 1000 --time 1")?;
    has(
        &outcome,
        &[("/lost", json!(0)), ("/bytes_each", json!(1000))],
    )?;
    let returned = outcome.pointer("/returned").and_then(Value::as_u64);
    ensure!(returned > Some(10), "{outcome}");
    // The first signal ends it, with the results up to then.
    let out = vm
        .guest
        .ok("rm -f /tmp/pings && mkfifo /tmp/pings || exit; \
             caifctl ping-channel >/tmp/pings & pid=$!; exec 3</tmp/pings; \
             while read -r line <&3 && [ -n \"${line##*number 0*}\" ]; do :; done; \
             kill -INT $pid; wait $pid && cat <&3")?;
    ensure!(out.contains(" sent, "), "{out}");
    Ok(())
}

/// Each error is one line, which says what to do, and an exit status.
fn wrong(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let add = "caifctl link add x --connection-id 1";
    vm.guest.ok(
        "chmod 755 / && mkdir -p /etc && echo 'nobody:x:65534:65534::/:/bin/sh' >/etc/passwd",
    )?;
    let nobody = |command: &str| format!("su nobody -c '{command}'");
    for command in ["caifctl at --exec AT", add, "caifctl link del caif0"] {
        fails(vm, &nobody(command), 1, "run this as root")?;
    }
    // Showing the state needs no privilege.
    let out = vm.guest.ok(&nobody("caifctl status"))?;
    ensure!(out.contains("cfvrt0"), "{out}");

    fails(
        vm,
        "caifctl at --link nonesuch --exec AT",
        1,
        "no interface nonesuch",
    )?;
    fails(
        vm,
        "caifctl at --link caif0 --exec AT",
        1,
        "caif0 is not a CAIF link that is up",
    )?;
    fails(
        vm,
        &format!("caifctl ping-channel --connection-id {REFUSED}"),
        1,
        "the modem refuses",
    )?;
    fails(vm, "caifctl status --only lo", 1, "lo is neither")?;
    // Some kernels have no pseudo terminals.
    vm.guest.run("umount /dev/pts")?;
    let without_terminals = fails(vm, "caifctl at --pty", 1, "CONFIG_UNIX98_PTYS");
    vm.guest.run("mount -t devpts devpts /dev/pts")?;
    without_terminals?;
    let answer = vm.guest.run("caifctl link add a/b --connection-id 1")?;
    ensure!(answer.status == 2, "{}", answer.out);

    vm.modems[0].process.signal(Signal::SIGSTOP)?;
    let silent = vm
        .guest
        .run("caifctl at --link cfvrt0 --timeout 1 --exec AT");
    vm.modems[0].process.signal(Signal::SIGCONT)?;
    let silent = silent?;
    // On a slow machine the modem's heartbeat may be missed, and the link be gone.
    let says = [
        "did not answer within 1s",
        "no interface cfvrt0",
        "is not a CAIF link that is up",
        "its link went down",
    ];
    ensure!(
        silent.status == 1 && says.iter().any(|text| silent.out.contains(text)),
        "{}",
        silent.out
    );
    // On a slow machine the modem's heartbeat may be missed meanwhile, and the link is a new one.
    vm.guest.ok(UP_AGAIN)?;
    vm.guest.ok("ip link set cfvrt0 down")?;
    fails(vm, "caifctl at --exec AT", 1, "no CAIF link is up")?;
    fails(
        vm,
        "caifctl at --link cfvrt0 --exec AT",
        1,
        "ip link set cfvrt0 up",
    )?;

    vm.unload()?;
    let modprobe = vm
        .guest
        .ok("cat /proc/sys/kernel/modprobe; echo /none >/proc/sys/kernel/modprobe")?;
    let without_stack = [
        ("caifctl at --exec AT", "no CAIF sockets: load the stack"),
        (add, "no such interfaces: load the stack"),
        ("caifctl status", "is the driver loaded"),
        ("caifctl status --watch", "there is no CAIF link"),
    ]
    .into_iter()
    .try_for_each(|(args, says)| fails(vm, args, 1, says));
    vm.guest.ok(&format!(
        "echo {} >/proc/sys/kernel/modprobe",
        modprobe.trim()
    ))?;
    without_stack
}

/// All commands work over the stack in C, as far as that allows.
fn c_stack(vm: &mut Vm) -> Result<()> {
    vm.up_on_c_stack()?;
    has(
        &ask(vm, "status")?,
        &[
            ("/links/0/state", json!("up")),
            ("/channels", Value::Null),
            ("/interfaces/0/state", json!("up")),
            ("/interfaces/0/connection_id", json!(1)),
            ("/interfaces/0/addresses", json!(["10.9.1.2 peer 10.9.1.1"])),
        ],
    )?;
    at(vm)?;
    loops(vm)?;
    vm.guest.ok("caifctl link add caifx --connection-id 7")?;
    has(
        &ask(vm, "link show caifx")?,
        &[("/0/connection_id", json!(7)), ("/0/state", json!("down"))],
    )?;
    fails(
        vm,
        "caifctl link add caifx --connection-id 7",
        1,
        "the name is taken",
    )?;
    fails(
        vm,
        &format!("caifctl ping-channel --connection-id {REFUSED}"),
        1,
        "the modem refuses",
    )?;
    vm.guest.ok("caifctl link del caifx")?;
    vm.traffic()?;
    vm.unload()
}
