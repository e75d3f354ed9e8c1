// SPDX-License-Identifier: GPL-2.0

//! Debian's ModemManager, over caifctl's terminal in the place of a serial port.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{Case, one},
    bus::Object,
    explained,
    life::Held,
    pty::{Terminal, crash_modem},
};
use crate::vm::Vm;

pub(super) const CASES: &[Case] = &[
    one("modem_manager_connects", |vm| explained(vm, connects)),
    one("modem_manager_after_a_crash", |vm| explained(vm, crash)),
    Case {
        is_of_long: true,
        ..one("modem_manager_is_killed", |vm| explained(vm, killed))
    },
];

/// Commands that ModemManager gives to find out what a port is, in its order, at each of which it is
/// killed.
const FINDING: &[&str] = &["AT+GCAP", "AT+CIMI"];
/// The same of those that it gives to connect: it enables the modem first.
const CONNECTING: &[&str] = &[
    "AT+CMER=3",
    "AT+CREG=2",
    "AT+CGDCONT=1",
    "AT*ENAP=1",
    "AT*E2IPCFG",
];
/// ModemManager, which writes each command.
const DAEMON: &str = "ModemManager --log-level=DEBUG";
/// What ModemManager writes.
const LOG: &str = "/tmp/modem-manager.log";

/// Connects, uses the connection, and disconnects.
fn connects(vm: &mut Vm) -> Result<()> {
    let before = start(vm)?;
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
        disconnect(vm, &modem)?;
    }
    unplug(vm, terminal, &before)
}

/// After a crash there is another modem, which connects as the first one did.
fn crash(vm: &mut Vm) -> Result<()> {
    let before = start(vm)?;
    let terminal = plug(vm)?;
    let first = modem(vm, "")?;
    connect(vm, &first)?;
    crash_modem(vm)?;
    terminal.says(vm, "the channel is open again")?;
    vm.guest.ok("ip addr flush dev caif0")?;
    let second = modem(vm, &first)?;
    connect(vm, &second)?;
    disconnect(vm, &second)?;
    unplug(vm, terminal, &before)
}

/// ModemManager is killed at each step of its dialogue, and while it is connected. The next one finds
/// the port as it is, and connects.
fn killed(vm: &mut Vm) -> Result<()> {
    let before = start(vm)?;
    let terminal = plug(vm)?;
    modem(vm, "")?;
    vm.kill_daemon("modem-manager")?;
    // ModemManager defines no context that it finds as it would define it.
    vm.guest.ok("guest-tool at --device cfvrt0 AT+CGDCONT=1")?;
    for point in FINDING {
        let seen = lines(vm)?;
        vm.daemon("modem-manager", DAEMON)?;
        kill_at(vm, &seen, point)?;
    }
    for point in CONNECTING {
        manager(vm)?;
        let modem = modem(vm, "")?;
        let seen = lines(vm)?;
        vm.guest.ok(&format!(
            "mmcli --timeout=120 -m {modem} --simple-connect=apn=internet >/dev/null 2>&1 &"
        ))?;
        kill_at(vm, &seen, point)?;
    }
    manager(vm)?;
    let connected = modem(vm, "")?;
    connect(vm, &connected)?;
    vm.kill_daemon("modem-manager")?;
    vm.guest.ok("ip addr flush dev caif0")?;
    manager(vm)?;
    let last = modem(vm, "")?;
    connect(vm, &last)?;
    disconnect(vm, &last)?;
    unplug(vm, terminal, &before)
}

/// Returns how many lines ModemManager wrote.
fn lines(vm: &mut Vm) -> Result<String> {
    let lines = vm.guest.ok(&format!("wc -l <{LOG}"))?;
    Ok(lines.trim().to_owned())
}

/// Kills ModemManager once it gave a command, behind the lines that were seen before.
fn kill_at(vm: &mut Vm, seen: &str, point: &str) -> Result<()> {
    vm.guest
        .start_for(
            &format!(
                "guest-tool until --file {LOG} \
                 \"tail -n +$(({seen} + 1)) {LOG} | grep -q -F -e \\\"--> '{point}\\\"\""
            ),
            120,
        )?
        .ok()
        .with_context(|| format!("{point} does not come"))?;
    vm.kill_daemon("modem-manager")
}

/// Starts the daemons as Debian does, with the rules of its packages and ours. Returns what is held
/// without a modem for ModemManager.
fn start(vm: &mut Vm) -> Result<Held> {
    vm.bus()?;
    vm.service("udevd", "/lib/systemd/systemd-udevd")?;
    vm.guest
        .ok("udevadm trigger --action=add && udevadm settle")?;
    vm.daemon("polkitd", "/usr/lib/polkit-1/polkitd --no-debug")?;
    vm.load()?;
    vm.delete_interfaces()?;
    vm.link_up(0)?;
    vm.guest
        .ok("caifctl link add caif0 --connection-id 1 && udevadm settle")?;
    manager(vm)?;
    vm.held()
}

/// Starts ModemManager.
fn manager(vm: &mut Vm) -> Result<()> {
    vm.daemon("modem-manager", DAEMON)?;
    // It answers, whatever there is.
    modems(vm, &["none!=*"], 60)
        .context("ModemManager does not answer")
        .map(drop)
}

/// Lets caifctl announce the AT channel as a serial port.
fn plug(vm: &mut Vm) -> Result<Terminal> {
    let (terminal, name) = Terminal::start(vm, 1, "--serial")?;
    ensure!(name == "/dev/ttyS3", "{name}");
    Ok(terminal)
}

/// Ends caifctl, and waits until ModemManager sees that the modem is gone. As much is held then as
/// before it was there.
fn unplug(vm: &mut Vm, terminal: Terminal, before: &Held) -> Result<()> {
    terminal.end(vm, "TERM")?;
    modems(vm, &["*!=*"], 60)?;
    // Other cases have no need of them.
    for name in ["modem-manager", "udevd"] {
        vm.end_daemon(name)?;
    }
    vm.holds(before)
}

/// Waits for a modem other than one that is gone. Returns its path.
fn modem(vm: &mut Vm, gone: &str) -> Result<String> {
    let is_gone = format!("{gone}!=*");
    let modems = modems(vm, &["*=*", &is_gone], 120)?;
    let path = modems.as_object().and_then(|modems| modems.keys().next());
    path.cloned().with_context(|| format!("no path: {modems}"))
}

/// Waits for a state of the modems that ModemManager has. Returns them by their paths.
fn modems(vm: &mut Vm, until: &[&str], seconds: u64) -> Result<Value> {
    let manager = Object {
        name: "org.freedesktop.ModemManager1",
        path: "/org/freedesktop/ModemManager1",
        interface: "org.freedesktop.DBus.ObjectManager",
    };
    manager.wait_for(vm, "GetManagedObjects", until, seconds)
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

/// Disconnects, and takes the address off the interface.
fn disconnect(vm: &mut Vm, modem: &str) -> Result<()> {
    vm.guest.ok(&format!(
        "mmcli --timeout=60 -m {modem} --simple-disconnect && ip addr flush dev caif0 && \
         ip link set caif0 down"
    ))?;
    let bearers = bearer(vm, modem);
    ensure!(bearers.is_err(), "still connected: {bearers:?}");
    Ok(())
}
