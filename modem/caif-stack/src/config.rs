// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Configuration of a modem.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use at_model::Network;

/// An address and the length of its net's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv4Net {
    /// The modem's address.
    pub address: Ipv4Addr,
    /// Prefix length; above 32 it counts as 32.
    pub prefix: u8,
}

/// Configuration of a modem.
#[derive(Debug, Clone)]
pub struct Config {
    /// Linkids to allocate from. Modems of a host with the stack in C need ranges that do not overlap:
    /// a linkid is unique per host. 0 is never allocated.
    pub linkids: RangeInclusive<u8>,
    /// Connection ids whose set-up is refused.
    pub refused: Vec<RangeInclusive<u32>>,
    /// Connection ids whose set-up is never answered.
    pub silent: Vec<RangeInclusive<u32>>,
    /// Connection ids whose set-up is answered at the next `AT*ANSWER`.
    pub late: Vec<RangeInclusive<u32>>,
    /// The network that the modem is in; its contexts have addresses of a pool, and only their
    /// connection ids are served. `None`: each AT channel has a modem of its own, and every
    /// connection id is served.
    pub network: Option<Network>,
    /// Without a network, addresses of IP channels by connection id; the others get `10.9.(id mod 256).1/24`.
    pub addresses: BTreeMap<u32, Ipv4Net>,
    /// Frames that may wait on a channel.
    pub channel_queue: usize,
    /// The longest frame the link to the host can carry, length and check sequence included.
    pub max_frame: usize,
    /// Bytes appended to the answer to a UTIL set-up; cut to 255 bytes.
    pub util_appended: Vec<u8>,
    /// Seed of the IP stacks' random numbers, such as initial sequence numbers.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            linkids: 1..=255,
            refused: vec![0xdead..=0xdead],
            silent: Vec::new(),
            late: Vec::new(),
            network: None,
            addresses: BTreeMap::new(),
            channel_queue: 64,
            max_frame: 4096,
            util_appended: Vec::new(),
            seed: 0,
        }
    }
}

impl Config {
    /// Returns whether a set-up with this connection id is refused.
    pub fn is_refused(&self, connection: u32) -> bool {
        self.refused.iter().any(|range| range.contains(&connection))
    }

    /// Returns whether a set-up with this connection id is not answered.
    pub fn is_silent(&self, connection: u32) -> bool {
        self.silent.iter().any(|range| range.contains(&connection))
    }

    /// Returns whether a set-up with this connection id waits for `AT*ANSWER`.
    pub fn is_late(&self, connection: u32) -> bool {
        self.late.iter().any(|range| range.contains(&connection))
    }

    /// Returns the modem's address on an IP channel.
    pub fn address(&self, connection: u32) -> Ipv4Net {
        let [low, ..] = connection.to_le_bytes();
        self.addresses.get(&connection).copied().unwrap_or(Ipv4Net {
            address: Ipv4Addr::new(10, 9, low, 1),
            prefix: 24,
        })
    }
}
