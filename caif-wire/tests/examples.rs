// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Frames as they are on the wire, byte for byte.

use caif_wire::params::{LinkParams, ServiceParams};
use caif_wire::{Data, Fcs, Frame, Message, Service};

fn unhex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// Checks a control frame in both directions.
fn control_frame(hex: &str, expected: Message<'_>) {
    let wire = unhex(hex);
    let frame = Frame::parse(&wire, Fcs::Off).unwrap();
    assert_eq!(frame.channel, 0);
    assert_eq!(Message::parse(frame.body).unwrap(), expected);

    let mut body = [0; 600];
    let len = expected.build(&mut body).unwrap();
    let rebuilt = Frame {
        channel: 0,
        body: &body[..len],
    };
    let mut out = [0; 600];
    let len = rebuilt.build(Fcs::Off, &mut out).unwrap();
    assert_eq!(out[..len], wire);
}

fn params(chtype: u8, priority: u8, phyid: u8, service: ServiceParams<'_>) -> LinkParams<'_> {
    LinkParams {
        chtype,
        priority,
        phyid,
        endpoint: 0,
        service,
    }
}

const IP: ServiceParams<'static> = ServiceParams::Datagram { connection: 1 };

#[test]
fn enumeration() {
    control_frame("05 00 00 03 02 00 00", Message::Enum { phyid: 2 });
    control_frame("05 00 00 23 02 00 00", Message::Enumerated { phyid: 2 });
}

#[test]
fn datagram_set_up() {
    // Priority 0x1C and phyid 2 make the byte E2.
    let asked = params(0, 0x1c, 2, IP);
    control_frame(
        "0B 00 00 00 04 E2 00 01 00 00 00 00 00",
        Message::Setup(asked),
    );
    control_frame(
        "0C 00 00 20 04 E2 00 01 00 00 00 05 00 00",
        Message::SetupDone {
            params: asked,
            linkid: 5,
            appended: &[],
        },
    );
    control_frame(
        "0B 00 00 30 04 E2 00 01 00 00 00 00 00",
        Message::SetupRefused(asked),
    );
}

#[test]
fn at_set_up() {
    // chtype 2, priority 0x19 of a socket with priority 7.
    let asked = params(2, 0x19, 1, ServiceParams::Vei);
    control_frame("07 00 00 00 21 C9 00 00 00", Message::Setup(asked));
    control_frame(
        "08 00 00 20 21 C9 00 07 00 00",
        Message::SetupDone {
            params: asked,
            linkid: 7,
            appended: &[],
        },
    );
}

#[test]
fn video_debug_and_rfm_set_up() {
    control_frame(
        "08 00 00 00 02 F9 00 2A 00 00",
        Message::Setup(params(0, 0x1f, 1, ServiceParams::Video { connection: 42 })),
    );
    control_frame(
        "07 00 00 00 13 F9 02 00 00",
        Message::Setup(LinkParams {
            endpoint: 2,
            ..params(1, 0x1f, 1, ServiceParams::Debug)
        }),
    );
    control_frame(
        "0F 00 00 00 05 F9 00 01 02 03 04 61 62 63 00 00 00",
        Message::Setup(params(
            0,
            0x1f,
            1,
            ServiceParams::Rfm {
                connection: 0x0403_0201,
                volume: b"abc",
            },
        )),
    );
}

#[test]
fn utility_set_up_appends_bytes_to_its_success() {
    let asked = params(
        0,
        0x1f,
        1,
        ServiceParams::Util {
            fifo_kb: 0x0102,
            fifo_bufs: 3,
            name: *b"psock\0\0\0\0\0\0\0\0\0\0\0",
            params: b"xy",
        },
    );
    let request = "06 F9 00 02 01 03 00 70 73 6F 63 6B 00 00 00 00 00 00 00 00 00 00 00 02 78 79";
    control_frame(
        &format!("1E 00 00 00 {request} 00 00"),
        Message::Setup(asked),
    );
    control_frame(
        &format!("22 00 00 20 {request} 09 02 AA BB 00 00"),
        Message::SetupDone {
            params: asked,
            linkid: 9,
            appended: &[0xaa, 0xbb],
        },
    );
}

#[test]
fn destroy_and_the_rest() {
    control_frame("05 00 00 01 05 00 00", Message::Destroy { linkid: 5 });
    control_frame("05 00 00 21 05 00 00", Message::Destroyed { linkid: 5 });
    control_frame("04 00 00 02 00 00", Message::LinkErr);
    control_frame(
        "05 00 00 08 01 00 00",
        Message::Other {
            first: 8,
            rest: &[1],
        },
    );
}

#[test]
fn ip_packet_on_its_channel() {
    // n bytes of IP: LE16(n+7)|05|08 00 00 00|IP|xx xx, and an IP packet of 20 bytes.
    let mut wire = unhex("1B 00 05 08 00 00 00");
    wire.extend_from_slice(&[0x45; 20]);
    wire.extend_from_slice(&[0xde, 0xad]);
    let frame = Frame::parse(&wire, Fcs::Off).unwrap();
    assert_eq!(frame.channel, 5);
    assert_eq!(
        Data::parse(Service::Datagram, frame.body),
        Ok(Data::Payload(&[0x45; 20]))
    );
    let mut body = [0; 64];
    let len = Data::Payload(&[0x45; 20])
        .build(Service::Datagram, &mut body)
        .unwrap();
    assert_eq!(body[..len], *frame.body);
}

#[test]
fn one_byte_flow_control() {
    for (hex, data) in [("80", Data::FlowOn), ("81", Data::FlowOff)] {
        for service in [Service::Vei, Service::Datagram, Service::Util] {
            assert_eq!(Data::parse(service, &unhex(hex)), Ok(data));
            let mut out = [0; 4];
            assert_eq!(data.build(service, &mut out), Ok(1));
            assert_eq!(out[..1], unhex(hex));
        }
    }
}

#[test]
fn headers_of_the_other_services() {
    let cases = [
        (Service::Vei, "00 41", Data::Payload(b"A")),
        (Service::Vei, "82 41", Data::SetPin(b"A")),
        (Service::Video, "00 00 00 00 41", Data::Payload(b"A")),
        (Service::Debug, "41", Data::Payload(b"A")),
        (Service::Util, "00 41", Data::Payload(b"A")),
        (Service::Util, "82", Data::RemoteShutdown),
        (
            Service::Rfm,
            "01 41",
            Data::Segment {
                more: true,
                bytes: b"A",
            },
        ),
        (
            Service::Rfm,
            "00 41",
            Data::Segment {
                more: false,
                bytes: b"A",
            },
        ),
    ];
    for (service, hex, data) in cases {
        assert_eq!(Data::parse(service, &unhex(hex)), Ok(data));
        let mut out = [0; 8];
        let len = data.build(service, &mut out).unwrap();
        assert_eq!(out[..len], unhex(hex));
    }
}

#[test]
fn frame_check_on_and_off() {
    let frame = Frame {
        channel: 0,
        body: &[0x03, 0x02],
    };
    let mut out = [0; 16];
    let len = frame.build(Fcs::On, &mut out).unwrap();
    // CRC-16/MCRF4XX of 00 03 02, computed with an independent program.
    assert_eq!(out[..len], unhex("05 00 00 03 02 49 30"));
    assert_eq!(Frame::parse(&out[..len], Fcs::On), Ok(frame));
    out[3] ^= 1;
    assert!(Frame::parse(&out[..len], Fcs::On).is_err());
    assert!(Frame::parse(&out[..len], Fcs::Off).is_ok());
}
