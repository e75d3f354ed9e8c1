// SPDX-License-Identifier: GPL-2.0

//! caifctl's terminals in the place of serial ports.

use anyhow::{Context, Result, ensure};

use super::super::{Case, one};
use crate::{
    guest::Running,
    link::{CRASH, UP_AGAIN},
    vm::Vm,
};

pub(super) const CASES: &[Case] = &[
    one("pty_is_a_serial_port", serial),
    one("pty_outlives_a_crash", crash),
    one("pty_with_two_programs", two),
    one("pty_is_killed_under_a_program", killed),
    one("pty_takes_the_place_of_a_port", place),
];

/// The symbolic link to the terminal.
pub(super) const LINK: &str = "/run/caif/cfvrt0";
/// The number of the device that is the link.
const INDEX: &str = "/sys/class/net/cfvrt0/ifindex";
/// Where caifctl writes its own lines.
const LOG: &str = "/tmp/caifctl.log";

/// A caifctl that runs in the guest, by the number of its log.
pub(super) struct Terminal {
    running: Running,
    number: usize,
}

impl Terminal {
    /// Starts caifctl for a link, and waits until it printed the name of its terminal, which is returned.
    pub(super) fn start(vm: &mut Vm, number: usize, args: &str) -> Result<(Self, String)> {
        Self::start_with(vm, number, &format!("--link cfvrt0 {args}"))
    }

    fn start_with(vm: &mut Vm, number: usize, args: &str) -> Result<(Self, String)> {
        let log = format!("{LOG}{number}");
        vm.guest.ok(&format!("mkdir -p /run/caif; : >{log}"))?;
        let running = vm.guest.start_for(
            &format!(
                "echo $$ >/tmp/caifctl.pid{number}; \
                 exec caifctl at {args} >{log} 2>&1"
            ),
            900,
        )?;
        let terminal = Self { running, number };
        let name = terminal.says(vm, "^/dev\\|^/run\\|^caifctl:")?;
        Ok((terminal, name.trim().to_owned()))
    }

    /// Waits until caifctl wrote a line that a pattern matches. Returns the last one.
    pub(super) fn says(&self, vm: &mut Vm, pattern: &str) -> Result<String> {
        let log = format!("{LOG}{}", self.number);
        vm.guest.ok(&format!(
            "guest-tool until --file {log} \"grep '{pattern}' {log} | tail -n 1 | grep .\""
        ))
    }

    fn kill(&self, vm: &mut Vm, signal: &str) -> Result<()> {
        let number = self.number;
        vm.guest
            .ok(&format!("kill -{signal} $(cat /tmp/caifctl.pid{number})"))
            .map(|_| ())
    }

    /// Ends caifctl by a signal, which is its ordinary end.
    pub(super) fn end(self, vm: &mut Vm, signal: &str) -> Result<()> {
        self.kill(vm, signal)?;
        self.running.ok().map(|_| ())
    }
}

/// Brings the link up.
pub(super) fn up(vm: &mut Vm) -> Result<()> {
    vm.load()?;
    vm.link_up(0)
}

/// Programs use the terminal one after the other, two terminals are apart, and nothing is left.
fn serial(vm: &mut Vm) -> Result<()> {
    up(vm)?;
    let terminals = vm.guest.ok("ls /dev/pts")?;
    let (first, name) = Terminal::start(vm, 1, &format!("--pty {LINK}"))?;
    ensure!(name == LINK, "{name}");
    for _ in 0..3 {
        let out = vm.guest.ok(&format!("guest-tool serial {LINK}"))?;
        ensure!(out == "answered\n", "{out}");
    }
    // Each has a channel of its own.
    let (second, other) = Terminal::start(vm, 2, "--pty")?;
    ensure!(other.starts_with("/dev/pts/"), "{other}");
    let out = vm.guest.ok(&format!(
        "guest-tool serial {LINK} --command ATE0 --answer OK && \
         guest-tool serial {other} --command AT+CGMI --answer AT+CGMI && \
         ! guest-tool serial {LINK} --command AT+CGMI --answer AT+CGMI"
    ));
    out.context("an echo is on, or off, on both")?;
    second.end(vm, "INT")?;
    ensure!(
        vm.guest.run(&format!("test -e {other}"))?.status != 0,
        "{other} is left"
    );

    // Whoever is not root, or of the group of terminals, may not use it.
    vm.guest.ok("chmod 755 /")?;
    let out = vm
        .guest
        .fails(&format!("su nobody -c 'guest-tool serial {LINK}'"))?;
    ensure!(out.contains("Permission denied"), "{out}");
    let out = vm
        .guest
        .fails("su nobody -c 'caifctl at --link cfvrt0 --pty'")?;
    ensure!(out.contains("run this as root"), "{out}");
    vm.guest.ok(&format!("guest-tool serial {LINK}"))?;

    first.end(vm, "TERM")?;
    ensure!(
        vm.guest.run(&format!("test -L {LINK}"))?.status != 0,
        "{LINK} is left"
    );
    ensure!(
        vm.guest.ok("ls /dev/pts")? == terminals,
        "a terminal is left"
    );
    Ok(())
}

