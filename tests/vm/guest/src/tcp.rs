// SPDX-License-Identifier: GPL-2.0

//! Checked streams to and from the modem's TCP services: echo 7, sink 9, source 19.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use clap::ValueEnum;

use crate::{
    flowing::Flowing,
    pattern::{Pattern, compare},
};

#[derive(Clone, Copy, ValueEnum)]
pub enum Mode {
    /// Send to the sink, which answers with its checksum
    Sink,
    /// Receive from the source
    Source,
    /// Send to the echo service and compare the answer
    Echo,
    /// Sink and source at once
    Both,
}

#[derive(clap::Args)]
pub struct Args {
    #[arg(value_enum)]
    mode: Mode,
    address: IpAddr,
    /// Number of bytes, each way
    #[arg(long, default_value_t = 1_000_000)]
    bytes: u64,
    /// Seed of the bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds without progress that end the transfer
    #[arg(long, default_value_t = 30)]
    timeout: u64,
    #[command(flatten)]
    flowing: Flowing,
}

impl Args {
    /// Makes the arguments for one transfer.
    pub fn once(mode: Mode, address: IpAddr, bytes: u64) -> Self {
        Self {
            mode,
            address,
            bytes,
            seed: 1,
            timeout: 30,
            flowing: Flowing::default(),
        }
    }
}

pub fn run(args: &Args) -> Result<()> {
    time(args).map(drop)
}

/// Runs the transfers, and prints their times.
pub fn time(args: &Args) -> Result<Duration> {
    match args.mode {
        Mode::Sink => sink(args),
        Mode::Source => source(args),
        Mode::Echo => echo(args),
        Mode::Both => thread::scope(|scope| {
            let sink = scope.spawn(|| sink(args));
            let source = source(args);
            let sink = sink.join().map_err(|_| anyhow!("the sender panicked"))?;
            Ok(sink?.max(source?))
        }),
    }
}

/// Returns the rate in millions of bits per second.
pub fn mbits(bytes: u64, time: Duration) -> f64 {
    bytes as f64 * 8e-6 / time.as_secs_f64().max(1e-6)
}

fn connect(args: &Args, port: u16) -> Result<TcpStream> {
    let limit = Duration::from_secs(args.timeout);
    let stream = TcpStream::connect_timeout(&(args.address, port).into(), limit)
        .with_context(|| format!("cannot connect to {} port {port}", args.address))?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    Ok(stream)
}

/// Sends the pattern and the end of the stream. Returns the checksum.
fn send(args: &Args, mut stream: &TcpStream) -> Result<u32> {
    let mut pattern = Pattern::new(args.seed);
    let mut sum = crc32fast::Hasher::new();
    let mut left = args.bytes;
    let mut buffer = [0; 16384];
    while left > 0 {
        let part = chunk(&mut buffer, left);
        pattern.fill(part);
        sum.update(part);
        stream
            .write_all(part)
            .with_context(|| format!("{left} bytes before the end"))?;
        args.flowing.announce()?;
        left -= part.len() as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    Ok(sum.finalize())
}

/// Receives the pattern and compares every byte. Returns the checksum.
fn receive(args: &Args, stream: &mut impl Read) -> Result<u32> {
    let mut pattern = Pattern::new(args.seed);
    let mut sum = crc32fast::Hasher::new();
    let mut left = args.bytes;
    let (mut buffer, mut want) = ([0; 16384], [0; 16384]);
    while left > 0 {
        let part = chunk(&mut buffer, left);
        let len = stream
            .read(part)
            .with_context(|| format!("{left} bytes before the end"))?;
        ensure!(len > 0, "the stream ended {left} bytes early");
        args.flowing.announce()?;
        let (part, want) = (&part[..len], &mut want[..len]);
        pattern.fill(want);
        compare(part, want).map_err(|what| anyhow!("{left} bytes before the end: {what}"))?;
        sum.update(part);
        left -= len as u64;
    }
    Ok(sum.finalize())
}

fn chunk(buffer: &mut [u8], left: u64) -> &mut [u8] {
    let len = usize::try_from(left)
        .unwrap_or(usize::MAX)
        .min(buffer.len());
    &mut buffer[..len]
}

/// Reads the modem's line `<bytes> <checksum>`, after which the stream must end.
fn summary(reader: &mut impl BufRead) -> Result<String> {
    let mut text = String::new();
    reader
        .read_to_string(&mut text)
        .context("no checksum from the modem")?;
    Ok(text)
}

fn sink(args: &Args) -> Result<Duration> {
    let stream = connect(args, 9)?;
    let start = Instant::now();
    let sum = send(args, &stream)?;
    let answer = summary(&mut BufReader::new(&stream))?;
    let want = format!("{} {sum:08x}\n", args.bytes);
    ensure!(
        answer == want,
        "the modem received {answer:?}, {want:?} was sent"
    );
    Ok(report("sent to the modem", args, sum, start))
}

fn source(args: &Args) -> Result<Duration> {
    let mut stream = connect(args, 19)?;
    let start = Instant::now();
    stream.write_all(format!("{} {}\n", args.bytes, args.seed).as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader
        .read_line(&mut line)
        .context("no answer from the source")?;
    ensure!(
        line == format!("OK {}\n", args.bytes),
        "the source says {line:?}"
    );
    let sum = receive(args, &mut reader)?;
    let answer = summary(&mut reader)?;
    let want = format!("{} {sum:08x}\n", args.bytes);
    ensure!(
        answer == want,
        "the modem sent {answer:?}, {want:?} was received"
    );
    Ok(report("received from the modem", args, sum, start))
}

fn echo(args: &Args) -> Result<Duration> {
    let stream = connect(args, 7)?;
    let start = Instant::now();
    let (sent, received) = thread::scope(|scope| {
        let sender = scope.spawn(|| send(args, &stream));
        let received = receive(args, &mut BufReader::new(&stream));
        (sender.join(), received)
    });
    let sent = sent.map_err(|_| anyhow!("the sender panicked"))??;
    ensure!(sent == received?, "what came back is not what was sent");
    Ok(report("sent and returned", args, sent, start))
}

fn report(what: &str, args: &Args, sum: u32, start: Instant) -> Duration {
    let elapsed = start.elapsed();
    println!(
        "{} bytes {what}, checksum {sum:08x} on both sides, {:.1} s, {:.1} Mbit/s",
        args.bytes,
        elapsed.as_secs_f64(),
        mbits(args.bytes, elapsed)
    );
    elapsed
}
