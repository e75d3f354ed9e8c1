// SPDX-License-Identifier: GPL-2.0

//! A modem that takes nothing for a while: its link's ring and queue fill up. No packet may be lost
//! by that.

use std::{io, net::UdpSocket, os::fd::AsRawFd, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::Socket;

use super::{Args, OUT, SOON, channel, command, events, fails, now, open, receive};
use crate::{
    caif::{Service, get_option, set_option, set_option_of},
    pattern::{compare, payload},
};

/// More than a ring and a queue hold.
const MANY: u32 = 3000;
/// More than the queues of an interface and of a link hold.
const DATAGRAMS: u32 = 800;
/// More than all of that holds.
const BUFFER: i32 = 1 << 26;

fn huge_send_buffer(socket: &impl AsRawFd) -> io::Result<()> {
    set_option_of(
        socket.as_raw_fd(),
        libc::SOL_SOCKET,
        libc::SO_SNDBUFFORCE,
        &BUFFER.to_ne_bytes(),
    )
}

/// Packets that interfaces lost.
fn dropped() -> Result<u64> {
    let mut sum = 0;
    for interface in ["caif0", "cfvrt0"] {
        let path = format!("/sys/class/net/{interface}/statistics/tx_dropped");
        let count = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        sum += count.trim().parse::<u64>()?;
    }
    Ok(sum)
}

/// Sends until a call would wait. Returns the number of packets.
pub fn fill(socket: &Socket, payload: &[u8]) -> Result<u32> {
    for count in 0..MANY {
        match socket.send_with_flags(payload, libc::MSG_DONTWAIT) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(count),
            Err(error) => return Err(error).with_context(|| format!("packet {count}")),
        }
    }
    bail!("{MANY} packets were taken")
}

pub fn slow_link(_args: &Args) -> Result<()> {
    let before = dropped()?;
    let mut at = open(Service::At, true)?;
    let packets = open(Service::Util, false)?;
    let stream = open(Service::Util, true)?;
    let files = open(Service::Rfm, false)?;
    let idle = open(Service::Debug, false)?;
    let datagrams = UdpSocket::bind("0.0.0.0:0")?;
    huge_send_buffer(&datagrams)?;
    for socket in [&packets, &stream, &files] {
        huge_send_buffer(socket)?;
    }
    // RFM packets of one segment, and of several.
    let short = [0; 20];
    let mut long = [0; 9000];
    long[4..6].copy_from_slice(&8994_u16.to_le_bytes());
    for (socket, payload) in [(&stream, &short[..]), (&files, &long[..])] {
        command(&mut at, "AT*STALL=5000")?;
        fill(socket, payload)?;
        // All channels of the link are stopped, whichever filled it.
        for other in [&packets, &stream, &files, &idle] {
            let events = now(other)?;
            ensure!(events & OUT == 0, "events {events:#x}");
            fails(
                other.send_with_flags(&short, libc::MSG_DONTWAIT),
                libc::EAGAIN,
                "a full link",
            )?;
        }
        for _ in 0..DATAGRAMS {
            datagrams.send_to(&[0; 100], "10.9.1.1:9")?;
        }
        // Requests still get through, and the modem answers them once it can.
        let debug = channel(Service::Debug, false);
        let late = debug.socket()?;
        late.set_nonblocking(true)?;
        fails(
            late.connect(&debug.address()?),
            libc::EINPROGRESS,
            "a channel on a full link",
        )?;
        let begin = Instant::now();
        // A waiting sender continues when the modem does.
        idle.send(&short)?;
        events(socket, libc::POLLOUT)?;
        let late = events(&late, libc::POLLOUT)?;
        ensure!(late == OUT, "events {late:#x} of a late channel");
        ensure!(begin.elapsed() < SOON, "it took {:?}", begin.elapsed());
    }
    let after = dropped()?;
    ensure!(after == before, "{} packets were lost", after - before);
    Ok(())
}

/// Memory of the kernel that payloads take which the link's driver did not take yet.
fn sent_memory(socket: &Socket) -> Result<u32> {
    // The third number of what SO_MEMINFO gives, in linux/sock_diag.h.
    let memory = get_option(socket, libc::SOL_SOCKET, libc::SO_MEMINFO, 12)?;
    let memory = memory.last_chunk().context("no memory")?;
    Ok(u32::from_ne_bytes(*memory))
}

/// The modem takes nothing, and the payloads of one socket fill its send buffer, but not the link:
/// others can send.
pub fn full_send_buffer(_args: &Args) -> Result<()> {
    let mut at = open(Service::At, true)?;
    let filler = open(Service::Util, false)?;
    let idle = open(Service::Debug, false)?;
    huge_send_buffer(&filler)?;
    for (stream, by_poll) in [(false, true), (false, false), (true, true), (true, false)] {
        let socket = open(Service::Util, stream)?;
        // The kernel makes it as small as it allows.
        set_option(
            &socket,
            libc::SOL_SOCKET,
            libc::SO_SNDBUF,
            &1_i32.to_ne_bytes(),
        )?;
        command(&mut at, "AT*STALL=3000")?;
        // What is in the link's ring has left its socket; what comes after it waits.
        let mut count = 0;
        while sent_memory(&filler)? == 0 {
            filler.send(&[0; 20])?;
            count += 1;
            ensure!(count < MANY, "{count} packets were taken");
        }
        let mut sent = if stream {
            let all = payload(1, 100_000);
            let len = socket.send_with_flags(&all, libc::MSG_DONTWAIT)?;
            ensure!(
                (1..all.len()).contains(&len),
                "{len} of {} bytes were taken",
                all.len()
            );
            all[..len].to_vec()
        } else {
            let one = payload(1, 700);
            let count = fill(&socket, &one)?;
            ensure!(count > 0, "not one packet was taken");
            one.repeat(count as usize)
        };
        fails(
            socket.send_with_flags(b"x", libc::MSG_DONTWAIT),
            libc::EAGAIN,
            "a full send buffer",
        )?;
        let there = now(&socket)?;
        ensure!(there & OUT == 0, "events {there:#x} of a full send buffer");
        let others = now(&idle)?;
        ensure!(others == OUT, "events {others:#x} of another socket");
        // A timeout would end the wait as well.
        let begin = Instant::now();
        if by_poll {
            let there = events(&socket, libc::POLLOUT)?;
            ensure!(there & OUT == OUT, "events {there:#x} with room again");
        }
        ensure!(socket.send(b"the last")? == 8, "the last was cut");
        ensure!(begin.elapsed() < SOON, "it took {:?}", begin.elapsed());
        sent.extend_from_slice(b"the last");
        let mut got = Vec::new();
        while got.len() < sent.len() {
            got.extend(receive(&socket, 100_000, 0)?);
        }
        compare(&got, &sent).map_err(anyhow::Error::msg)?;
        while sent_memory(&filler)? > 0 {
            ensure!(begin.elapsed() < SOON, "the link does not go on");
        }
    }
    Ok(())
}
