// SPDX-License-Identifier: GPL-2.0

//! Opens sockets of all services, uses them and closes them, in several threads, while links and
//! modems come and go. Errors are ignored: the kernel must survive it.

use std::{
    io::Read,
    mem::MaybeUninit,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};

use crate::{
    caif::{Channel, Service},
    flowing::Flowing,
};

#[derive(clap::Args)]
pub struct Args {
    /// Continue until this file exists
    #[arg(long, value_name = "FILE")]
    until: PathBuf,
    /// Threads, each with one socket at a time
    #[arg(long, default_value_t = 4)]
    threads: u64,
    #[command(flatten)]
    flowing: Flowing,
}

/// Timeout of the modem's answer and of its payloads.
const CONNECT: Duration = Duration::from_millis(500);
const ANSWER: Duration = Duration::from_millis(20);

const SERVICES: [Service; 5] = [
    Service::At,
    Service::Datagram,
    Service::DatagramLoop,
    Service::Util,
    Service::Debug,
];

pub fn run(args: &Args) -> Result<()> {
    let (tried, connected) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| -> Result<()> {
        let mut threads = Vec::new();
        for number in 0..args.threads {
            let (tried, connected) = (&tried, &connected);
            threads.push(scope.spawn(move || -> Result<()> {
                let mut round = number;
                while !args.until.exists() {
                    tried.fetch_add(1, Ordering::Relaxed);
                    if one(round) {
                        connected.fetch_add(1, Ordering::Relaxed);
                        args.flowing.announce()?;
                    }
                    round = round.wrapping_add(1);
                }
                Ok(())
            }));
        }
        for thread in threads {
            let result = thread.join();
            ensure!(result.is_ok(), "a thread panicked");
            result.unwrap_or(Ok(()))?;
        }
        Ok(())
    })?;
    println!(
        "{} of {} sockets had a channel",
        connected.into_inner(),
        tried.into_inner()
    );
    Ok(())
}

/// Opens and closes a socket. Returns whether it had a channel in between.
fn one(round: u64) -> bool {
    let kinds = SERVICES.len() as u64;
    let channel = Channel {
        service: SERVICES[(round % kinds) as usize],
        connid: 1 + (round % 3) as u32,
        name: "loop".to_owned(),
        stream: (round / kinds).is_multiple_of(2),
        device: None,
    };
    // Sometimes it is closed while the request is pending.
    if round.is_multiple_of(7) {
        if let Ok(socket) = channel.socket()
            && socket.set_nonblocking(true).is_ok()
            && let Ok(address) = channel.address()
        {
            // The request is pending, or refused.
            let _ = socket.connect(&address);
        }
        return false;
    }
    let Ok(mut socket) = channel.connect(CONNECT) else {
        return false;
    };
    for len in [1, 100, 1400] {
        // The link may be gone: no error matters.
        let _ = socket.send_with_flags(&[0x41; 1400][..len], libc::MSG_NOSIGNAL);
    }
    if round.is_multiple_of(2) && socket.set_read_timeout(Some(ANSWER)).is_ok() {
        let _ = socket.read(&mut [0; 2000]);
        let _ = socket.recv_with_flags(&mut [MaybeUninit::zeroed(); 10], libc::MSG_PEEK);
    }
    true
}
