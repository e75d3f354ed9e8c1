// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Segmentation of RFM packets (`caif/rfm.rs`), case by case.

use vring_host_tests::caif::rfm::{split, Piece, SegmentError, SplitError, HEADER, MAX_PACKET};
use vring_host_tests::stack::rfm::{bodies, packet, Receiver};

fn pieces(len: usize, mtu: usize) -> Vec<(bool, bool, usize, usize)> {
    split(len, mtu)
        .expect("it can be split")
        .map(
            |Piece {
                 more,
                 header,
                 range,
             }| (more, header, range.start, range.end),
        )
        .collect()
}

#[test]
fn what_fits_is_one_piece() {
    // 45 - 13 = 32: the last body may have 40 bytes, one of them in front.
    assert_eq!(pieces(39, 45), [(false, false, 0, 39)]);
    assert_eq!(pieces(6, 45), [(false, false, 0, 6)]);
}

#[test]
fn what_does_not_fit_is_cut() {
    assert_eq!(
        pieces(40, 45),
        [(true, false, 0, 31), (false, true, 31, 40)]
    );
    assert_eq!(
        pieces(100, 45),
        [
            (true, false, 0, 31),
            (true, true, 31, 56),
            (true, true, 56, 81),
            (false, true, 81, 100)
        ]
    );
}

#[test]
fn what_cannot_be_sent_is_refused() {
    assert_eq!(split(HEADER - 1, 1500).err(), Some(SplitError::TooShort));
    assert_eq!(split(MAX_PACKET + 1, 1500).err(), Some(SplitError::TooLong));
    assert_eq!(split(100, 28).err(), Some(SplitError::Mtu));
    assert_eq!(split(100, 0).err(), Some(SplitError::Mtu));
    assert_eq!(split(MAX_PACKET, 29).map(Iterator::count), Ok(7281));
}

/// Returns the first error of a receiver, after segments with this first byte and these bytes
/// behind the header.
fn error(segments: &[(u8, [u8; 6], usize)]) -> Option<SegmentError> {
    let mut receiver = Receiver::default();
    segments.iter().find_map(|(more, header, len)| {
        let mut body = vec![*more];
        body.extend(header);
        body.resize(body.len() + len, 0x55);
        receiver.take(&body).err()
    })
}

const OF_100: [u8; 6] = [1, 2, 3, 4, 100, 0];

#[test]
fn each_violation_has_its_error() {
    let more = |len| (1, OF_100, len);
    let last = |len| (0, OF_100, len);
    assert_eq!(error(&[more(60), more(30), last(10)]), None);
    assert_eq!(
        error(&[more(60), more(30), last(9)]),
        Some(SegmentError::Incomplete)
    );
    assert_eq!(
        error(&[more(60), more(30), last(11)]),
        Some(SegmentError::TooLong)
    );
    assert_eq!(error(&[more(101)]), Some(SegmentError::TooLong));
    assert_eq!(error(&[more(100), more(1)]), Some(SegmentError::TooLong));
    assert_eq!(error(&[more(60), more(0)]), Some(SegmentError::TooShort));
    assert_eq!(
        error(&[more(60), (1, [9; 6], 30)]),
        Some(SegmentError::OtherHeader)
    );
    let mut receiver = Receiver::default();
    assert_eq!(receiver.take(&[1, 0, 0]), Err(SegmentError::TooShort));
}

#[test]
fn after_an_error_the_next_packet_is_whole() {
    let packet = packet(3, 90);
    let bodies = bodies(&packet, 45).expect("the MTU is large enough");
    let mut receiver = Receiver::default();
    assert_eq!(receiver.take(&bodies[0]), Ok(None));
    assert_eq!(receiver.take(&[1, 0, 0]), Err(SegmentError::TooShort));
    for body in &bodies[..bodies.len() - 1] {
        assert_eq!(receiver.take(body), Ok(None));
    }
    assert_eq!(receiver.take(&bodies[bodies.len() - 1]), Ok(Some(packet)));
}

#[test]
fn a_packet_in_one_frame_is_as_it_is() {
    // Its content is not checked.
    let mut receiver = Receiver::default();
    assert_eq!(receiver.take(&[0, 7]), Ok(Some(vec![7])));
    assert_eq!(receiver.take(&[0]), Ok(Some(vec![])));
}
