// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Events of the kernel's device model.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
    },
};

/// More than the kernel puts into one event.
const EVENT: usize = 1 << 13;
/// The group of the kernel's own events; udevd has another.
const KERNEL: u32 = 1;

/// A socket that receives events: a device came, went, or was bound to a driver.
pub struct Uevents(OwnedFd);

impl Uevents {
    /// Opens the socket.
    pub fn new() -> Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )
        .context("cannot listen to events of devices")?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL))
            .context("cannot listen to events of devices")?;
        Ok(Self(socket))
    }

    /// Receives the events that wait, and returns whether one was of this subsystem, or may have
    /// been among lost ones.
    pub fn take(&self, subsystem: &str) -> bool {
        let mut buffer = vec![0; EVENT];
        let mut found = false;
        loop {
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(len @ 1..) => found |= is_of(buffer.get(..len).unwrap_or_default(), subsystem),
                Err(Errno::ENOBUFS) => found = true,
                Err(Errno::EINTR) => {}
                _ => return found,
            }
        }
    }
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Returns whether an event, `ACTION@PATH` and variables with a zero byte after each, is of a
/// subsystem.
fn is_of(event: &[u8], subsystem: &str) -> bool {
    event
        .split(|byte| *byte == 0)
        .any(|line| line.strip_prefix(b"SUBSYSTEM=") == Some(subsystem.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_by_their_subsystem() {
        let event =
            b"remove@/devices/x/remoteproc/remoteproc0\0ACTION=remove\0SUBSYSTEM=remoteproc\0";
        assert!(is_of(event, "remoteproc"));
        for other in [&b"add@/a\0SUBSYSTEM=remoteprocs\0"[..], b"remoteproc", b""] {
            assert!(!is_of(other, "remoteproc"), "{other:?}");
        }
    }
}
