// SPDX-License-Identifier: GPL-2.0

//! IP interfaces over CAIF: network devices that rtnetlink creates, each with one DATAGRAM channel
//! while it is up.
//!
//! An interface that lost its link stays up without a carrier. It asks for a channel again when a
//! link comes up, and at growing intervals.

mod retry;
mod session;
pub(crate) mod turns;

use self::{
    retry::{
        Retry,
        RETRY_MS, //
    },
    session::Session, //
};
use crate::{
    abstractions::{
        bh_lock::{
            new_bh_lock,
            BhLock, //
        },
        bindings,
        deferred::{
            new_deferred,
            Deferred, //
        },
        net::{
            netdev::{
                NetId,
                Netdev,
                NetdevRef,
                Outcome,
                Rtnl, //
            },
            rtnl_kind::{
                Attribute,
                Attributes,
                Description,
                VirtualNetdev, //
            },
            skbuff::SkBuff, //
        },
        rcu::{
            RcuArc,
            RcuSlot, //
        }, //
    },
    caif_wire::{
        params::{
            LinkParams,
            ServiceParams,
            CHTYPE_DATAGRAM,
            CHTYPE_DATAGRAM_LOOP, //
        },
        DATAGRAM_MTU, //
    },
    channel::Channel,
    link::Request,
    links::{
        Links,
        Watcher,
        HW_TYPE, //
    },
    policy::{
        self,
        Choice,
        Preference, //
    },
    transmit::{
        BACK,
        FRONT, //
    }, //
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    new_condvar,
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        rcu,
        Arc,
        CondVar,
        CondVarTimeoutResult, //
    },
    time::{
        msecs_to_jiffies,
        Instant,
        Monotonic, //
    }, //
};

/// `IFLA_CAIF_IPV4_CONNID`.
const IPV4_CONNID: u16 = 1;
/// `IFLA_CAIF_IPV6_CONNID`.
const IPV6_CONNID: u16 = 2;
/// `IFLA_CAIF_LOOPBACK`.
const LOOPBACK: u16 = 3;

/// Priority of the channel: `CAIF_PRIO_LOW`.
const PRIORITY: u32 = 4;
/// Time that the modem has to answer, in milliseconds.
const ANSWER_MS: u32 = 5000;
/// Time to wait for the answer when the interface goes up, in milliseconds.
const OPEN_MS: u32 = 1000;

/// The parameters of the channel.
#[derive(Clone, Copy)]
struct Settings {
    /// The connection id. If it is `None` at registration, it becomes the index of the device.
    connection: Option<u32>,
    loopback: bool,
}

/// State of an interface.
enum State {
    /// The interface is down.
    Down,
    /// The interface will request a channel.
    Waiting,
    /// The interface requested a channel. The request is `None` until `Links::connect()` has
    /// returned it.
    Asking(Option<Request>),
    /// The modem refused a channel while the interface was going up.
    Failed(Error),
    /// The interface has a channel.
    Connected,
}

struct Inner {
    settings: Settings,
    state: State,
    /// Whether a task that sets the interface up waits for the answer.
    opening: bool,
    /// The number of the last [`Session`].
    session: u64,
    retry_ms: u32,
    /// When it last requested a channel.
    asked_at: Option<Instant<Monotonic>>,
    /// Whether it is in the list of [`turns`].
    has_turn: bool,
    /// `None` before the device is registered, and after it is unregistered.
    retry: Option<Deferred<Retry>>,
    watch: Option<Arc<dyn Watcher>>,
}

/// An interface.
#[pin_data]
pub(crate) struct Interface {
    dev: RcuSlot<NetdevRef>,
    /// The device below, if one was given.
    lower: Option<(NetId, u32)>,
    channel: RcuSlot<Channel>,
    /// Whether the modem returns payloads to their sender.
    returns: AtomicFlag,
    #[pin]
    inner: BhLock<Inner>,
    #[pin]
    answered: CondVar,
}

