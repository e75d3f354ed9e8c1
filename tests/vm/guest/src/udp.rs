// SPDX-License-Identifier: GPL-2.0

//! Sends datagrams to an echo service, and compares the answers.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::pattern::{compare, payload};

#[derive(clap::Args)]
pub struct Args {
    /// Address and port of the echo service
    address: SocketAddr,
    /// Payload sizes to send
    #[arg(long, value_delimiter = ',', default_value = "1,2,64,512,1000,1472")]
    sizes: Vec<usize>,
    /// How often to send each size
    #[arg(long, default_value_t = 10)]
    count: u64,
    /// Milliseconds after which a datagram counts as lost
    #[arg(long, default_value_t = 5000)]
    timeout: u64,
}

pub fn run(args: &Args) -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(args.address)?;
    socket.set_read_timeout(Some(Duration::from_millis(args.timeout)))?;
    let mut lost = 0;
    let mut sent = 0;
    for &size in &args.sizes {
        for round in 0..args.count {
            let want = payload(round << 16 | size as u64, size);
            socket
                .send(&want)
                .with_context(|| format!("sending {size} bytes"))?;
            sent += 1;
            let mut got = vec![0; 65536];
            match socket.recv(&mut got) {
                Ok(len) => {
                    if let Err(what) = compare(&got[..len], &want) {
                        bail!("{size} bytes, round {round}: {what}");
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => lost += 1,
                Err(error) => return Err(error).context("receiving"),
            }
        }
    }
    println!("{sent} datagrams sent, {lost} lost, the others returned unchanged");
    ensure!(lost == 0, "{lost} of {sent} datagrams lost");
    Ok(())
}
