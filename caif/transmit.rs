// SPDX-License-Identifier: GPL-2.0

//! The way of frames to the modem.

use crate::{
    abstractions::net::skbuff::SkBuff,
    caif_wire::{
        bytes::Writer,
        control::Message,
        data::Data,
        frame::{
            self,
            Fcs, //
        },
        CONTROL_CHANNEL, //
    },
    channel::{
        Channel,
        Shutdown, //
    },
    control::MAX_BODY,
    flow::Stopped,
    link::Link,
    policy::Errno, //
};
use kernel::{
    prelude::*,
    sync::rcu, //
};

/// `ETH_P_CAIF`.
pub(crate) const PROTOCOL: u16 = crate::abstractions::bindings::ETH_P_CAIF as u16;

/// Length and link id of a frame, and the longest header of a service.
const FRONT: usize = 3 + 4;
/// The check sequence, which a link does not use, and which is zero.
const BACK: [u8; 2] = [0; 2];
/// `TC_PRIO_CONTROL`.
const CONTROL_PRIORITY: u32 = crate::abstractions::bindings::TC_PRIO_CONTROL;

/// Returns the error of a payload that may not be sent.
fn may_transmit(check: Result<(), Stopped>) -> Result {
    check.map_err(|stopped| Errno::from(stopped).into())
}

impl Channel {
    /// Sends a payload. With interrupts enabled.
    ///
    /// `EMSGSIZE` if it is longer than [`maxframe`](Self::maxframe), `EPIPE` if the channel is
    /// closed, `ENOTCONN` if the device is gone, `EAGAIN` if the modem or the link does not want
    /// payloads, `ENOBUFS` if the link dropped it.
    pub(crate) fn transmit(&self, skb: SkBuff) -> Result {
        may_transmit(self.check())?;
        self.put(skb)
    }

    /// As [`transmit`](Self::transmit), but also if the link said no meanwhile: for one whose queue
    /// was stopped then, while this payload had left it.
    pub(crate) fn transmit_late(&self, skb: SkBuff) -> Result {
        may_transmit(self.check_late())?;
        self.put(skb)
    }

    /// Sends the segments of a packet, each with its header, as [`transmit`](Self::transmit) does.
    ///
    /// If one is lost behind the first, the channel is closed: the modem waits for it.
    pub(crate) fn transmit_segments(&self, segments: KVec<SkBuff>) -> Result {
        may_transmit(self.check())?;
        let mut is_first = true;
        for skb in segments {
            if let Err(error) = self.put(skb) {
                if !is_first {
                    self.shut(Shutdown::Remote);
                }
                return Err(error);
            }
            is_first = false;
        }
        Ok(())
    }

    /// Sends a payload, or a segment, whether the modem wants it or not.
    fn put(&self, mut skb: SkBuff) -> Result {
        if skb.len() > self.first_maxframe() {
            return Err(EMSGSIZE);
        }
        let id = self.id().ok_or(ENOTCONN)?;
        let guard = rcu::read_lock();
        let dev = self.link().dev(&guard).ok_or(ENOTCONN)?;

        let header_len = u32::try_from(self.header().len())?;
        let length = header_len.saturating_add(skb.len()).saturating_add(3);
        // The link's packets may have become smaller.
        if length.saturating_add(2) > dev.mtu() {
            return Err(EMSGSIZE);
        }
        let mut front = [0; FRONT];
        let mut writer = Writer::new(&mut front);
        let length = u16::try_from(length).map_err(|_| EMSGSIZE)?.to_le_bytes();
        [&length[..], &[id.get()], self.header()]
            .iter()
            .try_for_each(|part| writer.put(part))
            .map_err(|_| EINVAL)?;
        let len = writer.written();
        let front = front.get(..len).ok_or(EINVAL)?;
        skb.wrap(front, dev.headroom(), &BACK, dev.tailroom())?;
        let sent = dev.transmit(skb, PROTOCOL);
        self.link().sent(dev);
        sent
    }

    /// Tells the modem whether it may send payloads, on services that have flow control. `ENOMEM`
    /// or `ENOBUFS` if that did not succeed.
    pub(crate) fn send_flow(&self, on: bool) -> Result {
        if !self.service().has_flow_control() {
            return Ok(());
        }
        let id = self.id().ok_or(ENOTCONN)?;
        let mut body = [0; 1];
        let data = if on { Data::FlowOn } else { Data::FlowOff };
        let len = data.build(self.service(), &mut body).map_err(|_| EINVAL)?;
        self.link().send(id.get(), body.get(..len).ok_or(EINVAL)?)
    }
}

impl Link {
    /// Sends a message on the control channel.
    pub(crate) fn send_message(&self, message: &Message<'_>) -> Result {
        let mut body = [0; MAX_BODY];
        let len = message.build(&mut body).map_err(|_| EINVAL)?;
        self.send(CONTROL_CHANNEL, body.get(..len).ok_or(EINVAL)?)
    }

    /// Sends a frame of the stack's own.
    fn send(&self, channel: u8, body: &[u8]) -> Result {
        let mut bytes = [0; MAX_BODY + frame::OVERHEAD];
        let len = frame::build(channel, &[body], Fcs::Off, &mut bytes).map_err(|_| EMSGSIZE)?;
        let bytes = bytes.get(..len).ok_or(EINVAL)?;
        let guard = rcu::read_lock();
        let dev = self.dev(&guard).ok_or(ENOTCONN)?;
        let mut skb = SkBuff::with_bytes(dev.headroom(), bytes, dev.tailroom())?;
        skb.set_priority(CONTROL_PRIORITY);
        dev.transmit(skb, PROTOCOL)
    }
}
