// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Decisions of the stack: the link of a channel, its numbers and sizes, and the error that a
//! caller gets.

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

/// The kind of a link, or the kind that a user prefers: `enum caif_link_selector`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// High throughput: the default of links and interfaces.
    HighBandwidth = 0,
    /// Low latency: the default of sockets.
    LowLatency = 1,
}

impl Preference {
    /// Returns the kind that a value of the socket option `CAIFSO_LINK_SELECT` stands for. `EINVAL`
    /// for another value; connect() reports it, not setsockopt().
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
    /// The index of the link's device.
    pub ifindex: u32,
    /// Whether the link is up.
    pub up: bool,
    /// The kind of the link.
    pub preference: Preference,
}

/// The link on which a channel is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The link of this device.
    Bound(u32),
    /// Any link, preferably of this kind.
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

/// Returns a number from 1 to 7 for a new link, which tells a modem with several links these apart:
/// the lowest bits of the device's index, or the next number that fewer links have. `links` counts
/// those of the namespace with a number.
pub fn phyid(ifindex: u32, links: impl Fn(u8) -> usize) -> u8 {
    let [low, ..] = ifindex.to_le_bytes();
    (0..8)
        .map(|i| low.wrapping_add(i) & 7)
        .filter(|&id| id != 0)
        .min_by_key(|&id| links(id))
        .unwrap_or(1)
}

/// Converts a priority of a socket or an interface to that of a channel on the wire. 1 is the
/// lowest on this side, 0x1f on the wire.
pub fn wire_priority(priority: u32) -> u8 {
    let [low, ..] = priority.clamp(1, 0x1f).to_le_bytes();
    0x20u8.saturating_sub(low)
}

/// Returns the length of the longest payload on a link with this MTU. `ENODEV` if there is room for
/// none.
///
/// An RFM payload can be longer, and is cut into segments.
pub fn max_payload(service: Service, link_mtu: usize) -> Result<usize, Errno> {
    let header = match service {
        // The first byte of a segment is not counted, as in Linux 6.12.
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

/// Returns whether a link is congested: `backlog` of at most `limit` packets wait for its device.
/// `was` is the last result.
///
/// Congestion begins at a quarter of the limit, which leaves room for packets that have left their
/// queues: each CPU may have a burst of 32. It ends at an eighth, so that the device does not run
/// dry.
pub fn is_congested(was: bool, backlog: Option<u32>, limit: u32) -> bool {
    let share = if was { limit / 8 } else { limit / 4 };
    backlog.is_some_and(|backlog| backlog >= share)
}

/// Returns whether the segments of a packet fit into the queue of a link, in which `backlog`
/// packets of at most `limit` wait. `EAGAIN` if they will later, `EMSGSIZE` if they never do.
///
/// For a device without a queueing discipline `limit` is `i32::MAX`, and so is `backlog` while its
/// driver has stopped it.
pub fn room_for_segments(segments: u32, backlog: Option<u32>, limit: u32) -> Result<(), Errno> {
    if segments > limit {
        return Err(Errno::MessageSize);
    }
    match backlog.unwrap_or(0).checked_add(segments) {
        Some(sum) if sum <= limit => Ok(()),
        _ => Err(Errno::Again),
    }
}

/// The shortest payload that a link must allow for IP.
const MIN_IP_MTU: usize = 100;

/// Returns the MTU of an interface with the MTU `own`, above a link with the MTU `link_mtu`: the
/// payloads that the link allows, or `own` if that is smaller. `ENODEV` if the link allows none of
/// `MIN_IP_MTU` bytes.
pub fn ip_mtu(own: usize, link_mtu: usize) -> Result<usize, Errno> {
    let most = max_payload(Service::Datagram, link_mtu)?;
    if most < MIN_IP_MTU {
        return Err(Errno::NoDevice);
    }
    Ok(own.min(most))
}

/// Errors of the decisions that are made without the kernel crate. Its callers add the kernel's
/// own, such as that of a copy that fails.
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

/// Errors of asking for a channel.
impl From<RequestError> for Errno {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Down => Self::NoDevice,
            RequestError::Full => Self::NoMemory,
            RequestError::Invalid => Self::Invalid,
        }
    }
}

/// Errors of a refusal by the modem.
impl From<Refusal> for Errno {
    fn from(_: Refusal) -> Self {
        Self::Refused
    }
}

/// Errors of a request without an answer.
impl From<Failure> for Errno {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TimedOut => Self::TimedOut,
            Failure::LinkDown => Self::Refused,
        }
    }
}

/// Errors of a payload that may not be sent.
impl From<Stopped> for Errno {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Off => Self::Again,
            Stopped::Closed => Self::Pipe,
        }
    }
}

/// Errors of an RFM packet that cannot be sent.
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

/// Number of socket protocols.
const PROTOCOLS: i32 = 6;

/// Checks the arguments of socket(), in the order of its errors.
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

/// State of a socket's channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The socket has no channel and requested none, or the refusal was returned.
    Idle,
    /// The socket requested a channel, and has no answer yet.
    Asked,
    /// The request was refused, and no call has returned that.
    Refused,
    /// The socket has a channel, and no call of connect() has returned that.
    Answered,
    /// The socket has a channel.
    Connected,
    /// The socket had a channel, which the modem or the link ended.
    Lost,
}

/// The action of connect().
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connect {
    /// Requests a channel.
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
