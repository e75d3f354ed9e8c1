// SPDX-License-Identifier: GPL-2.0 OR MIT

//! IP over a DATAGRAM channel, with an IP stack on the host's side too.

mod common;

use caif_stack::pattern::{Checksum, Pattern};
use caif_stack::{Config, Ipv4Net};
use caif_wire::{Data, Service};
use common::ip_host::IpHost;
use common::{Link, ip};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::{icmp, tcp, udp};
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr};
use std::time::Duration;

fn connected(config: Config, connection: u32) -> (Link, IpHost) {
    let mut link = Link::new(config);
    let linkid = link.set_up(0, ip(connection)).unwrap();
    let [net, ..] = connection.to_le_bytes();
    let host = IpHost::new(&link, linkid, net);
    (link, host)
}

fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Pattern::new(seed).fill(&mut bytes);
    bytes
}

fn checksum_line(bytes: &[u8]) -> String {
    let mut checksum = Checksum::default();
    checksum.update(bytes);
    checksum.line()
}

/// Pings with `len` bytes and checks what comes back.
fn ping(link: &mut Link, host: &mut IpHost, len: usize) {
    let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 4], vec![0; 20000]);
    let mut socket = icmp::Socket::new(buffer(), buffer());
    socket.bind(icmp::Endpoint::Ident(77)).unwrap();
    let payload = pattern(len, 1);
    let request = Icmpv4Repr::EchoRequest {
        ident: 77,
        seq_no: 1,
        data: &payload,
    };
    let out = socket.send(request.buffer_len(), host.modem).unwrap();
    let checksums = ChecksumCapabilities::default();
    request.emit(&mut Icmpv4Packet::new_unchecked(out), &checksums);
    let handle = host.sockets.add(socket);
    host.run(link, |host| {
        let socket = host.sockets.get_mut::<icmp::Socket<'_>>(handle);
        let (reply, from) = socket.recv().ok()?;
        assert_eq!(from, host.modem);
        let packet = Icmpv4Packet::new_checked(reply).unwrap();
        let reply = Icmpv4Repr::parse(&packet, &checksums).unwrap();
        assert_eq!(
            reply,
            Icmpv4Repr::EchoReply {
                ident: 77,
                seq_no: 1,
                data: &payload
            }
        );
        Some(())
    });
    host.sockets.remove(handle);
}

#[test]
fn ping_of_many_sizes() {
    let (mut link, mut host) = connected(Config::default(), 1);
    for len in [0, 1, 56, 576, 1471, 1472, 1473, 2000, 4000, 9000, 16000] {
        ping(&mut link, &mut host, len);
    }
    assert_eq!(link.engine.stats().queue_drops, 0);
}

#[test]
fn addresses_follow_the_connection_or_the_configuration() {
    let (mut link, mut host) = connected(Config::default(), 0x1_0042);
    ping(&mut link, &mut host, 56);

    let mut config = Config::default();
    let address = [10, 9, 7, 1].into();
    let net = Ipv4Net {
        address,
        prefix: 30,
    };
    config.addresses.insert(1, net);
    let mut link = Link::new(config);
    let linkid = link.set_up(0, ip(1)).unwrap();
    let mut host = IpHost::new(&link, linkid, 7);
    ping(&mut link, &mut host, 56);
}

#[test]
fn a_small_link_makes_a_small_mtu() {
    let config = Config {
        max_frame: 600,
        ..Config::default()
    };
    let (mut link, mut host) = connected(config, 1);
    // An answer too long for one frame comes back in fragments.
    ping(&mut link, &mut host, 1472);
    assert_eq!(host.received, 3);
    let body = pattern(5000, 1);
    let reply = host.talk(&mut link, 19, b"5000 1\n", false);
    assert!(reply[8..5008] == body);
    assert_eq!(link.engine.stats().too_long, 0);
}

