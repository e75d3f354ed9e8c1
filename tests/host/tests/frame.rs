// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The driver's lengths of a frame's parts (`link_config.rs`), against the codec, which the driver
//! does not have.

use vring_host_tests::caif_wire::{frame, Fcs, Frame};
use vring_host_tests::link_config::{FRAME_FCS, FRAME_HEADER};

#[test]
fn the_driver_has_the_lengths_of_the_codec() {
    assert_eq!(FRAME_HEADER as usize, frame::HEADER_LEN);
    assert_eq!(FRAME_FCS as usize, frame::FCS_LEN);
    let mut out = [0xaa; 16];
    let empty = Frame {
        channel: 1,
        body: &[],
    };
    assert_eq!(
        empty.build(Fcs::Off, &mut out),
        Ok((FRAME_HEADER + FRAME_FCS) as usize)
    );
    // The length does not count its own two bytes, so that it is that of a frame without a check
    // sequence.
    assert_eq!(out[..5], [3, 0, 1, 0, 0]);
}
