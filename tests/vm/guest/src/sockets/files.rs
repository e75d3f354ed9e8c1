// SPDX-License-Identifier: GPL-2.0

//! Channels of the remote file manager, whose packets may be longer than a frame. The modem returns
//! the segments as they come.

use std::io::Read;

use anyhow::{Result, ensure};

use super::{Args, ERR, HUP, IN, OUT, channel, events, fails, now, open, receive};
use crate::{
    caif::{Channel, Service},
    pattern::{compare, payload},
};

/// The longest packet: its header, and as many bytes as that can count.
const MAX: usize = 6 + 0xffff;

/// Returns a packet whose header counts the bytes behind it.
fn packet(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = payload(seed, len);
    bytes[4..6].copy_from_slice(&((len - 6) as u16).to_le_bytes());
    bytes
}

pub fn packets(_args: &Args) -> Result<()> {
    for volume in ["", "C:", "fifteen letters"] {
        let rfm = Channel {
            name: volume.to_owned(),
            connid: 9,
            ..channel(Service::Rfm, false)
        };
        let socket = rfm.socket()?;
        socket.connect(&rfm.address()?)?;
        ensure!(now(&socket)? == OUT, "events {:#x}", now(&socket)?);
        socket.send(&packet(1, 100))?;
        ensure!(
            receive(&socket, 200, 0)? == packet(1, 100),
            "volume {volume}"
        );
    }
    let refused = Channel {
        connid: 0xdead,
        ..channel(Service::Rfm, false)
    };
    fails(
        refused.socket()?.connect(&refused.address()?),
        libc::ECONNREFUSED,
        "a volume that is refused",
    )?;

    // Around the sizes at which a segment is added, and the longest of all.
    let socket = open(Service::Rfm, false)?;
    let edges = (1..4).flat_map(|n| (n * 4064..n * 4064 + 24).step_by(4));
    for len in [6, 7, 100, 2000]
        .into_iter()
        .chain(edges)
        .chain([30_000, MAX])
    {
        let bytes = packet(len as u64, len);
        ensure!(socket.send(&bytes)? == len, "sent another length");
        let got = receive(&socket, MAX + 1, 0)?;
        compare(&got, &bytes).map_err(|what| anyhow::anyhow!("{len} bytes: {what}"))?;
    }
    // Several that wait keep their order and boundaries.
    for len in [9000, 7, 5000, 10_000] {
        socket.send(&packet(len as u64, len))?;
    }
    for len in [9000, 7, 5000, 10_000] {
        events(&socket, libc::POLLIN)?;
        let look = receive(&socket, 1, libc::MSG_PEEK | libc::MSG_TRUNC)?.len();
        ensure!(look == len, "{look} of {len} bytes");
        let got = receive(&socket, MAX, 0)?;
        compare(&got, &packet(len as u64, len)).map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

pub fn stream(_args: &Args) -> Result<()> {
    let mut socket = open(Service::Rfm, true)?;
    for len in [100, 12_000] {
        let bytes = packet(3, len);
        ensure!(socket.send(&bytes)? == len, "sent in pieces");
        let (first, rest) = bytes.split_at(len / 3);
        let mut got = vec![0; first.len()];
        socket.read_exact(&mut got)?;
        compare(&got, first).map_err(anyhow::Error::msg)?;
        let mut got = vec![0; rest.len()];
        socket.read_exact(&mut got)?;
        compare(&got, rest).map_err(anyhow::Error::msg)?;
    }
    ensure!(socket.send(b"")? == 0, "no bytes");
    Ok(())
}

/// Packets that cannot be sent change nothing.
pub fn limits(_args: &Args) -> Result<()> {
    for stream in [false, true] {
        let socket = open(Service::Rfm, stream)?;
        fails(socket.send(b"short"), libc::EPROTO, "no complete header")?;
        fails(
            socket.send(&vec![0; MAX + 1]),
            libc::EMSGSIZE,
            "more than a packet",
        )?;
        // A send buffer accepts a larger packet once it has any room.
        socket.set_send_buffer_size(1)?;
        for _ in 0..3 {
            socket.send(&packet(4, 20_000))?;
            let mut got = Vec::new();
            while got.len() < 20_000 {
                got.extend(receive(&socket, MAX, 0)?);
            }
            compare(&got, &packet(4, 20_000)).map_err(anyhow::Error::msg)?;
        }
    }
    Ok(())
}

/// Segments that make up no packet end the channel, and no other one.
pub fn lies(_args: &Args) -> Result<()> {
    let other = open(Service::Rfm, false)?;
    for counted in [9_u16, 5000, 0xffff] {
        let socket = open(Service::Rfm, false)?;
        let mut bytes = payload(8, 10_000);
        bytes[4..6].copy_from_slice(&counted.to_le_bytes());
        // The first segment may come back, and end the channel, before the last one is sent.
        let sent = socket.send(&bytes).map_err(|error| error.raw_os_error());
        ensure!(
            matches!(sent, Ok(10_000) | Err(Some(libc::EPIPE))),
            "{sent:?}"
        );
        let events = events(&socket, libc::POLLRDHUP)?;
        ensure!(events == IN | OUT | HUP | ERR, "events {events:#x}");
        fails(receive(&socket, 99, 0), libc::ECONNRESET, "first")?;
        ensure!(receive(&socket, 99, 0)?.is_empty(), "not the end");
        // It can be connected again.
        let rfm = channel(Service::Rfm, false);
        socket.connect(&rfm.address()?)?;
        socket.send(&packet(2, 9000))?;
        ensure!(receive(&socket, MAX, 0)? == packet(2, 9000), "another");
    }
    other.send(&packet(2, 9000))?;
    ensure!(receive(&other, MAX, 0)? == packet(2, 9000), "of another");
    Ok(())
}
