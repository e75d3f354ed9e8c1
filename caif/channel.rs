// SPDX-License-Identifier: GPL-2.0

//! Channels, and the trait of their users.

use crate::{
    abstractions::{
        bh_lock::{
            new_bh_lock,
            BhLock, //
        },
        net::{
            netdev::{
                DeviceName,
                NetId, //
            },
            skbuff::SkBuff, //
        },
        rcu::RcuArc, //
    },
    caif_wire::{
        data::{
            Data,
            Service, //
        },
        params::LinkParams, //
    },
    control::LinkId,
    flow::{
        Flow,
        FlowBits,
        Side,
        Stopped,
        Tell, //
    },
    link::Link,
    listing::Label,
    owed::Band,
    policy,
    reassembly::Packet,
    rfm::SegmentError, //
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            AtomicFlag,
            Full,
            Relaxed, //
        },
        Arc,
        SetOnce, //
    }, //
};

/// The reason why a channel ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shutdown {
    /// The modem closed the channel.
    Remote,
    /// The link went down or was removed.
    LinkLost,
}

/// Who uses a channel, for those who look at it from a namespace.
pub(crate) enum Owner {
    /// The interface of this name.
    Interface(DeviceName),
    /// The socket with this inode.
    Socket(u64),
    /// An interface of another namespace, or a user that is about to end.
    Unknown,
}

/// The user of a channel: an interface or a socket, for one attempt to get a channel. Another
/// attempt has another client.
///
/// No lock of a link is held during a call. [`flow`](Self::flow) and [`shutdown`](Self::shutdown)
/// may be called before [`outcome`](Self::outcome); [`Channel::check`] has the present state.
pub(crate) trait Client: Send + Sync + 'static {
    /// Receives a payload. Called with bottom halves off in an RCU read-side section, on several
    /// CPUs at the same time; perhaps before [`outcome`](Self::outcome), and until a grace period
    /// after the channel was closed.
    fn receive(&self, skb: SkBuff);

    /// Called when payloads can be sent again, or cannot any more. Calls are serialized; the last
    /// one has the present state. Softirq or process context: must not sleep.
    fn flow(&self, on: bool);

    /// Called when the modem answered or the deadline passed. Called once, unless the request was
    /// cancelled; it may race with the cancellation. `appended` are the bytes that the modem
    /// appends for a UTIL channel. Softirq or process context: must not sleep.
    fn outcome(&self, result: Result<RcuArc<Channel>>, appended: &[u8]);

    /// Called when the channel ended. Softirq or process context: must not sleep.
    fn shutdown(&self, why: Shutdown);

    /// Returns who the user is, for a namespace. Process context.
    fn owner(&self, net: NetId) -> Owner;

    /// Returns whether the modem may send: it was not told to stop. Process context.
    fn takes(&self) -> bool;
}

/// The flow word of a channel.
struct FlowWord(Atomic<u32>);

impl FlowBits for FlowWord {
    #[inline]
    fn load(&self) -> u32 {
        self.0.load(Relaxed)
    }

    fn replace(&self, old: u32, new: u32) -> bool {
        self.0.cmpxchg(old, new, Full).is_ok()
    }
}

/// A channel of a link.
///
/// It is complete before it is published in the link's table.
#[pin_data]
pub(crate) struct Channel {
    link: Arc<Link>,
    client: Arc<dyn Client>,
    service: Service,
    label: Label,
    header: &'static [u8],
    maxframe: u32,
    /// Set before the channel is in the table.
    id: SetOnce<LinkId>,
    flow: Flow<FlowWord>,
    #[pin]
    flow_lock: BhLock<()>,
    /// Whether payloads may be in [`Band::Middle`] of the link's queue.
    in_middle: AtomicFlag,
    /// Reassembles RFM packets of several segments.
    #[pin]
    packet: BhLock<Packet>,
}

