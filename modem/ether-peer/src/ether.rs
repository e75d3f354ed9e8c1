// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Ethernet for two stations: ARP for one address, and frames around IPv4 packets.

use std::net::Ipv4Addr;

use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr,
};

/// The services' hardware address, a locally administered one.
const HARDWARE: EthernetAddress = EthernetAddress([0x02, 0, 0, 0, 0, 0x01]);

/// A station of a link with two stations. It learns the other's hardware address from the frames it
/// receives.
pub struct Ether {
    address: Ipv4Addr,
    other: Option<EthernetAddress>,
}

/// A received frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// An IPv4 packet.
    Packet(&'a [u8]),
    /// An ARP request, with the frame that answers it.
    Answer(Vec<u8>),
    /// A frame for another station or of another protocol.
    Nothing,
}

impl Ether {
    /// Creates a station with that address.
    pub fn new(address: Ipv4Addr) -> Self {
        Self {
            address,
            other: None,
        }
    }

    /// Parses a received frame.
    pub fn receive<'a>(&mut self, frame: &'a [u8]) -> Received<'a> {
        let Ok(frame) = EthernetFrame::new_checked(frame) else {
            return Received::Nothing;
        };
        let to = frame.dst_addr();
        if to != HARDWARE && !to.is_broadcast() {
            return Received::Nothing;
        }
        match frame.ethertype() {
            EthernetProtocol::Ipv4 => {
                self.other = Some(frame.src_addr());
                Received::Packet(frame.payload())
            }
            EthernetProtocol::Arp => self.answer(frame.payload()),
            _ => Received::Nothing,
        }
    }

    /// Returns the answer to an ARP request for the station's address.
    fn answer(&mut self, arp: &[u8]) -> Received<'static> {
        let parsed = ArpPacket::new_checked(arp).and_then(|packet| ArpRepr::parse(&packet));
        let Ok(ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr,
            source_protocol_addr,
            target_protocol_addr,
            ..
        }) = parsed
        else {
            return Received::Nothing;
        };
        if target_protocol_addr != self.address {
            return Received::Nothing;
        }
        self.other = Some(source_hardware_addr);
        let answer = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Reply,
            source_hardware_addr: HARDWARE,
            source_protocol_addr: self.address,
            target_hardware_addr: source_hardware_addr,
            target_protocol_addr: source_protocol_addr,
        };
        let mut payload = vec![0; answer.buffer_len()];
        answer.emit(&mut ArpPacket::new_unchecked(&mut payload));
        Received::Answer(emit(source_hardware_addr, EthernetProtocol::Arp, &payload))
    }

    /// Returns a frame with that packet for the other station, if its address is known.
    pub fn frame(&self, packet: &[u8]) -> Option<Vec<u8>> {
        Some(emit(self.other?, EthernetProtocol::Ipv4, packet))
    }
}

fn emit(to: EthernetAddress, ethertype: EthernetProtocol, payload: &[u8]) -> Vec<u8> {
    let header = EthernetRepr {
        src_addr: HARDWARE,
        dst_addr: to,
        ethertype,
    };
    let mut frame = vec![0; header.buffer_len() + payload.len()];
    let mut view = EthernetFrame::new_unchecked(&mut frame);
    header.emit(&mut view);
    view.payload_mut().copy_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: EthernetAddress = EthernetAddress([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    const HOST: Ipv4Addr = Ipv4Addr::new(10, 8, 1, 2);
    const OURS: Ipv4Addr = Ipv4Addr::new(10, 8, 1, 1);

    fn question(target: Ipv4Addr) -> Vec<u8> {
        let arp = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr: OTHER,
            source_protocol_addr: HOST,
            target_hardware_addr: EthernetAddress([0; 6]),
            target_protocol_addr: target,
        };
        let mut payload = vec![0; arp.buffer_len()];
        arp.emit(&mut ArpPacket::new_unchecked(&mut payload));
        emit(EthernetAddress::BROADCAST, EthernetProtocol::Arp, &payload)
    }

    #[test]
    fn question_for_us_is_answered() {
        let mut ether = Ether::new(OURS);
        let Received::Answer(answer) = ether.receive(&question(OURS)) else {
            panic!("no answer");
        };
        let frame = EthernetFrame::new_checked(&answer[..]).unwrap();
        assert_eq!((frame.dst_addr(), frame.src_addr()), (OTHER, HARDWARE));
        let arp = ArpPacket::new_checked(frame.payload()).unwrap();
        assert_eq!(arp.source_protocol_addr(), OURS.octets());
        assert_eq!(arp.target_protocol_addr(), HOST.octets());
    }

    #[test]
    fn other_frames_are_not() {
        let mut ether = Ether::new(OURS);
        assert_eq!(ether.receive(&question(HOST)), Received::Nothing);
        assert_eq!(ether.receive(&[0; 5]), Received::Nothing);
        assert_eq!(ether.frame(b"packet"), None);
    }

    #[test]
    fn packet_goes_both_ways() {
        let mut ether = Ether::new(OURS);
        let mut frame = emit(HARDWARE, EthernetProtocol::Ipv4, b"packet");
        frame[6..12].copy_from_slice(&OTHER.0);
        assert_eq!(ether.receive(&frame), Received::Packet(b"packet"));
        let back = ether.frame(b"answer").unwrap();
        let back = EthernetFrame::new_checked(&back[..]).unwrap();
        assert_eq!((back.dst_addr(), back.payload()), (OTHER, &b"answer"[..]));
    }
}
