// SPDX-License-Identifier: GPL-2.0

//! Executes commands of the hostile modem with the CAIF stack, and returns their results.
//!
//! The commands come on the good channel, a DATAGRAM channel that no case uses and that is
//! requested again when its link is lost.
//!
//! The states of a socket are `pending`, `connected`, `refused`, `timed out` and `reset`;
//! `connected stopped` is one after flow-off. Those of an interface are `pending`, `refused`,
//! `connected` and `waiting`, without a carrier.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use hostile_frame::{
    command::{Answer, Command, GOOD_CONNECTION, Open, Received, Service, from_hex, to_hex},
    fill,
};
use socket2::Socket;

use crate::{
    caif::{self, Channel, REQ_PARAM, SOL_CAIF},
    link::{self, Args, Request},
    netdev,
};

/// Time limit for a state: its cause precedes the command.
const LIMIT: Duration = Duration::from_secs(10);
/// Bytes of a payload that are reported.
const SHOWN: usize = 100;

/// A socket of a case.
struct Used {
    socket: Socket,
    channel: Channel,
    /// The error that ended it.
    error: Option<i32>,
}

/// An interface of a case, and how bringing it up ended.
struct Interface {
    ending: mpsc::Receiver<io::Result<()>>,
    result: Option<io::Result<()>>,
}

#[derive(Default)]
pub struct Stack {
    good: Option<Socket>,
    /// Number and name of the link of the good channel.
    link: (u32, String),
    /// Frames of the good channel so far.
    commands: u64,
    sockets: BTreeMap<String, Used>,
    interfaces: BTreeMap<String, Interface>,
}