/// Crashes the modem, and brings its link up again.
pub(super) fn crash_modem(vm: &mut Vm) -> Result<()> {
    vm.guest
        .ok(&format!(
            "first=$(cat {INDEX}) && echo 1 >$(echo {CRASH}) && \
             guest-tool until --net \"grep -qsvx $first {INDEX}\" && {UP_AGAIN}"
        ))
        .map(drop)
}

/// A program that has the terminal open sees a modem that is silent for a while, and not its end.
fn crash(vm: &mut Vm) -> Result<()> {
    up(vm)?;
    let (terminal, _) = Terminal::start(vm, 1, &format!("--pty {LINK}"))?;
    let before = vm.guest.ok(&format!("readlink {LINK}"))?;
    vm.guest
        .ok("rm -f /tmp/go /tmp/crashed /tmp/holds && mkfifo /tmp/go /tmp/crashed")?;
    let holds = vm.guest.start(&format!(
        "guest-tool serial {LINK} --hold </tmp/go >/tmp/holds 2>&1; cat /tmp/holds"
    ))?;
    // Its input is opened first, and ends only with the line.
    let input = vm
        .guest
        .start("exec 3>/tmp/go; read -r _ </tmp/crashed; echo >&3")?;
    vm.guest
        .ok("guest-tool until --file /tmp/holds 'grep -q answered /tmp/holds'")?;
    crash_modem(vm)?;
    terminal.says(vm, "the channel is open again")?;
    vm.guest.ok("echo >/tmp/crashed")?;
    input.ok()?;
    let out = holds.ok()?;
    ensure!(out == "answered\nanswered again\n", "{out}");
    ensure!(
        vm.guest.ok(&format!("readlink {LINK}"))? == before,
        "the terminal is another one"
    );
    vm.guest.ok(&format!("guest-tool serial {LINK}"))?;
    terminal.end(vm, "TERM")
}

/// Programs that use a terminal at the same time take each other's answers, and end. One that comes
/// later is answered, and no channel is left.
fn two(vm: &mut Vm) -> Result<()> {
    up(vm)?;
    let before = vm.held()?;
    let (terminal, _) = Terminal::start(vm, 1, &format!("--pty {LINK}"))?;
    let programs = [(); 2].map(|()| {
        vm.guest.start(&format!(
            "for i in $(seq 4); do guest-tool serial {LINK} || true; done"
        ))
    });
    for program in programs {
        program?.ok()?;
    }
    for _ in 0..3 {
        vm.guest
            .ok(&format!("guest-tool serial {LINK}"))
            .context("after two at once")?;
    }
    terminal.end(vm, "TERM")?;
    vm.holds(&before)
}

/// A caifctl is killed under a program that has the terminal open, which is hung up. No channel is left,
/// and the next caifctl takes the name, and serves.
fn killed(vm: &mut Vm) -> Result<()> {
    up(vm)?;
    let before = vm.held()?;
    let (first, _) = Terminal::start(vm, 1, &format!("--pty {LINK}"))?;
    let program = vm.guest.start(&format!(
        "guest-tool serial {LINK} --hangup >/tmp/hangs-up 2>&1; cat /tmp/hangs-up"
    ))?;
    vm.guest
        .ok("guest-tool until --file /tmp/hangs-up 'grep -q answered /tmp/hangs-up'")?;
    first.kill(vm, "KILL")?;
    let status = first.running.wait()?.status;
    ensure!(status == 137, "{status}");
    let out = program.ok()?;
    ensure!(out == "answered\nhung up\n", "{out}");
    vm.holds(&before)?;

    let (second, name) = Terminal::start(vm, 2, &format!("--pty {LINK}"))?;
    ensure!(name == LINK, "{name}");
    vm.guest.ok(&format!("guest-tool serial {LINK}"))?;
    second.end(vm, "TERM")?;
    vm.guest
        .ok(&format!("[ ! -e {LINK} ] && [ ! -L {LINK} ]"))?;
    vm.holds(&before)
}

