// SPDX-License-Identifier: GPL-2.0

//! Tests of CAIF channels without IP: AT commands, loopback, and set-up that must fail.

use std::{
    io::{Read, Write},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use socket2::Socket;

use crate::{
    caif::Channel,
    pattern::{compare, payload},
};

#[derive(clap::Args)]
pub struct AtArgs {
    /// Commands to send, one after the other; each must be answered by OK
    #[arg(required = true)]
    commands: Vec<String>,
    /// Expect ERROR instead of OK
    #[arg(long)]
    expect_error: bool,
    /// Use a stream socket instead of one that keeps packets apart
    #[arg(long)]
    stream: bool,
    /// Use the modem behind this interface
    #[arg(long)]
    device: Option<String>,
    /// Seconds to wait for the channel and for each answer
    #[arg(long, default_value_t = 10)]
    timeout: u64,
}

pub fn at(args: &AtArgs) -> Result<()> {
    let channel = Channel::at(args.device.clone(), args.stream);
    let mut socket = channel
        .connect(Duration::from_secs(args.timeout))
        .context("cannot open the AT channel")?;
    for command in &args.commands {
        socket.write_all(format!("{command}\r").as_bytes())?;
        let answer =
            at_answer(&mut socket).with_context(|| format!("no end of the answer to {command}"))?;
        println!("> {command}");
        let lines = answer.split(['\r', '\n']).map(str::trim);
        // The modem's echo of the command is not part of its answer.
        for line in lines.filter(|line| !line.is_empty() && line != command) {
            println!("< {line}");
        }
        let ok = last_line(&answer) == "OK";
        ensure!(ok != args.expect_error, "unexpected answer to {command}");
    }
    Ok(())
}

fn last_line(text: &str) -> &str {
    text.trim_end().rsplit(['\r', '\n']).next().unwrap_or("")
}

/// Reads up to the final result code, over as many frames as the answer has.
fn at_answer(socket: &mut Socket) -> Result<String> {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let len = socket
            .read(&mut buffer)
            .with_context(|| format!("so far: {text:?}"))?;
        ensure!(len > 0, "the modem closed the channel after {text:?}");
        text.push_str(&String::from_utf8_lossy(&buffer[..len]));
        let last = last_line(&text);
        if text.ends_with('\n') && (last == "OK" || last == "ERROR") {
            return Ok(text);
        }
    }
}

#[derive(clap::Args)]
pub struct LoopArgs {
    #[command(flatten)]
    channel: Channel,
    /// Payload sizes to send
    #[arg(long, value_delimiter = ',', default_value = "1,2,63,64,511,1000,1400")]
    sizes: Vec<usize>,
    /// How often to send each size
    #[arg(long, default_value_t = 10)]
    count: u64,
    /// Seconds to wait for the channel and for each payload
    #[arg(long, default_value_t = 10)]
    timeout: u64,
}

pub fn echo(args: &LoopArgs) -> Result<()> {
    let mut socket = args
        .channel
        .connect(Duration::from_secs(args.timeout))
        .with_context(|| format!("cannot open the {:?} channel", args.channel.service))?;
    let mut bytes = 0;
    for &size in &args.sizes {
        for round in 0..args.count {
            let want = payload(round << 16 | size as u64, size);
            socket
                .write_all(&want)
                .with_context(|| format!("sending {size} bytes"))?;
            let mut got = vec![0; size + 1];
            let mut len = 0;
            // A stream may return any part; a packet must be complete.
            while len < size {
                let part = socket
                    .read(&mut got[len..])
                    .with_context(|| format!("round {round}: {len} of {size} bytes came back"))?;
                ensure!(part > 0, "the modem closed the channel");
                len += part;
                if !args.channel.stream {
                    break;
                }
            }
            if let Err(what) = compare(&got[..len], &want) {
                bail!("{size} bytes, round {round}: {what}");
            }
            bytes += size;
        }
    }
    let rounds = args.count * args.sizes.len() as u64;
    println!("{rounds} payloads, {bytes} bytes returned unchanged");
    Ok(())
}

#[derive(Clone, Copy, ValueEnum)]
enum Errno {
    Econnrefused,
    Etimedout,
    Enodev,
    Enetdown,
    Eperm,
}

#[derive(clap::Args)]
pub struct FailArgs {
    #[command(flatten)]
    channel: Channel,
    /// The error that connect() must give
    #[arg(long, value_enum)]
    errno: Errno,
    /// Seconds after which the socket gives up
    #[arg(long, default_value_t = 10)]
    timeout: u64,
}

pub fn fails(args: &FailArgs) -> Result<()> {
    let want = match args.errno {
        Errno::Econnrefused => libc::ECONNREFUSED,
        Errno::Etimedout => libc::ETIMEDOUT,
        Errno::Enodev => libc::ENODEV,
        Errno::Enetdown => libc::ENETDOWN,
        Errno::Eperm => libc::EPERM,
    };
    match args.channel.connect(Duration::from_secs(args.timeout)) {
        Ok(_) => bail!("the channel was opened"),
        Err(error) if error.raw_os_error() == Some(want) => {
            println!("refused as it should be: {error}");
            Ok(())
        }
        Err(error) => bail!("another error than expected: {error}"),
    }
}
