// SPDX-License-Identifier: GPL-2.0

//! Connecting, with and without waiting, to modems that answer, refuse or are silent.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{Args, ERR, HUP, IN, OUT, channel, command, events, fails, now, open, receive};
use crate::{
    caif::{LINK_SELECT, SOL_CAIF, Service, set_option},
    pattern::{compare, payload},
};

pub fn blocking_connect(_args: &Args) -> Result<()> {
    for stream in [false, true] {
        let at = channel(Service::At, stream);
        let socket = at.socket()?;
        ensure!(now(&socket)? == 0, "events of a fresh socket");
        socket.connect(&at.address()?)?;
        ensure!(now(&socket)? == OUT, "events {:#x}", now(&socket)?);
        fails(
            socket.connect(&at.address()?),
            libc::EISCONN,
            "connected already",
        )?;
        socket.send(b"AT\r")?;
        events(&socket, libc::POLLIN)?;
        ensure!(now(&socket)? == OUT | IN, "events {:#x}", now(&socket)?);
    }
    Ok(())
}

pub fn connect_without_waiting(_args: &Args) -> Result<()> {
    for stream in [false, true] {
        let at = channel(Service::At, stream);
        let mut socket = at.socket()?;
        socket.set_nonblocking(true)?;
        fails(
            socket.connect(&at.address()?),
            libc::EINPROGRESS,
            "first call",
        )?;
        let events = events(&socket, libc::POLLOUT)?;
        ensure!(events == OUT, "events {events:#x}");
        ensure!(socket.take_error()?.is_none(), "an error");
        for _ in 0..2 {
            fails(socket.connect(&at.address()?), libc::EISCONN, "connected")?;
        }
        socket.set_nonblocking(false)?;
        socket.write_all(b"AT\r")?;
        socket.read_exact(&mut [0; 3])?;
    }
    // A socket that is closed at once leaves nothing behind.
    for _ in 0..20 {
        let at = channel(Service::At, false);
        let socket = at.socket()?;
        socket.set_nonblocking(true)?;
        fails(
            socket.connect(&at.address()?),
            libc::EINPROGRESS,
            "first call",
        )?;
    }
    Ok(())
}

