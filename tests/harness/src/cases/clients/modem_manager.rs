// SPDX-License-Identifier: GPL-2.0

//! Debian's ModemManager, over caifctl's terminal in the place of a serial port.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{Case, one},
    explained,
    pty::{Terminal, crash_modem},
};
use crate::vm::Vm;

pub(super) const CASES: &[Case] = &[
    one("modem_manager_connects", |vm| explained(vm, connects)),
    one("modem_manager_after_a_crash", |vm| explained(vm, crash)),
    one("modem_manager_is_killed", |vm| explained(vm, killed)),
    one("modem_manager_is_killed_as_it_connects", |vm| {
        explained(vm, halfway)
    }),
];

/// Commands of ModemManager, in the order in which it gives them to connect, after which it is killed.
const POINTS: &[&str] = &["AT+CGDCONT=1", "AT*ENAP=1", "AT*E2IPCFG"];
/// What ModemManager writes.
const LOG: &str = "/tmp/modem-manager.log";

/// Connects, uses the connection, and disconnects.
fn connects(vm: &mut Vm) -> Result<()> {
    start(vm)?;
    let terminal = plug(vm)?;
    let modem = modem(vm, "")?;
    let state = ask(vm, &format!("-m {modem}"))?;
    for (path, want) in [
        ("/modem/generic/plugin", "ericsson-mbm"),
        ("/modem/generic/primary-port", "ttyS3"),
        ("/modem/generic/device", "cfvrt0"),
    ] {
        let value = state.pointer(path).and_then(Value::as_str);
        ensure!(
            value == Some(want),
            "{path} is {value:?}, not {want}: {state}"
        );
    }
    for port in ["ttyS3 (at)", "caif0 (net)"] {
        let ports = state.pointer("/modem/generic/ports");
        ensure!(
            ports.is_some_and(|ports| ports.to_string().contains(port)),
            "no {port}: {state}"
        );
    }
    // Twice, so that the first time left nothing that stops the second.
    for _ in 0..2 {
        connect(vm, &modem)?;
        vm.guest.ok(&format!(
            "mmcli --timeout=60 -m {modem} --simple-disconnect && ip addr flush dev caif0 && \
             ip link set caif0 down"
        ))?;
        let bearers = bearer(vm, &modem);
        ensure!(bearers.is_err(), "still connected: {bearers:?}");
    }
    unplug(vm, terminal)
}

/// After a crash there is another modem, which connects as the first one did.
fn crash(vm: &mut Vm) -> Result<()> {
    start(vm)?;
    let terminal = plug(vm)?;
    let first = modem(vm, "")?;
    connect(vm, &first)?;
    crash_modem(vm)?;
    terminal.says(vm, "the channel is open again")?;
    vm.guest.ok("ip addr flush dev caif0")?;
    let second = modem(vm, &first)?;
    connect(vm, &second)?;
    vm.guest.ok("ip addr flush dev caif0")?;
    unplug(vm, terminal)
}

/// ModemManager is killed while it is connected. The next one finds the port as it is, and connects.
fn killed(vm: &mut Vm) -> Result<()> {
    start(vm)?;
    let terminal = plug(vm)?;
    let first = modem(vm, "")?;
    connect(vm, &first)?;
    vm.kill_daemon("modem-manager")?;
    vm.guest.ok("ip addr flush dev caif0")?;
    manager(vm)?;
    let next = modem(vm, "")?;
    connect(vm, &next)?;
    vm.guest.ok("ip addr flush dev caif0")?;
    unplug(vm, terminal)
}

/// ModemManager is killed in the middle of its dialogue. The next one connects.
fn halfway(vm: &mut Vm) -> Result<()> {
    start(vm)?;
    let terminal = plug(vm)?;
    for point in POINTS {
        let modem = modem(vm, "")?;
        // What it wrote earlier has the command, too.
        vm.guest
            .start_for(
                &format!(
                    "from=$(($(wc -l <{LOG}) + 1)); \
                     (mmcli --timeout=120 -m {modem} --simple-connect=apn=internet >/dev/null 2>&1 &); \
                     until tail -n +$from {LOG} | grep -q -F '{point}'; do usleep 100000; done; \
                     kill -9 $(cat /tmp/modem-manager.pid) && rm /tmp/modem-manager.pid"
                ),
                150,
            )?
            .ok()
            .with_context(|| format!("at {point}"))?;
        manager(vm)?;
    }
    let last = modem(vm, "")?;
    connect(vm, &last)?;
    vm.guest.ok("ip addr flush dev caif0")?;
    unplug(vm, terminal)
}

