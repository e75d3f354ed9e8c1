// SPDX-License-Identifier: GPL-2.0

//! Frames with random faults.

use fastrand::Rng;

use crate::capture::{Capture, Frame};

/// Returns captures of the frames of others with faults: of two frames one has some, is lost, or comes
/// twice. Of each link only a part is taken, so that most links have some frames in order.
pub fn capture(from: &[&Capture], count: usize, seed: u64) -> Capture {
    let mut rng = Rng::with_seed(seed);
    let mut capture = Capture::default();
    while capture.frames.len() < count {
        let other = from[rng.usize(..from.len())];
        let frames = &other.frames;
        let start = rng.usize(..frames.len());
        // The channels of a link are set up at its beginning.
        let link = frames[start].link;
        capture.link("mutated");
        let of_link = frames.iter().filter(|frame| frame.link == link);
        for frame in of_link.take(rng.usize(4..60)) {
            mutate(&mut capture, frame, &mut rng);
        }
    }
    capture
}

/// Returns the frames, of each of which the capture has the beginning only.
pub fn cut(from: &Capture, seed: u64) -> Capture {
    let mut rng = Rng::with_seed(seed);
    let mut capture = from.clone();
    for frame in &mut capture.frames {
        frame.kept = rng.usize(..=frame.bytes.len());
    }
    capture
}

fn mutate(capture: &mut Capture, frame: &Frame, rng: &mut Rng) {
    let mut bytes = frame.bytes.clone();
    let mut up = frame.up;
    if rng.u8(..32) == 0 {
        let len = rng.usize(..40);
        capture.add(
            up,
            std::iter::repeat_with(|| rng.u8(..)).take(len).collect(),
        );
    }
    if rng.bool() {
        for _ in 0..rng.usize(1..4) {
            one(&mut bytes, rng);
        }
        // Else little more than the length would be looked at.
        if rng.u8(..4) > 0 {
            repair(&mut bytes);
        }
        match rng.u8(..16) {
            0 => return,
            1 => capture.add(up, bytes.clone()),
            2 => up = !up,
            _ => {}
        }
    }
    capture.add(up, bytes);
}

/// Lets the length say what there is.
fn repair(bytes: &mut [u8]) {
    let len = (bytes.len().saturating_sub(2) as u16).to_le_bytes();
    for (to, from) in bytes.iter_mut().zip(len) {
        *to = from;
    }
}

fn one(bytes: &mut Vec<u8>, rng: &mut Rng) {
    if bytes.is_empty() {
        return;
    }
    // Faults are where there is most to read.
    let most = if rng.bool() { 12 } else { usize::MAX };
    let at = rng.usize(..bytes.len().min(most));
    match rng.u8(..8) {
        0 => bytes[at] ^= 1 << rng.u8(..8),
        1 => bytes[at] = rng.u8(..),
        2 => {
            bytes[at] = *rng
                .choice(&[0, 1, 2, 3, 0x7f, 0x80, 0x81, 0x82, 0xff])
                .unwrap_or(&0)
        }
        3 => bytes.truncate(at),
        4 => {
            bytes.remove(at);
        }
        5 => bytes.insert(at, rng.u8(..)),
        6 => {
            let more = rng.usize(..20);
            bytes.extend(std::iter::repeat_with(|| rng.u8(..)).take(more));
        }
        _ => bytes.insert(at, bytes[at]),
    }
}
