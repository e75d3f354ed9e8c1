// SPDX-License-Identifier: GPL-2.0

//! Checks of the contract of AF_CAIF sockets: each call with its results and errors, against a
//! modem that answers.

mod calls;
mod connecting;
mod ending;
mod files;
mod listing;
mod pressure;
mod signals;
mod transfer;
mod wire;

use std::{
    io::{self, Read, Write},
    mem::MaybeUninit,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use socket2::Socket;

use crate::caif::{Channel, Service, poll};

/// Limit for expected events.
const SOON: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub struct Args {
    /// The checks by name; by default all that need no action of the harness
    checks: Vec<String>,
    /// A file to open for writing once a check needs an action of the harness
    #[arg(long)]
    ready: Option<PathBuf>,
}

type Check = fn(&Args) -> Result<()>;

/// Checks that need only a modem.
const CHECKS: &[(&str, Check)] = &[
    ("creation", calls::creation),
    ("unsupported", calls::unsupported),
    ("options", calls::options),
    ("bad_addresses", calls::bad_addresses),
    ("blocking_connect", connecting::blocking_connect),
    (
        "connect_without_waiting",
        connecting::connect_without_waiting,
    ),
    ("refusal", connecting::refusal),
    ("unconnected", transfer::unconnected),
    ("packets", transfer::packets),
    ("stream", transfer::stream),
    ("timeouts", transfer::timeouts),
    ("utility", transfer::utility),
    ("parameters", wire::parameters),
    ("requests", wire::requests),
    ("remote_shutdown", transfer::remote_shutdown),
    ("end_while_off", ending::while_flow_is_off),
    ("new_channel_under_a_sender", ending::under_a_sender),
    ("modem_stops_us", transfer::modem_stops_us),
    ("we_stop_the_modem", transfer::we_stop_the_modem),
    ("slow_link", pressure::slow_link),
    ("full_send_buffer", pressure::full_send_buffer),
    ("listing", listing::listing),
    ("many", transfer::many),
    ("signals", signals::signals),
    ("broken_pipe", signals::broken_pipe),
    ("filter", transfer::filter),
    ("nowhere", transfer::nowhere),
    ("file_packets", files::packets),
    ("file_stream", files::stream),
    ("file_limits", files::limits),
    ("file_lies", files::lies),
];

/// Checks that need an action of the harness once they are ready.
const WITH_OTHERS: &[(&str, Check)] = &[
    ("late_answer", connecting::late_answer),
    ("link_lost", connecting::link_lost),
    ("deadline", connecting::deadline),
    ("closing", listing::closing),
];

pub fn run(args: &Args) -> Result<()> {
    let all = CHECKS.iter().chain(WITH_OTHERS);
    for name in &args.checks {
        ensure!(
            all.clone().any(|(known, _)| known == name),
            "no check {name}"
        );
    }
    let (mut done, mut failed) = (0, 0);
    for (name, check) in all {
        let is_wanted = if args.checks.is_empty() {
            CHECKS.iter().any(|(known, _)| known == name)
        } else {
            args.checks.iter().any(|wanted| wanted == name)
        };
        if !is_wanted {
            continue;
        }
        let start = Instant::now();
        match check(args) {
            Ok(()) => {
                let seconds = start.elapsed().as_secs_f32();
                println!("{name}: as it should be, {seconds:.1} s");
                done += 1;
            }
            Err(error) => {
                println!("{name}: {error:#}");
                failed += 1;
            }
        }
    }
    println!("{done} checks passed, {failed} failed");
    ensure!(failed == 0, "{failed} checks failed");
    Ok(())
}

fn channel(service: Service, stream: bool) -> Channel {
    Channel {
        service,
        ..Channel::at(None, stream)
    }
}

fn open(service: Service, stream: bool) -> Result<Socket> {
    let mut channel = channel(service, stream);
    channel.connid = 1;
    channel.name = "loop".to_owned();
    channel
        .connect(SOON)
        .with_context(|| format!("cannot open a channel of {service:?}"))
}

/// Checks that a call failed with an error.
fn fails<T>(result: io::Result<T>, errno: i32, what: &str) -> Result<()> {
    match result {
        Ok(_) => bail!(
            "{what}: no error, wanted {}",
            io::Error::from_raw_os_error(errno)
        ),
        Err(error) if error.raw_os_error() == Some(errno) => Ok(()),
        Err(error) => bail!(
            "{what}: {error}, wanted {}",
            io::Error::from_raw_os_error(errno)
        ),
    }
}

fn receive(socket: &Socket, room: usize, flags: libc::c_int) -> io::Result<Vec<u8>> {
    let mut buffer = vec![MaybeUninit::zeroed(); room];
    let len = socket.recv_with_flags(&mut buffer, flags)?;
    let mut bytes = vec![0; len.min(room)];
    // With MSG_TRUNC the length may be larger than the buffer.
    let mut again = buffer.iter();
    for byte in &mut bytes {
        if let Some(value) = again.next() {
            *byte = assume(value);
        }
    }
    bytes.resize(len, 0);
    Ok(bytes)
}

#[expect(unsafe_code, reason = "what the kernel wrote")]
fn assume(byte: &MaybeUninit<u8>) -> u8 {
    // SAFETY: The buffer was zeroed.
    unsafe { byte.assume_init() }
}

const OUT: i16 = libc::POLLOUT | libc::POLLWRNORM | libc::POLLWRBAND;
const IN: i16 = libc::POLLIN | libc::POLLRDNORM;
const HUP: i16 = libc::POLLHUP | libc::POLLRDHUP;
const ERR: i16 = libc::POLLERR;

/// Waits for one of the events. Returns all present ones then.
fn events(socket: &Socket, wanted: i16) -> Result<i16> {
    poll(socket, wanted, SOON.as_millis() as i32)?;
    now(socket)
}

/// Returns the present events of a socket.
fn now(socket: &Socket) -> Result<i16> {
    Ok(poll(socket, IN | OUT | HUP, 0)?)
}

/// Reads the modem's answer to a command.
fn command(at: &mut Socket, command: &str) -> Result<String> {
    at.write_all(format!("{command}\r").as_bytes())?;
    let mut text = String::new();
    while !text.ends_with("OK\r\n") {
        let mut buffer = [0; 1000];
        let len = at.read(&mut buffer)?;
        ensure!(len > 0, "the end after {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..len]));
    }
    Ok(text)
}
