// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Waits for descriptors, or for a signal to end.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    low_level::pipe,
};

/// Catches the signals that end a program: [`wait`](Self::wait) returns them.
pub struct Signals(UnixStream);

/// The result of a wait.
#[derive(Debug, PartialEq, Eq)]
pub enum Waited {
    /// The events of each descriptor.
    Ready(Vec<PollFlags>),
    TimeOut,
    /// The program is to end.
    End,
}

impl Signals {
    pub fn new() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            pipe::register(signal, write.try_clone()?)?;
        }
        Ok(Self(read))
    }

    /// Waits for any of the descriptors, up to a limit if one is given.
    pub fn wait(
        &self,
        fds: &[(BorrowedFd<'_>, PollFlags)],
        limit: Option<Duration>,
    ) -> io::Result<Waited> {
        let end = limit.map(|limit| Instant::now() + limit);
        loop {
            let mut polled = vec![PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            polled.extend(fds.iter().map(|(fd, events)| PollFd::new(*fd, *events)));
            let count = match poll(&mut polled, until(end)) {
                Err(Errno::EINTR) => continue,
                result => result?,
            };
            if polled.first().is_some_and(|fd| fd.any() == Some(true)) {
                return Ok(Waited::End);
            }
            if count > 0 {
                let events = polled.iter().skip(1);
                return Ok(Waited::Ready(
                    events
                        .map(|fd| fd.revents().unwrap_or(PollFlags::POLLERR))
                        .collect(),
                ));
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(Waited::TimeOut);
            }
        }
    }
}

/// Returns the time to wait, rounded up, so that the wait does not end just before it.
fn until(end: Option<Instant>) -> PollTimeout {
    let Some(end) = end else {
        return PollTimeout::NONE;
    };
    let left = end.saturating_duration_since(Instant::now());
    PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
}
