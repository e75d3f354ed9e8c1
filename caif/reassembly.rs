// SPDX-License-Identifier: GPL-2.0

//! Packets of RFM channels that come in several segments.

use crate::{
    abstractions::net::{
        skb_edit::SkbPieces,
        skbuff::SkBuff, //
    },
    rfm::{
        Reassembly,
        SegmentError,
        Step,
        HEADER, //
    }, //
};

/// The incomplete packet of a channel. Its memory is bounded by that of the longest packet, however
/// small the segments are.
pub(crate) struct Packet {
    progress: Reassembly,
    /// `None` also after a lack of memory: the rest of the packet is dropped then.
    pieces: Option<SkbPieces>,
}

impl Packet {
    pub(crate) const fn new() -> Self {
        Self {
            progress: Reassembly::new(),
            pieces: None,
        }
    }

    /// Adds a segment. Returns the packet if that completes it.
    pub(crate) fn segment(
        &mut self,
        more: bool,
        mut skb: SkBuff,
    ) -> Result<Option<SkBuff>, SegmentError> {
        let len = usize::try_from(skb.len()).unwrap_or(usize::MAX);
        // Needs no memory, so that a segment is counted even if it cannot be kept.
        let mut head = [0; HEADER];
        let head = head.get_mut(..len.min(HEADER)).unwrap_or_default();
        skb.copy_front(head).map_err(|_| SegmentError::TooShort)?;
        let step = self.progress.segment(more, head, len);
        let mut pieces = self.pieces.take();
        let skip = match step? {
            Step::Whole => return Ok(Some(skb)),
            Step::Begin { len } => {
                pieces = u32::try_from(len)
                    .ok()
                    .and_then(|len| SkbPieces::new(len).ok());
                0
            }
            Step::Add | Step::End => HEADER,
        };
        // Without memory for a segment its packet is dropped.
        let pieces = pieces.and_then(|mut pieces| {
            let bytes = skb.head(skb.len())?;
            pieces.push(bytes.get(skip..)?).ok()?;
            Some(pieces)
        });
        if matches!(step, Ok(Step::End)) {
            return Ok(pieces.and_then(|pieces| pieces.finish().ok()));
        }
        self.pieces = pieces;
        Ok(None)
    }
}
