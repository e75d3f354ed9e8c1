// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The control channel: set-up, refusal, destruction, enumeration.

mod common;

use caif_stack::Config;
use caif_wire::{Data, Service, ServiceParams};
use common::{Link, UTIL, VEI, ip};

#[test]
fn the_documented_frames() {
    let mut link = Link::new(Config {
        linkids: 5..=5,
        ..Config::default()
    });
    // Whole frames, with the rest of a buffer behind them.
    let now = link.now;
    link.engine
        .input(&[0x05, 0, 0, 0x03, 0x02, 0xaa, 0xbb, 0, 0], now);
    assert_eq!(link.engine.output().unwrap(), [5, 0, 0, 0x23, 2, 0, 0]);
    link.engine
        .input(&[0x0b, 0, 0, 0, 4, 0xe2, 0, 1, 0, 0, 0, 0xaa, 0xbb], now);
    assert_eq!(
        link.engine.output().unwrap(),
        [0x0c, 0, 0, 0x20, 4, 0xe2, 0, 1, 0, 0, 0, 5, 0, 0]
    );
    assert_eq!(link.engine.output(), None);
}

#[test]
fn every_service_can_be_set_up_and_destroyed() {
    let mut link = Link::new(Config::default());
    let rfm = ServiceParams::Rfm {
        connection: 3,
        volume: b"vol",
    };
    let asked = [
        (2, VEI),
        (0, ServiceParams::Video { connection: 1 }),
        (1, ServiceParams::Debug),
        (0, ip(1)),
        (3, ip(1)),
        (0, rfm),
        (0, UTIL),
    ];
    let linkids: Vec<u8> = asked
        .into_iter()
        .map(|(chtype, service)| link.set_up(chtype, service).unwrap())
        .collect();
    assert_eq!(linkids, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(link.engine.stats().channels, 7);
    for linkid in linkids {
        assert_eq!(link.control(&[0x01, linkid]), [0x21, linkid]);
    }
    assert_eq!(link.engine.stats().channels, 0);
    assert_eq!(link.engine.stats().destroys, 7);
    // A LINK_DESTROY of an unused linkid is answered, too.
    assert_eq!(link.control(&[0x01, 99]), [0x21, 99]);
    assert_eq!(link.engine.stats().destroys, 7);
}

#[test]
fn refusals() {
    let mut link = Link::new(Config {
        refused: vec![0xdead..=0xdead, 100..=199],
        ..Config::default()
    });
    for (chtype, service) in [
        (0, ip(0xdead)),
        (3, ip(0xdead)),
        (0, ip(100)),
        (0, ip(199)),
        (1, ip(1)),
        (0, ServiceParams::Video { connection: 150 }),
        (
            0,
            ServiceParams::Rfm {
                connection: 0xdead,
                volume: b"",
            },
        ),
        (
            0,
            ServiceParams::Unknown {
                service: 9,
                rest: b"whatever",
            },
        ),
    ] {
        assert_eq!(link.set_up(chtype, service), None, "{service:?}");
    }
    assert_eq!(link.engine.stats().refusals, 8);
    // The refusal is 30 and the echo, and takes no linkid.
    assert_eq!(
        link.control(&[0x00, 0x04, 0xe2, 0x03, 0xad, 0xde, 0, 0]),
        [0x30, 0x04, 0xe2, 0x03, 0xad, 0xde, 0, 0]
    );
    assert_eq!(link.set_up(0, ip(99)), Some(1));
    assert_eq!(link.set_up(0, ip(200)), Some(2));
}

#[test]
fn silence() {
    let mut link = Link::new(Config {
        silent: vec![7..=8],
        ..Config::default()
    });
    link.send(0, &[0x00, 0x04, 0xe2, 0x00, 7, 0, 0, 0]);
    assert_eq!(link.receive(), None);
    // Nor does it take a linkid.
    assert_eq!(link.set_up(0, ip(9)), Some(1));
}

#[test]
fn a_late_answer() {
    let mut link = Link::new(Config {
        late: vec![7..=8],
        refused: vec![8..=8],
        ..Config::default()
    });
    let at = link.set_up(2, ServiceParams::Vei).unwrap();
    for connection in [7, 8] {
        link.send(0, &[0x00, 0x04, 0xe2, 0x00, connection, 0, 0, 0]);
        assert_eq!(link.receive(), None);
    }
    for answers in [
        &[
            &[0x20, 0x04, 0xe2, 0x00, 7, 0, 0, 0, 2][..],
            &[0x30, 0x04, 0xe2, 0x00, 8, 0, 0, 0][..],
        ][..],
        &[][..],
    ] {
        link.send(at, b"\0AT*ANSWER\r");
        for answer in answers {
            assert_eq!(link.receive().unwrap().body, *answer);
        }
        assert_eq!(link.receive().unwrap().channel, at);
    }
}

#[test]
fn the_echo_repeats_bits_that_mean_nothing_and_leaves_the_rest() {
    let mut link = Link::new(Config::default());
    // All bits of the endpoint; two bytes too many behind the parameters.
    assert_eq!(
        link.control(&[0x00, 0xf1, 0xff, 0xff, 0x11, 0x22]),
        [0x20, 0xf1, 0xff, 0xff, 1]
    );
}

#[test]
fn utility_success_appends_its_bytes() {
    let mut link = Link::new(Config {
        util_appended: vec![7, 8],
        ..Config::default()
    });
    let request = [
        &[0x00, 0x06, 0xe2, 0, 4, 0, 8, 0][..],
        b"psock\0\0\0\0\0\0\0\0\0\0\0",
        &[1, 0x55],
    ]
    .concat();
    let answer = link.control(&request);
    assert_eq!(answer[0], 0x20);
    assert_eq!(answer[1..request.len()], request[1..]);
    assert_eq!(answer[request.len()..], [1, 2, 7, 8]);
    // This service appends the parameters of the request.
    let request = [
        &[0x00, 0x06, 0xe2, 0, 4, 0, 8, 0][..],
        b"parameters\0\0\0\0\0\0",
        &[3, 1, 2, 3],
    ]
    .concat();
    let answer = link.control(&request);
    assert_eq!(answer[request.len()..], [2, 3, 1, 2, 3]);
}

#[test]
fn linkids_run_out_and_come_back() {
    let mut link = Link::new(Config {
        linkids: 0..=3,
        ..Config::default()
    });
    let ids: Vec<_> = (0..4).map(|_| link.set_up(2, VEI)).collect();
    assert_eq!(ids, [Some(1), Some(2), Some(3), None]);
    link.control(&[0x01, 2]);
    assert_eq!(link.set_up(2, VEI), Some(2));
    assert_eq!(link.set_up(2, VEI), None);
}

#[test]
fn all_255_linkids_are_distinct() {
    let mut link = Link::new(Config::default());
    let mut ids: Vec<u8> = (0..255).map(|_| link.set_up(2, VEI).unwrap()).collect();
    ids.sort_unstable();
    assert!(ids.iter().copied().eq(1..=255));
    assert_eq!(link.set_up(2, VEI), None);
}

#[test]
fn nothing_answers_what_is_no_request() {
    let mut link = Link::new(Config::default());
    for body in [
        &[0x02][..],
        &[0x04],
        &[0x05],
        &[0x06],
        &[0x08, 1],
        &[0x20, 0x04, 0xe2, 0, 1, 0, 0, 0, 5],
        &[0x30, 0x04, 0xe2, 0, 1, 0, 0, 0],
        &[0x21, 5],
        &[0x23, 5],
        &[0xff],
    ] {
        link.send(0, body);
        assert_eq!(link.receive(), None, "{body:02x?}");
    }
    assert_eq!(link.engine.stats().ignored_control, 10);
    for body in [&[][..], &[0x00, 0x04], &[0x01], &[0x03]] {
        link.send(0, body);
        assert_eq!(link.receive(), None, "{body:02x?}");
    }
    assert_eq!(link.engine.stats().bad_control, 4);
}

#[test]
fn a_destroyed_channel_is_dead_and_a_reset_kills_all() {
    let mut link = Link::new(Config::default());
    let at = link.set_up(2, VEI).unwrap();
    let util = link.set_up(0, UTIL).unwrap();
    link.send_data(util, Service::Util, Data::Payload(b"waits"));
    link.control_quiet_destroy(at);
    link.send_data(at, Service::Vei, Data::Payload(b"AT\r"));
    assert_eq!(link.engine.stats().unknown_channel, 1);
    let left = link.receive_all();
    assert_eq!(left.len(), 2, "the answer and what waited: {left:?}");

    link.send_data(util, Service::Util, Data::Payload(b"waits"));
    link.engine.reset();
    assert_eq!(link.receive(), None);
    link.send_data(util, Service::Util, Data::Payload(b"late"));
    assert_eq!(link.receive(), None);
    assert_eq!(link.engine.stats().channels, 0);
    assert_eq!(link.engine.stats().resets, 1);
    assert_eq!(link.engine.stats().unknown_channel, 2);
}

impl Link {
    /// Destroys a channel and leaves the answer unread.
    fn control_quiet_destroy(&mut self, linkid: u8) {
        self.send(0, &[0x01, linkid]);
    }
}

#[test]
fn a_host_that_never_reads_loses_answers_and_no_more() {
    let mut link = Link::new(Config::default());
    for _ in 0..5000 {
        link.send(0, &[0x03, 1]);
    }
    assert_eq!(link.receive_all().len(), 1024);
    assert_eq!(link.engine.stats().queue_drops, 5000 - 1024);
    assert_eq!(link.control(&[0x03, 1]), [0x23, 1]);
}

#[test]
fn the_table_of_counters_is_aligned() {
    let mut link = Link::new(Config::default());
    link.control(&[0x03, 1]);
    let table = link.engine.stats().to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "frames_in                     1");
    assert!(lines.iter().all(|line| line.len() == lines[0].len()));
    assert_eq!(lines.len(), link.engine.stats().rows().count());
}
