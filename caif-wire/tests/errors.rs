// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Each kind of bad input gives its own error, whose text says what is wrong.

use caif_wire::bytes::{Full, Truncated};
use caif_wire::frame::{BuildError, FrameError, MAX_BODY};
use caif_wire::params::{LinkParams, ServiceParams};
use caif_wire::{ControlError, Data, DataError, Fcs, Frame, Message, Service};

#[test]
fn frame_lengths() {
    let parse = |bytes| Frame::parse(bytes, Fcs::Off).unwrap_err();
    assert_eq!(
        parse(&[5]).to_string(),
        "no frame length: frame length takes 2 bytes, 1 are left"
    );
    assert_eq!(parse(&[2, 0, 0, 0]), FrameError::TooShort { length: 2 });
    let beyond = parse(&[6, 0, 0, 3, 2, 0, 0]);
    assert_eq!(beyond, FrameError::BeyondEnd { length: 6, have: 5 });
    assert_eq!(
        beyond.to_string(),
        "frame length 6 is beyond the 5 bytes there"
    );
}

#[test]
fn bytes_behind_a_frame_are_cut() {
    let frame = Frame::parse(&[3, 0, 9, 0, 0, 1, 2, 3], Fcs::Off).unwrap();
    assert_eq!((frame.channel, frame.body), (9, &[][..]));
}

#[test]
fn largest_body_and_one_more() {
    let body = vec![7; MAX_BODY + 1];
    let mut out = vec![0; MAX_BODY + 16];
    let largest = Frame {
        channel: 1,
        body: &body[..MAX_BODY],
    };
    let len = largest.build(Fcs::On, &mut out).unwrap();
    assert_eq!(Frame::parse(&out[..len], Fcs::On), Ok(largest));
    let larger = Frame {
        channel: 1,
        body: &body,
    };
    assert_eq!(
        larger.build(Fcs::Off, &mut out),
        Err(BuildError::BodyTooLong { len: MAX_BODY + 1 })
    );
}

#[test]
fn a_small_buffer_is_an_error() {
    let frame = Frame {
        channel: 1,
        body: b"abc",
    };
    for len in 0..8 {
        let mut out = vec![0; len];
        assert!(matches!(
            frame.build(Fcs::Off, &mut out),
            Err(BuildError::Full(Full { .. }))
        ));
    }
    assert_eq!(frame.build(Fcs::Off, &mut [0; 8]), Ok(8));
}

#[test]
fn every_cut_of_a_set_up_names_the_field() {
    let whole = [0x00, 0x04, 0xe2, 0, 1, 0, 0, 0];
    for len in 0..whole.len() {
        assert!(matches!(
            Message::parse(&whole[..len]),
            Err(ControlError::Truncated(_))
        ));
    }
    assert_eq!(
        Message::parse(&whole[..6]),
        Err(ControlError::Truncated(Truncated {
            field: "datagram connection id",
            wanted: 4,
            left: 2
        }))
    );
}

#[test]
fn rfm_volumes() {
    let mut body = vec![0x00, 0x05, 0, 0, 1, 0, 0, 0];
    body.extend_from_slice(b"fifteen letters");
    assert_eq!(Message::parse(&body), Err(ControlError::BadVolume));
    body.push(0);
    assert!(Message::parse(&body).is_ok());
    let end = body.len() - 1;
    body[end] = b'!';
    body.push(0);
    assert_eq!(Message::parse(&body), Err(ControlError::BadVolume));
}

#[test]
fn an_unknown_service_can_be_refused_but_not_granted() {
    let body = [0x00, 0x07, 0x01, 0x00, 0xaa, 0xbb];
    let Ok(Message::Setup(params)) = Message::parse(&body) else {
        panic!("no set-up");
    };
    assert_eq!(
        params.service,
        ServiceParams::Unknown {
            service: 7,
            rest: &[0xaa, 0xbb]
        }
    );
    let mut out = [0; 16];
    let len = Message::SetupRefused(params).build(&mut out).unwrap();
    assert_eq!(out[..len], [0x30, 0x07, 0x01, 0x00, 0xaa, 0xbb]);
    assert_eq!(
        Message::parse(&[0x20, 0x07, 0x01, 0x00, 0xaa]),
        Err(ControlError::UnknownService { service: 7 })
    );
}

