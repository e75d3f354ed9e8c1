// SPDX-License-Identifier: GPL-2.0

//! A link to a modem: a network device, the channels of its modem, and the pending requests.
//!
//! Channels, link ids and requests are a link's own: a modem cannot affect those of another link.

use crate::{
    abstractions::{
        bh_lock::{
            new_bh_lock,
            BhLock, //
        },
        deferred::{
            new_deferred,
            Deferred,
            Task, //
        },
        net::netdev::{
            NetId,
            Netdev,
            NetdevRef,
            Rtnl, //
        },
        rcu::{
            RcuArc,
            RcuSlot, //
        }, //
    },
    caif_wire::{
        control::Message,
        params::LinkParams, //
    },
    channel::{
        Channel,
        Client,
        Shutdown, //
    },
    control::{
        Control,
        Event,
        Expired,
        LinkId,
        Pending,
        RequestId,
        PENDING, //
    },
    owed::{
        Band,
        Owed,
        PATIENCE_MS, //
    },
    policy::Errno,
    pressure::{
        Look,
        Pressure, //
    }, //
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
        rcu::{
            self,
            Guard, //
        },
        Arc, //
    },
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// A request that the modem has not answered.
struct Asked {
    id: RequestId,
    /// The channel that the client gets if the modem grants it.
    channel: RcuArc<Channel>,
}

/// The state that the lock of a link protects.
struct Inner {
    control: Control<KVec<Pending>>,
    /// The requests that are pending, with the capacity of `control`.
    asked: KVec<Asked>,
    /// The LINK_DESTROY messages that are still to be sent, also while the link is down.
    owed: Owed,
    /// `None` once the link is gone.
    deadline: Option<Deferred<Deadline>>,
    /// When `deadline` runs, if it is scheduled.
    runs_at: Option<u64>,
}

/// A link.
///
/// It drops its reference to the device when that is about to be unregistered.
#[pin_data]
pub(crate) struct Link {
    dev: RcuSlot<NetdevRef>,
    net: NetId,
    index: u32,
    phyid: u8,
    works: AtomicFlag,
    /// How many times the device had lost its carrier.
    losses: Atomic<u32>,
    start: Instant<Monotonic>,
    /// By link id. Channels in the table are open, or closed and about to be removed.
    channels: [RcuSlot<Channel>; 256],
    #[pin]
    inner: BhLock<Inner>,
    #[pin]
    pressure: BhLock<Pressure>,
}

/// Interval of looks at a device's queue that LINK_DESTROY messages wait for, and delay before one
/// that failed is sent again.
const OWED_MS: u64 = 50;

/// Ends requests that were not answered, and sends the LINK_DESTROY messages that are owed.
struct Deadline(Arc<Link>);

impl Task for Deadline {
    fn run(&self) {
        self.0.inner.lock().runs_at = None;
        if self.0.works() {
            // What fails is tried again.
            let _ = self.0.destroy_owed(false);
        }
        self.0.expire();
    }
}

impl Link {
    /// Creates the link of a device, with a number from 1 to 7.
    #[inline(never)]
    pub(crate) fn new(dev: &Netdev, phyid: u8) -> Result<Arc<Self>> {
        // Users of a namespace can make as many links as they like.
        let mut pending = KVec::with_capacity(PENDING, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..PENDING {
            pending.push(Pending::default(), GFP_KERNEL_ACCOUNT)?;
        }
        let asked = KVec::with_capacity(PENDING, GFP_KERNEL_ACCOUNT)?;
        // Made in its place: it is too large for the stack.
        let inner = init!(Inner {
            control: Control::new(phyid, pending),
            asked,
            owed: Owed::new(),
            deadline: None,
            runs_at: None,
        });
        let device = dev;
        let this = Arc::pin_init(
            pin_init!(Self {
                dev: RcuSlot::new(),
                net: device.net(),
                index: device.index(),
                phyid,
                works: AtomicFlag::new(false),
                losses: Atomic::new(device.carrier_losses()),
                start: Instant::now(),
                channels: [const { RcuSlot::new() }; 256],
                inner <- new_bh_lock!(inner, c"caif_link"),
                pressure <- new_bh_lock!(Pressure::new(), c"caif_link_pressure"),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        let held = RcuArc::pin_init(dev.hold(), GFP_KERNEL_ACCOUNT)?;
        let deadline = new_deferred!(Deadline(this.clone()), c"caif_deadline")?;
        let look = new_deferred!(Look(this.clone()), c"caif_pressure")?;
        // The tasks hold references to the link until `end()`: nothing may fail after this.
        this.inner.lock().deadline = Some(deadline);
        let _ = this.pressure.lock().set_task(Some(look));
        this.dev.publish(held);
        Ok(this)
    }

    /// Returns the device; `None` if it is gone.
    pub(crate) fn dev<'g>(&self, guard: &'g Guard) -> Option<&'g Netdev> {
        self.dev.load(guard).map(|dev| &**dev)
    }

    /// Returns the MTU of the device. `ENODEV` if the device is gone.
    pub(crate) fn mtu(&self) -> Result<u32> {
        let guard = rcu::read_lock();
        self.dev(&guard).map(Netdev::mtu).ok_or(ENODEV)
    }

    /// Returns the namespace of the device.
    pub(crate) fn net(&self) -> NetId {
        self.net
    }

    /// Returns the number of the device in its namespace.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// Returns the congestion of the link.
    pub(crate) fn pressure(&self) -> &BhLock<Pressure> {
        &self.pressure
    }

    /// Returns the number by which a modem tells its links apart.
    pub(crate) fn phyid(&self) -> u8 {
        self.phyid
    }

    /// Returns whether the device is up and has a carrier.
    pub(crate) fn works(&self) -> bool {
        self.works.load(Relaxed)
    }

    /// Returns the channel with a link id.
    pub(crate) fn channel<'g>(&self, id: u8, guard: &'g Guard) -> Option<&'g Channel> {
        self.channels.get(usize::from(id))?.load(guard)
    }

