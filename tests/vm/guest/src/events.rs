// SPDX-License-Identifier: GPL-2.0

//! What the kernel tells of changes: a program sleeps until one of them.

#![expect(unsafe_code, reason = "a system call that no crate wraps")]

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify},
        socket::{
            AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv,
            socket,
        },
    },
};

/// Changes of one kind.
pub enum Events {
    /// Notifications of a netlink family.
    Netlink(OwnedFd),
    /// Changes of files.
    Files(Inotify),
}

impl Events {
    /// Changes of links in this network namespace.
    pub fn links() -> Result<Self> {
        Self::netlink(SockProtocol::NetlinkRoute, libc::RTMGRP_LINK)
    }

    /// Changes of links, addresses and routes in this network namespace.
    pub fn net() -> Result<Self> {
        let groups = libc::RTMGRP_LINK
            | libc::RTMGRP_IPV4_IFADDR
            | libc::RTMGRP_IPV4_ROUTE
            | libc::RTMGRP_IPV6_IFADDR
            | libc::RTMGRP_IPV6_ROUTE;
        Self::netlink(SockProtocol::NetlinkRoute, groups)
    }

    /// Devices that come, go or change.
    pub fn devices() -> Result<Self> {
        Self::netlink(SockProtocol::NetlinkKObjectUEvent, 1)
    }

    /// Changes of the files of [`watch`](Self::watch).
    pub fn files() -> Result<Self> {
        let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
        Ok(Self::Files(Inotify::init(flags).context("no inotify")?))
    }

    fn netlink(protocol: SockProtocol, groups: libc::c_int) -> Result<Self> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups.cast_unsigned()))?;
        Ok(Self::Netlink(fd))
    }

    /// Watches a file, which need not exist, nor its folder: it does so if called again after each
    /// change, before the file is looked at.
    pub fn watch(&self, file: &Path) -> Result<()> {
        let Self::Files(inotify) = self else {
            return Ok(());
        };
        ensure!(file.is_absolute(), "{} is not absolute", file.display());
        let mut folders: Vec<_> = file.ancestors().skip(1).collect();
        // A folder's own folder comes first, so that one which is made meanwhile is seen there.
        folders.reverse();
        let changes = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_DELETE;
        for folder in folders {
            match inotify.add_watch(folder, changes) {
                Ok(_) => {}
                Err(Errno::ENOENT) => break,
                Err(error) => return Err(error).with_context(|| folder.display().to_string()),
            }
        }
        Ok(())
    }

    /// Takes what was told so far. One change is as good as many.
    fn clear(&self) {
        // Ends with an error: there is nothing more, or some was lost.
        match self {
            Self::Netlink(fd) => {
                let mut buffer = [0; 8192];
                while recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty()).is_ok() {}
            }
            Self::Files(inotify) => while inotify.read_events().is_ok() {},
        }
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Netlink(fd) => fd.as_fd(),
            Self::Files(inotify) => inotify.as_fd(),
        }
    }
}

/// Waits for a change of any kind. Returns whether there was one within the time; a signal ends it, too.
pub fn changed(all: &[Events], limit: PollTimeout) -> Result<bool> {
    let some = readable(all, limit)?;
    all.iter().for_each(Events::clear);
    Ok(some)
}

/// Returns a descriptor that can be read once a process has ended, or `None` if it is gone.
pub fn end_of(pid: u32) -> io::Result<Option<OwnedFd>> {
    // SAFETY: The system call takes two integers and no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::ESRCH) => Ok(None),
            _ => Err(error),
        };
    }
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: The call above succeeded, so that this is a descriptor which nobody else owns.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Waits until descriptors can be read. Returns whether one can within the time; a signal ends it, too.
pub fn readable(fds: &[impl AsFd], limit: PollTimeout) -> Result<bool> {
    let mut fds: Vec<_> = fds
        .iter()
        .map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN))
        .collect();
    match poll(&mut fds, limit) {
        Ok(some) => Ok(some > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