#[test]
fn udp_echo() {
    let (mut link, mut host) = connected(Config::default(), 1);
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 20000]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    socket.bind(5000).unwrap();
    let handle = host.sockets.add(socket);
    for len in [0, 1, 1472, 1473, 8000] {
        let payload = pattern(len, 2);
        let modem = (host.modem, 7);
        let socket = host.sockets.get_mut::<udp::Socket<'_>>(handle);
        socket.send_slice(&payload, modem).unwrap();
        let reply = host.run(&mut link, |host| {
            let socket = host.sockets.get_mut::<udp::Socket<'_>>(handle);
            let (reply, from) = socket.recv().ok()?;
            assert_eq!(from.endpoint.port, 7);
            Some(reply.to_vec())
        });
        assert_eq!(reply, payload);
    }
}

#[test]
fn tcp_echo_to_the_end_of_the_stream() {
    let (mut link, mut host) = connected(Config::default(), 1);
    let request = pattern(200_000, 3);
    // The host must read while it writes, or both ends wait for each other.
    assert_eq!(host.talk(&mut link, 7, &request, true), request);
}

#[test]
fn tcp_sink_tells_what_it_got() {
    let (mut link, mut host) = connected(Config::default(), 1);
    for len in [0, 1, 1_000_000] {
        let request = pattern(len, 4);
        let reply = host.talk(&mut link, 9, &request, true);
        assert_eq!(String::from_utf8(reply).unwrap(), checksum_line(&request));
    }
    assert_eq!(link.engine.stats().queue_drops, 0);
}

#[test]
fn tcp_source_sends_what_was_asked_for() {
    let (mut link, mut host) = connected(Config::default(), 1);
    for (len, shut) in [(0, false), (10, true), (1_000_000, false)] {
        let request = format!("{len} 5\n");
        let reply = host.talk(&mut link, 19, request.as_bytes(), shut);
        let body = pattern(len, 5);
        let expected = [
            format!("OK {len}\n").as_bytes(),
            &body,
            checksum_line(&body).as_bytes(),
        ]
        .concat();
        assert_eq!(reply.len(), expected.len());
        assert!(reply == expected);
    }
    assert_eq!(link.engine.stats().queue_drops, 0);
}

#[test]
fn tcp_source_refuses_bad_lines() {
    let (mut link, mut host) = connected(Config::default(), 1);
    let long = "1".repeat(64);
    for request in [
        "\n",
        "1\n",
        "1 \n",
        " 1 1\n",
        "-1 1\n",
        "+1 1\n",
        "1 1 1\n",
        "x y\n",
        "1 1\r\n",
        &long,
        "18446744073709551616 1\n",
    ] {
        let reply = host.talk(&mut link, 19, request.as_bytes(), false);
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.starts_with("ERROR "), "{request:?} gave {reply:?}");
        assert!(reply.ends_with('\n'));
    }
    let cut = host.talk(&mut link, 19, b"1 1", true);
    assert!(cut.starts_with(b"ERROR "));
}

#[test]
fn eight_connections_at_once_and_a_ninth_refused() {
    let (mut link, mut host) = connected(Config::default(), 1);
    let handles: Vec<_> = (0..8).map(|_| host.connect(7)).collect();
    host.run(&mut link, |host| {
        handles
            .iter()
            .all(|handle| host.socket(*handle).state() == tcp::State::Established)
            .then_some(())
    });
    let ninth = host.connect(7);
    host.run(&mut link, |host| {
        (host.socket(ninth).state() == tcp::State::Closed).then_some(())
    });
    for (n, handle) in handles.iter().enumerate() {
        let text = [n as u8; 3];
        host.socket(*handle).send_slice(&text).unwrap();
        let mut reply = [0; 3];
        host.run(&mut link, |host| {
            let socket = host.socket(*handle);
            (socket.recv_queue() == 3).then(|| socket.recv_slice(&mut reply).unwrap())
        });
        assert_eq!(reply, text);
    }
    // A closed connection makes place for another.
    host.socket(handles[0]).close();
    host.run(&mut link, |host| {
        let state = host.socket(handles[0]).state();
        (state == tcp::State::TimeWait).then_some(())
    });
    let next = host.connect(7);
    host.run(&mut link, |host| {
        let state = host.socket(next).state();
        (state == tcp::State::Established).then_some(())
    });
}

