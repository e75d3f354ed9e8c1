// SPDX-License-Identifier: GPL-2.0

//! Signals: interrupted calls, and SIGPIPE.

use std::{io, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use socket2::Socket;

use super::{Args, SOON, channel, command, events, fails, open, receive};
use crate::{
    caif::Service,
    unsafe_calls::{Thread, broken_pipes, handle_interrupts},
};

/// Runs a call in a thread of its own, and interrupts it until it returns.
fn interrupted<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<io::Result<T>> {
    let running = Thread::start(call);
    for _ in 0..200 {
        if running.is_finished() {
            break;
        }
        running.interrupt()?;
        thread::sleep(Duration::from_millis(20));
    }
    ensure!(running.is_finished(), "signals do not end the call");
    Ok(running.join())
}

pub fn signals(_args: &Args) -> Result<()> {
    let mut at = open(Service::At, false)?;
    for stream in [false, true] {
        let util = || -> Result<Socket> {
            let socket = open(Service::Util, stream)?;
            socket.set_read_timeout(None)?;
            socket.set_write_timeout(None)?;
            Ok(socket)
        };

        handle_interrupts(false)?;
        let socket = util()?;
        let receiver = socket.try_clone()?;
        let result = interrupted(move || receive(&receiver, 9, 0))?;
        fails(result, libc::EINTR, "receiving")?;

        // A call with a timeout is not restarted.
        handle_interrupts(true)?;
        socket.set_read_timeout(Some(SOON))?;
        let receiver = socket.try_clone()?;
        let result = interrupted(move || receive(&receiver, 9, 0))?;
        fails(result, libc::EINTR, "receiving with SO_RCVTIMEO")?;

        // A call without one is.
        socket.set_read_timeout(None)?;
        let receiver = socket.try_clone()?;
        let running = Thread::start(move || receive(&receiver, 9, 0));
        for _ in 0..10 {
            thread::sleep(Duration::from_millis(20));
            running.interrupt()?;
        }
        ensure!(!running.is_finished(), "the call was not begun again");
        socket.send(b"x")?;
        ensure!(running.join()? == b"x", "another payload");

        handle_interrupts(false)?;
        command(&mut at, "AT*FLOW=4000")?;
        // poll(2) waits until a socket can be sent to, not until it cannot.
        while super::now(&socket)? & libc::POLLOUT != 0 {}
        let sender = socket.try_clone()?;
        let result = interrupted(move || sender.send(b"y"))?;
        fails(result, libc::EINTR, "sending")?;

        // The request continues without the call.
        command(&mut at, "AT*STALL=2000")?;
        let other = channel(Service::At, stream);
        let socket = other.socket()?;
        let (connecting, address) = (socket.try_clone()?, other.address()?);
        let result = interrupted(move || connecting.connect(&address))?;
        fails(result, libc::EINTR, "connecting")?;
        events(&socket, libc::POLLOUT)?;
        fails(
            socket.connect(&other.address()?),
            libc::EISCONN,
            "after all",
        )?;
    }
    Ok(())
}

/// Sending bytes to a channel that ended raises SIGPIPE, unless that is switched off; sending
/// packets does not.
pub fn broken_pipe(_args: &Args) -> Result<()> {
    let shut = |stream| -> Result<Socket> {
        let socket = open(Service::Util, stream)?;
        socket.send(b"shutdown")?;
        events(&socket, libc::POLLRDHUP)?;
        let error = socket.take_error()?.context("no error")?;
        ensure!(error.raw_os_error() == Some(libc::ECONNRESET), "{error}");
        Ok(socket)
    };
    for (stream, socket) in [
        (false, channel(Service::Util, false).socket()?),
        (true, channel(Service::Util, true).socket()?),
        (false, shut(false)?),
        (true, shut(true)?),
    ] {
        for (flags, signals) in [
            (0, u32::from(stream)),
            (libc::MSG_DONTWAIT, u32::from(stream)),
            (libc::MSG_NOSIGNAL, 0),
        ] {
            let (result, got) = broken_pipes(|| socket.send_with_flags(b"x", flags))?;
            fails(result, libc::EPIPE, "sending")?;
            ensure!(got == signals, "{got} signals, flags {flags:#x}");
        }
    }
    Ok(())
}
