// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The ivshmem server of a modem's board.

#![forbid(unsafe_code)]

use anyhow::Context;
use clap::Parser;
use ivshmem::{VECTORS, server::Server};
use rustix::fd::AsFd;
use std::{
    io::{Write, stdout},
    os::unix::net::UnixStream,
    path::PathBuf,
};
use tracing_subscriber::EnvFilter;

/// Shares memory and interrupts between QEMU's ivshmem-doorbell device and a modem.
///
/// Prints one line, "listening at PATH", when peers can connect, and ends with status 0 at
/// SIGTERM or SIGINT.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// UNIX socket to listen at.
    #[arg(long)]
    socket: PathBuf,
    /// Bytes of memory: a power of two from 16M, with K, M or G behind the number.
    #[arg(long, default_value = "16M", value_parser = parse_size)]
    size: u64,
    /// Interrupt vectors of each peer, as many as QEMU's device has.
    #[arg(long, default_value_t = VECTORS)]
    vectors: usize,
    /// What to log, for example "info" or "debug" (or RUST_LOG).
    #[arg(long, default_value = "info")]
    log: String,
}

fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(digits) if text.ends_with('K') => (digits, 10),
        Some(digits) if text.ends_with('M') => (digits, 20),
        Some(digits) => (digits, 30),
        None => (text, 0),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("{text:?} is no size, want for example 16M"))?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| format!("{text} is too large"))
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().or_else(|_| EnvFilter::try_new(&args.log))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let (stop, stopper) = UnixStream::pair().context("make a pair of sockets")?;
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let stopper = stopper.try_clone().context("duplicate a socket")?;
        signal_hook::low_level::pipe::register(signal, stopper).context("catch signals")?;
    }
    let mut server = Server::bind(&args.socket, args.size, args.vectors)
        .with_context(|| format!("cannot serve at {}", args.socket.display()))?;
    writeln!(stdout(), "listening at {}", args.socket.display()).context("print")?;
    stdout().flush().context("print")?;
    server.run(stop.as_fd()).context("stopped serving")
}
