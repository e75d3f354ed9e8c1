// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Frames that a host must ignore, derived from valid ones.
//!
//! A host that keeps to the protocol drops them: the frame that they were made of has the same
//! effect with them as without.

/// Length and link id.
const HEADER: usize = 3;

/// The frames around one that the modem sends.
pub struct Noise {
    /// Frames to send before it.
    pub before: Vec<Vec<u8>>,
    /// Frames to send after it.
    pub after: Vec<Vec<u8>>,
}

/// Returns the noise around a frame.
pub fn around(frame: &[u8]) -> Noise {
    let Some((&[_, _, channel], _)) = frame.split_first_chunk::<HEADER>() else {
        return Noise {
            before: Vec::new(),
            after: Vec::new(),
        };
    };
    let body = frame.get(HEADER..frame.len() - 2).unwrap_or_default();
    let mut before = lengths(frame);
    let mut after = Vec::new();
    if channel == 0 {
        // Truncated messages, and a repeated answer.
        before.extend((0..body.len()).map(|len| build(0, &body[..len])));
        after.push(frame.to_vec());
        after.extend((0..=u8::MAX).map(|first| {
            let mut body = body.to_vec();
            if let Some(byte) = body.first_mut() {
                *byte = first;
            }
            build(0, &body)
        }));
        // An answer for a channel that was not requested.
        let mut other = body.to_vec();
        if let Some(linkid) = other.last_mut() {
            *linkid ^= 0x40;
        }
        after.push(build(0, &other));
    } else {
        // Truncated and unknown headers, and other channels.
        before.extend([0, 1, 2].map(|len| build(channel, &body[..len.min(body.len())])));
        before.extend([0x82, 0xff].map(|first| build(channel, &[first, 0, 0, 0])));
        before.extend([0x3f, 0x80, 0xff].map(|bits| build(channel ^ bits, body)));
    }
    Noise { before, after }
}

/// Returns frames whose lengths are wrong.
fn lengths(frame: &[u8]) -> Vec<Vec<u8>> {
    let right = u16::try_from(frame.len() - 2).unwrap_or(u16::MAX);
    let mut frames: Vec<_> = [0, 1, 2, right.saturating_add(1), u16::MAX]
        .into_iter()
        .map(|length| {
            let mut wrong = frame.to_vec();
            wrong[..2].copy_from_slice(&length.to_le_bytes());
            wrong
        })
        .collect();
    frames.extend([1, 2, HEADER, frame.len() - 1].map(|len| frame[..len].to_vec()));
    frames
}

fn build(channel: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + HEADER).unwrap_or(u16::MAX);
    let mut frame = length.to_le_bytes().to_vec();
    frame.push(channel);
    frame.extend_from_slice(body);
    frame.extend_from_slice(&[0, 0]);
    frame
}
