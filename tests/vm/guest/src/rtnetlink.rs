// SPDX-License-Identifier: GPL-2.0

//! Numbers of rtnetlink and its attributes as bytes, for messages that no library makes.

pub use libc::{
    RTM_DELLINK as DELLINK, RTM_GETLINK as GETLINK, RTM_NEWADDR as NEWADDR, RTM_NEWLINK as NEWLINK,
    RTM_SETLINK as SETLINK,
};

/// `NLM_F_REQUEST`.
pub const REQUEST: u16 = 1;
/// `NLM_F_ACK`.
pub const ACK: u16 = 4;
/// `NLM_F_DUMP`.
pub const DUMP: u16 = 0x300;
/// `NLM_F_CREATE` and `NLM_F_EXCL`.
pub const CREATE: u16 = 0x600;

// Attributes of an interface, `IFLA_*`.
pub const IFNAME: u16 = 3;
pub const MTU: u16 = 4;
pub const LINK: u16 = 5;
pub const MASTER: u16 = 10;
pub const TXQLEN: u16 = 13;
pub const OPERSTATE: u16 = 16;
pub const LINKINFO: u16 = 18;
pub const NET_NS_PID: u16 = 19;
pub const STATS64: u16 = 23;
pub const NUM_TX_QUEUES: u16 = 31;
pub const CARRIER: u16 = 33;
pub const MIN_MTU: u16 = 50;
pub const MAX_MTU: u16 = 51;

// Within `IFLA_LINKINFO`.
pub const INFO_KIND: u16 = 1;
pub const INFO_DATA: u16 = 2;

// Within `IFLA_INFO_DATA`, `IFLA_CAIF_*`.
pub const CAIF_IPV4_CONNID: u16 = 1;
pub const CAIF_IPV6_CONNID: u16 = 2;
pub const CAIF_LOOPBACK: u16 = 3;

/// Adds an attribute to others.
pub fn push(to: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    let len = u16::try_from(payload.len() + 4).unwrap_or(u16::MAX);
    to.extend_from_slice(&len.to_ne_bytes());
    to.extend_from_slice(&kind.to_ne_bytes());
    to.extend_from_slice(payload);
    to.resize(to.len().next_multiple_of(4), 0);
}
