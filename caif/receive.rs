// SPDX-License-Identifier: GPL-2.0

//! Reception of frames from the modem.
//!
//! All of it runs in one RCU read-side section: a channel that was found stays until the frame is
//! handled. A frame is parsed once, in place; an invalid one is dropped and counted by the link's
//! device, and has no other effect. A control message that is ignored is not counted.

use crate::{
    abstractions::net::{
        netdev::{
            Netdev,
            Outcome, //
        },
        packet_type::Handler,
        skbuff::SkBuff, //
    },
    caif_wire::{
        data::Data,
        frame::{
            FCS_LEN,
            HEADER_LEN, //
        },
        CONTROL_CHANNEL, //
    },
    channel::{
        Channel,
        Shutdown, //
    },
    control::MAX_BODY,
    flow::Side,
    link::Link, //
};
use kernel::sync::{
    rcu,
    Arc, //
};

/// Length and link id.
const HEADER: u32 = HEADER_LEN as u32;
/// Bytes of the check sequence.
const FCS: u32 = FCS_LEN as u32;

impl Handler for Arc<Link> {
    fn receive(&self, dev: &Netdev, skb: SkBuff) {
        if self.take(skb).is_none() {
            dev.count_rx_fault(Outcome::Dropped);
        }
    }
}

impl Link {
    /// Handles a frame. Returns `None` if it was dropped.
    fn take(self: &Arc<Self>, mut skb: SkBuff) -> Option<()> {
        if !self.works() {
            return None;
        }
        let &[low, high, channel] = skb.head(HEADER)? else {
            return None;
        };
        // The length counts link id, body and the check sequence of 2 bytes, but not its own 2. So
        // the frame without the check sequence has as many bytes.
        let length = u32::from(u16::from_le_bytes([low, high]));
        if length < HEADER || length.saturating_add(FCS) > skb.len() {
            return None;
        }
        skb.trim(length).ok()?;
        if channel == CONTROL_CHANNEL {
            // Bytes after a message are ignored.
            let len = length.min(HEADER.saturating_add(u32::try_from(MAX_BODY).ok()?));
            let (_, body) = skb.head(len)?.split_first_chunk::<HEADER_LEN>()?;
            self.control(body);
            return Some(());
        }
        let guard = rcu::read_lock();
        self.channel(channel, &guard)?.take(skb)
    }
}

impl Channel {
    /// Handles a frame of the channel, without its check sequence. Returns `None` if it was
    /// dropped.
    fn take(&self, mut skb: SkBuff) -> Option<()> {
        let header = u32::try_from(self.service().header_len()).ok()?;
        let len = HEADER.saturating_add(header).min(skb.len());
        let (_, head) = skb.head(len)?.split_first_chunk::<HEADER_LEN>()?;
        let off = match Data::parse(self.service(), head).ok()? {
            Data::Payload(_) => HEADER.saturating_add(header),
            Data::Segment { more, .. } => {
                skb.pull(HEADER.saturating_add(header)).ok()?;
                return self.take_segment(more, skb);
            }
            Data::FlowOn => {
                self.set_flow(Side::Modem, true);
                return Some(());
            }
            Data::FlowOff => {
                self.set_flow(Side::Modem, false);
                return Some(());
            }
            Data::RemoteShutdown => {
                self.shut(Shutdown::Remote);
                return Some(());
            }
            Data::SetPin(_) => return Some(()),
        };
        skb.pull(off).ok()?;
        self.client().receive(skb);
        Some(())
    }

    /// Handles a segment of a packet. If segments do not make up a packet, the channel is closed:
    /// the start of the next packet is unknown.
    fn take_segment(&self, more: bool, skb: SkBuff) -> Option<()> {
        match self.join(more, skb) {
            Ok(packet) => {
                if let Some(packet) = packet {
                    self.client().receive(packet);
                }
                Some(())
            }
            Err(_) => {
                self.shut(Shutdown::Remote);
                None
            }
        }
    }
}
