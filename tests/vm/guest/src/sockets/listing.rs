// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/caif` has a line for each channel, with its present state.

use std::{fs, os::fd::AsRawFd, time::Instant};

use anyhow::{Context, Result, ensure};
use socket2::Socket;

use super::{Args, SOON, channel, command, fails, open, pressure::fill, receive};
use crate::{
    caif::{Channel, Service},
    pattern::payload,
};

const TITLES: [&str; 9] = [
    "link",
    "id",
    "service",
    "connection",
    "name",
    "state",
    "tx",
    "rx",
    "owner",
];

/// Returns the lines by their fields, without that of the titles.
fn lines() -> Result<Vec<Vec<String>>> {
    let text = fs::read_to_string("/proc/net/caif")?;
    let mut lines = text
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect());
    let titles: Vec<_> = lines.next().context("nothing")?;
    ensure!(titles == TITLES, "{titles:?}");
    let lines: Vec<Vec<_>> = lines.collect();
    let wrong = lines.iter().find(|line| line.len() != TITLES.len());
    ensure!(wrong.is_none(), "{wrong:?}");
    Ok(lines)
}

/// Returns how the file calls a socket.
fn name(socket: &Socket) -> Result<String> {
    let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd()))?;
    Ok(link.to_string_lossy().into_owned())
}

/// Returns the line of an owner, which has one.
fn line_of(owner: &str) -> Result<Vec<String>> {
    let lines = lines()?;
    let mut own = lines.iter().filter(|line| line[8] == owner);
    let line = own.next().with_context(|| format!("no {owner}: {lines:?}"));
    ensure!(own.next().is_none(), "two lines of {owner}: {lines:?}");
    line.cloned()
}

/// Checks the line of an owner. `#` stands for any link id.
fn is(owner: &str, want: &str) -> Result<()> {
    let mut line = line_of(owner)?;
    if (1..=255).contains(&line[1].parse().unwrap_or(0)) {
        "#".clone_into(&mut line[1]);
    }
    line.pop();
    let line = line.join(" ");
    ensure!(line == want, "{owner} has {line:?}, not {want:?}");
    Ok(())
}

/// Waits until the line of an owner is as wanted. The file has no event for a change.
fn becomes(owner: &str, want: &str) -> Result<()> {
    let begin = Instant::now();
    loop {
        match is(owner, want) {
            Err(error) if begin.elapsed() > SOON => return Err(error),
            Err(_) => std::thread::yield_now(),
            Ok(()) => return Ok(()),
        }
    }
}

pub fn listing(_args: &Args) -> Result<()> {
    let mut at = open(Service::At, true)?;
    let util = open(Service::Util, false)?;
    let datagrams = open(Service::DatagramLoop, false)?;
    let rfm = Channel {
        connid: u32::MAX,
        name: "a b\\".to_owned(),
        ..channel(Service::Rfm, false)
    };
    let rfm = rfm.connect(SOON)?;
    let debug = open(Service::Debug, false)?;
    let wants = [
        (&at, "cfvrt0 # at - - open on on"),
        (&util, "cfvrt0 # util - loop open on on"),
        (&datagrams, "cfvrt0 # datagram_loop 1 - open on on"),
        (&rfm, "cfvrt0 # rfm 4294967295 a\\040b\\134 open on on"),
        (&debug, "cfvrt0 # debug - - open on on"),
    ];
    for (socket, want) in wants {
        is(&name(socket)?, want)?;
    }
    is("caif0", "cfvrt0 # datagram 1 - open on on")?;
    let lines = lines()?;
    ensure!(lines.len() == wants.len() + 1, "{lines:?}");
    for line in &lines {
        let same = lines.iter().filter(|other| other[1] == line[1]);
        ensure!(same.count() == 1, "an id twice: {lines:?}");
    }

    let own = name(&util)?;
    command(&mut at, "AT*FLOW=3000")?;
    becomes(&own, "cfvrt0 # util - loop open off:modem on")?;
    becomes(&own, "cfvrt0 # util - loop open on on")?;
    stop_the_modem(&own, &util)?;
    full_link(&mut at, &util)?;

    drop(debug);
    let others = [name(&at)?, name(&util)?, name(&datagrams)?, name(&rfm)?];
    drop((at, util, datagrams, rfm));
    for socket in &others {
        ensure!(line_of(socket).is_err(), "{socket} was closed");
    }
    let lines = self::lines()?;
    ensure!(lines.len() == 1, "{lines:?}");
    is("caif0", "cfvrt0 # datagram 1 - open on on")
}

/// A socket that is not read stops the modem until it is.
fn stop_the_modem(own: &str, util: &Socket) -> Result<()> {
    util.set_recv_buffer_size(5000)?;
    let begin = Instant::now();
    let mut count = 0;
    while is(own, "cfvrt0 # util - loop open on off").is_err() {
        // The modem takes none that it could not return.
        if util
            .send_with_flags(&payload(count, 700), libc::MSG_DONTWAIT)
            .is_ok()
        {
            count += 1;
        }
        ensure!(begin.elapsed() < SOON, "{count} payloads do not fill it");
    }
    for _ in 0..count {
        receive(util, 1500, 0)?;
    }
    becomes(own, "cfvrt0 # util - loop open on on")
}

/// A link that is full stops its channels, and the modem answers no request for another one.
fn full_link(at: &mut Socket, util: &Socket) -> Result<()> {
    let own = name(at)?;
    command(at, "AT*STALL=3000")?;
    fill(util, b"x")?;
    is(&own, "cfvrt0 # at - - open off:link on")?;
    let mut late = channel(Service::Util, false);
    late.name = "-".to_owned();
    let socket = late.socket()?;
    socket.set_nonblocking(true)?;
    fails(socket.connect(&late.address()?), libc::EINPROGRESS, "late")?;
    let late = name(&socket)?;
    is(&late, "cfvrt0 - util - \\055 connecting - -")?;
    drop(socket);
    ensure!(line_of(&late).is_err(), "{late} was closed");
    becomes(&own, "cfvrt0 # at - - open on on")
}

/// The modem still has a channel whose LINK_DESTROY could not be sent. The link's queue has room for
/// one packet.
pub fn closing(_args: &Args) -> Result<()> {
    let mut at = open(Service::At, true)?;
    let utils: Vec<_> = (0..4)
        .map(|_| open(Service::Util, false))
        .collect::<Result<_>>()?;
    let mut ids = Vec::new();
    for util in &utils {
        ids.push(line_of(&name(util)?)?[1].clone());
    }
    command(&mut at, "AT*STALL=3000")?;
    fill(&utils[0], b"x")?;
    drop(utils);
    let closing = |lines: &[Vec<String>]| {
        let lines = lines.iter().filter(|line| line[5] == "closing");
        lines.cloned().collect::<Vec<_>>()
    };
    let begin = Instant::now();
    let found = closing(&lines()?);
    ensure!(!found.is_empty(), "no LINK_DESTROY is owed");
    for line in &found {
        let rest = [&line[..1], &line[2..]].concat().join(" ");
        ensure!(
            ids.contains(&line[1]) && rest == "cfvrt0 - - - closing - - -",
            "{line:?}, ids {ids:?}"
        );
    }
    while !closing(&lines()?).is_empty() {
        ensure!(begin.elapsed() < SOON, "{:?}", lines()?);
    }
    command(&mut at, "AT")?;
    Ok(())
}