pub fn refusal(_args: &Args) -> Result<()> {
    for stream in [false, true] {
        let mut refused = channel(Service::Datagram, stream);
        refused.connid = 0xdead;
        let mut good = channel(Service::DatagramLoop, stream);
        good.connid = 1;
        let socket = refused.socket()?;
        fails(
            socket.connect(&refused.address()?),
            libc::ECONNREFUSED,
            "blocking",
        )?;
        ensure!(socket.take_error()?.is_none(), "an error that was told");
        let events_now = now(&socket)?;
        ensure!(events_now == OUT | IN | HUP, "events {events_now:#x}");
        socket.set_nonblocking(true)?;
        fails(
            socket.connect(&refused.address()?),
            libc::EINPROGRESS,
            "once more",
        )?;
        let events = events(&socket, libc::POLLOUT)?;
        ensure!(events == OUT | IN | HUP | ERR, "events {events:#x}");
        let error = socket.take_error()?.and_then(|error| error.raw_os_error());
        ensure!(error == Some(libc::ECONNREFUSED), "error {error:?}");
        // A new attempt works like a first one.
        let mut other = channel(Service::DatagramLoop, stream).socket()?;
        other.set_nonblocking(true)?;
        fails(
            other.connect(&refused_loop()?),
            libc::EINPROGRESS,
            "refused loop",
        )?;
        super::events(&other, libc::POLLOUT)?;
        other.set_nonblocking(false)?;
        other.connect(&good.address()?)?;
        let want = payload(3, 100);
        other.write_all(&want)?;
        let mut got = [0; 100];
        other.read_exact(&mut got)?;
        compare(&got, &want).map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

fn refused_loop() -> Result<socket2::SockAddr> {
    let mut channel = channel(Service::DatagramLoop, false);
    channel.connid = 0xdead;
    Ok(channel.address()?)
}

/// A modem is silent until the harness finds the file.
pub fn late_answer(args: &Args) -> Result<()> {
    let at = channel(Service::At, false);
    let mut socket = at.socket()?;
    socket.set_write_timeout(Some(Duration::from_millis(300)))?;
    fails(
        socket.connect(&at.address()?),
        libc::ETIMEDOUT,
        "SO_SNDTIMEO",
    )?;
    ensure!(now(&socket)? == 0, "events while connecting");
    socket.set_nonblocking(true)?;
    fails(
        socket.connect(&at.address()?),
        libc::EALREADY,
        "second call",
    )?;
    fails(receive(&socket, 9, 0), libc::EAGAIN, "receiving")?;
    fails(
        set_option(&socket, SOL_CAIF, LINK_SELECT, &[0; 4]),
        libc::ENOPROTOOPT,
        "option while connecting",
    )?;
    // A cancelled request: its answer must not be taken for that of another one.
    drop(at.socket().and_then(|other| {
        other.set_nonblocking(true)?;
        let _ = other.connect(&at.address()?);
        Ok(other)
    })?);
    std::fs::write(args.ready.as_ref().context("--ready is missing")?, "")?;
    let events = events(&socket, libc::POLLOUT)?;
    ensure!(events == OUT, "events {events:#x}");
    fails(socket.connect(&at.address()?), libc::EISCONN, "late answer")?;
    socket.set_nonblocking(false)?;
    command(&mut socket, "AT")?;
    Ok(())
}

/// A modem never answers; the deadline is a second (`connect_timeout_ms`).
pub fn deadline(_args: &Args) -> Result<()> {
    let mut at = open(Service::At, true)?;
    command(&mut at, "AT*STALL=20000")?;
    for stream in [false, true] {
        let util = channel(Service::Util, stream);
        let waiting = util.socket()?;
        let begin = Instant::now();
        fails(
            waiting.connect(&util.address()?),
            libc::ETIMEDOUT,
            "with waiting",
        )?;
        let waited = begin.elapsed();
        ensure!(waited >= Duration::from_millis(990), "waited {waited:?}");
        ensure!(waiting.take_error()?.is_none(), "an error that was told");

        let socket = util.socket()?;
        socket.set_nonblocking(true)?;
        fails(
            socket.connect(&util.address()?),
            libc::EINPROGRESS,
            "first call",
        )?;
        fails(
            socket.connect(&util.address()?),
            libc::EALREADY,
            "second call",
        )?;
        // A packet may still be possible, bytes are not.
        let (error, received) = if stream {
            (libc::EPIPE, libc::EAGAIN)
        } else {
            (libc::EAGAIN, libc::EAGAIN)
        };
        fails(
            socket.send_with_flags(b"x", libc::MSG_NOSIGNAL),
            error,
            "sending",
        )?;
        fails(receive(&socket, 9, 0), received, "receiving")?;
        let events = events(&socket, libc::POLLOUT)?;
        ensure!(events == OUT | IN | HUP | ERR, "events {events:#x}");
        let error = socket.take_error()?.and_then(|error| error.raw_os_error());
        ensure!(error == Some(libc::ETIMEDOUT), "error {error:?}");
        // It can try again.
        fails(
            socket.connect(&util.address()?),
            libc::EINPROGRESS,
            "once more",
        )?;
    }
    Ok(())
}

/// The link goes down once the file was opened for writing.
pub fn link_lost(args: &Args) -> Result<()> {
    let packets = open(Service::At, false)?;
    let stream = open(Service::Util, true)?;
    let waiting = open(Service::Util, false)?;
    let waits = std::thread::spawn(move || receive(&waiting, 9, 0));
    std::fs::write(args.ready.as_ref().context("--ready is missing")?, "")?;
    for socket in [&packets, &stream] {
        let events = events(socket, libc::POLLRDHUP)?;
        ensure!(events == IN | OUT | HUP | ERR, "events {events:#x}");
    }
    fails(
        waits.join().expect("the receiver"),
        libc::ECONNRESET,
        "who waits",
    )?;
    fails(packets.send(b"x"), libc::ECONNRESET, "packet")?;
    fails(packets.send(b"x"), libc::EPIPE, "packet")?;
    fails(receive(&stream, 9, 0), libc::ECONNRESET, "receiving")?;
    fails(
        packets.connect(&channel(Service::At, false).address()?),
        libc::ENODEV,
        "no link",
    )?;
    Ok(())
}
