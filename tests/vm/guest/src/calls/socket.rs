// SPDX-License-Identifier: GPL-2.0

//! Calls on sockets.

use std::{
    io,
    mem::MaybeUninit,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{Words, bytes, done, signals, told};
use crate::{
    caif::{
        AF_CAIF, LINK_SELECT, REQ_PARAM, SOL_CAIF, get_option, ioctl, poll, raw_address, set_option,
    },
    unsafe_calls::receive_message,
};

/// Limit for expected events: the initial timeouts of a socket.
const SOON: Duration = Duration::from_secs(30);
const SOON_MS: i32 = 30_000;

const FLAGS: &[(&str, libc::c_int)] = &[
    ("dontwait", libc::MSG_DONTWAIT),
    ("nosignal", libc::MSG_NOSIGNAL),
    ("oob", libc::MSG_OOB),
    ("peek", libc::MSG_PEEK),
    ("trunc", libc::MSG_TRUNC),
    ("waitall", libc::MSG_WAITALL),
];

const EVENTS: &[(&str, i16)] = &[
    ("in", libc::POLLIN),
    ("rdnorm", libc::POLLRDNORM),
    ("out", libc::POLLOUT),
    ("wrnorm", libc::POLLWRNORM),
    ("wrband", libc::POLLWRBAND),
    ("err", libc::POLLERR),
    ("hup", libc::POLLHUP),
    ("rdhup", libc::POLLRDHUP),
];

fn named<T: Copy>(list: &[(&str, T)], word: &str) -> Result<T> {
    let found = list.iter().find(|(name, _)| *name == word);
    found
        .map(|(_, value)| *value)
        .with_context(|| format!("what is {word}?"))
}

/// Reads type and protocol of a socket.
fn kind(words: &mut Words) -> Result<(Type, Protocol)> {
    let kind = match words.word()?.as_str() {
        "stream" => Type::STREAM,
        "seqpacket" => Type::SEQPACKET,
        "dgram" => Type::DGRAM,
        "raw" => Type::RAW,
        other => bail!("no type {other}"),
    };
    let protocol = words.word()?;
    let known = ["at", "datagram", "loop", "util", "rfm", "debug"];
    let protocol = match known.iter().position(|name| *name == protocol) {
        Some(number) => number as i32,
        None => protocol.parse()?,
    };
    Ok((kind, Protocol::from(protocol)))
}

/// Makes a socket, with long timeouts.
pub(super) fn make(words: &mut Words) -> Result<io::Result<Socket>> {
    let (kind, protocol) = kind(words)?;
    let family = Domain::from(i32::from(AF_CAIF));
    Ok(
        Socket::new(family, kind, Some(protocol)).and_then(|socket| {
            socket.set_write_timeout(Some(SOON))?;
            socket.set_read_timeout(Some(SOON))?;
            Ok(socket)
        }),
    )
}

pub(super) fn pair(words: &mut Words) -> Result<io::Result<()>> {
    let (kind, protocol) = kind(words)?;
    let family = Domain::from(i32::from(AF_CAIF));
    Ok(Socket::pair(family, kind, Some(protocol)).map(drop))
}

/// Reads an address: a service, or any bytes.
fn address(words: &mut Words) -> Result<SockAddr> {
    let mut all = vec![0; 24];
    all[..2].copy_from_slice(&AF_CAIF.to_ne_bytes());
    let mut put = |at: usize, bytes: &[u8]| -> Result<()> {
        let room = all.get_mut(at..at + bytes.len()).context("too long")?;
        room.copy_from_slice(bytes);
        Ok(())
    };
    match words.word()?.as_str() {
        "at" => put(4, &[words.number()?])?,
        "datagram" => put(4, &words.number::<u32>()?.to_ne_bytes())?,
        "util" => put(4, &bytes::read(&words.word()?)?)?,
        "rfm" => {
            put(4, &words.number::<u32>()?.to_ne_bytes())?;
            put(8, &bytes::read(&words.word()?)?)?;
        }
        "debug" => put(4, &[words.number()?, words.number()?])?,
        "family" => {
            let family: u16 = words.number()?;
            put(0, &family.to_ne_bytes())?;
        }
        "long" => all.resize(words.number()?, 0),
        other => bail!("no address {other}"),
    }
    Ok(raw_address(&all))
}

fn flags(words: &mut Words) -> Result<libc::c_int> {
    words.try_fold(0, |flags, word| Ok(flags | named(FLAGS, &word)?))
}

/// Makes a call.
pub(super) fn call(socket: &Socket, verb: &str, words: &mut Words) -> Result<String> {
    let result = match verb {
        "connect" => done(socket.connect(&address(words)?)),
        "nonblock" => done(socket.set_nonblocking(words.word()? == "on")),
        "bind" => done(socket.bind(&address(words)?)),
        "listen" => done(socket.listen(1)),
        "accept" => done(socket.accept().map(drop)),
        "shutdown" => done(socket.shutdown(std::net::Shutdown::Both)),
        "getsockname" => done(socket.local_addr().map(drop)),
        "getpeername" => done(socket.peer_addr().map(drop)),
        "ioctl" => done(ioctl(socket, words.number::<u32>()? as libc::Ioctl)),
        "send" => {
            let payload = bytes::read(&words.word()?)?;
            signalled(told(socket.send_with_flags(&payload, flags(words)?)))
        }
        "sendto" => {
            let payload = bytes::read(&words.word()?)?;
            signalled(told(socket.send_to(&payload, &address(words)?)))
        }
        "recv" => receive(socket, words.number()?, flags(words)?),
        "at" => dialogue(socket, &words.word()?)?,
        "fill" => fill(socket, words)?,
        "poll" => events(socket)?,
        "await" => {
            let wanted = words.try_fold(0, |all, word| {
                Ok::<_, anyhow::Error>(all | named(EVENTS, &word)?)
            })?;
            let begin = Instant::now();
            // A socket that was shut down has events that were not requested.
            while poll(socket, wanted, SOON_MS)? & wanted == 0 {
                ensure!(begin.elapsed() < SOON, "only {} came", events(socket)?);
            }
            events(socket)?
        }
        "set" => set(socket, words)?,
        "get" => get(socket, words)?,
        other => bail!("no call {other}"),
    };
    Ok(result)
}

fn signalled(result: String) -> String {
    if signals::was_raised() {
        result + " SIGPIPE"
    } else {
        result
    }
}

fn receive(socket: &Socket, room: usize, flags: libc::c_int) -> String {
    let mut buffer = vec![0; room];
    told(receive_message(socket, &mut buffer, flags).map(|got| {
        buffer.truncate(got.len);
        let mut text = bytes::show(&buffer);
        // With MSG_TRUNC the length may be larger than the buffer.
        if got.len > room {
            text = format!("{}, of it {text}", got.len);
        }
        if got.flags & libc::MSG_TRUNC != 0 {
            text += ", cut";
        }
        for (what, len) in [("address", got.name_len), ("control data", got.control_len)] {
            if len > 0 {
                text += &format!(", {what} of {len} bytes");
            }
        }
        text
    }))
}

#[expect(unsafe_code, reason = "what the kernel wrote")]
fn written(byte: &MaybeUninit<u8>) -> u8 {
    // SAFETY: The buffer had values from the beginning.
    unsafe { byte.assume_init() }
}

/// Sends a command, and returns all up to the final result code.
fn dialogue(socket: &Socket, word: &str) -> Result<String> {
    let mut command = bytes::read(word)?;
    command.push(b'\r');
    socket.send(&command)?;
    let mut text = Vec::new();
    while !text.ends_with(b"OK\r\n") && !text.ends_with(b"ERROR\r\n") {
        let mut buffer = [MaybeUninit::new(0); 1500];
        let len = socket.recv(&mut buffer)?;
        ensure!(len > 0, "the end after {}", text.escape_ascii());
        text.extend(buffer.iter().take(len).map(written));
    }
    Ok(bytes::show(&text))
}

/// Sends payloads to a channel that returns them, each after the one before has come back.
fn fill(socket: &Socket, words: &mut Words) -> Result<String> {
    // The first element of what SO_MEMINFO gives, in linux/sock_diag.h.
    let received = || -> io::Result<Vec<u8>> {
        let mut info = get_option(socket, libc::SOL_SOCKET, libc::SO_MEMINFO, 4)?;
        info.truncate(4);
        Ok(info)
    };
    let count: u64 = words.number()?;
    let payload = bytes::read(&words.word()?)?;
    for number in 0..count {
        let before = received()?;
        if let Err(error) = socket.send(&payload) {
            return Ok(format!("{number}, then {}", done(Err(error))));
        }
        let begin = Instant::now();
        while received()? == before {
            ensure!(begin.elapsed() < SOON, "payload {number} does not come");
        }
    }
    Ok(count.to_string())
}

/// Returns the present events.
fn events(socket: &Socket) -> Result<String> {
    let all = EVENTS.iter().fold(0, |all, (_, event)| all | event);
    let there = poll(socket, all, 0)?;
    let names: Vec<_> = EVENTS
        .iter()
        .filter(|(_, event)| there & event != 0)
        .map(|(name, _)| *name)
        .collect();
    Ok(match names.as_slice() {
        [] => "none".to_owned(),
        names => names.join(" "),
    })
}

fn set(socket: &Socket, words: &mut Words) -> Result<String> {
    let option = words.word()?;
    let limit = |words: &mut Words| Ok::<_, anyhow::Error>(Duration::from_millis(words.number()?));
    let (level, name) = match option.as_str() {
        "sndtimeo" => return Ok(done(socket.set_write_timeout(Some(limit(words)?)))),
        "rcvtimeo" => return Ok(done(socket.set_read_timeout(Some(limit(words)?)))),
        "device" => return Ok(done(socket.bind_device(Some(words.word()?.as_bytes())))),
        "any-device" => return Ok(done(socket.bind_device(None))),
        "req-param" => (SOL_CAIF, REQ_PARAM),
        "option" => (words.number()?, words.number()?),
        "priority" => (libc::SOL_SOCKET, libc::SO_PRIORITY),
        "rcvbuf" => (libc::SOL_SOCKET, libc::SO_RCVBUF),
        "sndbuf" => (libc::SOL_SOCKET, libc::SO_SNDBUF),
        "rcvlowat" => (libc::SOL_SOCKET, libc::SO_RCVLOWAT),
        "link-select" => (SOL_CAIF, LINK_SELECT),
        other => bail!("no option {other}"),
    };
    let value = if matches!(option.as_str(), "req-param" | "option") {
        bytes::read(&words.word()?)?
    } else {
        words.number::<i32>()?.to_ne_bytes().to_vec()
    };
    Ok(done(set_option(socket, level, name, &value)))
}

fn get(socket: &Socket, words: &mut Words) -> Result<String> {
    let (level, name, room) = match words.word()?.as_str() {
        "error" => (libc::SOL_SOCKET, libc::SO_ERROR, 4),
        "type" => (libc::SOL_SOCKET, libc::SO_TYPE, 4),
        "protocol" => (libc::SOL_SOCKET, libc::SO_PROTOCOL, 4),
        "domain" => (libc::SOL_SOCKET, libc::SO_DOMAIN, 4),
        "priority" => (libc::SOL_SOCKET, libc::SO_PRIORITY, 4),
        "option" => (words.number()?, words.number()?, words.number()?),
        other => bail!("no option {other}"),
    };
    let value = get_option(socket, level, name, room);
    if level != libc::SOL_SOCKET {
        return Ok(told(value.map(|value| bytes::show(&value))));
    }
    Ok(told(value.and_then(|value| {
        let value = value.as_slice().try_into().map_err(io::Error::other)?;
        Ok(i32::from_ne_bytes(value))
    })))
}
