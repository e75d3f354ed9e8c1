// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Services other than IP: AT dialogue, loopbacks, flow control.

mod common;

use std::time::Duration;

use caif_stack::Config;
use caif_wire::{Data, Service, ServiceParams};
use common::{Link, Received, UTIL, VEI, ip};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn at_dialogue() {
    let mut link = Link::new(Config::default());
    let at = link.set_up(2, VEI).unwrap();
    let mut say = |text: &str| {
        let answer = link.exchange(at, Service::Vei, text.as_bytes());
        String::from_utf8(answer).unwrap()
    };
    assert_eq!(say("AT\r"), "AT\r\r\nOK\r\n");
    assert_eq!(say("ATE0\r"), "ATE0\r\r\nOK\r\n");
    // Two commands in one frame, and one command in two.
    assert_eq!(
        say("AT\rAT+CSQ\r"),
        "\r\nOK\r\n\r\n+CSQ: 23,99\r\n\r\nOK\r\n"
    );
    assert_eq!(say("AT+CG"), "");
    assert_eq!(say("MI\r"), "\r\ncaif-stack\r\n\r\nOK\r\n");
    assert_eq!(say("AT+NONSENSE\r"), "\r\nERROR\r\n");
}

#[test]
fn two_terminals_do_not_share_anything() {
    let mut link = Link::new(Config::default());
    let one = link.set_up(2, VEI).unwrap();
    let two = link.set_up(2, VEI).unwrap();
    link.exchange(one, Service::Vei, b"ATE0\rAT+CGDCONT=1,\"IP\",\"one\"\rAT");
    let other = link.exchange(two, Service::Vei, b"ATE0\rAT+CGDCONT?\r");
    assert_eq!(other, b"ATE0\r\r\nOK\r\n\r\nOK\r\n");
    assert_eq!(link.exchange(one, Service::Vei, b"\r"), b"\r\nOK\r\n");
}

#[test]
fn long_answers_come_in_pieces() {
    let mut link = Link::new(Config::default());
    let at = link.set_up(2, VEI).unwrap();
    let commands = "AT\r".repeat(500);
    let answer = link.exchange(at, Service::Vei, commands.as_bytes());
    assert_eq!(answer, "AT\r\r\nOK\r\n".repeat(500).as_bytes());
}

#[test]
fn loopbacks() {
    let mut link = Link::new(Config::default());
    let video = ServiceParams::Video { connection: 1 };
    for (service, params, chtype) in [
        (Service::Video, video, 0),
        (Service::Debug, ServiceParams::Debug, 1),
        (Service::Datagram, ip(1), 3),
        (Service::Util, UTIL, 0),
    ] {
        let linkid = link.set_up(chtype, params).unwrap();
        for len in [1, 2, 1000, 1500] {
            let payload: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            assert_eq!(link.exchange(linkid, service, &payload), payload);
        }
    }
}

#[test]
fn rfm_segments_come_back_as_they_are() {
    let mut link = Link::new(Config::default());
    let params = ServiceParams::Rfm {
        connection: 1,
        volume: b"v",
    };
    let linkid = link.set_up(0, params).unwrap();
    for more in [true, true, false] {
        let bytes = b"headerpayload";
        link.send_data(linkid, Service::Rfm, Data::Segment { more, bytes });
        let frame = link.receive().unwrap();
        assert_eq!(
            Data::parse(Service::Rfm, &frame.body),
            Ok(Data::Segment { more, bytes })
        );
    }
}

#[test]
fn utility_is_shut_down_on_request() {
    let mut link = Link::new(Config::default());
    let util = link.set_up(0, UTIL).unwrap();
    link.send_data(util, Service::Util, Data::Payload(b"before"));
    link.send_data(util, Service::Util, Data::Payload(b"shutdown"));
    link.send_data(util, Service::Util, Data::Payload(b"after"));
    let bodies: Vec<_> = link.receive_all().into_iter().map(|f| f.body).collect();
    assert_eq!(bodies, [&b"\x00before"[..], &b"\x82"[..]]);
    // The linkid stays taken until the host gives it up.
    assert_eq!(link.set_up(2, VEI), Some(util + 1));
    assert_eq!(link.control(&[0x01, util]), [0x21, util]);
}

#[test]
fn a_command_ends_every_utility() {
    let mut link = Link::new(Config::default());
    let utils = [link.set_up(0, UTIL).unwrap(), link.set_up(0, UTIL).unwrap()];
    let at = link.set_up(2, VEI).unwrap();
    link.send(at, b"\0AT*FLOW=1000\r");
    link.receive_all();
    link.send(at, b"\0AT*SHUTDOWN\r");
    let ended = link.receive_all();
    let ended = ended.iter().filter(|frame| frame.body == b"\x82");
    assert_eq!(ended.map(|frame| frame.channel).collect::<Vec<_>>(), utils);
    // They are no channels any more, but the others are.
    link.send_data(utils[0], Service::Util, Data::Payload(b"after"));
    assert_eq!(link.receive(), None);
    assert_eq!(link.exchange(at, Service::Vei, b"AT\r"), b"AT\r\r\nOK\r\n");
}

