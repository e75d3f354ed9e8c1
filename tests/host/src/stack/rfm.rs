// SPDX-License-Identifier: GPL-2.0 OR MIT

//! RFM packets: split packets are reassembled, and nothing else is.

use crate::caif::rfm::{
    split, Pieces, Reassembly, SegmentError, SplitError, Step, HEADER, MAX_PACKET,
};
use crate::reference::input::Input;

/// Returns a packet with a header and the right number of bytes.
pub fn packet(tag: u8, payload: usize) -> Vec<u8> {
    let size = u16::try_from(payload).expect("as many as it can count");
    let [low, high] = size.to_le_bytes();
    let mut packet = vec![tag, 1, 2, 3, low, high];
    packet.extend((0..payload).map(|i| (i as u8).wrapping_mul(7) ^ tag));
    packet
}

/// Returns the frame bodies of a packet on a link with this MTU.
pub fn bodies(packet: &[u8], mtu: usize) -> Result<Vec<Vec<u8>>, SplitError> {
    let pieces: Pieces = split(packet.len(), mtu)?;
    let bodies: Vec<_> = pieces
        .map(|piece| {
            let mut body = vec![u8::from(piece.more)];
            if piece.header {
                body.extend(&packet[..HEADER]);
            }
            body.extend(&packet[piece.range]);
            assert!(body.len() + 5 <= mtu, "{} bytes in {mtu}", body.len() + 5);
            body
        })
        .collect();
    let (last, others) = bodies.split_last().expect("there is a piece");
    // All but the last are as long as possible, with an end at a multiple of 16.
    let fragment = (mtu - 13) / 16 * 16;
    assert!(others
        .iter()
        .all(|body| body[0] == 1 && body.len() == fragment));
    assert_eq!(last[0], 0);
    Ok(bodies)
}

/// A receiver with its buffer.
#[derive(Default)]
pub struct Receiver {
    reassembly: Reassembly,
    kept: Vec<u8>,
}

impl Receiver {
    /// Takes a body. Returns the packet that it completes.
    pub fn take(&mut self, body: &[u8]) -> Result<Option<Vec<u8>>, SegmentError> {
        let (more, bytes) = (body[0] & 1 != 0, &body[1..]);
        let head = &bytes[..bytes.len().min(HEADER)];
        let step = self.reassembly.segment(more, head, bytes.len());
        let packet = match step {
            Err(error) => {
                self.kept.clear();
                assert_eq!(self.reassembly.kept(), 0);
                return Err(error);
            }
            Ok(Step::Whole) => {
                assert!(self.kept.is_empty(), "a packet within a packet");
                Some(bytes.to_vec())
            }
            Ok(Step::Begin { len }) => {
                assert!(self.kept.is_empty(), "a packet within a packet");
                assert!((HEADER..=MAX_PACKET).contains(&len));
                self.kept.reserve(len);
                self.kept.extend(bytes);
                None
            }
            Ok(Step::Add) => {
                self.kept.extend(&bytes[HEADER..]);
                None
            }
            Ok(Step::End) => {
                self.kept.extend(&bytes[HEADER..]);
                Some(std::mem::take(&mut self.kept))
            }
        };
        assert_eq!(self.reassembly.kept(), self.kept.len());
        assert!(self.kept.len() <= MAX_PACKET);
        Ok(packet)
    }
}

/// The model: keeps the bodies of a packet, and checks them all at each new one.
#[derive(Default)]
struct Model(Vec<Vec<u8>>);

impl Model {
    fn take(&mut self, body: &[u8]) -> Result<Option<Vec<u8>>, SegmentError> {
        self.0.push(body[1..].to_vec());
        let result = self.look(body[0] & 1 != 0);
        if !matches!(result, Ok(None)) {
            self.0.clear();
        }
        result
    }

    fn look(&self, more: bool) -> Result<Option<Vec<u8>>, SegmentError> {
        let (first, later) = self.0.split_first().expect("one was just added");
        if !more && later.is_empty() {
            return Ok(Some(first.clone()));
        }
        let last = self.0.last().expect("as above");
        if last.len() < HEADER {
            return Err(SegmentError::TooShort);
        }
        if last[..HEADER] != first[..HEADER] {
            return Err(SegmentError::OtherHeader);
        }
        if !later.is_empty() && last.len() == HEADER {
            return Err(SegmentError::TooShort);
        }
        let mut packet = first.clone();
        later
            .iter()
            .for_each(|segment| packet.extend(&segment[HEADER..]));
        let len = HEADER + usize::from(first[4]) + 256 * usize::from(first[5]);
        match (packet.len(), more) {
            (have, _) if have > len => Err(SegmentError::TooLong),
            (_, true) => Ok(None),
            (have, false) if have < len => Err(SegmentError::Incomplete),
            _ => Ok(Some(packet)),
        }
    }
}

/// Counts of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentCounts {
    /// Packets that were complete.
    pub packets: u64,
    /// Segments that were wrong, by the number of their error.
    pub errors: [u64; 4],
}

/// Runs segments of packets: complete, truncated, repeated, out of order and random.
pub fn fuzz(input: &[u8]) -> SegmentCounts {
    let mut input = Input::new(input);
    let (mut receiver, mut model) = (Receiver::default(), Model::default());
    let mut seen = SegmentCounts::default();
    let mut bodies = Vec::new();
    while !input.is_empty() {
        let op = input.u8();
        let body = match op & 7 {
            // Cut another packet.
            0 => {
                let (payload, mtu) = (usize::from(input.u8()), usize::from(input.u8()));
                let packet = packet(op >> 6, payload);
                match self::bodies(&packet, mtu) {
                    Ok(new) => bodies = new,
                    Err(error) => {
                        assert_eq!((error, mtu < 29), (SplitError::Mtu, true));
                    }
                }
                continue;
            }
            // A segment, in order or not, changed or not.
            1..=5 if !bodies.is_empty() => {
                let index = if op & 0x80 == 0 {
                    0
                } else {
                    usize::from(input.u8())
                };
                let index = index % bodies.len();
                let mut body = match op & 7 {
                    5 => bodies[index].clone(),
                    _ => bodies.remove(index),
                };
                match op >> 3 & 15 {
                    1 => body[0] ^= 1,
                    2 => {
                        let at = usize::from(input.u8()) % body.len();
                        body[at] ^= 1 << (op >> 5 & 3);
                    }
                    3 => body.truncate(1 + usize::from(input.u8()) % body.len()),
                    4 => body.push(input.u8()),
                    _ => {}
                }
                body
            }
            _ => {
                let len = usize::from(input.u8() & 31);
                (0..=len).map(|_| input.u8()).collect()
            }
        };
        let (found, want) = (receiver.take(&body), model.take(&body));
        assert_eq!(found, want, "{body:02x?}");
        match found {
            Ok(packet) => seen.packets += u64::from(packet.is_some()),
            Err(error) => seen.errors[error as usize] += 1,
        }
    }
    seen
}
