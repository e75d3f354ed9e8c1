// SPDX-License-Identifier: GPL-2.0

//! Sends from two CPUs at once over an interface, whose statistics must have all of it.

use std::{
    net::{Ipv4Addr, UdpSocket},
    os::fd::AsRawFd,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{caif::set_option_of, counters::counter, unsafe_calls::stay_on_cpu};

const CPUS: usize = 2;
const PAYLOAD: [u8; 20] = [0; 20];
/// The headers of IPv4 and UDP.
const HEADERS: usize = 28;
/// So that both together do not fill the interface's queue.
const SEND_BUFFER: i32 = 30_000;
/// Time for what still waits to be sent.
const SOON: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub struct Args {
    /// The interface
    name: String,
    /// An address behind it, where nobody answers
    address: Ipv4Addr,
    /// Datagrams from each CPU
    #[arg(long, default_value_t = 3000)]
    count: u64,
}

fn send(args: &Args, cpu: usize) -> Result<()> {
    stay_on_cpu(cpu)?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    set_option_of(
        socket.as_raw_fd(),
        libc::SOL_SOCKET,
        libc::SO_SNDBUF,
        &SEND_BUFFER.to_ne_bytes(),
    )?;
    for _ in 0..args.count {
        socket.send_to(&PAYLOAD, (args.address, 9))?;
    }
    Ok(())
}

pub fn run(args: &Args) -> Result<()> {
    let read = |what| counter(&args.name, what);
    let before = (read("tx_packets")?, read("tx_bytes")?);
    thread::scope(|scope| {
        let senders = [0, 1].map(|cpu| scope.spawn(move || send(args, cpu)));
        senders
            .into_iter()
            .try_for_each(|sender| sender.join().expect("a sender"))
    })?;
    let packets = args.count * CPUS as u64;
    let bytes = packets * (PAYLOAD.len() + HEADERS) as u64;
    let begin = Instant::now();
    let mut after = before;
    while after.0 - before.0 < packets && begin.elapsed() < SOON {
        after = (read("tx_packets")?, read("tx_bytes")?);
        thread::yield_now();
    }
    let counted = (after.0 - before.0, after.1 - before.1);
    println!("{packets} packets of {bytes} bytes, counted {counted:?}");
    ensure!(counted == (packets, bytes), "some are not counted");
    Ok(())
}
