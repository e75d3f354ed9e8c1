// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The frames of the hostile modem and of the program in the guest that answers them.
//!
//! Every byte is from 0xc0 to 0xcf and so carries four bits. All memory that may hold the modem's
//! frames is filled with such bytes, so any other byte in a frame comes from memory that is not the
//! modem's. The modem and the guest both depend on this crate.

#![forbid(unsafe_code)]

pub mod command;

/// The action of the guest for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Count it.
    Plain = 1,
    /// Send it back.
    Echo = 2,
    /// Send plain frames. The first 16 bits of the payload are their number, the next 16 bits their
    /// length.
    Ask = 3,
    /// Write the mark in the payload to the log, and answer with all counters.
    Report = 4,
    /// Send the next frame back. It is not in this format, but has the length and the checksum in
    /// the payload.
    Announce = 5,
    /// The answer to a report or a command.
    Answer = 6,
    /// Do what the payload says, a [`command::Command`].
    Command = 7,
}

impl Kind {
    fn from_raw(raw: u8) -> Option<Self> {
        [
            Self::Plain,
            Self::Echo,
            Self::Ask,
            Self::Report,
            Self::Announce,
            Self::Answer,
            Self::Command,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == raw)
    }
}

/// A frame in this format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Kind of the frame.
    pub kind: Kind,
    /// Number of the frame, which an answer repeats.
    pub seq: u32,
    /// Payload, as the kind defines it.
    pub payload: Vec<u8>,
}

/// Bytes of the header: checksum, kind, number, length of the payload.
const HEADER: usize = 4 + 1 + 4 + 2;

impl Frame {
    /// Encodes the frame, padded to `total` bytes, or longer if the payload needs more.
    pub fn encode(&self, total: usize) -> Vec<u8> {
        let len = u16::try_from(self.payload.len()).unwrap_or(u16::MAX);
        let mut plain = vec![self.kind as u8];
        plain.extend(self.seq.to_le_bytes());
        plain.extend(len.to_le_bytes());
        plain.extend(self.payload.iter().take(len.into()));
        let mut body = tame(&plain);
        let rest = total.saturating_sub(body.len() + 8);
        body.extend((0..rest).map(|at| fill(u64::from(self.seq) + at as u64)));
        let mut frame = tame(&crc32fast::hash(&body).to_le_bytes());
        frame.extend(body);
        frame
    }

    /// Decodes a frame. `None` if it is not in this format or its checksum is wrong.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (checksum, body) = bytes.split_at_checked(8)?;
        if untame(checksum)? != crc32fast::hash(body).to_le_bytes() {
            return None;
        }
        let header = untame(body.get(..2 * (HEADER - 4))?)?;
        let [kind, s0, s1, s2, s3, l0, l1] = header.try_into().ok()?;
        let len = usize::from(u16::from_le_bytes([l0, l1]));
        let payload = untame(body.get(2 * (HEADER - 4)..)?.get(..2 * len)?)?;
        Some(Self {
            kind: Kind::from_raw(kind)?,
            seq: u32::from_le_bytes([s0, s1, s2, s3]),
            payload,
        })
    }
}

/// Returns the fill byte of a place in memory.
pub fn fill(place: u64) -> u8 {
    0xc0 | (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as u8
}

/// Returns whether all bytes are from 0xc0 to 0xcf.
pub fn is_tame(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte & 0xf0 == 0xc0)
}

fn tame(plain: &[u8]) -> Vec<u8> {
    plain
        .iter()
        .flat_map(|byte| [0xc0 | byte >> 4, 0xc0 | byte & 15])
        .collect()
}

fn untame(bytes: &[u8]) -> Option<Vec<u8>> {
    if !is_tame(bytes) || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| pair.iter().fold(0, |high, low| high << 4 | low & 15);
    Some(bytes.chunks_exact(2).map(byte).collect())
}

#[cfg(test)]
mod tests {
    use super::{Frame, HEADER, Kind, is_tame};

    fn frame() -> Frame {
        Frame {
            kind: Kind::Echo,
            seq: 0xfedc_0123,
            payload: b"payload".to_vec(),
        }
    }

    #[test]
    fn a_frame_is_read_as_it_was_written_and_has_the_length_asked_for() {
        for total in [60, 61, 4032] {
            let bytes = frame().encode(total);
            assert_eq!(bytes.len(), total);
            assert!(is_tame(&bytes));
            assert_eq!(Frame::decode(&bytes), Some(frame()));
        }
        assert_eq!(frame().encode(0).len(), 2 * (HEADER + 7));
    }

    #[test]
    fn a_frame_with_one_wrong_bit_or_byte_too_few_is_none() {
        let good = frame().encode(80);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(Frame::decode(&bad), None, "byte {at}");
            assert_eq!(Frame::decode(&good[..at]), None, "{at} bytes");
        }
    }
}
