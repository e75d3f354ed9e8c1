// SPDX-License-Identifier: GPL-2.0

//! Debian's programs for serial ports: chat of ppp, socat and gammu.

use std::fs;

use anyhow::{Result, ensure};

use super::{
    super::{Case, one},
    explained,
    pty::{LINK, Terminal, up},
};
use crate::vm::Vm;

pub(super) const CASES: &[Case] = &[
    one("chat_and_socat_identify_the_modem", |vm| {
        explained(vm, identify)
    }),
    one("socat_writes_any_bytes", |vm| explained(vm, any)),
    one("gammu_reads_messages", |vm| explained(vm, messages)),
];

/// A script of chat, which expects and sends by turns.
const SCRIPT: &str = "/tmp/identify.chat";
const CHAT: &str = "\
ABORT ERROR TIMEOUT 30
'' ATE0
OK AT+CGMI
OK AT+CSQ
'+CSQ: 23,99' '\\c'
OK
";
/// An address of AF_CAIF for AT commands, `struct sockaddr_caif` without its first member.
const ADDRESS: &str = "x00000200000000000000000000000000000000000000";

/// chat talks over the terminal, and by socat over the terminal and over a socket.
fn identify(vm: &mut Vm) -> Result<()> {
    up(vm)?;
    let (terminal, _) = Terminal::start(vm, 1, &format!("--pty {LINK}"))?;
    // The last answer is waited for, so that the next program does not find it.
    vm.guest
        .ok(&format!("cat >{SCRIPT} <<'END'\n{CHAT}END\n"))?;
    let chat = format!("chat -e -f {SCRIPT}");
    for command in [
        format!("{chat} <{LINK} >{LINK}"),
        format!("socat FILE:{LINK},b115200,rawer EXEC:'{chat}',pty,rawer"),
        format!(
            "socat SOCKET-CONNECT:37:0:{ADDRESS},so-bindtodevice=cfvrt0 EXEC:'{chat}',pty,rawer"
        ),
    ] {
        // Its standard output is the terminal.
        let out = vm.guest.ok(&format!(
            "{command} 2>/tmp/chat.log; status=$?; cat /tmp/chat.log; exit $status"
        ))?;
        ensure!(
            out.contains("caif-stack") && out.contains("+CSQ: 23,99"),
            "{command}: {out}"
        );
    }
    // An error of the modem is one of chat's.
    let answer = vm.guest.run(&format!(
        "chat -t 30 ABORT ERROR '' AT+NOSUCHTHING OK <{LINK} >{LINK}"
    ))?;
    ensure!(answer.status == 4, "{}: {}", answer.status, answer.out);
    terminal.end(vm, "TERM")
}

/// The length of a line that does not end.
const ENDLESS: usize = 1_000_000;

/// Lines with each byte, and one of a megabyte, over a socket: the channel goes on, and no other is
/// left.
fn any(vm: &mut Vm) -> Result<()> {
    const OUT: &str = "/tmp/any";
    up(vm)?;
    let before = vm.held()?;
    // Its input ends once the last answer is there, or the command's time is over.
    vm.guest
        .start_for(
            &format!(
                "{{ for i in $(seq 0 255); do printf \"AT\\\\$(printf %03o $i)\\r\"; done; \
                 printf 'ATZ\\r'; head -c {ENDLESS} /dev/zero | tr '\\0' A; \
                 printf '\\rAT+CSQ\\r'; \
                 guest-tool until --file {OUT} \"grep -q '^+CSQ: 23,99' {OUT}\"; }} | \
                 socat - SOCKET-CONNECT:37:0:{ADDRESS},so-bindtodevice=cfvrt0 >{OUT}"
            ),
            200,
        )?
        .ok()?;
    // All comes back as an echo, and the line is refused as a whole.
    let echo = vm.guest.ok(&format!("tr -cd A <{OUT} | wc -c"))?;
    let echo: usize = echo.trim().parse()?;
    ensure!(echo >= ENDLESS, "{echo} bytes of it came back");
    let end = vm
        .guest
        .ok(&format!("tail -c 60 {OUT} | tr '\\r\\n' '  '"))?;
    ensure!(
        end.contains("AAA   ERROR  AT+CSQ   +CSQ: 23,99"),
        "the end is {end:?}"
    );
    vm.holds(&before)?;
    let out = vm
        .guest
        .ok("guest-tool at --device cfvrt0 AT AT+CGMI AT+CSQ")?;
    ensure!(out.matches("OK").count() == 3, "{out}");
    Ok(())
}

/// A network with messages that wait on the SIM.
const MESSAGES: &str = "\
[[message]]
from = '+15550100'
text = 'The meeting is at noon.'

[[message]]
from = '+15550101'
text = 'It is not.'
";

/// gammu identifies the modem, and lists the messages of the SIM.
fn messages(vm: &mut Vm) -> Result<()> {
    vm.unload_links()?;
    let file = vm.logs.join("messages.toml");
    fs::write(&file, MESSAGES)?;
    // The file of the option that is last.
    let arguments = vm.modems[0].arguments.clone();
    let file = file.to_string_lossy().into_owned();
    vm.modems[0].arguments.push(file);
    let restarted = vm.modems[0].stop().and_then(|()| vm.modems[0].restart());
    vm.modems[0].arguments = arguments;
    restarted?;
    up(vm)?;
    let (terminal, _) = Terminal::start(vm, 1, &format!("--pty {LINK}"))?;
    vm.guest.ok(&format!(
        "printf '%s\\n' '[gammu]' 'device = {LINK}' 'connection = at115200' >/tmp/gammurc"
    ))?;
    let gammu = "gammu -c /tmp/gammurc";
    let out = vm.guest.ok(&format!("{gammu} identify"))?;
    for (name, value) in [
        ("Manufacturer", "caif-stack"),
        ("IMEI", "004400152020000"),
        ("SIM IMSI", "00101"),
    ] {
        ensure!(
            out.lines()
                .any(|line| line.starts_with(name) && line.contains(value)),
            "no {name} {value}: {out}"
        );
    }
    let out = vm.guest.ok(&format!("{gammu} getallsms"))?;
    for says in [
        "Location 1, folder \"Inbox\"",
        "\"+15550100\"",
        "The meeting is at noon.",
        "It is not.",
        "2 SMS parts in 2 SMS sequences",
    ] {
        ensure!(out.contains(says), "no {says:?}: {out}");
    }
    terminal.end(vm, "TERM")
}
