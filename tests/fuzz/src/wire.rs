// SPDX-License-Identifier: GPL-2.0

//! The CAIF codec: all bytes can be parsed, and parsed values are encoded as the same bytes.

use caif_wire::{Data, Fcs, Frame, FrameError, Message, Service};
use crc::{Crc, CRC_16_MCRF4XX};

/// All services.
const SERVICES: [Service; 6] = [
    Service::Vei,
    Service::Video,
    Service::Debug,
    Service::Datagram,
    Service::Rfm,
    Service::Util,
];

/// The checksum of a frame, by a library.
const CHECKSUM: Crc<u16> = Crc::<u16>::new(&CRC_16_MCRF4XX);

/// Parses bytes as a frame, as a control message, and as a packet of each service.
pub fn fuzz(input: &[u8]) {
    frame(input);
    message(input);
    SERVICES.iter().for_each(|&service| data(service, input));
}

/// Builds into buffers of all lengths near the right one. Returns the result.
fn build<E: std::fmt::Debug>(
    most: usize,
    mut build: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> Vec<u8> {
    let mut out = vec![0xa5; most];
    let len = build(&mut out).expect("what was read can be written");
    assert!(
        out[len..].iter().all(|byte| *byte == 0xa5),
        "beyond the end"
    );
    out.truncate(len);
    let mut exact = vec![0; len];
    assert_eq!(build(&mut exact).ok(), Some(len));
    assert_eq!(exact, out);
    for short in [0, len / 2, len.saturating_sub(1)] {
        if short < len {
            assert!(
                build(&mut exact[..short]).is_err(),
                "{len} bytes in {short}"
            );
        }
    }
    out
}

fn frame(input: &[u8]) {
    let unchecked = Frame::parse(input, Fcs::Off);
    let checked = Frame::parse(input, Fcs::On);
    let Ok(frame) = unchecked else {
        assert_eq!(checked, unchecked);
        assert!(unchecked.is_err_and(|error| !error.to_string().is_empty()));
        return;
    };
    let len = 2 + usize::from(u16::from_le_bytes([input[0], input[1]]));
    assert_eq!((frame.channel, frame.body), (input[2], &input[3..len - 2]));
    let found = u16::from_le_bytes([input[len - 2], input[len - 1]]);
    let computed = CHECKSUM.checksum(&input[2..len - 2]);
    if found == computed {
        assert_eq!(checked, Ok(frame));
    } else {
        assert_eq!(checked, Err(FrameError::BadFcs { found, computed }));
    }
    let built = build(len + 9, |out| frame.build(Fcs::On, out));
    assert_eq!(built[..len - 2], input[..len - 2]);
    assert_eq!(built[len - 2..], computed.to_le_bytes());
    let built = build(len + 9, |out| frame.build(Fcs::Off, out));
    assert_eq!(built[..len - 2], input[..len - 2]);
    message(frame.body);
}

fn message(body: &[u8]) {
    match Message::parse(body) {
        Ok(message) => {
            assert_eq!(Some(&message.first()), body.first());
            assert_eq!(message.command(), message.first() & 15);
            let built = build(body.len() + 9, |out| message.build(out));
            // Bytes behind a message are cut.
            assert_eq!(built, body[..built.len()]);
            assert_eq!(Message::parse(&built), Ok(message));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn data(service: Service, body: &[u8]) {
    match Data::parse(service, body) {
        Ok(data) => {
            let built = build(body.len() + 9, |out| data.build(service, out));
            assert!(built.len() <= body.len());
            assert_eq!(Data::parse(service, &built), Ok(data));
            let (header, payload) = data.parts(service).expect("it was built");
            assert_eq!([header, payload].concat(), built);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
