// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Network devices of CAIF: links, and interfaces of the kind `caif`.

use std::{fmt, io, net::IpAddr};

use anyhow::Result;
use netlink_packet_route::{
    RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{
        InfoData, InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, Stats64,
    },
};
use serde::Serialize;

use crate::netlink::Netlink;

/// The kind of interfaces.
pub const KIND: &str = "caif";
/// The attribute `IFLA_CAIF_IPV4_CONNID` of the kind.
pub const IPV4_CONNID: u16 = 1;
/// The attribute `IFLA_CAIF_LOOPBACK` of the kind.
pub const LOOPBACK: u16 = 3;

/// A network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Netdev {
    /// Index of the device, which no other device gets until the next boot.
    pub index: u32,
    /// Name of the device.
    pub name: String,
    /// Role of the device in CAIF.
    pub role: Role,
    /// Whether the device is up (`IFF_UP`).
    pub up: bool,
    /// Whether the device has a carrier, which counts while it is up.
    pub carrier: bool,
    /// MTU of the device.
    pub mtu: u32,
    /// Counters of the device.
    pub counters: Counters,
    /// IP addresses of the device, if they were requested.
    pub addresses: Vec<Address>,
}

/// The role of a network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A link to a modem.
    Link,
    /// An IP interface.
    Interface {
        /// The connection id; `None` if the kernel does not say.
        connection: Option<u32>,
        /// Whether its channel returns payloads to their sender.
        loopback: bool,
        /// The index of the link that it was created for.
        lower: Option<u32>,
    },
    /// A device that is no part of CAIF.
    Other,
}

/// The counters of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the kernel")]
pub struct Counters {
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub rx_dropped: u64,
    pub rx_errors: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
    pub tx_dropped: u64,
    pub tx_errors: u64,
}

/// An address, and that of the other end or the length of the prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    local: IpAddr,
    peer: IpAddr,
    prefix: u8,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.local == self.peer {
            return write!(f, "{}/{}", self.local, self.prefix);
        }
        write!(f, "{} peer {}", self.local, self.peer)
    }
}

impl Counters {
    /// Returns the dropped packets of both directions.
    pub fn dropped(&self) -> u64 {
        self.rx_dropped.saturating_add(self.tx_dropped)
    }

    /// Returns the errors of both directions.
    pub fn errors(&self) -> u64 {
        self.rx_errors.saturating_add(self.tx_errors)
    }
}

impl From<&Stats64> for Counters {
    fn from(stats: &Stats64) -> Self {
        Self {
            rx_packets: stats.rx_packets,
            rx_bytes: stats.rx_bytes,
            rx_dropped: stats.rx_dropped,
            rx_errors: stats.rx_errors,
            tx_packets: stats.tx_packets,
            tx_bytes: stats.tx_bytes,
            tx_dropped: stats.tx_dropped,
            tx_errors: stats.tx_errors,
        }
    }
}

impl Netdev {
    /// Returns `down`, `no carrier` or `up`.
    pub fn state(&self) -> &'static str {
        match (self.up, self.carrier) {
            (false, _) => "down",
            (true, false) => "no carrier",
            (true, true) => "up",
        }
    }

    fn new(message: &LinkMessage) -> Self {
        let mut dev = Self {
            index: message.header.index,
            name: String::new(),
            role: match message.header.link_layer_type {
                LinkLayerType::Caif => Role::Link,
                _ => Role::Other,
            },
            up: message.header.flags.contains(LinkFlags::Up),
            carrier: false,
            mtu: 0,
            counters: Counters::default(),
            addresses: Vec::new(),
        };
        let mut lower = None;
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => dev.name.clone_from(name),
                LinkAttribute::Carrier(carrier) => dev.carrier = *carrier != 0,
                LinkAttribute::Mtu(mtu) => dev.mtu = *mtu,
                LinkAttribute::Stats64(stats) => dev.counters = stats.into(),
                LinkAttribute::Link(index) => lower = Some(*index),
                LinkAttribute::LinkInfo(info) => {
                    if let Some(role) = interface(info) {
                        dev.role = role;
                    }
                }
                _ => {}
            }
        }
        // An index of its own means none.
        if let Role::Interface { lower: below, .. } = &mut dev.role {
            *below = lower.filter(|index| *index != 0 && *index != dev.index);
        }
        dev
    }
}

