// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The engine under arbitrary input: it never panics, its memory stays bounded, and it still
//! serves.

mod common;

use std::time::Duration;

use caif_stack::{Config, Network};
use caif_wire::{Data, Fcs, Frame, Service};
use common::ip_host::IpHost;
use common::{Link, UTIL, VEI, ip};
use proptest::collection::vec;
use proptest::prelude::*;
use smoltcp::socket::udp;

/// Inputs of a host.
#[derive(Debug, Clone)]
enum Step {
    /// Arbitrary bytes.
    Raw(Vec<u8>),
    /// A well-formed frame with an arbitrary body.
    Body(u8, Vec<u8>),
    /// A set-up with one changed byte.
    SetUp(u8, usize, u8),
    /// An AT line.
    At(u8, String),
    Wait(u16),
    Pull(u8),
    Reset,
}

const SET_UPS: [&[u8]; 6] = [
    &[0, 0x21, 0xe2, 0],
    &[0, 0x02, 0xe2, 0, 1],
    &[0, 0x13, 0xe2, 2],
    &[0, 0x04, 0xe2, 0, 1, 0, 0, 0],
    &[0, 0x34, 0xe2, 0, 1, 0, 0, 0],
    &[0, 0x05, 0xe2, 0, 1, 0, 0, 0, b'v', 0],
];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => vec(any::<u8>(), 0..80).prop_map(Step::Raw),
        6 => (0u8..12, vec(any::<u8>(), 0..80)).prop_map(|(c, body)| Step::Body(c, body)),
        4 => (0u8..6, any::<usize>(), any::<u8>()).prop_map(|(n, at, xor)| Step::SetUp(n, at, xor)),
        2 => (1u8..12, "(AT[*+]?(FLOW|CGDCONT|CSQ)?[=?]?[0-9]{0,5}\r){0,3}")
            .prop_map(|(c, line)| Step::At(c, line)),
        2 => (1u8..12, "AT([*]EPPSD=[01],[1-3],[1-3]|[+]CGDCONT=[1-3],\"IP(V6|V4V6)?\",\"\"|[*]NET=\"(drop [1-3]|crash)\"|[+]CREG=1|[+]CFUN=[01])\r")
            .prop_map(|(c, line)| Step::At(c, line)),
        2 => any::<u16>().prop_map(Step::Wait),
        3 => any::<u8>().prop_map(Step::Pull),
        1 => Just(Step::Reset),
    ]
}

fn take(link: &mut Link, step: Step) {
    match step {
        Step::Raw(bytes) => link.engine.input(&bytes, link.now),
        Step::Body(channel, body) => link.send(channel, &body),
        Step::SetUp(n, at, xor) => {
            let mut body = SET_UPS[usize::from(n)].to_vec();
            let at = at % body.len();
            body[at] ^= xor;
            link.send(0, &body);
        }
        Step::At(channel, line) => {
            link.send_data(channel, Service::Vei, Data::Payload(line.as_bytes()));
        }
        Step::Wait(ms) => {
            link.advance(Duration::from_millis(ms.into()));
        }
        Step::Pull(n) => {
            for _ in 0..n {
                link.receive();
            }
        }
        Step::Reset => link.engine.reset(),
    }
}

/// Checks that after a reset the engine accepts and serves channels as a new one does.
fn still_serves(link: &mut Link) {
    link.engine.reset();
    let at = link.set_up(2, VEI).unwrap();
    assert_eq!(link.exchange(at, Service::Vei, b"AT\r"), b"AT\r\r\nOK\r\n");
    let util = link.set_up(0, UTIL).unwrap();
    assert_eq!(link.exchange(util, Service::Util, b"x"), b"x");
}

/// Returns the frame bodies that a well-behaved IP host sends in one conversation.
fn conversation() -> Vec<Vec<u8>> {
    let mut link = Link::new(Config::default());
    let linkid = link.set_up(0, ip(1)).unwrap();
    let mut host = IpHost::new(&link, linkid, 1);
    let handles = [host.connect(7), host.connect(9), host.connect(19)];
    let mut sent = Vec::new();
    for round in 0..12 {
        let time = smoltcp::time::Instant::from_millis(round);
        host.interface
            .poll(time, &mut host.queues, &mut host.sockets);
        for (handle, bytes) in handles.iter().zip([&b"echo"[..], b"sink", b"900 1\n"]) {
            let socket = host.socket(*handle);
            if socket.may_send() && round == 4 {
                socket.send_slice(bytes).unwrap();
            }
            if round == 8 {
                socket.close();
            }
        }
        while let Some(packet) = host.queues.tx.pop_front() {
            let body = [&[8, 0, 0, 0], &packet[..]].concat();
            link.send(linkid, &body);
            sent.push(body);
        }
        link.advance(Duration::from_millis(1));
        while let Some(frame) = link.receive() {
            host.queues.rx.push_back(frame.body[4..].to_vec());
        }
    }
    sent
}

