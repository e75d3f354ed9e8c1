// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Waits for descriptors, or for a signal to end.

use std::{
    io::{self, Read},
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

    /// Returns one for tests, and the pipe's end that a signal writes to.
    #[cfg(test)]
    pub fn by_hand() -> io::Result<(Self, UnixStream)> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        Ok((Self(read), write))
    }

    /// Waits for any of the descriptors, up to a limit if one is given. Signals that came since the
    /// last wait are returned once.
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
                let mut bytes = [0; 64];
                while matches!((&self.0).read(&mut bytes), Ok(1..)) {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use signal_hook::low_level::raise;

    #[test]
    fn a_signal_is_returned_once() {
        let signals = Signals::new().unwrap();
        let wait = || signals.wait(&[], Some(Duration::ZERO)).unwrap();
        for _ in 0..2 {
            assert_eq!(wait(), Waited::TimeOut);
            // The handler runs before this returns.
            raise(SIGTERM).unwrap();
            raise(SIGTERM).unwrap();
            assert_eq!(wait(), Waited::End);
        }
        assert_eq!(wait(), Waited::TimeOut);
    }
}
