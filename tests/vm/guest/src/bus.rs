// SPDX-License-Identifier: GPL-2.0

//! A client of D-Bus that calls methods and waits for what they return, woken by signals.

mod condition;
mod wire;

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use condition::Condition;
use wire::Message;

const SOCKET: &str = "/run/dbus/system_bus_socket";
/// The bus's own name.
const BUS: &str = "org.freedesktop.DBus";
/// What begins a connection as root: the user's number is in hexadecimal digits of its own digits.
const HELLO: &[u8] = b"\0AUTH EXTERNAL 30\r\n";
/// Seconds to wait by default.
const TIMEOUT: u64 = 120;

#[derive(clap::Args)]
pub struct Args {
    /// Name on the system bus, for example org.ofono
    name: String,
    /// Object, for example /
    path: String,
    /// Interface and method without arguments, for example org.ofono.Manager.GetModems
    method: String,
    /// Wait until these hold for what the method returns, in one answer: KEY.KEY=VALUE, KEY!=VALUE for
    /// none of this value; * stands for any key or value
    #[arg(long = "until")]
    conditions: Vec<Condition>,
    /// Seconds to wait
    #[arg(long, default_value_t = TIMEOUT)]
    timeout: u64,
}

/// Calls a method, again after each signal of the service until the conditions hold. Prints what it
/// returned, as JSON.
pub fn run(args: &Args) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(args.timeout);
    let waits = !args.conditions.is_empty();
    let (interface, method) = args
        .method
        .rsplit_once('.')
        .context("want INTERFACE.METHOD")?;
    let mut bus = Bus::connect(end)?;
    if waits {
        bus.subscribe(&args.name)?;
    }
    loop {
        let answer = bus.call(&args.name, &args.path, interface, method)?;
        let last = match answer {
            Ok(value) if args.conditions.iter().all(|c| c.holds(&value)) => {
                println!("{value}");
                return Ok(());
            }
            Ok(value) => value.to_string(),
            Err(error) if waits => error,
            Err(error) => bail!("{error}"),
        };
        if !bus.signalled()? {
            bail!("after {} s it is still: {last}", args.timeout);
        }
    }
}

struct Bus {
    stream: BufReader<UnixStream>,
    serial: u32,
    end: Instant,
    /// Whether there was a signal since the last call began.
    signalled: bool,
}

impl Bus {
    fn connect(end: Instant) -> Result<Self> {
        let stream = UnixStream::connect(SOCKET).context("there is no system bus")?;
        let mut bus = Self {
            stream: BufReader::new(stream),
            serial: 0,
            end,
            signalled: false,
        };
        bus.write(HELLO)?;
        let mut line = String::new();
        bus.stream.read_line(&mut line)?;
        ensure!(line.starts_with("OK "), "the bus refuses us: {line:?}");
        bus.write(b"BEGIN\r\n")?;
        bus.must(BUS, "Hello", None)?;
        Ok(bus)
    }

    /// Lets the bus send us the signals of a service, and tell when that comes or goes.
    fn subscribe(&mut self, name: &str) -> Result<()> {
        for rule in [
            format!("type='signal',sender='{name}'"),
            format!("type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{name}'"),
        ] {
            self.must(BUS, "AddMatch", Some(&rule))?;
        }
        Ok(())
    }

    /// Calls a method of the bus itself.
    fn must(&mut self, name: &str, method: &str, argument: Option<&str>) -> Result<Value> {
        self.request(name, "/org/freedesktop/DBus", name, method, argument)?
            .map_err(|error| anyhow::anyhow!("{method}: {error}"))
    }

    /// Calls a method. The inner error is the service's answer.
    fn call(
        &mut self,
        name: &str,
        path: &str,
        interface: &str,
        method: &str,
    ) -> Result<Result<Value, String>> {
        self.signalled = false;
        self.request(name, path, interface, method, None)
    }

    fn request(
        &mut self,
        name: &str,
        path: &str,
        interface: &str,
        method: &str,
        argument: Option<&str>,
    ) -> Result<Result<Value, String>> {
        self.serial += 1;
        let serial = self.serial;
        let call = wire::call(serial, name, path, interface, method, argument);
        self.write(&call)?;
        loop {
            let message = self
                .read()?
                .with_context(|| format!("{method} is not answered"))?;
            match message {
                Message::Signal => self.signalled = true,
                Message::Return(to, value) if to == serial => return Ok(Ok(value)),
                Message::Error(to, text) if to == serial => return Ok(Err(text)),
                Message::Return(..) | Message::Error(..) | Message::Other => {}
            }
        }
    }

    /// Waits for a signal since the last call began. Returns false after the time.
    fn signalled(&mut self) -> Result<bool> {
        while !self.signalled {
            match self.read()? {
                Some(Message::Signal) => self.signalled = true,
                Some(_) => {}
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.get_mut().write_all(bytes)?)
    }

    /// Reads a message. Returns `None` after the time.
    fn read(&mut self) -> Result<Option<Message>> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        self.stream.get_ref().set_read_timeout(Some(left))?;
        let mut head = [0; 16];
        match self.stream.read_exact(&mut head) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(None);
            }
            result => result.context("the bus ended")?,
        }
        let mut rest = vec![0; wire::length_of_rest(head)?];
        self.stream.read_exact(&mut rest)?;
        Message::parse(head, &rest).map(Some)
    }
}
