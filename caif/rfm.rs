// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Packets of the remote file manager, which may be longer than a frame.
//!
//! A packet begins with a header of 6 bytes, whose last two, little-endian, say how many bytes
//! follow it. A packet that does not fit into a frame is cut into segments. The first byte of a
//! body says whether another segment follows; each segment after the first begins with the packet's
//! header once more.
//!
//! This file has the arithmetic only: [`split`] returns the part of a packet for each frame, and
//! [`Reassembly`] the action for each segment. The bytes stay with the caller. No packet gets
//! longer than its header says, nor than [`MAX_PACKET`].

#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::caif_wire::{
    data::Service,
    frame, //
};
use core::ops::Range;

/// Length of the header.
pub const HEADER: usize = 6;

/// The longest packet: the header, and as many bytes as its length can count.
pub const MAX_PACKET: usize = HEADER + u16::MAX as usize;

/// Most bytes of a link's MTU that a segment needs beside its part of the packet: those around the
/// body, 1 in front, and the header and 1 more, by which the last segment can be longer.
const OVERHEAD: usize = frame::OVERHEAD + Service::Rfm.header_len() + HEADER + 1;

/// Segments end at multiples of this.
const ALIGN: usize = 16;

/// A packet that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitError {
    /// The packet has no complete header.
    TooShort,
    /// The packet is longer than [`MAX_PACKET`].
    TooLong,
    /// The link's MTU leaves no room.
    Mtu,
}

/// A part of a packet that goes into one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whether another piece follows: the first byte of the body.
    pub more: bool,
    /// Whether the packet's header is put in front.
    pub header: bool,
    /// The bytes of the packet.
    pub range: Range<usize>,
}

/// The pieces of a packet, in their order.
#[derive(Clone, Debug)]
pub struct Pieces {
    /// Bytes of the body of every segment but the last.
    fragment: usize,
    next: usize,
    len: usize,
}

/// Cuts a packet of `len` bytes for a link with this MTU.
pub fn split(len: usize, mtu: usize) -> Result<Pieces, SplitError> {
    let fragment = mtu.saturating_sub(OVERHEAD) & !ALIGN.saturating_sub(1);
    if fragment == 0 {
        return Err(SplitError::Mtu);
    }
    match len {
        ..HEADER => Err(SplitError::TooShort),
        HEADER..=MAX_PACKET => Ok(Pieces {
            fragment,
            next: 0,
            len,
        }),
        _ => Err(SplitError::TooLong),
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let start = self.next;
        let header = start > 0;
        let in_front = if header { HEADER } else { 0 };
        let left = self.len.checked_sub(start).filter(|left| *left > 0)?;
        // The last segment can be longer by the header and the byte in front of it.
        let rest = left.saturating_add(in_front);
        let more = rest > self.fragment.saturating_add(HEADER).saturating_add(1);
        let end = if more {
            // At least 16 bytes, of which 1 and the header are in front.
            let part = self.fragment.saturating_sub(in_front).saturating_sub(1);
            start.saturating_add(part)
        } else {
            self.len
        };
        self.next = end;
        Some(Piece {
            more,
            header,
            range: start..end,
        })
    }
}

/// The reason why a segment is dropped, and its packet with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentError {
    /// The segment has no complete header, or is not the first and has no bytes of the packet.
    TooShort,
    /// The segment's header is not that of the packet.
    OtherHeader,
    /// The packet is longer than its header says.
    TooLong,
    /// The packet ended before the length that its header says.
    Incomplete,
}

/// The action for the bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Deliver the bytes: they are a whole packet.
    Whole,
    /// Keep the bytes: they are the start of a packet of this length.
    Begin {
        /// Bytes of the packet, at most [`MAX_PACKET`].
        len: usize,
    },
    /// Add the bytes to the packet, without the [`HEADER`].
    Add,
    /// Add the bytes to the packet, without the [`HEADER`], and deliver it.
    End,
}

/// A packet of which some segments have arrived.
#[derive(Clone, Copy, Debug)]
struct Partial {
    header: [u8; HEADER],
    have: usize,
    len: usize,
}

/// The state of reassembly of a channel's segments.
#[derive(Clone, Debug, Default)]
pub struct Reassembly(Option<Partial>);

impl Reassembly {
    /// Creates the state without a packet.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Returns how many bytes of an unfinished packet the caller keeps.
    #[allow(dead_code, reason = "tests compare it with what a caller keeps")]
    pub fn kept(&self) -> usize {
        self.0.map_or(0, |partial| partial.have)
    }

    /// Handles a segment of `len` bytes, which begins with `head`: 6 bytes, or all if there are
    /// fewer. On an error, the caller drops the segment and the bytes kept of its packet; the next
    /// segment begins another one.
    pub fn segment(&mut self, more: bool, head: &[u8], len: usize) -> Result<Step, SegmentError> {
        let partial = self.0.take();
        if !more && partial.is_none() {
            return Ok(Step::Whole);
        }
        let header = *head
            .first_chunk::<HEADER>()
            .filter(|_| len >= HEADER)
            .ok_or(SegmentError::TooShort)?;
        let Some(mut partial) = partial else {
            let [_, _, _, _, low, high] = header;
            let total = usize::from(u16::from_le_bytes([low, high])).saturating_add(HEADER);
            return self.keep(
                Partial {
                    header,
                    have: len,
                    len: total,
                },
                Step::Begin { len: total },
            );
        };
        if header != partial.header {
            return Err(SegmentError::OtherHeader);
        }
        if len == HEADER {
            return Err(SegmentError::TooShort);
        }
        partial.have = partial.have.saturating_add(len.saturating_sub(HEADER));
        if more {
            return self.keep(partial, Step::Add);
        }
        match partial.have.cmp(&partial.len) {
            core::cmp::Ordering::Less => Err(SegmentError::Incomplete),
            core::cmp::Ordering::Equal => Ok(Step::End),
            core::cmp::Ordering::Greater => Err(SegmentError::TooLong),
        }
    }

    /// Keeps a packet of which more must follow.
    fn keep(&mut self, partial: Partial, step: Step) -> Result<Step, SegmentError> {
        if partial.have > partial.len {
            return Err(SegmentError::TooLong);
        }
        self.0 = Some(partial);
        Ok(step)
    }
}
