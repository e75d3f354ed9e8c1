// SPDX-License-Identifier: GPL-2.0

//! Transmission of frames to the modem.

use crate::{
    abstractions::{
        compat::prelude::*,
        net::{
            burst::Burst,
            netdev::Netdev,
            skbuff::SkBuff, //
        }, //
    },
    caif_wire::{
        control::Message,
        data::{
            Data,
            MAX_HEADER, //
        },
        frame::{
            self,
            Fcs,
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
    flow::Stopped,
    link::Link,
    owed::Band,
    policy::Errno, //
};
use kernel::sync::rcu;

/// `ETH_P_CAIF`.
pub(crate) const PROTOCOL: u16 = crate::abstractions::bindings::ETH_P_CAIF as u16;

/// Most bytes in front of a payload: length, link id and the longest header.
pub(crate) const FRONT: u32 = (HEADER_LEN + MAX_HEADER) as u32;
/// Bytes of the check sequence, which links do not use. They are zero, so that a checksum of all
/// bytes of a packet is that of the payload.
pub(crate) const BACK: u8 = FCS_LEN as u8;

// The numbers of the pure file are those of the kernel.
const _: () = {
    use crate::abstractions::bindings;

    assert!(Band::High.priority() == bindings::TC_PRIO_CONTROL);
    assert!(Band::Middle.priority() == bindings::TC_PRIO_INTERACTIVE_BULK);
};

/// Returns the error of a payload that may not be sent.
fn may_transmit(check: Result<(), Stopped>) -> Result {
    check.map_err(|stopped| Errno::from(stopped).into())
}

/// The outcome of a packet, or of the segments that it consisted of.
#[derive(Default)]
pub(crate) struct Sent {
    pub(crate) packets: u32,
    pub(crate) bytes: u32,
    /// Packets longer than the channel allows.
    pub(crate) errors: u32,
    pub(crate) dropped: u32,
}

impl Channel {
    /// Sends a payload. With interrupts enabled.
    ///
    /// `EMSGSIZE` if it is longer than [`maxframe`](Self::maxframe), `EPIPE` if the channel is
    /// closed, `ENOTCONN` if the device is gone, `EAGAIN` if the flow is off, `ENOBUFS` if the link
    /// dropped it.
    pub(crate) fn transmit(&self, skb: SkBuff) -> Result {
        // A device that is set down waits for this section after its channels were closed, if it
        // has a queue: no frame of a closed channel is sent when it is up again.
        let _guard = rcu::read_lock();
        may_transmit(self.check())?;
        self.put(skb)
    }

    /// Sends the segments of a packet, each with its header, as [`transmit`](Self::transmit) does.
    /// `EAGAIN` also if the link's queue has no room for all of them, and `EMSGSIZE` if it never
    /// has.
    ///
    /// If one after the first is lost, the channel is closed, since the modem waits for it.
    pub(crate) fn transmit_segments(&self, segments: KVec<SkBuff>) -> Result {
        may_transmit(self.check())?;
        let link = self.link();
        let _room = if segments.len() > 1 {
            let guard = rcu::read_lock();
            let dev = link.dev(&guard).ok_or(ENOTCONN)?;
            Some(link.reserve(segments.len(), dev)?)
        } else {
            None
        };
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

    /// Sends a payload or a segment, also if the flow is off. `EPIPE` if the channel is closed.
    fn put(&self, mut skb: SkBuff) -> Result {
        let guard = rcu::read_lock();
        let dev = self.link().dev(&guard).ok_or(ENOTCONN)?;
        if let Err(closed @ Stopped::Closed) = self.check() {
            return may_transmit(Err(closed));
        }
        self.begin(&mut skb, dev)?;
        skb.put_zeroes(BACK, dev.tailroom())?;
        self.queue(skb, dev)
    }

    /// Sends a frame by the link's queue.
    fn queue(&self, mut skb: SkBuff, dev: &Netdev) -> Result {
        skb.set_priority(self.band_of(&skb).priority());
        let sent = dev.transmit(skb, PROTOCOL);
        self.link().sent(dev);
        sent
    }

    /// Sends a packet of an interface, or the segments that it consists of, with one kick. With
    /// bottom halves off.
    ///
    /// Nothing can fail between the first and the last of them: the driver publishes earlier frames
    /// only with the last. Packets that the link cannot take at once wait in its queue.
    ///
    /// A link that adds check sequences gets frames without them, so that a shared payload needs no
    /// tail. Frames that a tap may see are complete.
    pub(crate) fn transmit_packet(&self, skb: SkBuff, interface: &Netdev) -> Sent {
        let mut sent = Sent::default();
        let guard = rcu::read_lock();
        let takes = match self.check() {
            Ok(()) => true,
            Err(_) => self.takes_late(&skb, interface),
        };
        let (true, Some(dev)) = (takes, self.link().dev(&guard)) else {
            sent.dropped = 1;
            return sent;
        };
        // Such a driver adds the check sequence itself.
        let back = if dev.supports_nofcs() { 0 } else { BACK };
        let mut burst = Burst::new();
        if !skb.is_segmented() {
            self.add(&mut burst, skb, dev, back, &mut sent);
        } else if let Ok(segments) = skb.segments() {
            for segment in segments {
                self.add(&mut burst, segment, dev, back, &mut sent);
            }
        } else {
            sent.dropped = 1;
        }
        let around = self.front_len().saturating_add(back.into());
        let missing = BACK.saturating_sub(back);
        for skb in dev.start_xmit(burst, PROTOCOL, &guard) {
            let len = skb.len().saturating_sub(around);
            if self.transmit_later(skb, dev, missing).is_err() {
                sent.packets = sent.packets.saturating_sub(1);
                sent.bytes = sent.bytes.saturating_sub(len);
                sent.dropped = sent.dropped.saturating_add(1);
            }
        }
        sent
    }

    /// Returns whether a packet of an interface is sent although the flow is off: if the link
    /// became congested after the packet left its queue. A packet that had no queue to wait in is
    /// dropped, since the room in the link's queue is for those.
    #[cold]
    fn takes_late(&self, skb: &SkBuff, interface: &Netdev) -> bool {
        if !interface.can_wait(skb) {
            return false;
        }
        // The queue may have got its discipline after the others were stopped.
        self.tell_flow();
        self.check_late().is_ok()
    }

    /// Sends a frame by the link's queue, after the missing bytes of its check sequence were added.
    #[cold]
    fn transmit_later(&self, mut skb: SkBuff, dev: &Netdev, missing: u8) -> Result {
        if missing > 0 {
            skb.put_zeroes(missing, dev.tailroom())?;
        }
        self.queue(skb, dev)
    }

    /// Adds a frame, with `back` bytes of its check sequence, to a burst.
    #[inline]
    fn add(&self, burst: &mut Burst, mut skb: SkBuff, dev: &Netdev, back: u8, sent: &mut Sent) {
        let len = skb.len();
        let mut made = self.begin(&mut skb, dev);
        if back > 0 && made.is_ok() {
            made = skb.put_zeroes(back, dev.tailroom());
        }
        match made {
            Ok(()) => {
                sent.packets = sent.packets.saturating_add(1);
                sent.bytes = sent.bytes.saturating_add(len);
                burst.push(skb);
            }
            Err(error) if error == EMSGSIZE => sent.errors = sent.errors.saturating_add(1),
            Err(_) => sent.dropped = sent.dropped.saturating_add(1),
        }
    }

    /// Returns the number of bytes in front of a payload.
    #[inline]
    fn front_len(&self) -> u32 {
        (HEADER_LEN + self.header().len().min(MAX_HEADER)) as u32
    }

    /// Puts length, link id and header in front of a payload, so that only the check sequence is
    /// missing.
    #[inline]
    fn begin(&self, skb: &mut SkBuff, dev: &Netdev) -> Result {
        if skb.len() > self.first_maxframe() {
            return Err(EMSGSIZE);
        }
        let id = self.id().ok_or(ENOTCONN)?;
        let len = self.front_len();
        // The length counts the check sequence, but not itself.
        let length = u16::try_from(skb.len().saturating_add(len)).map_err(|_| EMSGSIZE)?;
        // The link's MTU may have become smaller.
        if u32::from(length).saturating_add(BACK.into()) > dev.mtu() {
            return Err(EMSGSIZE);
        }
        let [low, high] = length.to_le_bytes();
        let mut front: [u8; FRONT as usize] = [low, high, id.get(), 0, 0, 0, 0];
        for (to, from) in front.iter_mut().skip(HEADER_LEN).zip(self.header()) {
            *to = *from;
        }
        // IP packets have the longest header. A copy of constant length: 24 instructions fewer
        // (bench, ip_tx).
        if len == FRONT {
            return skb.put_front(&front, dev.headroom());
        }
        let front = front.get(..len as usize).ok_or(EINVAL)?;
        skb.put_front(front, dev.headroom())
    }

    /// Tells the modem whether it may send payloads, on services with flow control. `ENOMEM` or
    /// `ENOBUFS` if that fails, `EPIPE` if the channel is closed: another one may have its id.
    pub(crate) fn send_flow(&self, on: bool) -> Result {
        if !self.service().has_flow_control() {
            return Ok(());
        }
        let _guard = rcu::read_lock();
        if let Err(closed @ Stopped::Closed) = self.check() {
            return may_transmit(Err(closed));
        }
        let id = self.id().ok_or(ENOTCONN)?;
        let mut body = [0; 1];
        let data = if on { Data::FlowOn } else { Data::FlowOff };
        let len = data.build(self.service(), &mut body).map_err(|_| EINVAL)?;
        let body = body.get(..len).ok_or(EINVAL)?;
        self.link().send(id.get(), body, Band::High)
    }
}

impl Link {
    /// Sends a message on the control channel, in a band of the link's queue.
    pub(crate) fn send_message(&self, message: &Message<'_>, band: Band) -> Result {
        let mut body = [0; MAX_BODY];
        let len = message.build(&mut body).map_err(|_| EINVAL)?;
        self.send(CONTROL_CHANNEL, body.get(..len).ok_or(EINVAL)?, band)
    }

    /// Sends a frame of the stack itself.
    fn send(&self, channel: u8, body: &[u8], band: Band) -> Result {
        let mut bytes = [0; MAX_BODY + frame::OVERHEAD];
        let len = frame::build(channel, &[body], Fcs::Off, &mut bytes).map_err(|_| EMSGSIZE)?;
        let bytes = bytes.get(..len).ok_or(EINVAL)?;
        let guard = rcu::read_lock();
        let dev = self.dev(&guard).ok_or(ENOTCONN)?;
        let mut skb = SkBuff::with_bytes(dev.headroom(), bytes, dev.tailroom())?;
        skb.set_priority(band.priority());
        dev.transmit(skb, PROTOCOL)
    }
}