impl Channel {
    /// Creates a channel that has no id yet. `ENODEV` if the link's packets are too small for it,
    /// `EINVAL` if the service is unknown.
    pub(crate) fn new(
        link: Arc<Link>,
        params: &LinkParams<'_>,
        client: Arc<dyn Client>,
    ) -> Result<RcuArc<Self>> {
        let service = Service::of(&params.service).ok_or(EINVAL)?;
        let label = Label::new(service, params);
        let mtu = usize::try_from(link.mtu()?)?;
        let maxframe = policy::max_payload(service, mtu)?;
        let maxframe = u32::try_from(maxframe)?;
        let in_middle = service != Service::Vei;
        let header = match service {
            Service::Rfm => &[],
            service => Data::Payload(&[]).parts(service).map_err(|_| EINVAL)?.0,
        };
        RcuArc::pin_init(
            pin_init!(Self {
                link,
                client,
                service,
                label,
                header,
                maxframe,
                id: SetOnce::new(),
                flow: Flow::new(FlowWord(Atomic::new(0))),
                flow_lock <- new_bh_lock!((), c"caif_channel_flow"),
                in_middle: AtomicFlag::new(in_middle),
                packet <- new_bh_lock!(Packet::new(), c"caif_channel_packet"),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Returns the link.
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Returns the client.
    pub(crate) fn client(&self) -> &Arc<dyn Client> {
        &self.client
    }

    /// Returns the service.
    pub(crate) fn service(&self) -> Service {
        self.service
    }

    /// Returns what the channel was asked for.
    pub(crate) fn label(&self) -> &Label {
        &self.label
    }

    /// Returns how many bytes a payload may have: at most as many as when the channel was made, and
    /// fewer if the link's packets became smaller.
    pub(crate) fn maxframe(&self) -> u32 {
        let fits = |mtu| policy::max_payload(self.service, usize::try_from(mtu).ok()?).ok();
        let now = self.link.mtu().ok().and_then(fits).unwrap_or(1);
        self.maxframe.min(u32::try_from(now).unwrap_or(u32::MAX))
    }

    /// Returns the band of the link's queue for a payload. Only AT commands may go with the control
    /// messages, by their priority: others keep their order, so that the end of the channel finds a
    /// place behind all of them.
    pub(crate) fn band_of(&self, skb: &SkBuff) -> Band {
        if self.service != Service::Vei {
            return Band::Middle;
        }
        let band = Band::of(skb.priority());
        if band == Band::Middle {
            self.in_middle.store(true, Relaxed);
        }
        band
    }

    /// Returns the lowest band that payloads may be in.
    pub(crate) fn band(&self) -> Band {
        match self.in_middle.load(Relaxed) {
            true => Band::Middle,
            false => Band::High,
        }
    }

    /// Returns the largest size of a payload when the channel was created, in bytes.
    #[inline]
    pub(crate) fn first_maxframe(&self) -> u32 {
        self.maxframe
    }

    /// Returns the id; `None` before the modem assigned it.
    pub(crate) fn id(&self) -> Option<LinkId> {
        self.id.copy()
    }

    /// Sets the id. Called by the link, once.
    pub(crate) fn assign(&self, id: LinkId) {
        self.id.populate(id);
    }

    /// Returns whether a payload may be sent, or the reason why not. No ordering.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), Stopped> {
        self.flow.check()
    }

    /// Like [`check`](Self::check), but ignores that the link is congested.
    #[inline]
    pub(crate) fn check_late(&self) -> Result<(), Stopped> {
        self.flow.check_late()
    }

    /// Returns whether a side has switched the flow off. No ordering.
    pub(crate) fn is_off(&self, side: Side) -> bool {
        self.flow.is_off(side)
    }

    /// Closes the channel and tells the modem. This does not call the client, but callers that
    /// found the channel before may still do so. Does nothing if the channel is closed already. Any
    /// context with interrupts enabled.
    pub(crate) fn close(&self) {
        if self.flow.close() {
            self.link.close(self);
        }
    }

    /// Marks the channel as ended and tells the client, unless it was closed before.
    pub(crate) fn shut(&self, why: Shutdown) {
        if self.flow.close() {
            if why == Shutdown::Remote {
                self.link.close(self);
            }
            self.client.shutdown(why);
        }
    }

    /// Sets the flow state of one side, and tells the client if the channel's state changes.
    pub(crate) fn set_flow(&self, side: Side, on: bool) {
        let _lock = self.flow_lock.lock();
        match self.flow.set(side, on) {
            Tell::Nothing => {}
            Tell::Off => self.client.flow(false),
            Tell::On => self.client.flow(true),
        }
    }

    /// Tells the client once more whether payloads may be sent.
    pub(crate) fn tell_flow(&self) {
        let _lock = self.flow_lock.lock();
        self.client.flow(self.flow.check().is_ok());
    }

    /// Adds a segment of a packet, without the byte in front of it, which says whether `more`
    /// follow. Returns the packet if it is complete now.
    pub(crate) fn join(&self, more: bool, skb: SkBuff) -> Result<Option<SkBuff>, SegmentError> {
        self.packet.lock().segment(more, skb)
    }

    /// Returns the header of a payload. Empty for RFM, whose segments begin with their own.
    pub(crate) fn header(&self) -> &'static [u8] {
        self.header
    }
}
