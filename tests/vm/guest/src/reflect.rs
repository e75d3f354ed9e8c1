// SPDX-License-Identifier: GPL-2.0

//! Answers the hostile modem: returns the frames that request it, and checks every byte that a link
//! delivers.
//!
//! It brings up each link that appears, since every recovery makes a new one, and counts frames
//! over all of them. A frame with bytes that no modem has written is reported to the kernel's log.
//!
//! On a command of the modem it uses the CAIF stack instead, see [`stack`].

#![expect(unsafe_code, reason = "a descriptor that its crate does not lend")]

mod stack;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use anyhow::{Context, Result, bail};
use netlink_packet_core::{NLM_F_REQUEST, NetlinkMessage};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkFlags, LinkMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{LinkAddr, MsgFlags, recvfrom, sendto},
};
use std::os::fd::AsFd;

use hostile_frame::{Frame, Kind, is_tame};

use self::stack::Stack;
use crate::tap::listen;

#[derive(clap::Args)]
pub struct Args {
    /// Links are interfaces whose name begins like this
    #[arg(long, default_value = "cfvrt")]
    links: String,
}

/// `ARPHRD_CAIF`.
const HARDWARE: u16 = 822;
/// Bytes of frames that may wait.
const BUFFER: usize = 16 << 20;
/// Limit of the lines about frames with foreign bytes.
const LINES_MAX: u64 = 5;
/// Delay before the good channel is requested again.
const RETRY_MS: u16 = 50;

struct Reflector {
    /// Closed while the stack is used.
    socket: Option<OwnedFd>,
    stack: Option<Stack>,
    links: String,
    counts: BTreeMap<String, u64>,
    /// Length and checksum of the announced frame, which must come next and is in no known format.
    announced: Option<(usize, u32)>,
}

pub fn run(args: &Args) -> Result<()> {
    let mut reflector = Reflector {
        socket: Some(listen(BUFFER)?),
        stack: None,
        links: args.links.clone(),
        counts: ["good", "torn", "foreign"]
            .into_iter()
            .map(|name| (name.to_owned(), 0))
            .collect(),
        announced: None,
    };
    // Subscribed before the first scan, so that no link is missed.
    let mut events = Socket::new(NETLINK_ROUTE)?;
    events.bind(&SocketAddr::new(0, 1))?; // RTMGRP_LINK
    events.set_non_blocking(true)?;
    let mut changed = true;
    loop {
        if changed {
            reflector.raise_links()?;
        }
        // SAFETY: The socket lives longer than the borrow, which ends with this round.
        let fd = unsafe { BorrowedFd::borrow_raw(events.as_raw_fd()) };
        let mut fds = vec![PollFd::new(fd, PollFlags::POLLIN)];
        let mut limit = PollTimeout::NONE;
        if let Some(socket) = &reflector.socket {
            fds.push(PollFd::new(socket.as_fd(), PollFlags::POLLIN));
        }
        if let Some(stack) = &reflector.stack {
            match stack.good() {
                Some(good) => fds.push(PollFd::new(good, PollFlags::POLLIN)),
                // A link that comes up is known to the stack a moment later.
                None => limit = PollTimeout::from(RETRY_MS),
            }
        }
        poll(&mut fds, limit)?;
        changed = fds[0].any().unwrap_or(true);
        // After an overrun, too, all links are checked.
        while events.recv_from_full().is_ok() {}
        match &mut reflector.stack {
            Some(_) => reflector.use_stack()?,
            None => reflector.receive()?,
        }
    }
}