#[test]
fn many_connections_one_after_the_other() {
    // The modem closes first, so each leaves a socket in TIME-WAIT behind.
    let (mut link, mut host) = connected(Config::default(), 1);
    for seed in 0..40 {
        let reply = host.talk(&mut link, 19, format!("3 {seed}\n").as_bytes(), false);
        assert!(reply.starts_with(b"OK 3\n"), "connection {seed}");
    }
}

#[test]
fn a_link_that_stalls_loses_no_tcp_data() {
    let (mut link, mut host) = connected(
        Config {
            channel_queue: 4,
            ..Config::default()
        },
        1,
    );
    let handle = host.connect(19);
    host.run(&mut link, |host| {
        host.socket(handle).may_send().then_some(())
    });
    let request = b"300000 9\n";
    host.socket(handle).send_slice(request).unwrap();
    let mut got = Vec::new();
    let mut rounds = 0;
    let before = host.received;
    while host.socket(handle).state() != tcp::State::CloseWait {
        // The host takes one frame, then nothing for a while, then one, ...
        let time = smoltcp::time::Instant::from_millis(i64::from(rounds) * 10 + 5000);
        host.interface
            .poll(time, &mut host.queues, &mut host.sockets);
        while let Some(packet) = host.queues.tx.pop_front() {
            link.send_data(host.linkid, Service::Datagram, Data::Payload(&packet));
        }
        link.advance(Duration::from_millis(10));
        if let Some(frame) = link.receive() {
            host.received += 1;
            host.queues.rx.push_back(frame.body[4..].to_vec());
        }
        let socket = host.socket(handle);
        while socket.can_recv() {
            socket
                .recv(|data| {
                    got.extend_from_slice(data);
                    (data.len(), ())
                })
                .unwrap();
        }
        rounds += 1;
        assert!(rounds < 10_000, "{} bytes after {rounds} rounds", got.len());
    }
    let body = pattern(300_000, 9);
    assert!(got.starts_with(b"OK 300000\n"));
    assert!(got.ends_with(checksum_line(&body).as_bytes()));
    assert!(got[10..300_010] == body);
    assert_eq!(link.engine.stats().queue_drops, 0);
    // 206 full segments; were any lost there would be more.
    assert!(host.received - before < 230, "{}", host.received - before);
}

#[test]
fn flow_off_from_the_host_stalls_tcp() {
    let config = Config {
        channel_queue: 1,
        ..Config::default()
    };
    let (mut link, mut host) = connected(config, 1);
    let handle = host.connect(19);
    host.run(&mut link, |host| {
        host.socket(handle).may_send().then_some(())
    });
    host.socket(handle).send_slice(b"300000 1\n").unwrap();
    host.run(&mut link, |host| (host.received > 5).then_some(()));
    link.send_data(host.linkid, Service::Datagram, Data::FlowOff);
    let before = host.received;
    // Long enough for many retransmissions.
    for _ in 0..300 {
        host.step(&mut link);
        link.now += Duration::from_millis(100);
        // Flow is off, so the stack must queue no retransmissions.
        assert!(link.engine.stats().waiting <= 1);
    }
    assert_eq!(host.received, before);
    link.send_data(host.linkid, Service::Datagram, Data::FlowOn);
    host.run(&mut link, |host| {
        let socket = host.socket(handle);
        while socket.can_recv() {
            socket.recv(|data| (data.len(), ())).unwrap();
        }
        (socket.state() == tcp::State::CloseWait).then_some(())
    });
    assert_eq!(link.engine.stats().queue_drops, 0);
}

#[test]
fn an_idle_stack_asks_for_no_early_call() {
    let (mut link, mut host) = connected(Config::default(), 1);
    ping(&mut link, &mut host, 56);
    assert_eq!(link.engine.poll(link.now), None);
}
