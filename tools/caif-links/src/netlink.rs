// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Requests to rtnetlink.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use anyhow::{Context, Result, bail};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send,
        socket,
    },
};

/// More than the kernel puts into one datagram.
const DATAGRAM: usize = 1 << 16;
/// Number of times that an inconsistent dump is repeated.
const TRIES: usize = 5;
/// `RTMGRP_LINK`.
const LINKS: u32 = 1;

/// A socket of rtnetlink.
pub struct Netlink(OwnedFd);

/// A message, and the port of the socket whose request caused it: for most sockets the number of
/// their process, 0 for the kernel.
type Message = (u32, RouteNetlinkMessage);

/// The content of one datagram.
#[derive(Default)]
struct Part {
    messages: Vec<Message>,
    /// Whether it was the last one.
    done: bool,
    /// Whether something changed while the kernel went over it.
    torn: bool,
}

impl Netlink {
    /// Opens a socket for requests.
    pub fn new() -> Result<Self> {
        Self::of_groups(0, SockFlag::SOCK_CLOEXEC)
    }

    /// Opens a socket that receives changes of network devices.
    pub fn events() -> Result<Self> {
        Self::of_groups(LINKS, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)
    }

    fn of_groups(groups: u32, flags: SockFlag) -> Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            flags,
            SockProtocol::NetlinkRoute,
        )
        .context("cannot ask the kernel by rtnetlink")?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))
            .context("cannot ask the kernel by rtnetlink")?;
        Ok(Self(socket))
    }

    /// Discards the messages. An overrun is a change, too.
    pub fn drain(&self) {
        let mut buffer = vec![0; DATAGRAM];
        while matches!(
            recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()),
            Ok(1..) | Err(Errno::ENOBUFS)
        ) {}
    }

    /// Receives the messages that wait, of a socket for [`events`](Self::events). Those of an
    /// overrun are lost.
    pub fn take(&self) -> Vec<Message> {
        let mut buffer = vec![0; DATAGRAM];
        let mut all = Vec::new();
        loop {
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(len @ 1..) => all.extend(
                    parse(buffer.get(..len).unwrap_or_default())
                        .map(|part| part.messages)
                        .unwrap_or_default(),
                ),
                Err(Errno::ENOBUFS | Errno::EINTR) => {}
                _ => return all,
            }
        }
    }

    /// Sends a request that changes something, and waits for its result.
    pub fn request(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.send(message, flags | NLM_F_ACK)?;
        match self.receive() {
            Ok(_) => Ok(()),
            Err(error) => Err(error.downcast().unwrap_or_else(io::Error::other)),
        }
    }

    /// Requests a dump.
    pub fn dump(&self, message: &RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>> {
        for _ in 0..TRIES {
            self.send(message.clone(), NLM_F_DUMP)?;
            let (mut all, mut torn) = (Vec::new(), false);
            loop {
                let part = self.receive()?;
                all.extend(part.messages.into_iter().map(|(_, message)| message));
                torn |= part.torn;
                if part.done {
                    break;
                }
            }
            if !torn {
                return Ok(all);
            }
        }
        bail!("the network devices change too fast to be looked at")
    }

    fn send(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | flags;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        send(self.0.as_raw_fd(), &bytes, MsgFlags::empty())?;
        Ok(())
    }

    fn receive(&self) -> Result<Part> {
        let mut buffer = vec![0; DATAGRAM];
        let len = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty())
            .map_err(io::Error::from)
            .context("rtnetlink does not answer")?;
        parse(buffer.get(..len).unwrap_or_default())
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Parses a datagram. An error of the kernel is an error. Messages that cannot be parsed are left
/// out: they are of devices of another kind.
fn parse(datagram: &[u8]) -> Result<Part> {
    let mut part = Part::default();
    let mut rest = datagram;
    while let Some(header) = rest.first_chunk::<4>() {
        let len = usize::try_from(u32::from_ne_bytes(*header))?;
        let one = rest
            .get(..len)
            .filter(|one| one.len() >= 16)
            .context("rtnetlink's answer is cut off")?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(one) else {
            continue;
        };
        part.torn |= message.header.flags & NLM_F_DUMP_INTR != 0;
        match message.payload {
            NetlinkPayload::Done(_) => part.done = true,
            NetlinkPayload::Error(error) if error.code.is_some() => {
                return Err(error.to_io().into());
            }
            NetlinkPayload::InnerMessage(inner) => {
                part.messages.push((message.header.port_number, inner));
            }
            _ => {}
        }
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a netlink message.
    fn message(len: u32, kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn errors_of_the_kernel_are_errors() {
        let body: Vec<u8> = (-libc::EEXIST)
            .to_ne_bytes()
            .into_iter()
            .chain([0; 16])
            .collect();
        let error = parse(&message(36, 2, 0, &body)).err().unwrap();
        let error = error.downcast::<io::Error>().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
        assert!(
            parse(&message(36, 2, 0, &[0; 20]))
                .unwrap()
                .messages
                .is_empty()
        );
    }

    #[test]
    fn messages_have_the_port_of_who_asked() {
        let mut bytes = message(32, 16, 0, &[0; 16]);
        bytes[12..16].copy_from_slice(&700_u32.to_ne_bytes());
        let part = parse(&bytes).unwrap();
        assert!(
            matches!(
                part.messages.as_slice(),
                [(700, RouteNetlinkMessage::NewLink(_))]
            ),
            "{:?}",
            part.messages
        );
    }

    #[test]
    fn the_end_and_a_change_are_seen() {
        let part = parse(&message(20, 3, NLM_F_DUMP_INTR, &[0; 4])).unwrap();
        assert!(part.done && part.torn);
    }

    #[test]
    fn nonsense_is_refused_or_left_out() {
        for wrong in [
            message(15, 16, 0, &[]),
            message(99, 16, 0, &[]),
            message(0, 0, 0, &[]),
        ] {
            assert!(parse(&wrong).is_err());
        }
        // RTM_NEWLINK without its header.
        let part = parse(&message(20, 16, 0, &[0; 4])).unwrap();
        assert!(part.messages.is_empty() && !part.done);
        assert!(parse(&[1, 2]).unwrap().messages.is_empty());
    }
}