    /// Returns the channels in the table and those that the modem was asked for, and by link id
    /// whether a LINK_DESTROY is owed, all of one moment but for a link that goes down meanwhile.
    /// Process context: may sleep.
    pub(crate) fn listed(&self) -> Result<(KVec<RcuArc<Channel>>, [bool; 256])> {
        let most = self.channels.len().saturating_add(PENDING);
        let mut listed = KVec::with_capacity(most, GFP_KERNEL)?;
        // With the lock held no channel gets into the table.
        let inner = self.inner.lock();
        let open = self.channels.iter().filter_map(RcuSlot::get);
        let asked = inner.asked.iter().map(|asked| asked.channel.clone());
        for channel in Iterator::chain(open, asked) {
            listed.push_within_capacity(channel).map_err(|_| ENOMEM)?;
        }
        let owed =
            core::array::from_fn(|id| u8::try_from(id).is_ok_and(|id| inner.owed.is_owed(id)));
        Ok((listed, owed))
    }

    /// Returns the time in milliseconds, the clock of [`Control`].
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(0)
    }

    /// Requests a channel of the modem. The client is told the outcome within `ms` milliseconds.
    ///
    /// `ENODEV` if the link is down, `ENOMEM` if too many requests are pending, `EINVAL` if the
    /// parameters are invalid.
    pub(crate) fn ask(
        self: &Arc<Self>,
        params: &LinkParams<'_>,
        ms: u32,
        client: Arc<dyn Client>,
    ) -> Result<Request> {
        let params = LinkParams {
            phyid: self.phyid,
            ..*params
        };
        let channel = Channel::new(self.clone(), &params, client)?;
        let deadline = self.now().saturating_add(ms.into());

        let mut inner = self.inner.lock();
        let id = inner
            .control
            .request(&params, deadline)
            .map_err(Errno::from)?;
        if inner
            .asked
            .push_within_capacity(Asked { id, channel })
            .is_err()
        {
            inner.control.withdraw(id);
            return Err(ENOMEM);
        }
        self.reschedule(&mut inner);
        drop(inner);

        // A modem that has one channel of a kind must know of the end of the last one.
        let sent = self.destroy_owed(true).and_then(|()| {
            let band = self.behind();
            self.send_message(&Message::Enum { phyid: self.phyid }, band)?;
            self.send_message(&Message::Setup(params), band)
        });
        if let Err(error) = sent {
            self.end_request(id, Control::withdraw);
            // The link went down meanwhile.
            let is_gone = [ENOTCONN, ENETDOWN].contains(&error);
            return Err(if is_gone { ENODEV } else { error });
        }
        Ok(Request {
            link: self.clone(),
            id,
        })
    }

    /// Schedules the task for the next deadline, or for the LINK_DESTROY messages that are owed,
    /// unless it runs before. If each request put it off, it would not run while requests go on.
    fn reschedule(&self, inner: &mut Inner) {
        let now = self.now();
        // One millisecond more, so that the deadline has passed when the task runs.
        let ends = inner.control.next_deadline();
        let ends = ends.map(|at| at.max(now).saturating_add(1));
        // Nothing can be sent on a link that is down.
        let again = self.works() && inner.owed.any();
        let again = again.then(|| now.saturating_add(OWED_MS));
        let Some(next) = [ends, again].into_iter().flatten().min() else {
            return;
        };
        if inner.runs_at.is_some_and(|at| at <= next) {
            return;
        }
        if let Some(deadline) = &inner.deadline {
            let ms = next.saturating_sub(now);
            deadline.schedule(u32::try_from(ms).unwrap_or(u32::MAX));
            inner.runs_at = Some(next);
        }
    }

    /// Removes an answered request. Returns its channel.
    fn answered(inner: &mut Inner, id: RequestId) -> Option<RcuArc<Channel>> {
        let index = inner.asked.iter().position(|asked| asked.id == id)?;
        inner.asked.remove(index).ok().map(|asked| asked.channel)
    }

    /// Ends a request, by [`Control::cancel`] or [`Control::withdraw`], and drops its channel.
    fn end_request(&self, id: RequestId, end: fn(&mut Control<KVec<Pending>>, RequestId) -> bool) {
        let mut inner = self.inner.lock();
        if end(&mut inner.control, id) {
            let channel = Self::answered(&mut inner, id);
            drop(inner);
            drop(channel);
        }
    }

    /// Handles a message of the control channel.
    pub(crate) fn control(&self, body: &[u8]) {
        let now = self.now();
        let mut inner = self.inner.lock();
        let event = inner.control.on_frame(body, now);
        let mut destroy = event.destroy().is_some();
        if let Some(id) = event.destroy() {
            inner.owed.owe(id.get(), now, 0);
        }
        match event {
            Event::Connected {
                request,
                id,
                appended,
            } => {
                let channel = Self::answered(&mut inner, request);
                let published = channel
                    .as_ref()
                    .is_some_and(|channel| self.publish(channel, id, &mut inner));
                // The modem has assigned the id anew.
                inner.owed.settle(id.get());
                if !published && inner.control.close(id) {
                    inner.owed.owe(id.get(), now, 0);
                    destroy = true;
                }
                drop(inner);
                if let Some(channel) = channel {
                    let client = channel.client().clone();
                    let result = if published {
                        self.tell_pressure(&channel);
                        Ok(channel)
                    } else {
                        Err(Errno::Refused.into())
                    };
                    client.outcome(result, appended);
                }
            }
            Event::Refused { request, why } => {
                let channel = Self::answered(&mut inner, request);
                drop(inner);
                if let Some(channel) = channel {
                    channel.client().outcome(Err(Errno::from(why).into()), &[]);
                }
            }
            Event::Destroy(_) | Event::Ignored(_) => drop(inner),
        }
        if destroy {
            // What fails is tried again.
            let _ = self.destroy_owed(false);
        }
    }

    /// Puts a channel into the table, with the lock held. Returns whether its slot was empty, which
    /// is so if the id was free.
    fn publish(&self, channel: &RcuArc<Channel>, id: LinkId, _locked: &mut Inner) -> bool {
        channel.assign(id);
        self.channels
            .get(usize::from(id.get()))
            .is_some_and(|slot| slot.publish(channel.clone()))
    }

    /// Removes a channel from the table and tells the modem. Called by [`Channel::close`].
    pub(crate) fn close(&self, channel: &Channel) {
        let Some(id) = channel.id() else {
            return;
        };
        let mut inner = self.inner.lock();
        let slot = self.channels.get(usize::from(id.get()));
        let taken = slot.and_then(|slot| slot.take_if(channel));
        // Whoever takes the channel out of the table tells the modem, also if its id is free
        // already because the link is going down.
        let destroy = inner.control.close(id) || taken.is_some();
        if destroy {
            inner.owed.ended(channel.band());
            inner.owed.owe(id.get(), self.now(), PATIENCE_MS);
        }
        drop(inner);
        drop(taken);
        if destroy {
            // What fails is tried again.
            let _ = self.destroy_owed(false);
        }
    }

    /// Returns whether the device's driver has got all that was sent. With the lock held: what was
    /// sent before an id was owed is not missed.
    fn is_drained(&self, inner: &mut Inner) -> bool {
        let guard = rcu::read_lock();
        let drained = self.dev(&guard).is_some_and(Netdev::is_drained);
        if drained {
            inner.owed.left();
        }
        drained
    }

    /// Returns the band of a request, which must not overtake what was sent on channels that ended:
    /// the modem may assign an id anew.
    fn behind(&self) -> Band {
        let mut inner = self.inner.lock();
        if inner.owed.behind() != Band::High {
            self.is_drained(&mut inner);
        }
        inner.owed.behind()
    }

    /// Sends the LINK_DESTROY messages that are owed: those that waited long enough, or all of
    /// them, if that is demanded or if no payload is left to wait for. Payloads that are left are
    /// not overtaken, unless the link is down: they need not arrive, and no request is sent before
    /// it is up. `ENOMEM` or `ENOBUFS` if one cannot be sent now. Any context with interrupts
    /// enabled.
    fn destroy_owed(&self, all: bool) -> Result {
        loop {
            // A device that goes down waits for this section before its queue counts as lost, if it
            // has one.
            let _guard = rcu::read_lock();
            let mut inner = self.inner.lock();
            if !inner.owed.any() {
                return Ok(());
            }
            let drained = self.is_drained(&mut inner);
            let Some(linkid) = inner.owed.next(drained || all, self.now()) else {
                self.reschedule(&mut inner);
                return Ok(());
            };
            let band = match self.works() {
                true => inner.owed.behind(),
                false => Band::High,
            };
            drop(inner);
            let sent = self.send_message(&Message::Destroy { linkid }, band);
            let mut inner = self.inner.lock();
            if sent.is_err() {
                // If this one fails, so would the others.
                inner.owed.owe(linkid, self.now(), 0);
                self.reschedule(&mut inner);
                return sent;
            }
            inner.owed.doubt(linkid);
        }
    }

    /// Ends the requests whose deadlines passed, or all of them if the link is down.
    fn expire(&self) {
        loop {
            let now = self.now();
            let mut inner = self.inner.lock();
            let Some(Expired { request, why }) = inner.control.expire(now) else {
                self.reschedule(&mut inner);
                return;
            };
            let channel = Self::answered(&mut inner, request);
            drop(inner);
            if let Some(channel) = channel {
                channel.client().outcome(Err(Errno::from(why).into()), &[]);
            }
        }
    }

    /// Records how many times the device lost its carrier. Returns whether it did since the last
    /// call.
    pub(crate) fn record_losses(&self, losses: u32, _rtnl: &Rtnl<'_>) -> bool {
        self.losses.xchg(losses, Relaxed) != losses
    }

    /// Sets whether the device works. Returns whether it began to.
    pub(crate) fn set_works(&self, works: bool, _rtnl: &Rtnl<'_>) -> bool {
        if !works {
            self.down(false);
            return false;
        }
        if self.works() {
            return false;
        }
        // Before the modem is asked for a channel, as it may assign one of these ids.
        let _ = self.destroy_owed(true);
        self.works.xchg(true, Full);
        let mut inner = self.inner.lock();
        inner.control.up();
        self.reschedule(&mut inner);
        true
    }

    /// Records that the device was down, so that its queue was emptied.
    pub(crate) fn was_down(&self, _rtnl: &Rtnl<'_>) {
        self.inner.lock().owed.lost(self.now());
    }

    /// Closes all channels of a device that is about to go down and can still send: the modem does
    /// not notice that a device is down, and would keep them.
    pub(crate) fn going_down(&self, _rtnl: &Rtnl<'_>) {
        self.down(true);
    }

    /// Ends all requests and channels, unless the link is down already.
    fn down(&self, tell: bool) {
        if !self.works.xchg(false, Full) {
            return;
        }
        let mut inner = self.inner.lock();
        inner.control.down();
        if tell {
            // What has left the queue is not lost with it.
            self.is_drained(&mut inner);
        } else {
            // A modem behind a carrier that was lost knows no channel any more.
            inner.owed.clear();
        }
        drop(inner);
        self.expire();
        // No channel is added before the link is up again.
        for slot in &self.channels {
            let Some(channel) = slot.take() else {
                continue;
            };
            channel.shut(Shutdown::LinkLost);
            let mut inner = self.inner.lock();
            // Devices above others, and those whose carrier comes back at once, keep their queue.
            inner.owed.ended(channel.band());
            if let (true, Some(id)) = (tell, channel.id()) {
                inner.owed.owe(id.get(), self.now(), 0);
            }
        }
        if tell {
            // Before what waits in the device's queue is dropped.
            let _ = self.destroy_owed(true);
        }
    }

    /// Ends the link of a device that is unregistered. Takes the locks of its clients.
    pub(crate) fn end(&self, rtnl: &Rtnl<'_>) {
        self.set_works(false, rtnl);
        let deadline = self.inner.lock().deadline.take();
        drop(deadline);
        let look = self.pressure.lock().set_task(None);
        drop(look);
        drop(self.dev.take());
    }
}

/// A pending request for a channel. Dropping it cancels the request, unless the client has the
/// channel already.
pub(crate) struct Request {
    link: Arc<Link>,
    id: RequestId,
}

impl Request {
    /// Returns the link.
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.link.end_request(self.id, Control::cancel);
    }
}
