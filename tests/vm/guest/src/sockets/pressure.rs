// SPDX-License-Identifier: GPL-2.0

//! A modem that takes nothing for a while: its link's ring and queue fill up. No packet may be lost
//! by that.

use std::{io, net::UdpSocket, os::fd::AsRawFd, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::Socket;

use super::{Args, SOON, channel, command, events, fails, now, open};
use crate::caif::{Service, set_option_of};

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
            ensure!(events & super::OUT == 0, "events {events:#x}");
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
        ensure!(late == super::OUT, "events {late:#x} of a late channel");
        ensure!(begin.elapsed() < SOON, "it took {:?}", begin.elapsed());
    }
    let after = dropped()?;
    ensure!(after == before, "{} packets were lost", after - before);
    Ok(())
}
