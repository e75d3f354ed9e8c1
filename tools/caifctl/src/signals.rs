// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Waits for descriptors, or for a signal to end.

use std::{
    fs,
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

/// Returns the signals that end a program. SIGHUP does not where it is ignored, which `nohup` sees to;
/// SIGINT always does, as shells ignore it for all that they start in the background.
pub fn ending() -> Vec<i32> {
    let mut signals = vec![SIGINT, SIGTERM];
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if !is_ignored(&status, SIGHUP) {
        signals.push(SIGHUP);
    }
    signals
}

/// Returns whether a process ignores a signal, by its status in /proc.
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The first bit is that of signal 1.
    let bit = u32::try_from(signal - 1)
        .ok()
        .and_then(|bit| 1_u64.checked_shl(bit));
    mask.zip(bit).is_some_and(|(mask, bit)| mask & bit != 0)
}

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
        for signal in ending() {
            pipe::register(signal, write.try_clone()?)?;
        }
        Ok(Self(read))
    }

    /// Returns one for tests, and the pipe's end that a signal writes to, without waiting for room.
    #[cfg(test)]
    pub fn by_hand() -> io::Result<(Self, UnixStream)> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
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
    fn ignored_signals_are_those_of_the_mask() {
        let status = "Name:\tcaifctl\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\n";
        let ignored: Vec<i32> = (0..70).filter(|n| is_ignored(status, *n)).collect();
        assert_eq!(ignored, [1, 13]);
        for other in ["", "SigIgn:\tx", "SigBlk:\t0000000000000001"] {
            assert!(!is_ignored(other, 1));
        }
    }

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