/// Starts the daemons as Debian does, with the rules of its packages and ours.
fn start(vm: &mut Vm) -> Result<()> {
    vm.bus()?;
    vm.daemon("udevd", "/lib/systemd/systemd-udevd")?;
    // It listens before it is ready.
    vm.guest.ok(
        "until udevadm control --ping --timeout=5; do usleep 100000; done && udevadm trigger --action=add && \
         udevadm settle",
    )?;
    vm.daemon("polkitd", "/usr/lib/polkit-1/polkitd --no-debug")?;
    vm.load()?;
    vm.delete_interfaces()?;
    vm.link_up(0)?;
    vm.guest
        .ok("caifctl link add caif0 --connection-id 1 && udevadm settle")?;
    manager(vm)
}

/// Starts ModemManager.
fn manager(vm: &mut Vm) -> Result<()> {
    vm.daemon("modem-manager", "ModemManager --log-level=DEBUG")?;
    vm.guest
        .ok("until mmcli -L >/dev/null 2>&1; do usleep 200000; done")
        .context("ModemManager does not answer")
        .map(drop)
}

/// Lets caifctl announce the AT channel as a serial port.
fn plug(vm: &mut Vm) -> Result<Terminal> {
    let (terminal, name) = Terminal::start(vm, 1, "--serial")?;
    ensure!(name == "/dev/ttyS3", "{name}");
    Ok(terminal)
}

/// Ends caifctl, and waits until ModemManager sees that the modem is gone.
fn unplug(vm: &mut Vm, terminal: Terminal) -> Result<()> {
    terminal.end(vm, "TERM")?;
    vm.guest
        .ok("while mmcli -L | grep /Modem/; do usleep 200000; done")?;
    // Other cases have no need of them.
    for name in ["modem-manager", "udevd"] {
        vm.end_daemon(name)?;
    }
    Ok(())
}

/// Waits for a modem other than one that is gone. Returns its path.
fn modem(vm: &mut Vm, gone: &str) -> Result<String> {
    let out = vm
        .guest
        .start_for(
            &format!(
                "until mmcli -L | sed -n 's|^ *\\(/org[^ ]*\\).*|\\1|p' | grep -vx '{gone}' | grep .; \
                 do usleep 200000; done"
            ),
            120,
        )?
        .ok()?;
    Ok(out.trim().to_owned())
}

/// Runs `mmcli` with output in JSON.
fn ask(vm: &mut Vm, args: &str) -> Result<Value> {
    let out = vm.guest.ok(&format!("mmcli {args} -J"))?;
    serde_json::from_str(&out).with_context(|| format!("mmcli {args}: {out}"))
}

/// Returns the properties of the bearer that is connected.
fn bearer(vm: &mut Vm, modem: &str) -> Result<Value> {
    let state = ask(vm, &format!("-m {modem}"))?;
    let bearers = state.pointer("/modem/generic/bearers");
    let bearers = bearers.and_then(Value::as_array).cloned();
    for path in bearers.unwrap_or_default() {
        let path = path.as_str().context("a path")?;
        let bearer = ask(vm, &format!("-b {path}"))?;
        if bearer.pointer("/bearer/status/connected") == Some(&"yes".into()) {
            return Ok(bearer);
        }
    }
    anyhow::bail!("no bearer is connected: {state}")
}

/// Connects, gives the interface the address of the bearer, and reaches what is behind it.
fn connect(vm: &mut Vm, modem: &str) -> Result<()> {
    vm.guest
        .start_for(
            &format!("mmcli --timeout=120 -m {modem} --simple-connect=apn=internet"),
            150,
        )?
        .ok()?;
    let bearer = bearer(vm, modem)?;
    let text = |path: &str| {
        let value = bearer.pointer(path).and_then(Value::as_str);
        value
            .map(str::to_owned)
            .with_context(|| format!("no {path}: {bearer}"))
    };
    let interface = text("/bearer/status/interface")?;
    ensure!(interface == "caif0", "the bearer is on {interface}");
    let method = text("/bearer/ipv4-config/method")?;
    ensure!(method == "static", "the address comes by {method}");
    let (address, prefix, gateway) = (
        text("/bearer/ipv4-config/address")?,
        text("/bearer/ipv4-config/prefix")?,
        text("/bearer/ipv4-config/gateway")?,
    );
    let out = vm.guest.ok(&format!(
        "ip link set caif0 up && guest-tool wait-carrier caif0 && \
         ip addr add {address}/{prefix} dev caif0 && \
         (ip route add default via {gateway} dev caif0 || ip route add default dev caif0) && \
         guest-tool ping {gateway} --sizes 8,1400 --count 5"
    ))?;
    ensure!(out.contains(" 0% packet loss"), "{out}");
    Ok(())
}