#[test]
fn too_many_utility_parameters() {
    let params = [0; 256];
    let message = Message::Setup(LinkParams {
        chtype: 0,
        priority: 0,
        phyid: 0,
        endpoint: 0,
        service: ServiceParams::Util {
            fifo_kb: 0,
            fifo_bufs: 0,
            name: [0; 16],
            params: &params,
        },
    });
    assert_eq!(
        message.build(&mut [0; 512]),
        Err(ControlError::TooManyParameters { len: 256 })
    );
}

#[test]
fn data_that_its_service_does_not_know() {
    for service in [Service::Vei, Service::Datagram, Service::Util] {
        assert_eq!(
            Data::parse(service, &[0x83]),
            Err(DataError::UnknownCommand {
                service,
                command: 0x83
            })
        );
        assert!(matches!(
            Data::parse(service, &[]),
            Err(DataError::Truncated(_))
        ));
    }
    assert_eq!(
        Data::RemoteShutdown.build(Service::Vei, &mut [0; 4]),
        Err(DataError::NotOnService {
            service: Service::Vei
        })
    );
    assert!(matches!(
        Data::parse(Service::Datagram, &[8, 0, 0]),
        Err(DataError::Truncated(_))
    ));
}

#[test]
fn each_error_says_what_is_wrong() {
    let full = Full { wanted: 3, left: 1 };
    let cut = Truncated {
        field: "linkid",
        wanted: 1,
        left: 0,
    };
    let service = Service::Vei;
    let fcs = FrameError::BadFcs {
        found: 1,
        computed: 0xabcd,
    };
    let command = DataError::UnknownCommand {
        service,
        command: 0x83,
    };
    let texts: [(&dyn std::error::Error, &str); 15] = [
        (&full, "the next 3 bytes do not fit, 1 are left"),
        (&cut, "linkid takes 1 bytes, 0 are left"),
        (
            &FrameError::TooShort { length: 2 },
            "frame length 2 is below 3",
        ),
        (&fcs, "frame check 0x0001 should be 0xabcd"),
        (
            &BuildError::BodyTooLong { len: 65533 },
            "a body of 65533 bytes is above 65532",
        ),
        (
            &BuildError::from(full),
            "the next 3 bytes do not fit, 1 are left",
        ),
        (&ControlError::from(cut), "linkid takes 1 bytes, 0 are left"),
        (
            &ControlError::from(full),
            "the next 3 bytes do not fit, 1 are left",
        ),
        (
            &ControlError::BadVolume,
            "an RFM volume is up to 15 bytes and a NUL",
        ),
        (
            &ControlError::UnknownService { service: 7 },
            "success for service 7, known are 1 to 6",
        ),
        (
            &ControlError::TooManyParameters { len: 256 },
            "256 bytes of parameters, allowed are 255",
        ),
        (&command, "command 0x83 is unknown on a Vei channel"),
        (
            &DataError::NotOnService { service },
            "a Vei channel cannot carry this",
        ),
        (&DataError::from(cut), "linkid takes 1 bytes, 0 are left"),
        (
            &DataError::from(full),
            "the next 3 bytes do not fit, 1 are left",
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn services_and_their_connections() {
    let volume = b"C:";
    let name = [0; 16];
    let services = [
        (ServiceParams::Vei, Some(Service::Vei), None),
        (
            ServiceParams::Video { connection: 2 },
            Some(Service::Video),
            Some(2),
        ),
        (ServiceParams::Debug, Some(Service::Debug), None),
        (
            ServiceParams::Datagram { connection: 3 },
            Some(Service::Datagram),
            Some(3),
        ),
        (
            ServiceParams::Rfm {
                connection: 4,
                volume,
            },
            Some(Service::Rfm),
            Some(4),
        ),
        (
            ServiceParams::Util {
                fifo_kb: 0,
                fifo_bufs: 0,
                name,
                params: &[],
            },
            Some(Service::Util),
            None,
        ),
        (
            ServiceParams::Unknown {
                service: 9,
                rest: &[],
            },
            None,
            None,
        ),
    ];
    for (params, service, connection) in services {
        assert_eq!(Service::of(&params), service);
        assert_eq!(params.connection(), connection);
    }
    let flows = [
        (Service::Vei, true, 1),
        (Service::Video, false, 4),
        (Service::Debug, false, 0),
        (Service::Datagram, true, 4),
        (Service::Rfm, false, 1),
        (Service::Util, true, 1),
    ];
    for (service, flow, header) in flows {
        assert_eq!(service.has_flow_control(), flow);
        assert_eq!(service.header_len(), header);
    }
    for first in [0x02, 0x0a, 0xff] {
        let body = [first];
        let message = Message::parse(&body).unwrap();
        assert_eq!(message.command(), first & 0x0f);
    }
}
