// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Messages of the protocol: a number, most with a file descriptor.

use crate::Error;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
    },
};
use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
};

/// Bytes of a message.
const SIZE: usize = size_of::<i64>();

/// Sends `value`, with `fd` if there is one.
pub fn send(socket: impl AsFd, value: i64, fd: Option<BorrowedFd<'_>>) -> Result<(), Error> {
    let bytes = value.to_le_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = fd.map(|fd| [fd]);
    if let Some(fds) = &fds
        && !ancillary.push(SendAncillaryMessage::ScmRights(fds))
    {
        return Err(Error::Protocol("no room for a file descriptor".into()));
    }
    let sent = sendmsg(
        socket,
        &[IoSlice::new(&bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )
    .map_err(Error::system("send to a peer"))?;
    if sent == SIZE {
        Ok(())
    } else {
        Err(Error::Protocol(format!("sent {sent} of {SIZE} bytes")))
    }
}

/// Receives a message. Returns `None` if there is none on a non-blocking socket.
pub fn receive(socket: impl AsFd) -> Result<Option<(i64, Option<OwnedFd>)>, Error> {
    let mut bytes = [0; SIZE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let result = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    );
    let received = match result {
        Ok(message) => message.bytes,
        Err(Errno::AGAIN) => return Ok(None),
        Err(Errno::CONNRESET) => return Err(Error::Closed),
        Err(error) => return Err(Error::system("receive from the ivshmem server")(error)),
    };
    match received {
        0 => return Err(Error::Closed),
        SIZE => {}
        other => {
            return Err(Error::Protocol(format!(
                "message of {other} bytes, not {SIZE}"
            )));
        }
    }
    let mut fd = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(mut fds) = message {
            fd = fds.next();
        }
    }
    Ok(Some((i64::from_le_bytes(bytes), fd)))
}