impl VirtualNetdev for Interface {
    const KIND: &'static CStr = c"caif";
    const HW_TYPE: u16 = bindings::ARPHRD_NONE as u16;
    const FLAGS: u32 =
        bindings::net_device_flags_IFF_POINTOPOINT | bindings::net_device_flags_IFF_NOARP;
    const TX_QUEUE_LEN: u32 = 500;
    const MTU: u32 = DATAGRAM_MTU as u32;
    const MIN_MTU: u32 = bindings::ETH_MIN_MTU;
    const MAX_MTU: u32 = DATAGRAM_MTU as u32;
    // Those that a link cannot take at once wait in its queue, if it has one.
    const MAX_SEGMENTS: u32 = 32;
    // oFono reads the notification of a new interface into 1024 bytes, and ignores a longer one.
    // IPv6's part alone has 816.
    const IPV6_WHEN_UP: bool = true;
    const ATTRIBUTES: &'static [Attribute] = &[
        Attribute::None,
        Attribute::U32,
        Attribute::U32,
        Attribute::U8,
    ];

    fn create(
        attributes: &Attributes<'_>,
        lower: Option<&Netdev>,
        rtnl: &Rtnl<'_>,
    ) -> Result<RcuArc<Self>> {
        if let Some(lower) = lower {
            if lower.hw_type() != HW_TYPE {
                return Err(EINVAL);
            }
            // Only the end of a link ends the interfaces above it.
            if !Links::get()?.has(lower, rtnl) {
                return Err(ENODEV);
            }
        }
        let mut settings = Settings {
            connection: None,
            loopback: false,
        };
        settings.read(attributes);
        RcuArc::pin_init(
            pin_init!(Self {
                dev: RcuSlot::new(),
                lower: lower.map(|lower| (lower.net(), lower.index())),
                channel: RcuSlot::new(),
                returns: AtomicFlag::new(false),
                inner <- new_bh_lock!(
                    Inner {
                        settings,
                        state: State::Down,
                        opening: false,
                        session: 0,
                        retry_ms: RETRY_MS,
                        asked_at: None,
                        has_turn: false,
                        retry: None,
                        watch: None,
                    },
                    c"caif_interface"
                ),
                answered <- new_condvar!("caif_interface_answered"),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    fn registered(this: &RcuArc<Self>, dev: &Netdev, rtnl: &Rtnl<'_>) -> Result {
        let retry = new_deferred!(Retry(this.clone()), c"caif_interface_retry")?;
        let watch: Arc<dyn Watcher> = Arc::new(Retry(this.clone()), GFP_KERNEL_ACCOUNT)?;
        let held = RcuArc::pin_init(dev.hold(), GFP_KERNEL_ACCOUNT)?;
        Links::get()?.watch(watch.clone(), rtnl)?;
        this.dev.publish(held);
        let mut inner = this.inner.lock();
        inner.retry = Some(retry);
        inner.watch = Some(watch);
        if inner.settings.connection.is_none() {
            inner.settings = Settings {
                connection: Some(dev.index()),
                loopback: true,
            };
        }
        Ok(())
    }

    fn change(&self, attributes: &Attributes<'_>) -> Result {
        self.inner.lock().settings.read(attributes);
        Ok(())
    }

    fn describe(&self, description: &mut Description<'_>) -> Result {
        let Settings {
            connection,
            loopback,
        } = self.inner.lock().settings;
        let connection = connection.unwrap_or(0);
        description.put_u32(IPV4_CONNID, connection)?;
        description.put_u32(IPV6_CONNID, connection)?;
        description.put_u8(LOOPBACK, loopback.into())
    }

    fn open(this: &RcuArc<Self>, dev: &Netdev, rtnl: &Rtnl<'_>) -> Result {
        // The wait is with RTNL held, so it is left out for users of other user namespaces.
        let waits = dev.is_of_init_user_ns();
        {
            let mut inner = this.inner.lock();
            inner.state = State::Waiting;
            inner.opening = waits;
            inner.retry_ms = RETRY_MS;
        }
        let opened = this.ask(dev, rtnl).and_then(|()| match waits {
            true => this.wait(),
            false => Ok(()),
        });
        if opened.is_err() {
            this.down();
        }
        opened
    }

    fn stop(&self, _dev: &Netdev) {
        self.down();
    }

    fn transmit(&self, dev: &Netdev, mut skb: SkBuff) {
        let guard = rcu::read_lock();
        let Some(channel) = self.channel.load(&guard) else {
            return dev.count_tx_fault(Outcome::Dropped);
        };
        if self.returns.load(Relaxed) {
            swap_addresses(&mut skb);
        }
        let sent = channel.transmit_packet(skb, dev);
        if sent.packets > 0 {
            dev.count_tx(sent.packets, sent.bytes);
        }
        for _ in 0..sent.errors {
            dev.count_tx_fault(Outcome::Error);
        }
        for _ in 0..sent.dropped {
            dev.count_tx_fault(Outcome::Dropped);
        }
    }

    fn unregistered(&self, rtnl: &Rtnl<'_>) {
        self.down();
        let mut inner = self.inner.lock();
        let (retry, watch) = (inner.retry.take(), inner.watch.take());
        drop(inner);
        drop(retry);
        if let (Some(watch), Ok(links)) = (watch, Links::get()) {
            links.unwatch(&watch, rtnl);
        }
        drop(self.dev.take());
    }
}

impl Settings {
    /// Applies the attributes that are present.
    fn read(&mut self, attributes: &Attributes<'_>) {
        // IPv6 overrides IPv4, as in Linux 6.12: both set the connection id.
        for number in [IPV4_CONNID, IPV6_CONNID] {
            if let Some(connection) = attributes.u32(number.into()) {
                self.connection = Some(connection);
            }
        }
        if let Some(loopback) = attributes.u8(LOOPBACK.into()) {
            self.loopback = loopback != 0;
        }
    }
}

impl Interface {
    /// Requests a channel if the interface waits for one.
    ///
    /// Users of other user namespaces may have the interface alone, while its link is that of
    /// others. They must not take all the requests of the link by setting the interface up and
    /// down, so it requests a channel later if the last request was a moment ago.
    fn ask(self: &RcuArc<Self>, dev: &Netdev, rtnl: &Rtnl<'_>) -> Result {
        let mut inner = self.inner.lock();
        if !matches!(inner.state, State::Waiting) {
            return Ok(());
        }
        if !dev.is_of_init_user_ns() && inner.asks_later() {
            return Ok(());
        }
        inner.session = inner.session.wrapping_add(1);
        inner.state = State::Asking(None);
        let (number, settings) = (inner.session, inner.settings);
        drop(inner);

        let asked = self.request(number, settings, dev, rtnl);
        let mut inner = self.inner.lock();
        let is_current = inner.session == number && matches!(inner.state, State::Asking(None));
        match asked {
            Ok(request) if is_current => {
                inner.state = State::Asking(Some(request));
                Ok(())
            }
            // The modem has answered already.
            Ok(request) => {
                drop(inner);
                drop(request);
                Ok(())
            }
            Err(error) if is_current => {
                inner.state = State::Waiting;
                Err(error)
            }
            // The modem has answered already, but the interface does not fit the link.
            Err(error) if inner.session == number && matches!(inner.state, State::Connected) => {
                inner.state = State::Waiting;
                let channel = self.channel.take();
                self.set_carrier(false, &mut inner);
                drop(inner);
                if let Some(channel) = channel {
                    channel.close();
                }
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Requests a channel of a modem, and adapts the interface to its link.
    fn request(
        self: &RcuArc<Self>,
        number: u64,
        settings: Settings,
        dev: &Netdev,
        rtnl: &Rtnl<'_>,
    ) -> Result<Request> {
        let params = LinkParams {
            chtype: if settings.loopback {
                CHTYPE_DATAGRAM_LOOP
            } else {
                CHTYPE_DATAGRAM
            },
            priority: policy::wire_priority(PRIORITY),
            phyid: 0,
            endpoint: 0,
            service: ServiceParams::Datagram {
                connection: settings.connection.unwrap_or(0),
            },
        };
        let (net, choice) = match self.lower {
            Some((net, index)) => (net, Choice::Bound(index)),
            None => (dev.net(), Choice::Prefer(Preference::HighBandwidth)),
        };
        let session = Arc::new(Session::new(self.clone(), number), GFP_KERNEL_ACCOUNT)?;
        self.returns.store(settings.loopback, Relaxed);
        let request = Links::get()?.connect(net, choice, &params, ANSWER_MS, session)?;
        self.inner.lock().asked_at = Some(Instant::now());
        fit(dev, request.link().mtu()?, rtnl)?;
        let guard = rcu::read_lock();
        let link = request.link().dev(&guard).ok_or(ENODEV)?;
        dev.set_room(
            link.headroom().get().saturating_add(FRONT),
            link.tailroom().get().saturating_add(BACK.into()),
        );
        drop(guard);
        Ok(request)
    }

    /// Waits up to `OPEN_MS` for the modem's answer. Returns the error if it refuses.
    fn wait(&self) -> Result {
        let mut left = msecs_to_jiffies(OPEN_MS);
        let mut inner = self.inner.lock();
        while let State::Asking(_) = inner.state {
            match self.answered.wait_interruptible_timeout(&mut inner, left) {
                CondVarTimeoutResult::Woken { jiffies } => left = jiffies,
                // A signal counts as a timeout: rtnetlink has no error for it that programs expect.
                CondVarTimeoutResult::Timeout | CondVarTimeoutResult::Signal { .. } => break,
            }
        }
        match inner.state {
            State::Failed(error) => Err(error),
            _ => {
                // After this a refusal makes the interface ask again.
                inner.opening = false;
                Ok(())
            }
        }
    }

    /// Closes the channel, or cancels the request for it.
    fn down(&self) {
        let mut inner = self.inner.lock();
        let state = core::mem::replace(&mut inner.state, State::Down);
        inner.opening = false;
        let channel = self.channel.take();
        self.set_carrier(false, &mut inner);
        drop(inner);
        // This cancels a pending request.
        drop(state);
        if let Some(channel) = channel {
            channel.close();
        }
    }

    /// Sets the carrier, with the lock held, so that the last call has the present state.
    fn set_carrier(&self, on: bool, _locked: &mut Inner) {
        let guard = rcu::read_lock();
        match self.dev.load(&guard) {
            Some(dev) if on => dev.carrier_on(),
            Some(dev) => dev.carrier_off(),
            None => {}
        }
    }

    /// Wakes or stops the queues, with the lock held, as for the carrier.
    fn set_queue(&self, on: bool, _locked: &mut Inner) {
        let guard = rcu::read_lock();
        match self.dev.load(&guard) {
            Some(dev) if on => dev.wake_queues(),
            Some(dev) => dev.stop_queues(),
            None => {}
        }
    }
}

/// Lowers an interface's MTU to what fits into the packets of a link.
fn fit(dev: &Netdev, link_mtu: u32, rtnl: &Rtnl<'_>) -> Result {
    let mtu = policy::ip_mtu(usize::try_from(dev.mtu())?, usize::try_from(link_mtu)?)?;
    let mtu = u32::try_from(mtu)?;
    if mtu < dev.mtu() {
        dev.set_mtu(mtu, rtnl)?;
    }
    Ok(())
}

/// Swaps the addresses of a looped-back IPv4 packet, so that it comes from the peer. The checksums
/// stay valid.
fn swap_addresses(skb: &mut SkBuff) {
    let Some(header) = skb.head_mut(20) else {
        return;
    };
    if header.first().is_none_or(|first| first >> 4 != 4) {
        return;
    }
    if let Some((front, back)) = header.split_at_mut_checked(16) {
        if let (Some(source), Some(destination)) =
            (front.last_chunk_mut::<4>(), back.first_chunk_mut::<4>())
        {
            core::mem::swap(source, destination);
        }
    }
}