/// Returns the role of a CAIF interface; `None` for another kind.
fn interface(info: &[LinkInfo]) -> Option<Role> {
    let is_caif =
        |info: &LinkInfo| matches!(info, LinkInfo::Kind(InfoKind::Other(kind)) if kind == KIND);
    if !info.iter().any(is_caif) {
        return None;
    }
    let data = info.iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::Other(data)) => Some(data.as_slice()),
        _ => None,
    });
    let (mut connection, mut loopback) = (None, false);
    for (number, value) in attributes(data.unwrap_or_default()) {
        match number {
            IPV4_CONNID => connection = value.first_chunk().map(|id| u32::from_ne_bytes(*id)),
            LOOPBACK => loopback = value.first().is_some_and(|loops| *loops != 0),
            _ => {}
        }
    }
    Some(Role::Interface {
        connection,
        loopback,
        lower: None,
    })
}

/// Parses attributes, up to the first invalid one.
fn attributes(data: &[u8]) -> Vec<(u16, &[u8])> {
    let (mut found, mut rest) = (Vec::new(), data);
    while let [a, b, c, d, ..] = *rest {
        let len = usize::from(u16::from_ne_bytes([a, b]));
        let Some(value) = rest.get(4..len) else {
            break;
        };
        found.push((u16::from_ne_bytes([c, d]) & 0x3fff, value));
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// Appends a netlink attribute.
pub fn attribute(data: &mut Vec<u8>, number: u16, value: &[u8]) {
    let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    data.extend(len.to_ne_bytes());
    data.extend(number.to_ne_bytes());
    data.extend(value);
    data.resize(data.len().next_multiple_of(4), 0);
}

/// Returns all network devices without their addresses, in the order of their numbers.
pub fn without_addresses(netlink: &Netlink) -> Result<Vec<Netdev>> {
    let links = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let mut found: Vec<Netdev> = netlink
        .dump(&links)?
        .iter()
        .filter_map(|message| match message {
            RouteNetlinkMessage::NewLink(link) => Some(Netdev::new(link)),
            _ => None,
        })
        .collect();
    found.sort_by_key(|dev| dev.index);
    Ok(found)
}

/// Returns all network devices, in the order of their numbers.
pub fn all(netlink: &Netlink) -> Result<Vec<Netdev>> {
    let mut found = without_addresses(netlink)?;
    let addresses = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    for message in netlink.dump(&addresses)? {
        let RouteNetlinkMessage::NewAddress(message) = message else {
            continue;
        };
        let dev = found
            .iter_mut()
            .find(|dev| dev.index == message.header.index);
        if let (Some(dev), Some(address)) = (dev, address(&message)) {
            dev.addresses.push(address);
        }
    }
    Ok(found)
}

/// An interface of the kind `caif` that has just been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The interface.
    pub dev: Netdev,
    /// The port of the netlink socket that asked for it: for most sockets the number of their
    /// process.
    pub port: u32,
}

/// Returns the interfaces that were made, of the messages of [`Netlink::take`]. The kernel marks
/// the first notification of an interface as a change of all flags.
pub fn made(messages: &[(u32, RouteNetlinkMessage)]) -> Vec<Made> {
    let one = |(port, message): &(u32, RouteNetlinkMessage)| match message {
        RouteNetlinkMessage::NewLink(link) if link.header.change_mask.bits() == u32::MAX => {
            let dev = Netdev::new(link);
            let is_interface = matches!(dev.role, Role::Interface { .. });
            is_interface.then_some(Made { dev, port: *port })
        }
        _ => None,
    };
    messages.iter().filter_map(one).collect()
}

/// Sets a network device up.
pub fn set_up(netlink: &Netlink, index: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    netlink.request(RouteNetlinkMessage::SetLink(message), 0)
}

/// Deletes a network device.
pub fn delete(netlink: &Netlink, index: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    netlink.request(RouteNetlinkMessage::DelLink(message), 0)
}

fn address(message: &AddressMessage) -> Option<Address> {
    let (mut local, mut peer) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => peer = Some(*address),
            _ => {}
        }
    }
    // IPv6 has only one of them, unless there is a peer.
    Some(Address {
        local: local.or(peer)?,
        peer: peer.or(local)?,
        prefix: message.header.prefix_len,
    })
}

