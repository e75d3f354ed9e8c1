// SPDX-License-Identifier: GPL-2.0

//! The modem ends a channel while a program sends on it, or waits to.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use socket2::Socket;

use super::{Args, ERR, HUP, IN, OUT, SOON, channel, command, events, fails, now, open, receive};
use crate::caif::Service;

/// Channels that a socket has, one after the other: with those of both types more than the modem has
/// ids, so that each must be given back.
const CHANNELS: u32 = 100;

/// Waits until a thread of this process sleeps.
fn sleeps(thread: &Path) -> Result<()> {
    let begin = Instant::now();
    while !fs::read_to_string(thread)?.contains(") S ") {
        ensure!(begin.elapsed() < SOON, "it does not wait");
        thread::yield_now();
    }
    Ok(())
}

/// Returns the file with the state of the calling thread.
fn own_state() -> io::Result<PathBuf> {
    let thread = fs::read_link("/proc/thread-self")?;
    Ok(Path::new("/proc").join(thread).join("stat"))
}

/// The modem wants no payloads, and ends the channel: who waits to send is told, and the events are
/// those of the end.
pub fn while_flow_is_off(_args: &Args) -> Result<()> {
    let mut at = open(Service::At, false)?;
    for stream in [false, true] {
        let [idle, busy] = [open(Service::Util, stream)?, open(Service::Util, stream)?];
        command(&mut at, "AT*FLOW=20000")?;
        for socket in [&idle, &busy] {
            let begin = Instant::now();
            while now(socket)? & OUT != 0 {
                ensure!(begin.elapsed() < SOON, "flow is not off");
            }
        }
        let sender = busy.try_clone()?;
        let (tell, told) = mpsc::channel();
        let sending = thread::spawn(move || {
            let begin = Instant::now();
            let sent = tell
                .send(own_state())
                .map_err(io::Error::other)
                .and_then(|()| sender.send_with_flags(b"x", libc::MSG_NOSIGNAL));
            (sent, begin.elapsed())
        });
        sleeps(&told.recv()??)?;
        command(&mut at, "AT*SHUTDOWN")?;
        // The end is reported once, as to a call that begins after it.
        let (sent, took) = sending.join().expect("the sender");
        let errno = if stream {
            libc::EPIPE
        } else {
            libc::ECONNRESET
        };
        fails(sent, errno, "who waited to send")?;
        ensure!(took < SOON, "it took {took:?}");
        let there = events(&idle, libc::POLLRDHUP)?;
        ensure!(there == IN | HUP | ERR, "events {there:#x}");
        fails(receive(&idle, 9, 0), libc::ECONNRESET, "receiving")?;
        let there = now(&idle)?;
        ensure!(there == IN | HUP, "events afterwards {there:#x}");
        command(&mut at, "AT*FLOW=1")?;
        // Another channel has a flow of its own.
        let mut util = channel(Service::Util, stream);
        util.name = "loop".to_owned();
        idle.connect(&util.address()?)?;
        idle.send(b"again")?;
        ensure!(receive(&idle, 9, 0)? == b"again", "another payload");
    }
    Ok(())
}

/// Sends until it is told to stop, on whatever channel the socket has. Returns how many payloads it
/// could send.
fn send_on(socket: &Socket, stop: &AtomicBool) -> Result<u64> {
    let mut sent = 0;
    while !stop.load(Relaxed) {
        match socket.send_with_flags(&[7; 64], libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) {
            Ok(_) => sent += 1,
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EPIPE | libc::ECONNRESET) => thread::yield_now(),
                _ => return Err(error).context("sending"),
            },
        }
    }
    Ok(sent)
}

/// A thread sends on a socket while another one has its channel ended and connects it again, many
/// times.
pub fn under_a_sender(_args: &Args) -> Result<()> {
    for stream in [false, true] {
        let mut util = channel(Service::Util, stream);
        util.name = "loop".to_owned();
        let address = util.address()?;
        let socket = open(Service::Util, stream)?;
        let stop = AtomicBool::new(false);
        let sent = thread::scope(|scope| {
            let sender = scope.spawn(|| send_on(&socket, &stop));
            let ended = (0..CHANNELS).try_for_each(|number| {
                end(&socket)?;
                socket
                    .connect(&address)
                    .with_context(|| format!("channel {number}"))
            });
            stop.store(true, Relaxed);
            let sent = sender.join().expect("the sender");
            ended.and(sent)
        })?;
        ensure!(
            sent >= u64::from(CHANNELS),
            "only {sent} payloads were sent"
        );
        // Without what is left of them.
        end(&socket)?;
        socket.connect(&address)?;
        socket.send(b"again")?;
        let got = receive(&socket, 99, 0)?;
        ensure!(got == b"again", "{got:?}");
    }
    Ok(())
}

/// Has the modem end the channel of a socket that another thread may use.
fn end(socket: &Socket) -> Result<()> {
    let begin = Instant::now();
    while let Err(error) = socket.send_with_flags(b"shutdown", libc::MSG_NOSIGNAL) {
        // The end of the channel before may not have been reported yet.
        let passes = matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ECONNRESET));
        ensure!(
            passes && begin.elapsed() < SOON,
            "it cannot be ended: {error}"
        );
    }
    let there = events(socket, libc::POLLRDHUP)?;
    ensure!(there & HUP == HUP, "no end, events {there:#x}");
    Ok(())
}
