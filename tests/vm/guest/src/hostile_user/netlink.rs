// SPDX-License-Identifier: GPL-2.0

//! Messages of rtnetlink, as bytes, so that they can be invalid.

use super::{counts::Call, task::Task};
use crate::rtnetlink::{
    ACK, CARRIER, CREATE, GETLINK, IFNAME, INFO_DATA, INFO_KIND, LINKINFO, NEWADDR, NEWLINK,
    REQUEST, push,
};

const IFF_UP: u32 = 1;
/// Offset of messages and answers in the arena.
const MESSAGE: usize = 1 << 14;
const ANSWER: usize = 1 << 15;

/// A message for a link.
#[derive(Clone)]
pub struct Message {
    pub bytes: Vec<u8>,
}

impl Message {
    /// Begins a message for a link, by its index or by none.
    pub fn new(kind: u16, flags: u16, index: i32) -> Self {
        Self::with_flags(kind, flags, index, 0, 0)
    }

    /// Returns a message that changes flags of a link.
    fn with_flags(kind: u16, flags: u16, index: i32, set: u32, change: u32) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&(flags | REQUEST | ACK).to_ne_bytes());
        bytes.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&index.to_ne_bytes());
        bytes.extend_from_slice(&set.to_ne_bytes());
        bytes.extend_from_slice(&change.to_ne_bytes());
        Self { bytes }
    }

    /// Sets a link up or down.
    pub fn set_up(index: i32, up: bool) -> Self {
        Self::with_flags(NEWLINK, 0, index, u32::from(up), IFF_UP)
    }

    /// Gives a link an IPv4 address and a peer.
    pub fn address(index: i32, local: [u8; 4], peer: [u8; 4]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&NEWADDR.to_ne_bytes());
        bytes.extend_from_slice(&(CREATE | REQUEST | ACK).to_ne_bytes());
        bytes.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&[libc::AF_INET as u8, 32, 0, 0]);
        bytes.extend_from_slice(&index.to_ne_bytes());
        let mut this = Self { bytes };
        this.add(2, &local);
        this.add(1, &peer);
        this
    }

    /// Makes an interface of kind `caif`.
    pub fn caif(name: &str, data: &[u8], flags: u16) -> Self {
        let mut this = Self::new(NEWLINK, flags, 0);
        this.add(IFNAME, name.as_bytes());
        this.add_info(b"caif", data);
        this
    }

    /// Adds an attribute.
    pub fn add(&mut self, kind: u16, payload: &[u8]) {
        push(&mut self.bytes, kind, payload);
    }

    /// Adds kind and attributes of the kind.
    pub fn add_info(&mut self, kind: &[u8], data: &[u8]) {
        let mut info = Vec::new();
        push(&mut info, INFO_KIND, kind);
        push(&mut info, INFO_DATA, data);
        self.add(LINKINFO, &info);
    }
}

/// A socket of rtnetlink.
pub struct Rtnl(usize);

impl Rtnl {
    pub fn new(task: &Task) -> Result<Self, i32> {
        let args = [libc::AF_NETLINK as usize, libc::SOCK_RAW as usize, 0];
        task.raw(libc::SYS_socket, &args).map(Self)
    }

    /// Sends a message, and counts the kernel's answer to it. A message that is too short has no
    /// answer, which counts as `EAGAIN`.
    pub fn ask(&self, task: &mut Task, call: Call, message: &Message) -> Result<(), i32> {
        let result = self.exchange(task, message);
        task.shared.count(call, result.err().unwrap_or(0));
        result
    }

    fn exchange(&self, task: &mut Task, message: &Message) -> Result<(), i32> {
        let len = message.bytes.len();
        let at = task.arena.put(MESSAGE, &message.bytes);
        let length = u32::try_from(len).unwrap_or(u32::MAX);
        task.arena.put(MESSAGE, &length.to_ne_bytes());
        // The kernel answers before the call returns.
        task.faulty(libc::SYS_sendto, &[self.0, at, len, 0, 0, 0])?;
        let mut result = Err(libc::EAGAIN);
        // There may be parts of a dump first, or of an earlier one.
        for _ in 0..200 {
            let flags = libc::MSG_DONTWAIT as usize;
            let args = [self.0, task.arena.at(ANSWER), 1 << 15, flags, 0, 0];
            let Ok(got) = task.raw(libc::SYS_recvfrom, &args) else {
                break;
            };
            let answer = task.arena.get(ANSWER, got.min(1 << 15));
            match outcome(&answer) {
                Some(0) => result = Ok(()),
                Some(errno) => result = Err(errno),
                None => {}
            }
        }
        result
    }

    /// Sets a link up or down.
    pub fn set_up(&self, task: &mut Task, call: Call, name: &str, up: bool) -> Result<(), i32> {
        let message = Message::set_up(index(name), up);
        self.ask(task, call, &message)
    }

    /// Returns whether an interface has a carrier.
    pub fn carrier(&self, task: &Task, name: &str) -> bool {
        let message = Message::new(GETLINK, 0, index(name));
        let at = task.arena.put(MESSAGE, &message.bytes);
        let len = message.bytes.len();
        task.arena.put(MESSAGE, &(len as u32).to_ne_bytes());
        let _ = task.raw(libc::SYS_sendto, &[self.0, at, len, 0, 0, 0]);
        let flags = libc::MSG_DONTWAIT as usize;
        let mut found = false;
        let args = [self.0, task.arena.at(ANSWER), 1 << 15, flags, 0, 0];
        while let Ok(got) = task.raw(libc::SYS_recvfrom, &args) {
            let answer = task.arena.get(ANSWER, got.min(1 << 15));
            let mut rest = answer.get(32..).unwrap_or_default();
            while let Some(([len0, len1, kind0, kind1], payload)) = rest.split_first_chunk() {
                let len = usize::from(u16::from_ne_bytes([*len0, *len1]));
                let kind = u16::from_ne_bytes([*kind0, *kind1]);
                found |= kind == CARRIER && payload.first() == Some(&1);
                rest = rest
                    .get(len.max(4).next_multiple_of(4)..)
                    .unwrap_or_default();
            }
        }
        found
    }

    pub fn close(self, task: &Task) {
        let _ = task.raw(libc::SYS_close, &[self.0]);
    }
}

/// Returns the result of a request, from the first message that is one: `NLMSG_ERROR` or
/// `NLMSG_DONE`.
fn outcome(mut bytes: &[u8]) -> Option<i32> {
    while let Some((header, _)) = bytes.split_first_chunk::<20>() {
        let len = usize::try_from(u32::from_ne_bytes(*header.first_chunk()?)).ok()?;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        if matches!(kind, 2 | 3) {
            let code = i32::from_ne_bytes(*header.last_chunk()?);
            return Some(code.saturating_neg().max(0));
        }
        bytes = bytes.get(len.max(16).next_multiple_of(4)..)?;
    }
    None
}

/// Returns the index of an interface; 0 if it does not exist.
pub fn index(name: &str) -> i32 {
    let index = nix::net::if_::if_nametoindex(name).unwrap_or(0);
    i32::try_from(index).unwrap_or(0)
}
