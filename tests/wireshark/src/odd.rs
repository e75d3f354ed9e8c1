// SPDX-License-Identifier: GPL-2.0

//! Single frames that are odd: one fault of each kind.

use anyhow::Result;
use caif_wire::{Fcs, frame};

use crate::capture::Capture;

/// Channels that are set up: AT, DATAGRAM, RFM, UTIL, VIDEO.
const CHANNELS: [(u8, &[u8]); 5] = [
    (1, &[0x20, 0x21, 0xf9, 0, 1]),
    (2, &[0x20, 0x04, 0xf9, 0, 1, 0, 0, 0, 2]),
    (3, &[0x20, 0x05, 0xf9, 0, 1, 0, 0, 0, b'v', 0, 3]),
    (
        4,
        b"\x20\x06\xf9\x00\x08\x00\x04\x00speech\0\0\0\0\0\0\0\0\0\0\x00\x04\x00",
    ),
    (5, &[0x20, 0x02, 0xf9, 0, 7, 5]),
];

/// Returns the capture.
pub fn capture() -> Result<Capture> {
    let mut capture = Capture::default();
    capture.link("odd frames");
    for (_, answer) in CHANNELS {
        add(&mut capture, false, 0, answer, Fcs::Off)?;
    }
    // Frames: without a length, too short, too long, with another check sequence, with more behind.
    for bytes in [
        &[][..],
        &[5],
        &[5, 0],
        &[2, 0, 0, 0],
        &[0, 0, 1, 2, 3],
        &[0xff, 0xff, 0, 0x20],
        &[6, 0, 0, 3, 1, 0, 0],
        &[5, 0, 0, 3, 1, 0x12, 0x34],
        &[5, 0, 0, 3, 1, 0, 0, 9, 9],
    ] {
        capture.add(true, bytes.to_vec());
    }
    add(&mut capture, true, 0, &[3, 1], Fcs::On)?;
    // Messages: empty, cut in each field of a request for UTIL, without an end of the volume, of no
    // service, with no command that there is, and longer than needed.
    let util = b"\x00\x06\xf9\x00\x08\x00\x04\x00speech\0\0\0\0\0\0\0\0\0\0\x02ab";
    for len in [0, 1, 2, 3, 5, 7, 20, 24, 26] {
        add(&mut capture, true, 0, &util[..len], Fcs::Off)?;
    }
    for body in [
        &[0x20, 0x21, 0xf9, 0][..],
        &[0x20, 0x05, 0xf9, 0, 1, 0, 0, 0, b'v'],
        b"\x00\x05\xf9\x00\x01\x00\x00\x00sixteen bytes...\x00",
        &[0x20, 0x07, 0xf9, 0, 1],
        &[0x00, 0x0f, 0xf9, 0, 1],
        &[0x04],
        &[0x25, 1],
        &[0x07],
        &[0x31, 1],
        &[0xc3, 1],
        &[0x02],
        &[0x22],
        &[0x21, 1, 2, 3],
        &[0x20, 0x21, 0xf9, 0, 0],
        &[0x20, 0x04, 0xf9, 0, 9, 0, 0, 0, 1],
    ] {
        add(&mut capture, false, 0, body, Fcs::Off)?;
    }
    // The id that the last one gave away once more is the first channel's again.
    add(&mut capture, true, 0, &[1, 1], Fcs::Off)?;
    add(&mut capture, true, 1, b"\0AT\r", Fcs::Off)?;
    add(&mut capture, true, 0, &[0x20, 0x21, 0xf9, 0, 1], Fcs::Off)?;
    // A request of the modem gives no channel up.
    add(&mut capture, false, 0, &[1, 1], Fcs::Off)?;
    for (channel, body) in [
        (1, &[][..]),
        (1, &[0x83, 1]),
        (1, &[0x82, 1]),
        (2, &[0x08, 0, 0]),
        (2, &[0x82]),
        (2, &[0x08, 0, 0, 0]),
        (2, &[0x08, 0, 0, 0, 0x45, 0]),
        (3, &[]),
        (3, &[1, 1, 2, 3]),
        (3, &[1, 1, 2, 3, 4, 5, 0, 1]),
        (3, &[0, 1, 2, 3, 5, 5, 0, 1]),
        (3, &[1, 1, 2, 3, 4, 5, 0, 1]),
        (3, &[0, 1, 2, 3, 4, 5, 0, 1]),
        (3, &[1, 1, 2, 3, 4, 1, 0, 1]),
        (3, &[0, 1, 2, 3, 4, 1, 0, 1, 2]),
        (4, &[]),
        (4, &[0x82]),
        (4, &[0x7f, 1, 2]),
        (5, &[0, 0, 0]),
        (5, &[0, 0, 0, 0]),
        (6, &[1, 2, 3]),
    ] {
        add(&mut capture, false, channel, body, Fcs::Off)?;
    }
    Ok(capture)
}

fn add(capture: &mut Capture, up: bool, channel: u8, body: &[u8], check: Fcs) -> Result<()> {
    let mut bytes = vec![0; body.len() + frame::OVERHEAD];
    frame::build(channel, &[body], check, &mut bytes)?;
    capture.add(up, bytes);
    Ok(())
}
