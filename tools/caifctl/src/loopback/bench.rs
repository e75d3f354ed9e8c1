// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Many payloads at once.

use std::{
    collections::VecDeque,
    io::Read,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::poll::PollFlags;
use serde::Serialize;
use socket2::Socket;

use super::{LoopbackChannel, Times, in_words, number, payload};
use crate::{
    caif::{CLOSED, LOST, Service, is_late},
    output::{print, seconds},
    signals::{Signals, Waited},
};

/// Time to wait for the last payloads.
const DRAIN: Duration = Duration::from_secs(2);

#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    channel: LoopbackChannel,
    /// How long to send
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    time: Duration,
    /// How many payloads may be on their way
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    window: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The result.
#[derive(Debug, Serialize)]
struct Outcome {
    bytes_each: u16,
    seconds: f64,
    sent: u64,
    returned: u64,
    lost: u64,
    returned_per_s: f64,
    mbit_per_s_each_way: f64,
    /// `None` if nothing came back.
    ms_min_avg_max: Option<[f64; 3]>,
}

impl Outcome {
    fn text(&self) -> String {
        format!(
            "{} payloads of {} bytes in {:.3} s: {:.1} a second, {:.3} Mbit/s each way, {} lost, {}\n",
            self.returned,
            self.bytes_each,
            self.seconds,
            self.returned_per_s,
            self.mbit_per_s_each_way,
            self.lost,
            in_words(self.ms_min_avg_max)
        )
    }
}

pub fn run(args: &Args) -> Result<()> {
    let socket = args
        .channel
        .peer
        .open(Service::Loop(args.channel.connection_id))?;
    socket.set_nonblocking(true)?;
    let mut flight = Flight {
        socket,
        size: args.channel.size,
        drain: DRAIN,
        on_way: VecDeque::new(),
        times: Times::default(),
        sent: 0,
        lost: 0,
    };
    let outcome = flight.run(args, &Signals::new()?)?;
    if args.json {
        print(&format!("{}\n", serde_json::to_string(&outcome)?))?;
    } else {
        print(&outcome.text())?;
    }
    if outcome.lost > 0 {
        bail!(
            "{} of {} payloads did not come back: see the link by `caifctl status`",
            outcome.lost,
            outcome.sent
        );
    }
    Ok(())
}

struct Flight {
    socket: Socket,
    size: u16,
    /// Time to wait for the last payloads.
    drain: Duration,
    /// Numbers of payloads in flight, in order, and their times of sending.
    on_way: VecDeque<(u64, Instant)>,
    times: Times,
    sent: u64,
    lost: u64,
}

impl Flight {
    fn run(&mut self, args: &Args, signals: &Signals) -> Result<Outcome> {
        let start = Instant::now();
        let mut last = start;
        let mut ended = false;
        loop {
            let sending = !ended && start.elapsed() < args.time;
            if !sending && self.on_way.is_empty() {
                break;
            }
            let mut wanted = PollFlags::POLLIN;
            if sending && self.on_way.len() < usize::from(args.window) {
                wanted |= PollFlags::POLLOUT;
            }
            let limit = match sending {
                true => args.time.saturating_sub(start.elapsed()),
                false => self.drain.saturating_sub(last.elapsed()),
            };
            match signals.wait(&[(self.socket.as_fd(), wanted)], Some(limit))? {
                // The payloads in flight are waited for, unless there is a second signal.
                Waited::End if ended => break,
                Waited::End => ended = true,
                // Nothing came for a while: the payloads in flight are lost.
                Waited::TimeOut if !sending => break,
                Waited::TimeOut => last = Instant::now(),
                Waited::Ready(_) => {
                    if self.receive()? || sending {
                        last = Instant::now();
                    }
                    if sending {
                        self.fill(usize::from(args.window))?;
                    }
                }
            }
        }
        self.lost += self.on_way.len() as u64;
        Ok(self.outcome(last.duration_since(start)))
    }

    /// Sends until the window is full, or the socket takes no more.
    fn fill(&mut self, window: usize) -> Result<()> {
        while self.on_way.len() < window {
            match self.socket.send(&payload(self.sent, self.size)) {
                Ok(_) => {
                    self.on_way.push_back((self.sent, Instant::now()));
                    self.sent += 1;
                }
                Err(error) if is_late(&error) => break,
                Err(error) => {
                    return Err(error).context(format!("cannot send {} bytes", self.size));
                }
            }
        }
        Ok(())
    }

    /// Takes the received payloads. Returns whether there were any.
    fn receive(&mut self) -> Result<bool> {
        let mut buffer = [0; 2048];
        let mut any = false;
        loop {
            let len = match self.socket.read(&mut buffer) {
                Ok(0) => bail!(CLOSED),
                Ok(len) => len,
                Err(error) if is_late(&error) => return Ok(any),
                Err(error) => return Err(error).context(LOST),
            };
            any = true;
            let Some(number) = number(buffer.get(..len).unwrap_or_default(), self.size) else {
                bail!("{len} bytes came that were not sent");
            };
            self.took(number)?;
        }
    }

    /// Takes a payload that came back. Those before it that did not are lost.
    fn took(&mut self, number: u64) -> Result<()> {
        while let Some((first, since)) = self.on_way.pop_front() {
            if first == number {
                self.times.add(since.elapsed());
                return Ok(());
            }
            self.lost += 1;
        }
        bail!("number {number} came twice, or out of order")
    }

    fn outcome(&self, time: Duration) -> Outcome {
        let seconds = time.as_secs_f64().max(0.001);
        let returned = u64::from(self.times.count);
        Outcome {
            bytes_each: self.size,
            seconds,
            sent: self.sent,
            returned,
            lost: self.lost,
            returned_per_s: returned as f64 / seconds,
            mbit_per_s_each_way: returned as f64 * f64::from(self.size) * 8.0 / 1e6 / seconds,
            ms_min_avg_max: self.times.summary(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caif::Peer;
    use socket2::{Domain, Type};
    use std::{
        io::Write,
        os::unix::net::UnixStream,
        sync::mpsc::{Receiver, channel},
        thread,
    };

    /// Longer than anything takes on any machine.
    const LIMIT: Duration = Duration::from_secs(60);

    fn pair() -> (Flight, Socket) {
        let (socket, other) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let flight = Flight {
            socket,
            size: 64,
            drain: DRAIN,
            on_way: VecDeque::new(),
            times: Times::default(),
            sent: 0,
            lost: 0,
        };
        (flight, other)
    }

    /// Sends four payloads, and no more before they are back. Returns the other end of the channel
    /// where they are, that of the signals, and where the outcome will come.
    fn sent(drain: Duration) -> (Socket, UnixStream, Receiver<Outcome>) {
        let (mut flight, other) = pair();
        flight.drain = drain;
        let args = Args {
            channel: LoopbackChannel {
                peer: Peer {
                    link: None,
                    timeout: LIMIT,
                },
                connection_id: 1,
                size: 64,
            },
            time: Duration::from_secs(3600),
            window: 4,
            json: false,
        };
        let (signals, pipe) = Signals::by_hand().unwrap();
        let (outcome, outcomes) = channel();
        thread::spawn(move || outcome.send(flight.run(&args, &signals).unwrap()));
        for number in 0..4 {
            let mut buffer = [0; 64];
            (&other).read_exact(&mut buffer).unwrap();
            assert_eq!(buffer, *payload(number, 64));
        }
        (other, pipe, outcomes)
    }

    #[test]
    fn what_is_in_flight_is_taken_after_a_signal() {
        let (other, mut pipe, outcomes) = sent(LIMIT);
        pipe.write_all(b"x").unwrap();
        for number in 0..4 {
            other.send(&payload(number, 64)).unwrap();
        }
        let outcome = outcomes.recv_timeout(LIMIT).expect("an end");
        assert_eq!((outcome.sent, outcome.returned, outcome.lost), (4, 4, 0));
    }

    #[test]
    fn what_does_not_come_back_after_a_signal_is_lost() {
        let (other, mut pipe, outcomes) = sent(Duration::from_millis(1));
        pipe.write_all(b"x").unwrap();
        let outcome = outcomes.recv_timeout(LIMIT).expect("an end");
        assert_eq!((outcome.sent, outcome.returned, outcome.lost), (4, 0, 4));
        drop(other);
    }

    #[test]
    fn a_second_signal_ends_it_at_once() {
        let (other, mut pipe, outcomes) = sent(2 * LIMIT);
        let start = Instant::now();
        // Two that come together count as one.
        let outcome = loop {
            assert!(start.elapsed() < LIMIT, "no end");
            // The other end is gone with the outcome.
            let _ = pipe.write_all(b"x");
            if let Ok(outcome) = outcomes.recv_timeout(Duration::from_millis(1)) {
                break outcome;
            }
        };
        assert_eq!((outcome.sent, outcome.lost), (4, 4));
        drop(other);
    }

    #[test]
    fn what_is_missing_is_lost() {
        let (mut flight, other) = pair();
        flight.fill(4).unwrap();
        for number in [0, 2, 3] {
            other.send(&payload(number, 64)).unwrap();
        }
        assert!(flight.receive().unwrap());
        assert_eq!((flight.sent, flight.lost, flight.times.count), (4, 1, 3));
        assert!(flight.on_way.is_empty());
        let outcome = flight.outcome(Duration::from_secs(2));
        assert_eq!((outcome.returned, outcome.lost), (3, 1));
        assert!(outcome.text().starts_with(
            "3 payloads of 64 bytes in 2.000 s: 1.5 a second, 0.001 Mbit/s each way, 1 lost, time"
        ));
    }

    #[test]
    fn what_was_not_sent_is_an_error() {
        let (mut flight, other) = pair();
        flight.fill(1).unwrap();
        other.send(b"nonsense that is long enough").unwrap();
        assert!(flight.receive().is_err());
        other.send(&payload(0, 64)).unwrap();
        other.send(&payload(0, 64)).unwrap();
        assert!(flight.receive().is_err());
    }

    #[test]
    fn a_channel_that_ends_is_an_error() {
        let (mut flight, other) = pair();
        drop(other);
        assert!(flight.receive().is_err());
    }
}
