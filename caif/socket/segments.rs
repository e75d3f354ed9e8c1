// SPDX-License-Identifier: GPL-2.0

//! Sending the packets of RFM channels, which may be longer than a frame.

use super::{
    transfer::room_around,
    CaifSocket, //
};
use crate::{
    abstractions::net::{
        netdev::Room,
        skbuff::SkBuff,
        socket::{
            Guard,
            SendMessage, //
        }, //
    },
    caif_wire::{
        data::{
            Data,
            Service, //
        },
        frame, //
    },
    channel::Channel,
    policy::Errno,
    rfm::{
        self,
        Piece,
        HEADER, //
    }, //
};
use kernel::prelude::*;

/// Most bytes in front of a segment: the byte that says whether more follow, and the packet's
/// header.
const FRONT: u16 = (Service::Rfm.header_len() + HEADER) as u16;

/// Creates the segments of a message that is one packet. `EAGAIN` if the send buffer is full,
/// before anything was taken from the message.
pub(super) fn make(
    guard: &mut Guard<'_, CaifSocket>,
    channel: &Channel,
    message: &mut SendMessage<'_>,
) -> Result<KVec<SkBuff>> {
    let mtu = usize::try_from(channel.maxframe())?.saturating_add(frame::OVERHEAD);
    let pieces = rfm::split(message.len(), mtu).map_err(Errno::from)?;
    let (headroom, tailroom) = room_around(channel)?;
    let headroom = headroom.saturating_add(FRONT);
    let mut segments = KVec::with_capacity(pieces.clone().count(), GFP_KERNEL)?;
    let mut packet_header = [0; HEADER];
    for Piece {
        more,
        header,
        range,
    } in pieces
    {
        let len = u32::try_from(range.len())?;
        let mut skb = if header {
            guard.packet_more(message, headroom, len, tailroom)?
        } else {
            let mut skb = guard.packet(message, headroom, len, tailroom)?;
            let head = skb.head(HEADER as u32).and_then(<[u8]>::first_chunk);
            packet_header = *head.ok_or(ENOMEM)?;
            skb
        };
        if header {
            skb.put_front(&packet_header, Room::NONE)?;
        }
        let segment = Data::Segment { more, bytes: &[] };
        let (front, _) = segment.parts(Service::Rfm).map_err(|_| EINVAL)?;
        skb.put_front(front, Room::NONE)?;
        segments.push(skb, GFP_KERNEL)?;
    }
    Ok(segments)
}
