// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modem's IP services behind QEMU's `-netdev dgram`, an Ethernet device whose frames are
//! datagrams on a UNIX socket.

#![forbid(unsafe_code)]

mod ether;

use std::{
    io::{ErrorKind, Write, stdout},
    net::{Ipv4Addr, SocketAddr},
    os::unix::net::{UnixDatagram, UnixStream},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use caif_stack::{IpConfig, IpStack};
use clap::Parser;
use ether::{Ether, Received};
use forward::Forwarder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The modem's IP services behind an Ethernet device, to compare a link with.
///
/// Prints "waiting" when the device may come, and ends with status 0 at SIGTERM or SIGINT.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Socket to create, on which frames are received.
    #[arg(long)]
    socket: PathBuf,
    /// Socket of the device, to which frames are sent.
    #[arg(long)]
    device: PathBuf,
    /// Address of the services.
    #[arg(long, default_value = "10.8.1.1")]
    address: Ipv4Addr,
    /// Size of the largest packet, in bytes.
    #[arg(long, default_value_t = 1500)]
    mtu: usize,
    /// Pass TCP connections to this port on to another program, as PORT=ADDRESS:PORT. May be repeated.
    #[arg(long, value_parser = forward::parse)]
    forward: Vec<(u16, SocketAddr)>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let (stop, stopper) = UnixStream::pair().context("make a pair of sockets")?;
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let stopper = stopper.try_clone().context("duplicate a socket")?;
        signal_hook::low_level::pipe::register(signal, stopper).context("catch signals")?;
    }
    let socket = UnixDatagram::bind(&args.socket)
        .with_context(|| format!("cannot make {}", args.socket.display()))?;
    socket.set_nonblocking(true)?;
    writeln!(stdout(), "waiting")?;
    stdout().flush()?;

    let config = IpConfig {
        addresses: vec![(args.address.into(), 24)],
        mtu: args.mtu,
        queue: 64,
        seed: 1,
        ..IpConfig::default()
    };
    let mut stack = IpStack::new(&config, Instant::now());
    let forwarder = Forwarder::default();
    for (port, to) in &args.forward {
        stack.forward(&forwarder.to(*port, *to));
    }
    let mut ether = Ether::new(args.address);
    loop {
        receive(&socket, &args, &mut ether, &mut stack)?;
        send(&socket, &args, &ether, &mut stack)?;
        let due = stack.poll(Instant::now());
        if wait(&socket, &forwarder, &stop, due)? {
            return Ok(());
        }
    }
}

/// Receives all frames that are waiting.
fn receive(
    socket: &UnixDatagram,
    args: &Args,
    ether: &mut Ether,
    stack: &mut IpStack,
) -> Result<()> {
    let mut frame = [0; 65536];
    loop {
        let len = match socket.recv(&mut frame) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("cannot receive"),
        };
        match ether.receive(frame.get(..len).unwrap_or_default()) {
            Received::Packet(packet) => {
                stack.receive(packet, Instant::now());
                send(socket, args, ether, stack)?;
            }
            Received::Answer(answer) => {
                put(socket, args, &answer)?;
            }
            Received::Nothing => {}
        }
    }
}

/// Sends all packets that are waiting.
fn send(socket: &UnixDatagram, args: &Args, ether: &Ether, stack: &mut IpStack) -> Result<()> {
    while let Some(packet) = stack.send(Instant::now()) {
        if let Some(frame) = ether.frame(&packet) {
            put(socket, args, &frame)?;
        }
    }
    Ok(())
}

/// Sends a frame, and waits for room in the socket if it is full. The frame is lost if the device
/// is not connected.
fn put(socket: &UnixDatagram, args: &Args, frame: &[u8]) -> Result<()> {
    loop {
        match socket.send(frame) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut fds = [PollFd::new(socket, PollFlags::OUT)];
                match poll(&mut fds, None) {
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error).context("cannot wait for room"),
                }
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => {
                if socket.connect(&args.device).is_err() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Ok(()),
            Err(error) => return Err(error).context("cannot send"),
        }
    }
}

/// Waits for a frame, a connection that is passed on, a deadline or `stop`. Returns whether to stop.
fn wait(
    socket: &UnixDatagram,
    forwarder: &Forwarder,
    stop: &UnixStream,
    due: Option<Instant>,
) -> Result<bool> {
    let left = due.map(|due| due.saturating_duration_since(Instant::now()));
    // Rounded up, so that the deadline has passed when the wait ends.
    let left = left.map(|left| left + Duration::from_micros(1));
    let timeout = left.and_then(|left| Timespec::try_from(left).ok());
    let files = forwarder.waiting();
    let mut fds = vec![
        PollFd::new(socket, PollFlags::IN),
        PollFd::new(stop, PollFlags::IN),
    ];
    fds.extend(files.iter().map(|file| PollFd::new(&**file, file.wanted())));
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error).context("cannot wait"),
    }
    for (file, fd) in files.iter().zip(fds.iter().skip(2)) {
        file.note(fd.revents());
    }
    Ok(!fds[1].revents().is_empty())
}