#[test]
fn flow_off_from_the_host_holds_frames_back() {
    let mut link = Link::new(Config {
        channel_queue: 4,
        ..Config::default()
    });
    let util = link.set_up(0, UTIL).unwrap();
    let at = link.set_up(2, VEI).unwrap();
    link.send_data(util, Service::Util, Data::FlowOff);
    for n in 0..10 {
        link.send_data(util, Service::Util, Data::Payload(&[n]));
    }
    assert_eq!(link.receive(), None);
    assert_eq!(link.engine.stats().waiting, 4);
    // The other channels work.
    assert_eq!(link.exchange(at, Service::Vei, b"AT\r"), b"AT\r\r\nOK\r\n");
    link.send_data(util, Service::Util, Data::FlowOn);
    let bodies: Vec<_> = link.receive_all().into_iter().map(|f| f.body).collect();
    assert_eq!(bodies, [[0, 0], [0, 1], [0, 2], [0, 3]]);
    let stats = link.engine.stats();
    assert_eq!(stats.queue_drops, 6);
    assert_eq!((stats.host_flow_off, stats.host_flow_on), (1, 1));
}

#[test]
fn the_modem_holds_the_host_off_for_a_while() {
    let mut link = Link::new(Config::default());
    let at = link.set_up(2, VEI).unwrap();
    let util = link.set_up(0, UTIL).unwrap();
    let datagram = link.set_up(0, ip(1)).unwrap();
    let debug = link.set_up(0, ServiceParams::Debug).unwrap();
    link.exchange(at, Service::Vei, b"ATE0\r");

    link.send_data(at, Service::Vei, Data::Payload(b"AT*FLOW=200\r"));
    let body = |channel, body: &[u8]| Received {
        channel,
        body: body.to_vec(),
    };
    assert_eq!(
        link.receive_all(),
        [
            body(util, &[0x81]),
            body(datagram, &[0x81]),
            body(at, b"\x00\r\nOK\r\n")
        ]
    );
    let deadline = link.advance(ms(150)).unwrap();
    assert_eq!(deadline, link.now + ms(50));
    assert_eq!(link.receive(), None);

    // Frames that come nevertheless are served and counted; the debug channel has no flow control.
    assert_eq!(link.exchange(util, Service::Util, b"x"), b"x");
    assert_eq!(link.exchange(debug, Service::Debug, b"x"), b"x");
    let report = link.exchange(at, Service::Vei, b"AT*FLOW?\r");
    assert_eq!(report, b"\r\n*FLOW: 1,1\r\n\r\nOK\r\n");

    link.advance(ms(50));
    assert_eq!(
        link.receive_all(),
        [body(util, &[0x80]), body(datagram, &[0x80])]
    );
    let report = link.exchange(at, Service::Vei, b"AT*FLOW?\r");
    assert_eq!(report, b"\r\n*FLOW: 0,1\r\n\r\nOK\r\n");
    let stats = link.engine.stats();
    assert_eq!((stats.modem_flow_off, stats.modem_flow_on), (2, 2));
    assert_eq!(stats.frames_while_off, 1);
}

#[test]
fn channels_take_turns() {
    let mut link = Link::new(Config::default());
    let one = link.set_up(0, UTIL).unwrap();
    let two = link.set_up(0, UTIL).unwrap();
    for linkid in [one, one, one, two, two, two] {
        link.send_data(linkid, Service::Util, Data::Payload(b"x"));
    }
    let order: Vec<u8> = link.receive_all().iter().map(|f| f.channel).collect();
    assert_eq!(order, [one, two, one, two, one, two]);
}

#[test]
fn frames_that_the_link_cannot_carry_are_counted() {
    let mut link = Link::new(Config {
        max_frame: 100,
        ..Config::default()
    });
    let debug = link.set_up(0, ServiceParams::Debug).unwrap();
    assert_eq!(link.exchange(debug, Service::Debug, &[1; 95]), [1; 95]);
    assert_eq!(link.exchange(debug, Service::Debug, &[1; 96]), []);
    assert_eq!(link.engine.stats().too_long, 1);
    // IP needs 576 bytes.
    assert_eq!(link.set_up(0, ip(1)), None);
    link.engine.set_max_frame(576 + 9);
    assert!(link.set_up(0, ip(1)).is_some());
}
