// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What the stack decides: on which link a channel is, what numbers and sizes it has, and which
//! error a caller gets.

#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use super::{
    control::{
        Failure,
        Refusal,
        RequestError, //
    },
    flow::Stopped,
    rfm::SplitError, //
};
use crate::caif_wire::{
    data::Service,
    frame,
    DATAGRAM_MTU, //
};

/// What a link is better at, or a user wants: `enum caif_link_selector`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// Throughput: the default of links and interfaces.
    HighBandwidth = 0,
    /// Latency: the default of sockets.
    LowLatency = 1,
}

impl Preference {
    /// Returns what a value of the socket option `CAIFSO_LINK_SELECT` says. `EINVAL` if it says
    /// nothing, which is found out by connect().
    pub fn from_option(value: i32) -> Result<Self, Errno> {
        match value {
            0 => Ok(Self::HighBandwidth),
            1 => Ok(Self::LowLatency),
            _ => Err(Errno::Invalid),
        }
    }
}

/// A link that a channel could be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The number of its device.
    pub ifindex: u32,
    /// Whether it is up.
    pub up: bool,
    /// What it is better at.
    pub preference: Preference,
}

/// On which link a channel is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// On that of this device.
    Bound(u32),
    /// On any, best on one of this kind.
    Prefer(Preference),
}

/// Returns the place of the link to use among those of a namespace, in the order of their
/// appearance: the bound one, else the first that is as preferred, else the first. It must be up;
/// `ENODEV` if there is none.
pub fn choose(
    links: impl Iterator<Item = Candidate> + Clone,
    choice: Choice,
) -> Result<usize, Errno> {
    let first = |wanted: &dyn Fn(&Candidate) -> bool| {
        links.clone().position(|link| link.up && wanted(&link))
    };
    match choice {
        Choice::Bound(ifindex) => first(&|link| link.ifindex == ifindex),
        Choice::Prefer(preference) => {
            first(&|link| link.preference == preference).or_else(|| first(&|_| true))
        }
    }
    .ok_or(Errno::NoDevice)
}

/// Returns a number from 1 to 7 for a new link that no other one in its namespace has: the lowest
/// bits of its device's, or those after them. `None` if there are seven links.
pub fn phyid(ifindex: u32, is_used: impl Fn(u8) -> bool) -> Option<u8> {
    let [low, ..] = ifindex.to_le_bytes();
    (0..8)
        .map(|i| low.wrapping_add(i) & 7)
        .find(|&id| id != 0 && !is_used(id))
}

/// Returns a channel's priority as it is on the wire, for a priority of a socket or an interface.
/// 1 is the lowest on this side, 0x1f on the wire.
pub fn wire_priority(priority: u32) -> u8 {
    let [low, ..] = priority.clamp(1, 0x1f).to_le_bytes();
    0x20u8.saturating_sub(low)
}

/// Returns how long a payload may be on a link with this MTU. `ENODEV` if there is room for none.
///
/// An RFM payload can be longer, and is cut into segments.
pub fn max_payload(service: Service, link_mtu: usize) -> Result<usize, Errno> {
    let header = match service {
        // The first byte of a segment is not reckoned with, as in Linux 6.12.
        Service::Rfm => 0,
        service => service.header_len(),
    };
    let limit = match service {
        Service::Datagram => DATAGRAM_MTU,
        _ => frame::MAX_BODY.saturating_sub(service.header_len()),
    };
    link_mtu
        .checked_sub(frame::OVERHEAD.saturating_add(header))
        .filter(|room| *room > 0)
        .map(|room| room.min(limit))
        .ok_or(Errno::NoDevice)
}

/// Returns whether payloads may not be sent on a link just now, where `was` says whether they might
/// not before: so many packets wait for its device, which takes none, of those that may wait.
///
/// It begins at a quarter of them, so that those that are on their way find room: each CPU may have
/// a burst of 32. It ends at an eighth, so that the device has some to send meanwhile.
pub fn is_congested(was: bool, backlog: Option<u32>, limit: u32) -> bool {
    let share = if was { limit / 8 } else { limit / 4 };
    backlog.is_some_and(|backlog| backlog >= share)
}

