// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A modem in a network: the IP stack serves the contexts that are active, and nothing else.

mod common;

use caif_stack::{Config, End, Network};
use caif_wire::{Data, Service};
use common::ip_host::IpHost;
use common::{Link, VEI, ip};
use smoltcp::socket::udp;
use smoltcp::wire::{IpAddress, IpCidr};
use std::time::Duration;

/// A modem that is registered, and an AT channel without echo.
fn registered() -> (Link, u8) {
    let mut link = Link::new(Config {
        network: Some(Network::default()),
        ..Config::default()
    });
    let at = link.set_up(2, VEI).unwrap();
    say(&mut link, at, "ATE0");
    link.advance(Duration::from_millis(100));
    (link, at)
}

fn say(link: &mut Link, at: u8, line: &str) -> String {
    let line = format!("{line}\r");
    String::from_utf8(link.exchange(at, Service::Vei, line.as_bytes())).unwrap()
}

#[track_caller]
fn ok(link: &mut Link, at: u8, line: &str) {
    let answer = say(link, at, line);
    assert!(answer.ends_with("\r\nOK\r\n"), "{line}: {answer}");
}

fn host(link: &Link, linkid: u8, address: &str, modem: &str) -> IpHost {
    let mut host = IpHost::new(link, linkid, 0);
    let address: IpAddress = address.parse().unwrap();
    host.modem = modem.parse().unwrap();
    host.interface.update_ip_addrs(|addresses| {
        addresses.clear();
        let prefix = if matches!(address, IpAddress::Ipv4(_)) {
            28
        } else {
            64
        };
        addresses.push(IpCidr::new(address, prefix)).unwrap();
    });
    let _ = match host.modem {
        IpAddress::Ipv4(modem) => host.interface.routes_mut().add_default_ipv4_route(modem),
        IpAddress::Ipv6(modem) => host.interface.routes_mut().add_default_ipv6_route(modem),
    };
    host
}

/// Sends a datagram and returns what comes back.
fn ask(link: &mut Link, host: &mut IpHost, to: (&str, u16), bytes: &[u8]) -> Vec<u8> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 2000]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    socket.bind(5000).unwrap();
    let to: (IpAddress, u16) = (to.0.parse().unwrap(), to.1);
    socket.send_slice(bytes, to).unwrap();
    let handle = host.sockets.add(socket);
    let answer = host.run(link, |host| {
        let (bytes, from) = host
            .sockets
            .get_mut::<udp::Socket<'_>>(handle)
            .recv()
            .ok()?;
        assert_eq!(from.endpoint.addr, to.0);
        Some(bytes.to_vec())
    });
    host.sockets.remove(handle);
    answer
}

#[test]
fn only_active_contexts_are_served() {
    let (mut link, at) = registered();
    assert_eq!(link.set_up(0, ip(7)), None);
    ok(&mut link, at, "AT+CGDCONT=1,\"IP\",\"net\"");
    assert_eq!(link.set_up(0, ip(7)), None);
    let answer = say(&mut link, at, "AT*EPPSD=1,7,1");
    assert!(answer.contains("<ip_address>10.64.0.2<"), "{answer}");
    assert_eq!(link.set_up(0, ip(1)), None);
    let linkid = link.set_up(0, ip(7)).unwrap();
    let mut inside = host(&link, linkid, "10.64.0.2", "10.64.0.1");
    assert_eq!(inside.talk(&mut link, 7, b"hello", true), b"hello");
    assert_eq!(ask(&mut link, &mut inside, ("10.64.0.1", 7), b"x"), b"x");
    ok(&mut link, at, "AT*EPPSD=0,7,1");
    assert_eq!(link.set_up(0, ip(7)), None);
}

#[test]
fn a_channel_follows_its_context() {
    let (mut link, at) = registered();
    ok(&mut link, at, "AT+CGDCONT=1,\"IP\",\"net\"");
    ok(&mut link, at, "AT*EPPSD=1,7,1");
    let linkid = link.set_up(0, ip(7)).unwrap();
    ok(&mut link, at, "AT*NET=\"drop 1\"");
    link.send_data(linkid, Service::Datagram, Data::Payload(&[0x45; 40]));
    assert_eq!(link.receive(), None);
    assert_eq!(link.engine.stats().no_context, 1);
    // Another context on the same connection id, with another address.
    ok(&mut link, at, "AT+CGDCONT=2,\"IP\",\"net\";*EPPSD=1,7,2");
    let mut inside = host(&link, linkid, "10.64.0.18", "10.64.0.17");
    assert_eq!(inside.talk(&mut link, 7, b"hello", true), b"hello");
    // The end of a channel is not the end of the context.
    link.control(&[1, linkid]);
    assert!(say(&mut link, at, "AT+CGACT?").contains("+CGACT: 2,1"));
    assert!(link.set_up(0, ip(7)).is_some());
}

#[test]
fn two_contexts_at_once() {
    let (mut link, at) = registered();
    ok(
        &mut link,
        at,
        "AT+CGDCONT=1,\"IP\",\"a\";+CGDCONT=2,\"IP\",\"b\"",
    );
    // Connection ids that are the same modulo 256.
    ok(&mut link, at, "AT*EPPSD=1,105,1");
    ok(&mut link, at, "AT*EPPSD=1,5,2");
    let one = link.set_up(0, ip(0x105)).unwrap();
    let two = link.set_up(0, ip(5)).unwrap();
    let mut first = host(&link, one, "10.64.0.2", "10.64.0.1");
    let mut second = host(&link, two, "10.64.0.18", "10.64.0.17");
    assert_eq!(first.talk(&mut link, 7, b"one", true), b"one");
    assert_eq!(second.talk(&mut link, 7, b"two", true), b"two");
}