impl Stack {
    /// Returns the good channel, if it was requested.
    pub fn good(&self) -> Option<BorrowedFd<'_>> {
        self.good.as_ref().map(|good| good.as_fd())
    }

    /// Returns the number of the link.
    pub fn link(&self) -> u32 {
        self.link.0
    }

    /// Requests the good channel on the first link that is up and whose name has the prefix. The
    /// link may be gone meanwhile: the next call asks again.
    pub fn ask(&mut self, prefix: &str) {
        let entries = fs::read_dir("/sys/class/net").into_iter().flatten();
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
        names.retain(|name| name.starts_with(prefix));
        names.sort();
        for name in names {
            let Some(index) = super::index_of(&name) else {
                continue;
            };
            let channel = Channel {
                service: caif::Service::Datagram,
                connid: GOOD_CONNECTION,
                name: String::new(),
                stream: false,
                device: Some(name.clone()),
            };
            if let Ok(socket) = begin(&channel, |_| Ok(())) {
                self.good = Some(socket);
                self.link = (index, name);
                self.commands = 0;
                return;
            }
        }
    }

    /// Returns the next frame of the good channel.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; 4096];
        match self.good.as_mut()?.read(&mut bytes) {
            Ok(len) if len > 0 => {
                bytes.truncate(len);
                self.commands += 1;
                Some(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            // The link was lost.
            _ => {
                self.good = None;
                None
            }
        }
    }

    /// Sends an answer. Errors are ignored, since the modem notices a missing answer.
    pub fn answer(&self, frame: &[u8]) {
        if let Some(good) = &self.good {
            let _ = good.send(frame);
        }
    }

    /// Returns the program's own counters: used memory in KiB, and the commands so far.
    pub fn counters(&self) -> Result<BTreeMap<String, u64>> {
        let text = fs::read_to_string("/proc/meminfo")?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            value.with_context(|| format!("no {name} in /proc/meminfo"))
        };
        let free = value("MemFree:")? + value("Buffers:")? + value("Cached:")?;
        let used = value("MemTotal:")?.saturating_sub(free);
        Ok([("memory", used), ("commands", self.commands)]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect())
    }

    /// Returns whether a command ends the use of the stack.
    pub fn is_end(&self, text: &[u8]) -> bool {
        matches!(serde_json::from_slice(text), Ok(Command::End))
    }

    /// Executes a command.
    pub fn command(&mut self, text: &[u8]) -> Answer {
        match serde_json::from_slice(text)
            .context("no command")
            .and_then(|command| self.execute(command))
        {
            Ok(answer) => answer,
            Err(error) => match error.downcast_ref::<io::Error>() {
                Some(error) => Answer::Errno(name(error)),
                None => Answer::Failed(format!("{error:#}").chars().take(300).collect()),
            },
        }
    }

    fn execute(&mut self, command: Command) -> Result<Answer> {
        match command {
            Command::Open(open) if open.service == Service::Interface => self.raise(&open)?,
            Command::Open(open) => self.open(&open)?,
            Command::Connect { socket } => {
                let link = self.link.1.clone();
                let used = self.socket(&socket)?;
                used.error = None;
                // After a crash the link is another one.
                used.socket.bind_device(Some(link.as_bytes()))?;
                connect(&used.socket, &used.channel)?;
            }
            Command::State { socket, is } => self.state(&socket, &is)?,
            Command::Send { socket, len } => {
                let payload: Vec<u8> = (0..len).map(|place| fill(place.into())).collect();
                let sent = self.socket(&socket)?.socket.send(&payload)?;
                ensure!(sent == payload.len(), "only {sent} bytes were sent");
            }
            Command::Receive { socket } => {
                return Ok(Answer::Received(receive(&self.socket(&socket)?.socket)?));
            }
            Command::Counter { of, name } => {
                let path = format!("/sys/class/net/{of}/statistics/{name}");
                let text = fs::read_to_string(&path).map_err(|error| anyhow!("{path}: {error}"))?;
                return Ok(Answer::Number(text.trim().parse()?));
            }
            Command::Close { socket } => match self.interfaces.remove(&socket) {
                Some(_) => Request::delete(&socket)?.send()?,
                None => {
                    let socket = self.sockets.remove(&socket);
                    socket.context("no such socket")?;
                }
            },
            Command::Nothing => {}
            Command::CloseAll | Command::End => self.close_all()?,
        }
        Ok(Answer::Done)
    }

    /// Closes all but the good channel.
    pub fn close_all(&mut self) -> Result<()> {
        self.sockets.clear();
        for name in std::mem::take(&mut self.interfaces).keys() {
            Request::delete(name)?.send()?;
        }
        Ok(())
    }

    fn socket(&mut self, name: &str) -> Result<&mut Used> {
        self.sockets
            .get_mut(name)
            .with_context(|| format!("no socket {name}"))
    }

    fn open(&mut self, open: &Open) -> Result<()> {
        let channel = Channel {
            service: match open.service {
                Service::At => caif::Service::At,
                Service::Datagram => caif::Service::Datagram,
                Service::DatagramLoop => caif::Service::DatagramLoop,
                Service::Util => caif::Service::Util,
                Service::Debug => caif::Service::Debug,
                Service::Rfm => caif::Service::Rfm,
                Service::Interface => bail!("an interface is no socket"),
            },
            connid: open.connection,
            name: open.name.clone(),
            stream: open.stream,
            device: Some(self.link.1.clone()),
        };
        let socket = begin(&channel, |socket| {
            if open.buffer != 0 {
                socket.set_recv_buffer_size(open.buffer as usize)?;
            }
            if !open.params.is_empty() {
                let params = from_hex(&open.params).ok_or(io::ErrorKind::InvalidInput)?;
                caif::set_option(socket, SOL_CAIF, REQ_PARAM, &params)?;
            }
            Ok(())
        })?;
        let used = Used {
            socket,
            channel,
            error: None,
        };
        let before = self.sockets.insert(open.socket.clone(), used);
        ensure!(before.is_none(), "two sockets are {}", open.socket);
        Ok(())
    }

    fn raise(&mut self, open: &Open) -> Result<()> {
        link::add(&Args::of_connection(&open.socket, open.connection))?;
        let up = Request::up(&open.socket)?;
        let (sender, ending) = mpsc::channel();
        thread::spawn(move || sender.send(up.send()));
        let interface = Interface {
            ending,
            result: None,
        };
        self.interfaces.insert(open.socket.clone(), interface);
        Ok(())
    }

    /// Waits for a state.
    fn state(&mut self, name: &str, is: &str) -> Result<()> {
        let end = Instant::now() + LIMIT;
        if self.interfaces.contains_key(name) {
            return self.interface_state(name, is, end);
        }
        let used = self.socket(name)?;
        loop {
            let (now, events) = used.state()?;
            if now == is {
                return Ok(());
            }
            let left = end.saturating_duration_since(Instant::now());
            let is_over = used.error.is_some() || left.is_zero();
            ensure!(!is_over, "{name} is {now}, not {is}");
            // Events that are present already would end the wait at once.
            let more = (libc::POLLIN | libc::POLLOUT) & !events;
            caif::poll(&used.socket, more, left.as_millis() as i32)?;
        }
    }

    fn interface_state(&mut self, name: &str, is: &str, end: Instant) -> Result<()> {
        let interface = self.interfaces.get_mut(name).context("no interface")?;
        if interface.result.is_none() && is != "pending" {
            let left = end.saturating_duration_since(Instant::now());
            let result = interface.ending.recv_timeout(left);
            interface.result = Some(result.context("it is not up yet")?);
        } else if interface.result.is_none() {
            interface.result = interface.ending.try_recv().ok();
        }
        match (&interface.result, is) {
            (None, "pending") => Ok(()),
            (Some(Ok(())), "connected") => netdev::carrier_is(name, true, LIMIT.as_secs()),
            (Some(Ok(())), "waiting") => netdev::carrier_is(name, false, LIMIT.as_secs()),
            (Some(Err(error)), "refused") if error.raw_os_error() == Some(libc::ECONNREFUSED) => {
                Ok(())
            }
            (result, is) => bail!("bringing {name} up gave {result:?}, want {is}"),
        }
    }
}