/// The node of a port without hardware leads to the modem, and to the port again afterwards.
fn place(vm: &mut Vm) -> Result<()> {
    up(vm)?;
    let stat = "stat -c %t,%T /dev/ttyS2 /dev/ttyS3";
    let before = vm.guest.ok(stat)?;
    // A port with hardware is not taken, nor what is none.
    for (port, says) in [
        ("ttyS0", "ttyS0 has hardware"),
        ("tty0", "there is no serial port tty0"),
        ("../x", "there is no serial port ../x"),
    ] {
        let out = vm
            .guest
            .fails(&format!("caifctl at --link cfvrt0 --serial {port}"))?;
        ensure!(out.contains(says), "{out}");
    }
    let (first, name) = Terminal::start(vm, 1, "--serial")?;
    ensure!(name == "/dev/ttyS3", "{name}");
    let record = vm.guest.ok("cat /run/caif/serial/ttyS3")?;
    ensure!(record == "CAIF_MODEM=cfvrt0\n", "{record}");
    vm.guest.ok("guest-tool serial /dev/ttyS3")?;
    // Each has a port of its own, until there are no more.
    let out = vm.guest.fails("caifctl at --serial ttyS3")?;
    ensure!(out.contains("another caifctl is in the place"), "{out}");
    let (second, name) = Terminal::start_with(vm, 2, "--serial")?;
    ensure!(name == "/dev/ttyS2", "{name}");
    vm.guest.ok("ip link set cfvrt0 name other")?;
    let out = vm.guest.fails("caifctl at --link other --serial");
    vm.guest.ok("ip link set other name cfvrt0")?;
    let out = out?;
    ensure!(out.contains("no serial port without hardware"), "{out}");
    // A modem is announced once, since its interfaces go with a port.
    for (args, says) in [
        ("--link cfvrt0 --serial", "another caifctl announces cfvrt0"),
        ("--serial", "another caifctl announces caif"),
    ] {
        let out = vm.guest.fails(&format!("caifctl at {args}"))?;
        ensure!(out.contains(says), "{out}");
    }
    second.end(vm, "TERM")?;

    // A crash hangs up, and the terminal behind the port is a new one.
    vm.guest.ok("rm -f /tmp/holds")?;
    let holds = vm
        .guest
        .start("guest-tool serial /dev/ttyS3 --hangup >/tmp/holds 2>&1; cat /tmp/holds")?;
    vm.guest
        .ok("guest-tool until --file /tmp/holds 'grep -q answered /tmp/holds'")?;
    crash_modem(vm)?;
    let out = holds.ok()?;
    ensure!(out == "answered\nhung up\n", "{out}");
    first.says(vm, "the channel is open again")?;
    vm.guest.ok(&format!(
        "guest-tool until --file {LOG}1 'tail -n 1 {LOG}1 | grep -qx /dev/ttyS3' && \
             guest-tool serial /dev/ttyS3"
    ))?;

    // What a caifctl that was killed has left is of no use, and goes with the next one.
    first.kill(vm, "KILL")?;
    let killed = first.running.wait()?;
    ensure!(killed.status == 137, "{}", killed.status);
    vm.guest.fails("guest-tool serial /dev/ttyS3")?;
    let (third, _) = Terminal::start(vm, 3, "--serial ttyS3")?;
    vm.guest.ok("guest-tool serial /dev/ttyS3")?;
    let mounts = vm.guest.ok("grep -c ' /dev/ttyS3 ' /proc/mounts")?;
    ensure!(mounts.trim() == "1", "{mounts}");
    third.end(vm, "TERM")?;
    ensure!(vm.guest.ok(stat)? == before, "the nodes are others");
    let record = vm.guest.ok("cat /run/caif/serial/ttyS3")?;
    ensure!(record.is_empty(), "{record}");
    Ok(())
}