#[test]
fn answers_of_dns() {
    let (mut link, at) = registered();
    ok(&mut link, at, "AT+CGDCONT=1,\"IPV4V6\",\"net\";+CGACT=1,1");
    let (linkid, _) = set_up_ipv6(&mut link);
    let query = simple_query("modem.test", 1);
    let query6 = simple_query("modem.test", 28);
    let mut inside = host(&link, linkid, "10.64.0.2", "10.64.0.1");
    for server in ["10.65.0.1", "10.65.0.2"] {
        let answer = ask(&mut link, &mut inside, (server, 53), &query);
        assert!(answer.ends_with(&[10, 64, 0, 1]), "{answer:?}");
    }
    let mut inside = host(&link, linkid, "fd00:64::2", "fd00:64::1");
    let answer = ask(&mut link, &mut inside, ("fd00:65::1", 53), &query6);
    let address: std::net::Ipv6Addr = "fd00:64::1".parse().unwrap();
    assert!(answer.ends_with(&address.octets()), "{answer:?}");
}

/// Sets up a channel on connection id 1. Returns its number and the packet that comes at once.
fn set_up_ipv6(link: &mut Link) -> (u8, Vec<u8>) {
    link.send(0, &[0x00, 0x04, 0xe2, 0x00, 1, 0, 0, 0]);
    let frames = link.receive_all();
    let [answer, packet] = &frames[..] else {
        panic!("{frames:?}");
    };
    assert_eq!((answer.channel, answer.body[0]), (0, 0x20));
    assert_eq!(packet.channel, answer.body[8]);
    (answer.body[8], packet.body.clone())
}

fn simple_query(name: &str, kind: u8) -> Vec<u8> {
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).unwrap());
        query.extend(label.bytes());
    }
    query.extend([0, 0, kind, 0, 1]);
    query
}

#[test]
fn ipv6_by_router_advertisement() {
    let (mut link, at) = registered();
    ok(&mut link, at, "AT+CGDCONT=1,\"IPV6\",\"net\";+CGACT=1,1");
    let answer = say(&mut link, at, "AT+CGPIAF=1;+CGPADDR=1");
    assert!(answer.contains("+CGPADDR: 1,\"fd00:64::2\""), "{answer}");
    let (linkid, advertisement) = set_up_ipv6(&mut link);
    assert_eq!((advertisement[4 + 6], advertisement[4 + 40]), (58, 134));
    // From any address that a host makes of the prefix.
    let mut inside = host(&link, linkid, "fd00:64::1234:5678", "fd00:64::1");
    assert_eq!(inside.talk(&mut link, 7, b"hello", true), b"hello");
    // A router solicitation, of RFC 4861's 8 bytes.
    let mut solicitation = vec![0x60, 0, 0, 0, 0, 8, 58, 255];
    solicitation.extend("fe80::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
    solicitation.extend("ff02::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
    solicitation.extend([133, 0, 0, 0, 0, 0, 0, 0]);
    link.send_data(linkid, Service::Datagram, Data::Payload(&solicitation));
    let answers = link.receive_all();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].body, advertisement);
}

#[test]
fn one_modem_behind_all_terminals() {
    let (mut link, at) = registered();
    let other = link.set_up(2, VEI).unwrap();
    say(&mut link, other, "ATE0");
    ok(&mut link, other, "AT+CREG=1");
    ok(&mut link, at, "AT+CGDCONT=1,\"IP\",\"net\"");
    assert!(say(&mut link, other, "AT+CGDCONT?").contains("\"net\""));
    // What the other terminal hears comes on its own channel.
    link.send_data(at, Service::Vei, Data::Payload(b"AT+CFUN=4\r"));
    let heard = link.receive_all();
    let [answer, unasked] = &heard[..] else {
        panic!("{heard:?}");
    };
    assert_eq!(
        (answer.channel, &answer.body[..]),
        (at, &b"\0\r\nOK\r\n"[..])
    );
    assert_eq!(unasked.channel, other);
    assert_eq!(unasked.body, b"\0\r\n+CREG: 0\r\n");
    link.send_data(at, Service::Vei, Data::Payload(b"AT+CFUN=1\r"));
    assert_eq!(link.receive_all().len(), 2);
    // The time of registration is a deadline.
    let deadline = link.advance(Duration::from_millis(60)).unwrap();
    assert_eq!(deadline, link.now + Duration::from_millis(40));
    link.advance(Duration::from_millis(40));
    assert_eq!(link.receive().unwrap().body, b"\0\r\n+CREG: 1\r\n");
}

#[test]
fn a_reset_ends_contexts_and_a_crash() {
    let (mut link, at) = registered();
    ok(&mut link, at, "AT+CGDCONT=1,\"IP\",\"net\";+CGACT=1,1");
    for (action, end) in [("crash", End::Crash), ("die", End::Die)] {
        assert_eq!(link.engine.end(), None);
        let at = link.set_up(2, VEI).unwrap();
        say(&mut link, at, "ATE0");
        assert_eq!(say(&mut link, at, &format!("AT*NET=\"{action}\"")), "");
        assert_eq!(link.engine.end(), Some(end));
        link.engine.reset();
    }
    assert_eq!(link.set_up(0, ip(1)), None);
    let at = link.set_up(2, VEI).unwrap();
    let answer = say(&mut link, at, "AT*NET?");
    assert!(answer.contains("*NET: 0,0,64"), "{answer}");
}
