// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Router advertisements, by which a host learns the prefix of its context: RFC 4861, RFC 8106.

use std::net::Ipv6Addr;

use smoltcp::wire::{Icmpv6Message, Icmpv6Packet, IpProtocol, Ipv6Packet};

/// The modem's address for neighbours.
pub(crate) const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

const HOP_LIMIT: u8 = 255;
/// Seconds that the modem is a router, and that its prefix and servers are good for.
const ROUTER_LIFETIME: u16 = 9000;
const FOREVER: u32 = u32::MAX;
/// The prefix is for addresses that hosts make, and not for neighbours.
const AUTONOMOUS: u8 = 0x40;

/// Returns whether a packet is a router solicitation.
pub(crate) fn is_solicitation(packet: &[u8]) -> bool {
    let Ok(packet) = Ipv6Packet::new_checked(packet) else {
        return false;
    };
    packet.next_header() == IpProtocol::Icmpv6
        && packet.hop_limit() == HOP_LIMIT
        && Icmpv6Packet::new_checked(packet.payload())
            .is_ok_and(|icmp| icmp.msg_type() == Icmpv6Message::RouterSolicit)
}

/// Returns an advertisement of a /64, an MTU and servers of DNS, to all neighbours.
pub(crate) fn advertisement(prefix: Ipv6Addr, mtu: usize, dns: &[Ipv6Addr]) -> Vec<u8> {
    let mut icmp = vec![u8::from(Icmpv6Message::RouterAdvert), 0, 0, 0];
    icmp.extend([64, 0]);
    icmp.extend(ROUTER_LIFETIME.to_be_bytes());
    // Reachable and retransmission time are not for a link without neighbours.
    icmp.extend([0; 8]);
    let net = prefix.to_bits() & !u128::from(u64::MAX);
    icmp.extend([3, 4, 64, AUTONOMOUS]);
    icmp.extend(FOREVER.to_be_bytes());
    icmp.extend(FOREVER.to_be_bytes());
    icmp.extend([0; 4]);
    icmp.extend(net.to_be_bytes());
    icmp.extend([5, 1, 0, 0]);
    icmp.extend(u32::try_from(mtu).unwrap_or(u32::MAX).to_be_bytes());
    if !dns.is_empty() {
        // In units of eight bytes: two for each server and one for the head.
        let units = dns.len().saturating_mul(2).saturating_add(1);
        icmp.extend([25, u8::try_from(units).unwrap_or(u8::MAX), 0, 0]);
        icmp.extend(u32::from(ROUTER_LIFETIME).to_be_bytes());
        dns.iter().for_each(|server| icmp.extend(server.octets()));
    }
    let mut head = [0; 40];
    {
        let mut packet = Ipv6Packet::new_unchecked(&mut head[..]);
        packet.set_version(6);
        packet.set_payload_len(u16::try_from(icmp.len()).unwrap_or(u16::MAX));
        packet.set_next_header(IpProtocol::Icmpv6);
        packet.set_hop_limit(HOP_LIMIT);
        packet.set_src_addr(LINK_LOCAL);
        packet.set_dst_addr(ALL_NODES);
    }
    Icmpv6Packet::new_unchecked(&mut icmp[..]).fill_checksum(&LINK_LOCAL, &ALL_NODES);
    [&head[..], &icmp].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_what_it_says() {
        let prefix = "fd00:64:0:5::1".parse().unwrap();
        let dns: [Ipv6Addr; 2] = ["fd00:65::1".parse().unwrap(), "fd00:65::2".parse().unwrap()];
        let bytes = advertisement(prefix, 1400, &dns);
        assert!(!is_solicitation(&bytes));
        let packet = Ipv6Packet::new_checked(&bytes[..]).unwrap();
        assert_eq!(packet.total_len(), bytes.len());
        let icmp = Icmpv6Packet::new_checked(packet.payload()).unwrap();
        assert!(icmp.verify_checksum(&packet.src_addr(), &packet.dst_addr()));
        let bytes = packet.payload();
        // Behind a head of 16 bytes: prefix, MTU, servers of DNS.
        assert_eq!(bytes[16..20], [3, 4, 64, 0x40]);
        assert_eq!(
            bytes[32..48],
            "fd00:64:0:5::".parse::<Ipv6Addr>().unwrap().octets()
        );
        assert_eq!(bytes[48..56], [5, 1, 0, 0, 0, 0, 5, 120]);
        assert_eq!(bytes[56..58], [25, 5]);
        assert_eq!(bytes[64..80], dns[0].octets());
        assert_eq!(bytes.len(), 96);
    }

    #[test]
    fn garbage_is_no_solicitation() {
        assert!(!is_solicitation(&[]));
        assert!(!is_solicitation(&[0x60; 60]));
    }
}
