// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Parsing is total, and building and parsing are each other's inverse.

use caif_wire::params::{LinkParams, ServiceParams};
use caif_wire::{Data, Fcs, Frame, Message, Service};
use proptest::collection::vec;
use proptest::prelude::*;

const SERVICES: [Service; 6] = [
    Service::Vei,
    Service::Video,
    Service::Debug,
    Service::Datagram,
    Service::Rfm,
    Service::Util,
];

/// The parts of a set-up that values borrow from.
#[derive(Debug, Clone)]
struct Setup {
    kind: u8,
    numbers: (u8, u8, u8, u8, u32, u16, u16),
    name: [u8; 16],
    bytes: Vec<u8>,
}

impl Setup {
    fn params(&self) -> LinkParams<'_> {
        let (chtype, priority, phyid, endpoint, connection, fifo_kb, fifo_bufs) = self.numbers;
        let service = match self.kind {
            1 => ServiceParams::Vei,
            2 => ServiceParams::Video {
                connection: endpoint,
            },
            3 => ServiceParams::Debug,
            4 => ServiceParams::Datagram { connection },
            5 => ServiceParams::Rfm {
                connection,
                volume: {
                    let end = self.bytes.iter().position(|byte| *byte == 0);
                    &self.bytes[..end.unwrap_or(self.bytes.len()).min(15)]
                },
            },
            6 => ServiceParams::Util {
                fifo_kb,
                fifo_bufs,
                name: self.name,
                params: &self.bytes,
            },
            service => ServiceParams::Unknown {
                service,
                rest: &self.bytes,
            },
        };
        LinkParams {
            chtype,
            priority,
            phyid,
            endpoint,
            service,
        }
    }
}

fn setup() -> impl Strategy<Value = Setup> {
    (
        0u8..16,
        (
            0u8..16,
            0u8..32,
            0u8..8,
            any::<u8>(),
            any::<u32>(),
            any::<u16>(),
            any::<u16>(),
        ),
        any::<[u8; 16]>(),
        vec(any::<u8>(), 0..256),
    )
        .prop_map(|(kind, numbers, name, bytes)| Setup {
            kind,
            numbers,
            name,
            bytes,
        })
}

fn round_trip(message: Message<'_>) {
    let mut out = [0; 1024];
    let len = message.build(&mut out).unwrap();
    assert_eq!(Message::parse(&out[..len]), Ok(message));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn parsing_is_total(bytes in vec(any::<u8>(), 0..300)) {
        // An accepted frame lies inside the input, and gives the same bytes again.
        for check in [Fcs::Off, Fcs::On] {
            if let Ok(frame) = Frame::parse(&bytes, check) {
                let mut out = vec![0; bytes.len()];
                let len = frame.build(check, &mut out).unwrap();
                prop_assert!(len <= bytes.len());
                prop_assert_eq!(&out[..len - 2], &bytes[..len - 2]);
            }
        }
        // An accepted message is a prefix of its input.
        if let Ok(message) = Message::parse(&bytes) {
            let mut out = vec![0; bytes.len()];
            let len = message.build(&mut out).unwrap();
            prop_assert_eq!(&out[..len], &bytes[..len]);
        }
        for service in SERVICES {
            if let Ok(data) = Data::parse(service, &bytes) {
                let mut out = vec![0; bytes.len()];
                let len = data.build(service, &mut out).unwrap();
                prop_assert_eq!(Data::parse(service, &out[..len]), Ok(data));
            }
        }
    }

    #[test]
    fn frames_round_trip(channel: u8, body in vec(any::<u8>(), 0..2000), tail in vec(any::<u8>(), 0..9)) {
        let frame = Frame { channel, body: &body };
        for check in [Fcs::Off, Fcs::On] {
            let mut out = vec![0; body.len() + 5];
            prop_assert_eq!(frame.build(check, &mut out), Ok(body.len() + 5));
            out.extend_from_slice(&tail);
            prop_assert_eq!(Frame::parse(&out, check), Ok(frame));
        }
    }

    #[test]
    fn one_flipped_bit_fails_the_check(channel: u8, body in vec(any::<u8>(), 0..200), bit: prop::sample::Index) {
        let mut out = vec![0; body.len() + 5];
        Frame { channel, body: &body }.build(Fcs::On, &mut out).unwrap();
        // The length is not covered by the check, all that follows is.
        let bit = 16 + bit.index((out.len() - 2) * 8);
        out[bit / 8] ^= 1 << (bit % 8);
        let bad = matches!(
            Frame::parse(&out, Fcs::On),
            Err(caif_wire::FrameError::BadFcs { .. })
        );
        prop_assert!(bad);
    }

    #[test]
    fn control_messages_round_trip(setup in setup(), linkid: u8, appended in vec(any::<u8>(), 0..256)) {
        let params = setup.params();
        round_trip(Message::Setup(params));
        round_trip(Message::SetupRefused(params));
        if (1..=6).contains(&setup.kind) {
            let appended = if setup.kind == 6 { &appended[..] } else { &[] };
            round_trip(Message::SetupDone { params, linkid, appended });
        }
        round_trip(Message::Destroy { linkid });
        round_trip(Message::Destroyed { linkid });
        round_trip(Message::Enum { phyid: linkid });
        round_trip(Message::Enumerated { phyid: linkid });
        round_trip(Message::Other { first: 0x40 | linkid, rest: &appended });
    }

    #[test]
    fn payloads_round_trip(payload in vec(any::<u8>(), 0..2000), more: bool) {
        for service in SERVICES {
            let data = match service {
                Service::Rfm => Data::Segment { more, bytes: &payload },
                _ => Data::Payload(&payload),
            };
            let mut out = vec![0; payload.len() + service.header_len()];
            prop_assert_eq!(data.build(service, &mut out), Ok(out.len()));
            prop_assert_eq!(Data::parse(service, &out), Ok(data));
        }
    }
}