/// Reads the name of a network device from the command line.
pub fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 15 {
        return Err("a name of a network device has 1 to 15 characters".to_owned());
    }
    if text == "." || text == ".." {
        return Err("it cannot be the name of a network device".to_owned());
    }
    if let Some(wrong) = text
        .chars()
        .find(|c| "/:".contains(*c) || c.is_whitespace() || c.is_control())
    {
        return Err(format!(
            "{wrong:?} cannot be in the name of a network device"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a link as the kernel reports it.
    fn link_message(index: u32, name: &str) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.link_layer_type = LinkLayerType::Caif;
        message.header.flags = LinkFlags::Up;
        let mut stats = Stats64::default();
        (stats.rx_packets, stats.tx_packets) = (22, 23);
        (stats.rx_bytes, stats.tx_bytes) = (20761, 20760);
        (stats.rx_dropped, stats.tx_errors) = (1, 2);
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Mtu(4032),
            LinkAttribute::Carrier(1),
            LinkAttribute::Stats64(stats),
        ];
        message
    }

    fn interface_message(data: Vec<u8>, lower: Option<u32>) -> LinkMessage {
        let mut message = link_message(9, "caif0");
        message.header.link_layer_type = LinkLayerType::Rawip;
        message.attributes.extend(lower.map(LinkAttribute::Link));
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Other(KIND.to_owned())),
            LinkInfo::Data(InfoData::Other(data)),
        ]));
        message
    }

    #[test]
    fn links_are_told_by_their_type() {
        let dev = Netdev::new(&link_message(2, "cfvrt0"));
        assert_eq!(
            (dev.role.clone(), dev.state(), dev.mtu),
            (Role::Link, "up", 4032)
        );
        assert_eq!((dev.counters.dropped(), dev.counters.errors()), (1, 2));
        let mut other = link_message(1, "lo");
        other.header.link_layer_type = LinkLayerType::Loopback;
        assert_eq!(Netdev::new(&other).role, Role::Other);
    }

    #[test]
    fn interfaces_are_told_by_their_kind() {
        let mut data = Vec::new();
        attribute(&mut data, IPV4_CONNID, &0x7825_f860_u32.to_ne_bytes());
        attribute(&mut data, LOOPBACK, &[1]);
        for (lower, want) in [
            (Some(2), Some(2)),
            (Some(9), None),
            (Some(0), None),
            (None, None),
        ] {
            assert_eq!(
                Netdev::new(&interface_message(data.clone(), lower)).role,
                Role::Interface {
                    connection: Some(0x7825_f860),
                    loopback: true,
                    lower: want,
                }
            );
        }
    }

    #[test]
    fn what_was_made_is_told_from_what_changed() {
        let mut interface = interface_message(Vec::new(), None);
        let message = |link: &LinkMessage| (700, RouteNetlinkMessage::NewLink(link.clone()));
        // Its flags changed.
        interface.header.change_mask = LinkFlags::Up;
        assert_eq!(made(&[message(&interface)]), []);
        interface.header.change_mask = LinkFlags::from_bits_retain(u32::MAX);
        // A link is no interface.
        let mut link = link_message(2, "cfvrt0");
        link.header.change_mask = interface.header.change_mask;
        let gone = (700, RouteNetlinkMessage::DelLink(interface.clone()));
        let found = made(&[message(&link), gone, message(&interface)]);
        let [one] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!((one.port, one.dev.index), (700, 9));
    }

    #[test]
    fn attributes_that_are_cut_are_left_out() {
        let mut data = Vec::new();
        attribute(&mut data, IPV4_CONNID, &5_u32.to_ne_bytes());
        for len in 0..data.len() {
            let role = Netdev::new(&interface_message(data[..len].to_vec(), None)).role;
            assert!(
                matches!(
                    role,
                    Role::Interface {
                        connection: None,
                        ..
                    }
                ),
                "{len}"
            );
        }
        assert_eq!(attributes(&[0; 8]), []);
    }

    #[test]
    fn addresses_have_a_peer_or_a_prefix() {
        let mut message = AddressMessage::default();
        message.header.prefix_len = 32;
        let local = IpAddr::from([10, 9, 1, 2]);
        let peer = IpAddr::from([10, 9, 1, 1]);
        assert_eq!(address(&message), None);
        message.attributes = vec![
            AddressAttribute::Local(local),
            AddressAttribute::Address(peer),
        ];
        assert_eq!(
            address(&message).unwrap().to_string(),
            "10.9.1.2 peer 10.9.1.1"
        );
        message.attributes = vec![AddressAttribute::Address(peer)];
        assert_eq!(address(&message).unwrap().to_string(), "10.9.1.1/32");
    }

    #[test]
    fn names_are_those_the_kernel_takes() {
        for good in ["caif0", "caif%d", "a", "fifteen-letters"] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a:b",
            "a b",
            "a\n",
            "sixteen-letters.",
        ] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