/// The smallest MTU of an interface.
pub const MIN_IP_MTU: usize = 100;

/// Returns the MTU of an interface whose own is `own` on a link with this one. `ENODEV` if it would
/// be below [`MIN_IP_MTU`].
pub fn ip_mtu(own: usize, link_mtu: usize) -> Result<usize, Errno> {
    let most = max_payload(Service::Datagram, link_mtu)?;
    if most < MIN_IP_MTU {
        return Err(Errno::NoDevice);
    }
    Ok(own.min(most))
}

/// Errors that a caller can get from what is decided without the kernel. The kernel's own, such as
/// that of a copy that fails, are added by who calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// `EPERM`
    NotPermitted,
    /// `EAGAIN`
    Again,
    /// `ENOMEM`
    NoMemory,
    /// `ENODEV`
    NoDevice,
    /// `EINVAL`
    Invalid,
    /// `EPIPE`
    Pipe,
    /// `EMSGSIZE`
    MessageSize,
    /// `EPROTO`
    Malformed,
    /// `EPROTONOSUPPORT`
    Protocol,
    /// `ESOCKTNOSUPPORT`
    SocketType,
    /// `EISCONN`
    IsConnected,
    /// `ETIMEDOUT`
    TimedOut,
    /// `ECONNREFUSED`
    Refused,
    /// `EALREADY`
    Already,
}

/// Asking for a channel fails at once.
impl From<RequestError> for Errno {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Down => Self::NoDevice,
            RequestError::Full => Self::NoMemory,
            RequestError::Invalid => Self::Invalid,
        }
    }
}

/// The modem answers that there is no channel.
impl From<Refusal> for Errno {
    fn from(_: Refusal) -> Self {
        Self::Refused
    }
}

/// The modem does not answer.
impl From<Failure> for Errno {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TimedOut => Self::TimedOut,
            Failure::LinkDown => Self::Refused,
        }
    }
}

/// A payload may not be sent now.
impl From<Stopped> for Errno {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Off => Self::Again,
            Stopped::Closed => Self::Pipe,
        }
    }
}

/// An RFM packet cannot be sent.
impl From<SplitError> for Errno {
    fn from(error: SplitError) -> Self {
        match error {
            SplitError::TooShort => Self::Malformed,
            SplitError::TooLong | SplitError::Mtu => Self::MessageSize,
        }
    }
}

/// `SOCK_STREAM` and `SOCK_SEQPACKET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketType {
    /// Bytes.
    Stream,
    /// Packets.
    SeqPacket,
}

/// The protocols of sockets.
pub const PROTOCOLS: i32 = 6;

/// Decides whether there can be such a socket, in the order in which socket() complains.
pub fn socket(is_capable: bool, kind: i32, protocol: i32) -> Result<SocketType, Errno> {
    if !is_capable {
        return Err(Errno::NotPermitted);
    }
    let kind = match kind {
        1 => SocketType::Stream,
        5 => SocketType::SeqPacket,
        _ => return Err(Errno::SocketType),
    };
    if !(0..PROTOCOLS).contains(&protocol) {
        return Err(Errno::Protocol);
    }
    Ok(kind)
}

/// How far a socket is with its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has none and asked for none, or was refused and told so.
    Idle,
    /// It asked, and there is no answer.
    Asked,
    /// It asked and was refused, which nobody was told.
    Refused,
    /// The channel is there, which no call of connect() returned.
    Answered,
    /// The channel is there.
    Connected,
    /// The channel was there, and the modem or the link ended it.
    Lost,
}

/// What connect() does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connect {
    /// Asks for a channel.
    Ask,
    /// Waits for the answer.
    Wait,
}

/// Decides what connect() does with a socket.
pub fn connect(progress: Progress, nonblocking: bool) -> Result<Connect, Errno> {
    match progress {
        Progress::Idle | Progress::Refused | Progress::Lost => Ok(Connect::Ask),
        Progress::Asked if nonblocking => Err(Errno::Already),
        Progress::Asked => Ok(Connect::Wait),
        Progress::Answered | Progress::Connected => Err(Errno::IsConnected),
    }
}
