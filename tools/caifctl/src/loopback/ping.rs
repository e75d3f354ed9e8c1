// SPDX-License-Identifier: GPL-2.0 OR MIT

//! One payload after the other.

use std::{
    os::fd::AsFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::poll::PollFlags;
use socket2::Socket;
use std::io::Read;

use super::{LoopbackChannel, Times, in_words, number, payload};
use crate::{
    caif::{CLOSED, LOST, Service, is_late},
    output::{print, seconds},
    signals::{Signals, Waited},
};

#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    channel: LoopbackChannel,
    /// Send so many; without it, until interrupted
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// The time from one to the next
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    interval: Duration,
    /// How long to wait for one to come back
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    wait: Duration,
}

pub fn run(args: &Args) -> Result<()> {
    let socket = args
        .channel
        .peer
        .open(Service::Loop(args.channel.connection_id))?;
    socket.set_nonblocking(true)?;
    let signals = Signals::new()?;
    let mut pings = Pings {
        socket,
        signals,
        size: args.channel.size,
        times: Times::default(),
        sent: 0,
    };
    while args.count.is_none_or(|count| pings.sent < count) && pings.one(args)? {}
    let back = u64::from(pings.times.count);
    print(&format!(
        "{} sent, {back} returned, {}\n",
        pings.sent,
        in_words(pings.times.summary())
    ))?;
    if back < pings.sent {
        bail!(
            "{} of {} payloads did not come back: see the link by `caifctl status`",
            pings.sent - back,
            pings.sent
        );
    }
    Ok(())
}

struct Pings {
    socket: Socket,
    signals: Signals,
    size: u16,
    times: Times,
    sent: u64,
}

impl Pings {
    /// Sends one, waits for it and for the time of the next one. Returns whether to continue.
    fn one(&mut self, args: &Args) -> Result<bool> {
        let this = self.sent;
        let start = Instant::now();
        if let Err(error) = self.socket.send(&payload(this, self.size)) {
            if !is_late(&error) {
                return Err(error).context(format!("cannot send {} bytes", self.size));
            }
            print(&format!(
                "number {this}: the modem takes no data just now\n"
            ))?;
        }
        self.sent += 1;
        let returned = self.returned(this, start, args.wait)?;
        match returned {
            Returned::After(time) => {
                self.times.add(time);
                let ms = time.as_secs_f64() * 1e3;
                print(&format!("{} bytes, number {this}: {ms:.3} ms\n", self.size))?;
            }
            Returned::Not => {
                print(&format!("number {this}: not back after {:?}\n", args.wait))?;
            }
            // It is not counted, as it might still come.
            Returned::Interrupted => {
                self.sent -= 1;
                return Ok(false);
            }
        }
        if args.count == Some(self.sent) {
            return Ok(false);
        }
        let left = args.interval.saturating_sub(start.elapsed());
        Ok(self.signals.wait(&[], Some(left))? != Waited::End)
    }

    /// Waits for a payload, and discards late ones.
    fn returned(&self, this: u64, start: Instant, limit: Duration) -> Result<Returned> {
        let mut buffer = [0; 2048];
        loop {
            let left = limit.saturating_sub(start.elapsed());
            let socket = (self.socket.as_fd(), PollFlags::POLLIN);
            match self.signals.wait(&[socket], Some(left))? {
                Waited::TimeOut => return Ok(Returned::Not),
                Waited::End => return Ok(Returned::Interrupted),
                Waited::Ready(_) => {}
            }
            let len = match (&self.socket).read(&mut buffer) {
                Ok(0) => bail!(CLOSED),
                Ok(len) => len,
                Err(error) if is_late(&error) => continue,
                Err(error) => return Err(error).context(LOST),
            };
            match number(buffer.get(..len).unwrap_or_default(), self.size) {
                Some(number) if number == this => return Ok(Returned::After(start.elapsed())),
                Some(number) if number < this => print(&format!("number {number}: late\n"))?,
                _ => bail!("{len} bytes came that were not sent"),
            }
        }
    }
}

enum Returned {
    After(Duration),
    Not,
    Interrupted,
}