impl Used {
    /// Returns the state and the present events.
    fn state(&mut self) -> Result<(String, i16)> {
        let events = caif::poll(&self.socket, libc::POLLIN | libc::POLLOUT, 0)?;
        if events & (libc::POLLERR | libc::POLLHUP) != 0 && self.error.is_none() {
            let error = self.socket.take_error()?;
            self.error = error.and_then(|error| error.raw_os_error()).or(Some(0));
        }
        let state = match self.error {
            Some(libc::ECONNREFUSED) => "refused",
            Some(libc::ECONNRESET) => "reset",
            Some(libc::ETIMEDOUT) => "timed out",
            Some(error) => bail!("an unexpected end, error {error}, events {events:#x}"),
            None => match self.socket.connect(&self.channel.address()?) {
                Err(error) if error.raw_os_error() == Some(libc::EALREADY) => "pending",
                Err(error) if error.raw_os_error() != Some(libc::EISCONN) => {
                    bail!("connect gave {error}")
                }
                _ if events & libc::POLLOUT != 0 => "connected",
                _ => "connected stopped",
            },
        };
        Ok((state.to_owned(), events))
    }
}

/// Makes a socket and asks for its channel.
fn begin(channel: &Channel, prepare: impl Fn(&Socket) -> io::Result<()>) -> io::Result<Socket> {
    let socket = channel.socket()?;
    socket.set_nonblocking(true)?;
    prepare(&socket)?;
    connect(&socket, channel)?;
    Ok(socket)
}

fn connect(socket: &Socket, channel: &Channel) -> io::Result<()> {
    match socket.connect(&channel.address()?) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(()),
    }
}

/// Receives all waiting payloads.
fn receive(socket: &Socket) -> Result<Received> {
    let mut received = Received {
        same: true,
        ..Received::default()
    };
    let mut first: Option<Vec<u8>> = None;
    let mut bytes = vec![0; 1 << 17];
    loop {
        // With the length, even if it is 0.
        match nix::sys::socket::recv(
            std::os::fd::AsRawFd::as_raw_fd(socket),
            &mut bytes,
            nix::sys::socket::MsgFlags::MSG_DONTWAIT,
        ) {
            Ok(0) => {
                // An empty payload, or the end.
                if caif::poll(socket, 0, 0)? & libc::POLLHUP != 0 {
                    received.then = "end".into();
                    return Ok(received);
                }
                received.count += 1;
            }
            Ok(len) => {
                let payload = bytes.get(..len).unwrap_or_default();
                received.count += 1;
                received.bytes += len as u64;
                match &first {
                    None => {
                        received.first = to_hex(payload.get(..SHOWN).unwrap_or(payload));
                        first = Some(payload.to_vec());
                    }
                    Some(first) => received.same &= first == payload,
                }
            }
            Err(errno) => {
                received.then = format!("{errno:?}");
                return Ok(received);
            }
        }
    }
}

/// Returns the name of an error.
fn name(error: &io::Error) -> String {
    let errno = error.raw_os_error().map(nix::Error::from_raw);
    errno.map_or_else(|| error.to_string(), |errno| format!("{errno:?}"))
}
