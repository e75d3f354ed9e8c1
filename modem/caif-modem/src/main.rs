// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modem as a program.

#![forbid(unsafe_code)]

mod capture;
mod modem;
mod noise;

use anyhow::Context;
use caif_stack::{Config, Engine, Ipv4Net, Network};
use capture::Capture;
use clap::Parser;
use forward::Forwarder;
use ivshmem::board::Board;
use modem::{Modem, Totals};
use rustix::fd::AsFd;
use std::{
    io::{IsTerminal, Write, stdout},
    net::SocketAddr,
    ops::RangeInclusive,
    os::unix::net::UnixStream,
    path::PathBuf,
};
use tracing_subscriber::EnvFilter;

/// A CAIF modem that shares memory with Linux by way of an ivshmem server.
///
/// Prints "waiting" when Linux may start it, its counters at the end, and ends with status 0 at
/// SIGTERM or SIGINT.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Socket of the ivshmem server.
    #[arg(long)]
    socket: PathBuf,
    /// Capture all frames to this file, in pcapng.
    #[arg(long)]
    pcap: Option<PathBuf>,
    /// What to log, for example "info" or "debug".
    #[arg(long, default_value = "info", env = "RUST_LOG", hide_env_values = true)]
    log: String,
    /// Address of the IP channel with a connection id, as ID=ADDRESS/PREFIX. May be repeated;
    /// other channels have 10.9.(ID mod 256).1/24.
    #[arg(long, value_parser = parse_address)]
    address: Vec<(u32, Ipv4Net)>,
    /// Be in a network: AT channels share one modem, contexts have addresses of a pool, and IP
    /// channels are refused unless a context is active on their connection id. The scenario in
    /// FILE says what the network is like and what happens when.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    network: Option<Option<PathBuf>>,
    /// Refuse to set up channels with this connection id, instead of 0xdead. May be repeated.
    #[arg(long)]
    refuse: Vec<u32>,
    /// Do not answer set-ups of channels with this connection id. May be repeated.
    #[arg(long)]
    silent: Vec<u32>,
    /// Answer set-ups of channels with this connection id at the next AT*ANSWER. May be repeated.
    #[arg(long)]
    late: Vec<u32>,
    /// Linkids to give to channels, as FIRST-LAST. With the stack that Linux had up to 7.0, modems of
    /// one host must not share any.
    #[arg(long, default_value = "1-255", value_parser = parse_linkids)]
    linkids: RangeInclusive<u8>,
    /// Pass TCP connections to this port of IP channels on to another program, as PORT=ADDRESS:PORT.
    /// May be repeated.
    #[arg(long, value_parser = forward::parse)]
    forward: Vec<(u16, SocketAddr)>,
    /// Frames at most on one chain of buffers.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    chain_max: u16,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Send frames that a host must ignore around each valid one, unless the host is behind.
    #[arg(long)]
    noise: bool,
    /// Print the counters at the end as JSON.
    #[arg(long)]
    json: bool,
}

fn parse_address(text: &str) -> Result<(u32, Ipv4Net), String> {
    let wrong = || format!("{text:?}: want ID=ADDRESS/PREFIX, as in 1=10.9.1.1/24");
    let (id, net) = text.split_once('=').ok_or_else(wrong)?;
    let (address, prefix) = net.split_once('/').ok_or_else(wrong)?;
    let net = Ipv4Net {
        address: address.parse().map_err(|_| wrong())?,
        prefix: prefix.parse().ok().filter(|p| *p <= 32).ok_or_else(wrong)?,
    };
    Ok((id.parse().map_err(|_| wrong())?, net))
}

fn parse_linkids(text: &str) -> Result<RangeInclusive<u8>, String> {
    text.split_once('-')
        .and_then(|(first, last)| Some(first.parse().ok()?..=last.parse().ok()?))
        .filter(|range| !range.is_empty() && *range.start() > 0)
        .ok_or_else(|| format!("{text:?}: want FIRST-LAST, from 1 to 255"))
}

/// Returns the network of a scenario.
fn network(scenario: Option<PathBuf>) -> anyhow::Result<Network> {
    let Some(path) = scenario else {
        return Ok(Network::default());
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
    Network::parse(&text).with_context(|| format!("the scenario {name}"))
}

fn rows(totals: &Totals) -> Vec<(&'static str, u64)> {
    let (up, down) = (totals.uplink, totals.downlink);
    vec![
        ("boots", totals.boots),
        ("links", totals.links),
        ("crashes", totals.crashes),
        ("uplink_frames", up.frames),
        ("uplink_bytes", up.bytes),
        ("uplink_bad_length", up.bad_length),
        ("uplink_bad_chain", up.bad_chain),
        ("downlink_frames", down.frames),
        ("downlink_chains", down.chains),
        ("downlink_bytes", down.bytes),
        ("downlink_returned", down.returned),
        ("downlink_stalls", down.stalls),
        ("downlink_too_long", down.too_long),
    ]
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
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

    let mut config = Config {
        linkids: args.linkids,
        addresses: args.address.into_iter().collect(),
        network: args.network.map(network).transpose()?,
        late: args.late.iter().map(|id| *id..=*id).collect(),
        silent: args.silent.iter().map(|id| *id..=*id).collect(),
        seed: args.seed,
        ..Config::default()
    };
    if !args.refuse.is_empty() {
        config.refused = args.refuse.iter().map(|id| *id..=*id).collect();
    }
    let capture = args.pcap.as_deref().map(Capture::create).transpose()?;
    let board = Board::connect(&args.socket)
        .with_context(|| format!("cannot join the board at {}", args.socket.display()))?;
    let forwarder = Forwarder::default();
    let mut engine = Engine::new(config);
    for (port, to) in args.forward {
        engine.forward(forwarder.to(port, to));
    }
    let mut modem = Modem::new(
        board,
        engine,
        forwarder,
        capture,
        args.chain_max,
        args.seed,
        args.noise,
    )?;
    writeln!(stdout(), "waiting")?;
    stdout().flush()?;
    modem.run(stop.as_fd())?;

    let rows = rows(&modem.totals());
    if args.json {
        let object: serde_json::Map<_, _> = rows
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        writeln!(stdout(), "{}", serde_json::Value::Object(object))?;
    } else {
        for (name, value) in rows {
            writeln!(stdout(), "{name:<20} {value:>14}")?;
        }
        writeln!(stdout(), "{}", modem.engine().stats())?;
    }
    Ok(())
}
