// SPDX-License-Identifier: GPL-2.0

//! Sending and receiving, flow control, and the end of a channel.

use std::{
    fs,
    io::{self, Read, Write},
    mem::MaybeUninit,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{Args, ERR, HUP, IN, OUT, SOON, channel, command, events, fails, now, open, receive};
use crate::{
    caif::{Channel, REQ_PARAM, RSP_PARAM, SOL_CAIF, Service, get_option, set_option},
    pattern::{compare, payload},
    unsafe_calls::{
        attach_filter, get_option_to_nowhere, map, receive_to_nowhere, send_from_nowhere,
        set_option_from_nowhere,
    },
};

pub fn unconnected(_args: &Args) -> Result<()> {
    let packets = channel(Service::At, false).socket()?;
    fails(packets.send(b"x"), libc::EPIPE, "packet")?;
    fails(receive(&packets, 9, 0), libc::ENOTCONN, "receiving")?;
    packets.set_nonblocking(true)?;
    fails(packets.send(b"x"), libc::EPIPE, "packet without waiting")?;
    fails(
        receive(&packets, 9, 0),
        libc::EAGAIN,
        "receiving without waiting",
    )?;
    let stream = channel(Service::At, true).socket()?;
    for nonblocking in [false, true] {
        stream.set_nonblocking(nonblocking)?;
        fails(
            stream.send_with_flags(b"x", libc::MSG_NOSIGNAL),
            libc::EPIPE,
            "bytes",
        )?;
        fails(receive(&stream, 9, 0), libc::EPIPE, "receiving bytes")?;
        ensure!(stream.send(b"")? == 0, "no bytes");
    }
    Ok(())
}

pub fn packets(_args: &Args) -> Result<()> {
    let socket = open(Service::DatagramLoop, false)?;
    let send = |len: usize| -> Result<Vec<u8>> {
        let bytes = payload(len as u64, len);
        ensure!(socket.send(&bytes)? == len, "sent another length");
        events(&socket, libc::POLLIN)?;
        Ok(bytes)
    };
    for len in [0, 1, 2, 100, 1499, 1500] {
        let bytes = send(len)?;
        ensure!(receive(&socket, 2000, 0)? == bytes, "{len} bytes");
    }
    for len in [1501, 4000] {
        fails(
            socket.send(&vec![0; len]),
            libc::EMSGSIZE,
            "more than a datagram",
        )?;
    }
    let bytes = send(100)?;
    for _ in 0..2 {
        ensure!(
            receive(&socket, 10, libc::MSG_PEEK)? == bytes[..10],
            "a look at it"
        );
    }
    let len = receive(&socket, 10, libc::MSG_PEEK | libc::MSG_TRUNC)?.len();
    ensure!(len == 100, "its length is {len}");
    let mut buffer = [MaybeUninit::zeroed(); 10];
    let (len, flags) = socket.recv_vectored(&mut [socket2::MaybeUninitSlice::new(&mut buffer)])?;
    ensure!(len == 10 && flags.is_truncated(), "a part of it");
    // The bytes that did not fit are gone.
    fails(
        receive(&socket, 10, libc::MSG_DONTWAIT),
        libc::EAGAIN,
        "the rest",
    )?;
    let bytes = send(7)?;
    ensure!(receive(&socket, 0, 0)?.is_empty(), "nothing of it");
    let _ = bytes;
    fails(
        receive(&socket, 10, libc::MSG_DONTWAIT),
        libc::EAGAIN,
        "the rest",
    )?;
    // Many at once keep their order and boundaries.
    let sent: Vec<_> = (1..40)
        .map(|len| {
            let bytes = payload(len, len as usize * 7);
            socket.send(&bytes).map(|_| bytes)
        })
        .collect::<io::Result<_>>()?;
    for want in sent {
        ensure!(receive(&socket, 2000, 0)? == want, "one of many");
    }
    Ok(())
}

/// Filters see payloads, drop them or cut them.
pub fn filter(_args: &Args) -> Result<()> {
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let give = |len| step(0x06, 0, 0, len);
    for stream in [false, true] {
        let socket = open(Service::Util, stream)?;
        // Payloads that begin with a k.
        let mut keep = [
            step(0x30, 0, 0, 0),
            step(0x15, 0, 1, b'k'.into()),
            give(0xffff),
            give(0),
        ];
        attach_filter(&socket, &mut keep)?;
        socket.send(b"drop me")?;
        socket.send(b"keep me")?;
        ensure!(receive(&socket, 99, 0)? == b"keep me", "another payload");
        attach_filter(&socket, &mut [give(5)])?;
        socket.send(b"0123456789")?;
        ensure!(receive(&socket, 99, 0)? == b"01234", "not cut");
    }
    // Also of a packet that came in segments.
    let socket = open(Service::Rfm, false)?;
    let mut packet = payload(1, 9000);
    packet[4..6].copy_from_slice(&8994_u16.to_le_bytes());
    attach_filter(&socket, &mut [give(5000)])?;
    socket.send(&packet)?;
    ensure!(receive(&socket, 9999, 0)? == packet[..5000], "not cut");
    Ok(())
}

/// Invalid addresses of memory change nothing.
pub fn nowhere(_args: &Args) -> Result<()> {
    for (service, stream) in [
        (Service::Util, false),
        (Service::Util, true),
        (Service::Rfm, false),
    ] {
        let socket = open(service, stream)?;
        fails(send_from_nowhere(&socket), libc::EFAULT, "sending")?;
        socket.send(b"hello.")?;
        events(&socket, libc::POLLIN)?;
        fails(receive_to_nowhere(&socket), libc::EFAULT, "receiving")?;
        socket.send(b"again.")?;
        let got = receive(&socket, 6, 0)?;
        // A packet is lost, bytes are not.
        let want = if stream { b"hello." } else { b"again." };
        ensure!(got == want, "{got:?}");
        fails(map(&socket), libc::ENODEV, "mmap")?;
        for (name, error) in [(REQ_PARAM, libc::ENOPROTOOPT), (127, libc::ENOPROTOOPT)] {
            fails(
                set_option_from_nowhere(&socket, SOL_CAIF, name),
                error,
                "an option of a connected socket",
            )?;
        }
    }
    let util = channel(Service::Util, false).socket()?;
    set_option(&util, SOL_CAIF, REQ_PARAM, b"0123456789")?;
    for name in [REQ_PARAM, 127] {
        fails(
            set_option_from_nowhere(&util, SOL_CAIF, name),
            libc::EINVAL,
            "an option",
        )?;
    }
    let mut parameters = channel(Service::Util, false);
    parameters.name = "parameters".to_owned();
    util.connect(&parameters.address()?)?;
    let answer = get_option(&util, SOL_CAIF, RSP_PARAM, 99)?;
    ensure!(answer == b"0123456789", "{answer:?} after a refused option");
    fails(
        get_option_to_nowhere(&util, SOL_CAIF, RSP_PARAM),
        libc::EFAULT,
        "what the service answered",
    )?;
    Ok(())
}

pub fn stream(_args: &Args) -> Result<()> {
    let mut socket = open(Service::Util, true)?;
    let want = payload(5, 30_000);
    let mut writer = socket.try_clone()?;
    let copy = want.clone();
    let sender = std::thread::spawn(move || writer.write_all(&copy));
    let mut got = vec![0; want.len()];
    socket.read_exact(&mut got)?;
    sender.join().expect("the sender")?;
    compare(&got, &want).map_err(anyhow::Error::msg)?;

    // Boundaries of payloads do not matter, and MSG_PEEK takes nothing.
    socket.write_all(b"one")?;
    socket.write_all(b"two")?;
    let begin = Instant::now();
    while receive(&socket, 9, libc::MSG_PEEK)? != b"one" {
        ensure!(begin.elapsed() < SOON, "another payload");
    }
    ensure!(receive(&socket, 2, 0)? == b"on", "a part");
    ensure!(receive(&socket, 9, libc::MSG_PEEK)? == b"e", "a look");
    ensure!(receive(&socket, 4, libc::MSG_WAITALL)? == b"etwo", "all");
    // SO_RCVLOWAT.
    set_option(
        &socket,
        libc::SOL_SOCKET,
        libc::SO_RCVLOWAT,
        &4_i32.to_ne_bytes(),
    )?;
    socket.write_all(b"ab")?;
    // The rest comes once the reader sleeps, since two bytes are too few. Nothing tells that
    // it does.
    let stat = Path::new("/proc").join(fs::read_link("/proc/thread-self")?);
    let stat = stat.join("stat");
    let mut writer = socket.try_clone()?;
    let sender = std::thread::spawn(move || {
        while !fs::read_to_string(&stat)?.contains(") S ") {
            std::thread::yield_now();
        }
        writer.write_all(b"cdef")
    });
    let got = receive(&socket, 100, 0)?;
    sender.join().expect("the sender")?;
    ensure!(got == b"abcdef", "{got:?}");
    fails(
        receive(&socket, 9, libc::MSG_DONTWAIT),
        libc::EAGAIN,
        "nothing more",
    )
}

pub fn timeouts(_args: &Args) -> Result<()> {
    for stream in [false, true] {
        let socket = open(Service::Util, stream)?;
        socket.set_read_timeout(Some(Duration::from_millis(300)))?;
        let begin = Instant::now();
        fails(receive(&socket, 9, 0), libc::EAGAIN, "SO_RCVTIMEO")?;
        let waited = begin.elapsed();
        // There is no upper limit, since the machine is emulated.
        ensure!(waited >= Duration::from_millis(290), "waited {waited:?}");
    }
    Ok(())
}

pub fn utility(_args: &Args) -> Result<()> {
    // A name of full length has no NUL.
    for name in ["", "loop", "sixteen letters!"] {
        let util = Channel {
            name: name.to_owned(),
            ..channel(Service::Util, false)
        };
        let socket = util.socket()?;
        set_option(&socket, SOL_CAIF, REQ_PARAM, b"parameters")?;
        socket.connect(&util.address()?)?;
        // This modem appends nothing.
        ensure!(
            get_option(&socket, SOL_CAIF, RSP_PARAM, 300)?.is_empty(),
            "an answer of the service"
        );
        socket.send(b"hello")?;
        ensure!(receive(&socket, 9, 0)? == b"hello", "another payload");
    }
    let util = channel(Service::Util, false);
    let socket = util.socket()?;
    set_option(&socket, SOL_CAIF, REQ_PARAM, &[7; 256])?;
    fails(
        socket.connect(&util.address()?),
        libc::EINVAL,
        "more parameters than can be said",
    )
}

pub fn remote_shutdown(_args: &Args) -> Result<()> {
    for stream in [false, true] {
        let socket = open(Service::Util, stream)?;
        socket.send(b"last words")?;
        socket.send(b"shutdown")?;
        let events = events(&socket, libc::POLLRDHUP)?;
        ensure!(events == IN | OUT | HUP | ERR, "events {events:#x}");
        if stream {
            // Earlier payloads are received first.
            ensure!(receive(&socket, 99, 0)? == b"last words", "the last words");
            fails(receive(&socket, 99, 0), libc::ECONNRESET, "first")?;
            fails(receive(&socket, 99, 0), libc::ECONNRESET, "second")?;
            fails(
                socket.send_with_flags(b"x", libc::MSG_NOSIGNAL),
                libc::EPIPE,
                "bytes",
            )?;
        } else {
            fails(receive(&socket, 99, 0), libc::ECONNRESET, "first")?;
            ensure!(receive(&socket, 99, 0)? == b"last words", "the last words");
            for flags in [0, libc::MSG_DONTWAIT] {
                ensure!(receive(&socket, 99, flags)?.is_empty(), "not the end");
            }
            fails(socket.send(b"x"), libc::EPIPE, "packet")?;
        }
        let events = now(&socket)?;
        ensure!(events == IN | OUT | HUP, "events afterwards {events:#x}");
        // It can be connected again.
        let mut util = channel(Service::Util, stream);
        util.name = "loop".to_owned();
        socket.connect(&util.address()?)?;
        ensure!(now(&socket)? == OUT, "events {:#x}", now(&socket)?);
        socket.send(b"again")?;
        ensure!(receive(&socket, 99, 0)? == b"again", "another payload");
    }
    Ok(())
}

pub fn modem_stops_us(_args: &Args) -> Result<()> {
    let mut at = open(Service::At, false)?;
    for (stream, service) in [
        (false, Service::Util),
        (true, Service::Util),
        (false, Service::DatagramLoop),
    ] {
        let socket = open(service, stream)?;
        let text = command(&mut at, "AT*FLOW=20000")?;
        let begin = Instant::now();
        while now(&socket)? & libc::POLLOUT != 0 {
            ensure!(begin.elapsed() < SOON, "flow is not off: {text}");
        }
        fails(
            socket.send_with_flags(b"x", libc::MSG_DONTWAIT),
            libc::EAGAIN,
            "send while flow is off",
        )?;
        socket.set_write_timeout(Some(Duration::from_millis(200)))?;
        fails(socket.send(b"x"), libc::EAGAIN, "SO_SNDTIMEO")?;
        socket.set_write_timeout(Some(SOON))?;
        // For that long from now on.
        command(&mut at, "AT*FLOW=500")?;
        socket.send(b"y")?;
        ensure!(now(&socket)? & libc::POLLOUT != 0, "flow is not on");
        let got = receive(&socket, 9, 0)?;
        ensure!(got == b"y", "{got:?}");
        let text = command(&mut at, "AT*FLOW?")?;
        ensure!(text.contains("*FLOW: 0,0"), "sent in spite of it: {text}");
    }
    Ok(())
}

/// Fills the receive buffer, so that the modem gets flow-off, and empties it again: all payloads
/// come, in order.
pub fn we_stop_the_modem(_args: &Args) -> Result<()> {
    let mut at = open(Service::At, false)?;
    for service in [Service::Util, Service::DatagramLoop] {
        let socket = open(service, false)?;
        socket.set_recv_buffer_size(20_000)?;
        let limit = socket.recv_buffer_size()? as u32;
        let mut count = 0_u64;
        let mut waiting = 0;
        while waiting < limit {
            socket.send(&payload(count, 700))?;
            count += 1;
            let before = waiting;
            let begin = Instant::now();
            while waiting == before {
                waiting = received_memory(&socket)?;
                ensure!(begin.elapsed() < SOON, "payload {count} does not come back");
            }
        }
        // The modem has handled the flow message before it answers this.
        command(&mut at, "AT")?;
        for number in count..count + 40 {
            socket.send(&payload(number, 700))?;
        }
        count += 40;
        command(&mut at, "AT")?;
        let waits = received_memory(&socket)?;
        ensure!(waits == waiting, "{waits} bytes wait, {waiting} did");
        for number in 0..count {
            let got = receive(&socket, 1500, 0).with_context(|| format!("payload {number}"))?;
            compare(&got, &payload(number, 700))
                .map_err(|what| anyhow::anyhow!("payload {number}: {what}"))?;
        }
    }
    Ok(())
}

/// Returns the bytes of kernel memory that received payloads take.
fn received_memory(socket: &socket2::Socket) -> Result<u32> {
    const SO_MEMINFO: libc::c_int = 55;
    let memory = get_option(socket, libc::SOL_SOCKET, SO_MEMINFO, 4)?;
    let memory = memory.first_chunk().context("no memory")?;
    Ok(u32::from_ne_bytes(*memory))
}

pub fn many(_args: &Args) -> Result<()> {
    let sockets: Vec<_> = (0..40)
        .map(|_| open(Service::Util, false))
        .collect::<Result<_>>()?;
    for (number, socket) in sockets.iter().enumerate() {
        socket.send(&payload(number as u64, 300))?;
    }
    for (number, socket) in sockets.iter().enumerate() {
        let got = receive(socket, 1500, 0)?;
        compare(&got, &payload(number as u64, 300)).map_err(anyhow::Error::msg)?;
    }
    // Closed with unread payloads.
    for socket in &sockets {
        socket.send(&payload(1, 100))?;
    }
    Ok(())
}
