// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The ivshmem server of a modem's board, as a program.

#![forbid(unsafe_code)]

use anyhow::Context;
use clap::Parser;
use ivshmem::{VECTORS, server::Server};
use rustix::fd::AsFd;
use std::{
    io::{IsTerminal, Write, stdout},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::ExitCode,
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
    /// Serve the same-SoC machine: its memory is a new file at SOCKET with .memory behind, and its
    /// mailbox, for a serial port of QEMU, a socket with .mailbox behind.
    #[arg(long)]
    soc: bool,
    /// Be the boot loader of the same-SoC machine, too: start the modem with this firmware.
    #[arg(long, requires = "soc")]
    boot: Option<PathBuf>,
    /// What to log, for example "info" or "debug".
    #[arg(long, default_value = "info", env = "RUST_LOG", hide_env_values = true)]
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

fn main() -> ExitCode {
    match serve(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ivshmem-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &Args) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&args.log)?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let (stop, stopper) = UnixStream::pair().context("make a pair of sockets")?;
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let stopper = stopper.try_clone().context("duplicate a socket")?;
        signal_hook::low_level::pipe::register(signal, stopper).context("catch signals")?;
    }
    let bind = if args.soc {
        Server::bind_soc
    } else {
        Server::bind
    };
    let mut server = bind(&args.socket, args.size, args.vectors)
        .with_context(|| format!("cannot serve at {}", args.socket.display()))?;
    if let Some(firmware) = &args.boot {
        server
            .boot(firmware)
            .with_context(|| format!("cannot boot {}", firmware.display()))?;
    }
    writeln!(stdout(), "listening at {}", args.socket.display()).context("print")?;
    stdout().flush().context("print")?;
    server.run(stop.as_fd()).context("stopped serving")
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_are_bytes_or_have_a_unit() {
        assert_eq!(parse_size("16777216"), Ok(16 << 20));
        assert_eq!(parse_size("16384K"), Ok(16 << 20));
        assert_eq!(parse_size("16M"), Ok(16 << 20));
        assert_eq!(parse_size("1G"), Ok(1 << 30));
        assert_eq!(parse_size("0"), Ok(0));
    }

    #[test]
    fn other_sizes_are_refused() {
        for text in [
            "",
            "M",
            "-1",
            "16m",
            "16MB",
            "16 M",
            "0x10",
            "1.5G",
            "18446744073709551616",
        ] {
            let refused = parse_size(text).unwrap_err();
            assert!(
                refused.contains("is no size, want for example 16M"),
                "{refused}"
            );
        }
        for text in ["17179869184G", "18446744073709551615K"] {
            assert_eq!(parse_size(text), Err(format!("{text} is too large")));
        }
    }
}
