// SPDX-License-Identifier: GPL-2.0

//! Checks the packets of streams by packet sockets, as tcpdump does.

use std::{
    net::IpAddr,
    os::fd::{AsRawFd, OwnedFd},
};

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt, socket,
    sockopt::RcvBufForce,
};

use crate::{
    failing::address,
    tcp::{self, Mode},
};

#[derive(clap::Args)]
pub struct Args {
    /// The link
    link: String,
    /// The IP interface over it
    interface: String,
    /// The modem
    address: IpAddr,
    /// Number of bytes, each way
    #[arg(long, default_value_t = 1_000_000)]
    bytes: u64,
}

/// Largest packet before segments are merged.
const MTU: usize = 1500;

/// Makes a socket that receives the packets of all interfaces, with a buffer of so many bytes.
pub fn listen(buffer: usize) -> nix::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::EthAll,
    )?;
    setsockopt(&socket, RcvBufForce, &buffer)?;
    Ok(socket)
}

struct Tap {
    socket: OwnedFd,
    index: usize,
}

impl Tap {
    fn new(interface: &str) -> Result<Self> {
        let socket = listen(64 << 20)?;
        let address = address(interface)?;
        bind(socket.as_raw_fd(), &address)?;
        Ok(Self {
            socket,
            index: address.ifindex(),
        })
    }

    /// Calls a function for each packet, with whether it was sent.
    fn packets(&self, mut f: impl FnMut(&[u8], bool) -> Result<()>) -> Result<()> {
        let mut bytes = vec![0; 1 << 17];
        loop {
            match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut bytes) {
                Ok((len, Some(from))) if from.ifindex() == self.index => {
                    f(
                        bytes.get(..len).unwrap_or_default(),
                        from.pkttype() == libc::PACKET_OUTGOING,
                    )?;
                }
                Ok(_) => {}
                Err(nix::Error::EAGAIN) => return Ok(()),
                Err(error) => return Err(error).context("receive"),
            }
        }
    }
}

pub fn run(args: &Args) -> Result<()> {
    // Sent frames are complete, with the check sequence of two zeroes.
    let tap = Tap::new(&args.link)?;
    tcp::run(&tcp::Args::once(Mode::Sink, args.address, args.bytes))?;
    let mut frames = 0;
    tap.packets(|frame, sent| {
        if sent {
            let [low, high, ..] = *frame else {
                anyhow::bail!("a frame of {} bytes", frame.len());
            };
            let length = usize::from(u16::from_le_bytes([low, high]));
            ensure!(
                frame.len() == length + 2 && frame.ends_with(&[0; 2]),
                "a frame of {} bytes and the length {length}",
                frame.len()
            );
            frames += 1;
        }
        Ok(())
    })?;
    drop(tap);
    let least = args.bytes / MTU as u64;
    ensure!(
        frames >= least,
        "{frames} frames instead of {least} and more"
    );

    // IP gets segments that arrive together as one packet.
    let tap = Tap::new(&args.interface)?;
    tcp::run(&tcp::Args::once(Mode::Source, args.address, args.bytes))?;
    let (mut packets, mut longest) = (0, 0);
    tap.packets(|packet, sent| {
        if !sent {
            packets += 1;
            longest = longest.max(packet.len());
        }
        Ok(())
    })?;
    println!("{frames} frames sent, {packets} packets received, the longest of {longest} bytes");
    ensure!(longest > MTU, "no segments were merged");
    Ok(())
}