impl Reflector {
    /// Brings up all links that are down.
    fn raise_links(&self) -> Result<()> {
        for entry in fs::read_dir("/sys/class/net")? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let path = format!("/sys/class/net/{name}");
            let down = fs::read_to_string(format!("{path}/flags")).is_ok_and(|flags| {
                u32::from_str_radix(flags.trim_start_matches("0x").trim(), 16)
                    .is_ok_and(|flags| flags & 1 == 0)
            });
            if !name.starts_with(&self.links) || !down {
                continue;
            }
            // Lets many frames be sent to a modem that returns nothing. Errors are ignored: the
            // link may disappear at any time.
            let _ = fs::write(
                format!("{path}/queues/tx-0/byte_queue_limits/limit_min"),
                "1000000",
            );
            if let Some(index) = index_of(&name) {
                raise(index)?;
            }
        }
        Ok(())
    }

    /// Receives all frames that have arrived.
    fn receive(&mut self) -> Result<()> {
        let mut bytes = vec![0; 1 << 17];
        while let Some(socket) = &self.socket {
            match recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut bytes) {
                Ok((len, Some(from))) => {
                    if from.hatype() == HARDWARE && from.pkttype() != libc::PACKET_OUTGOING {
                        let frame = bytes.get(..len).unwrap_or_default().to_vec();
                        self.take(&frame, &from)?;
                    }
                }
                Ok((_, None)) => {}
                Err(nix::Error::EAGAIN) => return Ok(()),
                // A link went down or disappeared.
                Err(nix::Error::ENETDOWN | nix::Error::ENODEV | nix::Error::EINTR) => {}
                Err(error) => return Err(error).context("receive"),
            }
        }
        Ok(())
    }

    /// Handles the modem's frames on the good channel.
    fn use_stack(&mut self) -> Result<()> {
        let Some(stack) = &mut self.stack else {
            return Ok(());
        };
        if stack.good().is_none() {
            stack.ask(&self.links);
        }
        while let Some(bytes) = self.stack.as_mut().and_then(Stack::next) {
            match Frame::decode(&bytes) {
                Some(frame) => self.obey(&frame)?,
                None => say(&format!(
                    "BUG: the good channel brought {:02x?}",
                    bytes.get(..48).unwrap_or(&bytes)
                ))?,
            }
        }
        Ok(())
    }

    /// Answers a frame of the good channel.
    fn obey(&mut self, frame: &Frame) -> Result<()> {
        let Some(stack) = &mut self.stack else {
            return Ok(());
        };
        let payload = match frame.kind {
            Kind::Report => {
                say_mark(&frame.payload)?;
                let (link, own) = (stack.link(), stack.counters()?);
                let mut report = self.report(link);
                report.retain(|name, _| {
                    ["ifindex", "foreign"].contains(&name.as_str())
                        || name.contains("error")
                        || name.contains("dropped")
                });
                report.extend(own);
                serde_json::to_vec(&report)?
            }
            Kind::Command if stack.is_end(&frame.payload) => {
                self.socket = Some(listen(BUFFER)?);
                stack.close_all()?;
                serde_json::to_vec(&hostile_frame::command::Answer::Done)?
            }
            Kind::Command => serde_json::to_vec(&stack.command(&frame.payload))?,
            kind => bail!("a frame of kind {kind:?} on the good channel"),
        };
        let answer = Frame {
            kind: Kind::Answer,
            seq: frame.seq,
            payload,
        };
        if let Some(stack) = &self.stack {
            stack.answer(&answer.encode(0));
        }
        if self.socket.is_some() {
            self.stack = None;
        }
        Ok(())
    }

    fn count(&mut self, name: &str) -> u64 {
        let count = self.counts.entry(name.to_owned()).or_default();
        *count += 1;
        *count
    }

    fn take(&mut self, bytes: &[u8], from: &LinkAddr) -> Result<()> {
        let frame = Frame::decode(bytes);
        match frame {
            Some(Frame {
                kind: Kind::Plain, ..
            }) => {
                self.count("good");
            }
            Some(Frame {
                kind: Kind::Echo, ..
            }) => self.send(bytes, from),
            Some(Frame {
                kind: Kind::Ask,
                payload,
                ..
            }) => {
                let [count, len] = words(&payload);
                for seq in 0..u32::from(count) {
                    let plain = Frame {
                        kind: Kind::Plain,
                        seq,
                        payload: vec![],
                    };
                    self.send(&plain.encode(len.into()), from);
                }
            }
            Some(Frame {
                kind: Kind::Report,
                seq,
                payload,
            }) => {
                say_mark(&payload)?;
                let answer = Frame {
                    kind: Kind::Answer,
                    seq,
                    payload: serde_json::to_vec(&self.report(from.ifindex() as u32))?,
                };
                self.send(&answer.encode(0), from);
            }
            Some(Frame {
                kind: Kind::Announce,
                payload,
                ..
            }) => {
                let word = |at: usize| {
                    payload
                        .get(at..at + 4)
                        .and_then(|word| word.try_into().ok())
                        .map_or(0, u32::from_le_bytes)
                };
                self.announced = Some((word(0) as usize, word(4)));
            }
            Some(Frame {
                kind: Kind::Command,
                ..
            }) => {
                self.socket = None;
                self.stack = Some(Stack::default());
            }
            _ if self.announced == Some((bytes.len(), crc32fast::hash(bytes))) => {
                self.announced = None;
                self.send(bytes, from);
            }
            _ if is_tame(bytes) => {
                self.count("torn");
            }
            _ => {
                if self.count("foreign") <= LINES_MAX {
                    let start = bytes.get(..48).unwrap_or(bytes);
                    say(&format!(
                        "BUG: a frame of {} bytes brought foreign memory: {start:02x?}",
                        bytes.len()
                    ))?;
                }
            }
        }
        Ok(())
    }

    /// Sends a frame to the link that another came from. Errors are ignored, since the modem
    /// notices a missing frame.
    fn send(&self, bytes: &[u8], to: &LinkAddr) {
        if let Some(socket) = &self.socket {
            let _ = sendto(socket.as_raw_fd(), bytes, to, MsgFlags::empty());
        }
    }

    /// Returns the counts of frames, and the statistics of the link.
    fn report(&self, link: u32) -> BTreeMap<String, u64> {
        let mut report = self.counts.clone();
        report.insert("ifindex".to_owned(), link.into());
        let names = fs::read_dir("/sys/class/net")
            .into_iter()
            .flatten()
            .flatten();
        let paths = names.map(|entry| entry.path());
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if index_of(&name) != Some(link) {
                continue;
            }
            let files = fs::read_dir(path.join("statistics"));
            for file in files.into_iter().flatten().flatten() {
                let value = fs::read_to_string(file.path());
                if let Some(value) = value.ok().and_then(|text| text.trim().parse().ok())
                    && value != 0
                {
                    report.insert(file.file_name().to_string_lossy().into_owned(), value);
                }
            }
        }
        report
    }
}

/// Writes the mark of a report to the log.
fn say_mark(payload: &[u8]) -> Result<()> {
    let [low, high] = words(payload);
    say(&format!("mark {}", u32::from(low) | u32::from(high) << 16))
}

/// Returns the first two 16-bit values.
fn words(payload: &[u8]) -> [u16; 2] {
    let word = |at: usize| {
        payload
            .get(at..at + 2)
            .and_then(|word| word.try_into().ok())
            .map_or(0, u16::from_le_bytes)
    };
    [word(0), word(2)]
}

fn index_of(name: &str) -> Option<u32> {
    let text = fs::read_to_string(format!("/sys/class/net/{name}/ifindex")).ok()?;
    text.trim().parse().ok()
}

/// Brings an interface up.
fn raise(index: u32) -> Result<()> {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::SetLink(link));
    message.header.flags = NLM_F_REQUEST;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let socket = Socket::new(NETLINK_ROUTE)?;
    socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
    Ok(())
}

/// Writes a line to the kernel's log.
fn say(line: &str) -> Result<()> {
    let mut log = fs::OpenOptions::new().write(true).open("/dev/kmsg")?;
    log.write_all(format!("guest-tool: {line}\n").as_bytes())?;
    Ok(())
}
