// SPDX-License-Identifier: GPL-2.0

//! Measures the speed of the modem's services over any link.

use std::{
    net::{IpAddr, Ipv4Addr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;

use crate::{
    pattern::{compare, payload},
    ping,
    tcp::{self, Mode, mbits},
};

/// Bytes of a datagram, whose packet with headers has 1500.
const DATAGRAM: usize = 1472;
/// Datagrams under way at once.
const WINDOW: u64 = 8;
/// Bytes of a datagram, whose packet with headers has 64.
const SMALL: usize = 36;
/// Small datagrams under way at once.
const SMALL_WINDOW: u64 = 16;

#[derive(clap::Args)]
pub struct Args {
    /// Address of the services
    address: Ipv4Addr,
    /// Name of the link in the output
    #[arg(long)]
    name: String,
    /// Pings of 56 bytes
    #[arg(long, default_value_t = 200)]
    pings: u16,
    /// Datagrams to be returned
    #[arg(long, default_value_t = 1000)]
    datagrams: u64,
    /// Small datagrams to be returned
    #[arg(long, default_value_t = 1000)]
    small: u64,
    /// Bytes of a stream, each way
    #[arg(long, default_value_t = 3_000_000)]
    bytes: u64,
}

pub fn run(args: &Args) -> Result<()> {
    let mut pings = ping::times(args.address, 56, args.pings)?;
    ensure!(!pings.is_empty(), "no pings");
    pings.sort_unstable();
    let micros = |at: usize| pings[at.min(pings.len() - 1)].as_secs_f64() * 1e6;
    let datagrams = echo(args, args.datagrams, DATAGRAM, WINDOW)?;
    let small = echo(args, args.small, SMALL, SMALL_WINDOW)?;
    let stream = |mode| -> Result<f64> {
        let transfer = tcp::Args::once(mode, IpAddr::V4(args.address), args.bytes);
        Ok(mbits(args.bytes, tcp::time(&transfer)?))
    };
    println!(
        "{}",
        json!({
            "link": args.name,
            "ping_median": micros(pings.len() / 2),
            "ping_p99": micros(pings.len() * 99 / 100),
            "udp": mbits(args.datagrams * DATAGRAM as u64, datagrams),
            "small": args.small as f64 / small.as_secs_f64(),
            "tcp_sent": stream(Mode::Sink)?,
            "tcp_received": stream(Mode::Source)?,
        })
    );
    Ok(())
}

/// Sends `count` datagrams of `len` bytes to the echo service, `window` of them at once, and compares
/// those that come back.
fn echo(args: &Args, count: u64, len: usize, window: u64) -> Result<Duration> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect((args.address, 7))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let start = Instant::now();
    let (mut sent, mut back) = (0, 0);
    let mut buffer = [0; 65536];
    while back < count {
        while sent < count && sent - back < window {
            socket.send(&payload(sent, len))?;
            sent += 1;
        }
        let got = socket
            .recv(&mut buffer)
            .with_context(|| format!("waiting for datagram {back}"))?;
        // The link and the service keep them in order.
        compare(&buffer[..got], &payload(back, len))
            .map_err(|what| anyhow!("datagram {back}: {what}"))?;
        back += 1;
    }
    Ok(start.elapsed())
}