/// Recomputes the checksums of a changed IPv4 packet, so that they do not reveal the change.
fn repair(body: &mut [u8]) {
    use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet, TcpPacket};
    let Some(packet) = body.get_mut(4..) else {
        return;
    };
    let Ok(mut packet) = Ipv4Packet::new_checked(packet) else {
        return;
    };
    packet.fill_checksum();
    let (from, to) = (packet.src_addr(), packet.dst_addr());
    if packet.next_header() == IpProtocol::Tcp
        && let Ok(mut tcp) = TcpPacket::new_checked(packet.payload_mut())
    {
        tcp.fill_checksum(&IpAddress::Ipv4(from), &IpAddress::Ipv4(to));
    }
}

#[test]
fn the_conversation_uses_each_service() {
    // The property below changes these packets, so they must include those of each service.
    let packets = conversation();
    assert!(packets.len() > 12, "{} packets", packets.len());
    for text in [&b"echo"[..], b"sink", b"900 1\n"] {
        assert!(packets.iter().any(|packet| packet.ends_with(text)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn arbitrary_steps(steps in vec(step(), 0..120), network: bool) {
        let mut link = Link::new(Config {
            channel_queue: 4,
            network: network.then(Network::default),
            ..Config::default()
        });
        for step in steps {
            take(&mut link, step);
        }
        // All that waits is bounded: answers, flow frames, and four frames or packets for
        // each channel, of which a packet can bring an answer of a few fragments.
        let waiting = link.receive_all().len();
        prop_assert!(waiting < 1024 + 2 * 255 + 255 * 16, "{} frames", waiting);
        still_serves(&mut link);
    }

    #[test]
    fn changed_ip_packets(
        changes in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
        mend: bool,
    ) {
        let mut packets = conversation();
        for (which, at, value) in changes {
            let which = which.index(packets.len());
            let body = &mut packets[which];
            let at = at.index(body.len());
            body[at] = value;
            if mend {
                repair(body);
            }
        }
        let which = cut.index(packets.len() * 2);
        if let Some(body) = packets.get_mut(which) {
            body.truncate(cut.index(body.len() + 1));
        }
        let mut link = Link::new(Config::default());
        let linkid = link.set_up(0, ip(1)).unwrap();
        for body in packets {
            link.send(linkid, &body);
            link.advance(Duration::from_millis(1));
            link.receive_all();
        }
        link.advance(Duration::from_secs(100));
        still_serves(&mut link);
    }
}

#[test]
fn every_frame_of_up_to_two_bytes() {
    let mut link = Link::new(Config::default());
    for first in 0..=255 {
        link.engine.input(&[first], link.now);
        for second in 0..=255 {
            link.engine.input(&[first, second], link.now);
        }
    }
    link.engine.input(&[], link.now);
    assert_eq!(link.engine.stats().bad_frames, 256 + 256 * 256 + 1);
    still_serves(&mut link);
}

#[test]
fn a_flood_on_a_channel_that_is_not_read_stays_bounded() {
    let mut link = Link::new(Config::default());
    let linkid = link.set_up(0, ip(1)).unwrap();
    let mut host = IpHost::new(&link, linkid, 1);
    let mut socket = udp::Socket::new(
        udp::PacketBuffer::new(vec![], vec![]),
        udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY], vec![0; 100]),
    );
    socket.bind(5000).unwrap();
    socket.send_slice(&[1; 100], (host.modem, 7)).unwrap();
    host.sockets.add(socket);
    let time = smoltcp::time::Instant::ZERO;
    host.interface
        .poll(time, &mut host.queues, &mut host.sockets);
    let datagram = host.queues.tx.pop_front().unwrap();
    for _ in 0..10_000 {
        link.send_data(linkid, Service::Datagram, Data::Payload(&datagram));
    }
    let stats = link.engine.stats();
    assert!(stats.queue_drops > 9_000, "{}", stats.queue_drops);
    // The answers to the first 64, then those to the 64 that waited for room.
    assert_eq!(link.receive_all().len(), 64 + 64);
    still_serves(&mut link);
}

#[test]
fn frames_of_the_largest_size() {
    let mut link = Link::new(Config::default());
    let body = vec![0x55; caif_wire::frame::MAX_BODY];
    let mut wire = vec![0; body.len() + 5];
    for channel in 0..3 {
        let frame = Frame {
            channel,
            body: &body,
        };
        frame.build(Fcs::Off, &mut wire).unwrap();
        link.engine.input(&wire, link.now);
    }
    assert_eq!(link.engine.output(), None);
    still_serves(&mut link);
}
