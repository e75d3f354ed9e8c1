// SPDX-License-Identifier: GPL-2.0

//! CAIF link layer over virtio: a network device for the link to a modem that shares memory with
//! Linux and is managed by remoteproc.
//!
//! Frames arrive by a *reversed* vring, on which the modem makes its own buffers available and
//! Linux returns them; they leave by an ordinary vring, from fixed slots. See
//! `Documentation/frame-path.md`.

#![deny(unsafe_code)]

#[expect(unsafe_code)]
mod abstractions {
    //! Safe wrappers that the kernel crate lacks.

    pub(crate) mod bindings;
    pub(crate) mod compat;
    pub(crate) mod net;
    pub(crate) mod virtio;
}
mod counters;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod link_config;
mod log;
mod receive;
#[expect(unsafe_code)]
mod remoteproc_glue;
mod transmit;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod vring_chain;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod vring_driver;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod vring_half_stored;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod vring_layout;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod vring_mem;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod vring_news;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod vring_reversed;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod vring_watch;

use crate::{
    abstractions::{
        bindings,
        compat::device_table,
        net::{
            self,
            ethtool::Rings,
            napi::{
                self,
                Polled, //
            },
            Parts,
            Settings,
            SkBuff,
            Stats64,
            TxGuard,
            TxLock,
            TxQueue,
            Xmit, //
        },
        virtio::{
            self,
            netdev::{
                Probed,
                Setup, //
            }, //
        }, //
    },
    counters::{
        Counter,
        Counters, //
    },
    link_config::LinkConfig,
    log::log,
    receive::Rx,
    remoteproc_glue::{
        free_doorbells,
        trace,
        Link,
        PerVring,
        Queues,
        Vring,
        Windows, //
    },
    transmit::Tx,
    vring_driver::DriverRingError,
    vring_layout::{
        Layout,
        F_EVENT_IDX,
        F_INDIRECT_DESC, //
    },
    vring_mem::Features,
    vring_watch::Finding, //
};
use core::cell::UnsafeCell;
use kernel::{
    device::{
        self,
        Core, //
    },
    fmt,
    prelude::*,
    sync::atomic::{
        AtomicFlag,
        Relaxed, //
    }, //
};

device_table!(
    "virtio",
    virtio::DeviceId,
    ID_TABLE,
    [virtio::DeviceId::new(bindings::VIRTIO_ID_CAIF)]
);

/// The driver.
struct CaifDriver;

/// A link: the shared part of a network device's state.
struct CaifVirtio<'bound> {
    link: Link<'bound>,
    queues: &'bound Queues<'bound>,
    rings: Rings,
    counters: Counters,
    /// Set once a ring broke or the modem stopped returning frames: the rings are not accessed
    /// again.
    broken: AtomicFlag,
}

/// Seconds after which a frame that the modem has not returned counts as kept.
const WATCHDOG_SECONDS: u32 = 5;

/// The start of the private data as the CAIF stack expects it, `struct caif_dev_common`. All zero
/// means no fragmentation, checksum or start bytes, and high bandwidth.
#[repr(C)]
#[derive(Zeroable)]
struct CaifDevCommon {
    flowctrl: Option<extern "C" fn(*mut bindings::net_device, c_int)>,
    link_select: c_int,
    use_frag: c_int,
    use_fcs: c_int,
    use_stx: c_int,
}

impl virtio::netdev::Driver for CaifDriver {
    type Netdev<'bound> = CaifVirtio<'bound>;

    const ID_TABLE: virtio::IdTable = &ID_TABLE;
    const FEATURES: &'static [c_uint] = &[];

    fn validate(vdev: &virtio::Device<Core<'_>>) -> Result {
        // Frames need no indirect descriptors.
        vdev.clear_feature::<F_INDIRECT_DESC>();
        Ok(())
    }

    fn probe<'bound>(setup: Setup<'bound, '_, CaifVirtio<'bound>>) -> Probed<'bound, Self> {
        let vdev = setup.vdev();
        let dev: &device::Device<device::Bound> = vdev.as_ref();
        let link = Link::new(vdev)
            .inspect_err(|_| log!(dev_err, dev, "not a device of a remote processor\n"))?;
        let config = read_config(dev, &link)?;
        let layouts = PerVring {
            rx: read_layout(dev, &link, Vring::Rx)?,
            tx: read_layout(dev, &link, Vring::Tx)?,
        };

        let queues = setup.queues((link, layouts)).inspect_err(|e| {
            log!(
                dev_err,
                dev,
                "no vrings of {} and {} descriptors, aligned as asked for: error {}\n",
                layouts.rx.num(),
                layouts.tx.num(),
                e.to_errno()
            )
        })?;
        let features = Features {
            event_idx: vdev.has_feature::<F_EVENT_IDX>(),
        };
        let tx = Tx::new(queues, &link, layouts.tx, features, config.uplink)?;
        let windows = Windows::new(&link, tx.dma_range()).inspect_err(|_| {
            log!(
                dev_err,
                dev,
                "no carveout for received frames: all are for vrings or the transmit pool\n"
            )
        })?;
        let rx = Rx::new(queues, layouts.rx, features, windows, config.downlink)?;
        log!(
            dev_info,
            dev,
            "uplink: {} slots of {} bytes, downlink: {} buffers of up to {} bytes\n",
            tx.slots(),
            config.uplink.mtu,
            layouts.rx.num(),
            config.downlink.mtu
        );

        let mtu = config.uplink.frame_max();
        let settings = Settings {
            mtu,
            min_mtu: link_config::FRAME_MIN,
            max_mtu: mtu,
        };
        // Interrupts have no effect yet: the network device is polled only while it is up.
        queues.listen();
        let ops = CaifVirtio {
            link,
            queues,
            rings: Rings {
                rx: layouts.rx.num().into(),
                tx: tx.slots().into(),
            },
            counters: Counters::default(),
            broken: AtomicFlag::new(false),
        };
        Ok((
            settings,
            Parts {
                ops,
                rx: UnsafeCell::new(rx),
                tx: UnsafeCell::new(tx),
            },
        ))
    }

    fn start(netdev: &CaifVirtio<'_>, dev: &net::Device) {
        dev.carrier_on();
        // The interface may be up and the link broken already.
        if netdev.broken.load(Relaxed) {
            dev.carrier_off();
        }
        // The kick is the only notification of DRIVER_OK.
        netdev.queues.tell_ready();
    }

    fn quiesce(netdev: &CaifVirtio<'_>) {
        netdev.queues.mute();
    }

    fn settle(netdev: &CaifVirtio<'_>) {
        netdev.queues.hold_kicks();
    }

    fn wake(netdev: &CaifVirtio<'_>) {
        if netdev.broken.load(Relaxed) {
            return;
        }
        netdev.queues.listen();
        netdev.queues.release_kicks();
        // Kicks may have been held, or missed by a modem that slept as well. A spurious one is
        // harmless.
        netdev.queues.kick(Vring::Rx);
        netdev.queues.kick(Vring::Tx);
    }

    fn tell_reset(netdev: &CaifVirtio<'_>) {
        netdev.queues.tell_reset();
    }

    fn lost(netdev: &CaifVirtio<'_>, dev: &net::Device) {
        netdev.give_up(dev, Counter::Lost, fmt!("hibernation lost its rings"));
    }

    fn exit() {
        free_doorbells();
    }
}

/// Reads and checks the config space. Logs what is wrong with it.
fn read_config(dev: &device::Device<device::Bound>, link: &Link<'_>) -> Result<LinkConfig> {
    let raw = link.config().inspect_err(|_| {
        log!(
            dev_err,
            dev,
            "config space is not {} bytes inside the resource table\n",
            link_config::CONFIG_SIZE
        )
    })?;
    match raw {
        None => Ok(LinkConfig::DEFAULT),
        Some(raw) => LinkConfig::parse(&raw).map_err(|error| {
            log!(dev_err, dev, "{error}\n");
            EINVAL
        }),
    }
}

/// Reads the geometry of a vring. Logs what is wrong with it.
fn read_layout(
    dev: &device::Device<device::Bound>,
    link: &Link<'_>,
    vring: Vring,
) -> Result<Layout> {
    // A vring that is not in the resource table fails here: it has no descriptors.
    let layout = link.layout(vring).map_err(|error| {
        log!(dev_err, dev, "vring {vring}: {error}\n");
        EINVAL
    })?;
    if !link.has_notify_id(vring) {
        log!(
            dev_err,
            dev,
            "vring {vring} lost its notify id when there was no memory for it: \
             stop and start the remote processor to get it back\n"
        );
        return Err(ENXIO);
    }
    Ok(layout)
}

impl<'bound> net::NetdevOperations for CaifVirtio<'bound> {
    const NAME: &'static CStr = c"cfvrt%d";
    const HW_TYPE: u16 = bindings::ARPHRD_CAIF as u16;
    const FLAGS: u32 =
        bindings::net_device_flags_IFF_POINTOPOINT | bindings::net_device_flags_IFF_NOARP;
    const TX_QUEUE_LEN: u32 = 100;
    const COUNTERS: &'static [&'static CStr] = Counter::NAMES;
    const WATCHDOG_MS: c_uint = 1000 * WATCHDOG_SECONDS / vring_watch::PERIODS;

    type Prefix = CaifDevCommon;
    type Tx = Tx<'bound>;
    type Rx = Rx<'bound>;
    type Source = Queues<'bound>;

    fn start_xmit(&self, queue: &TxQueue<'_>, tx: &mut Tx<'bound>, skb: SkBuff) -> Xmit {
        if self.broken.load(Relaxed) {
            queue.stop();
            self.counters.count(Counter::TxBroken);
            return Xmit::Ok;
        }
        let sent = match tx.take(queue) {
            Ok(Some(slot)) => tx.send(queue, slot, skb, &self.counters),
            Ok(None) => return Xmit::Busy(skb),
            Err(error) => Err(error),
        };
        match sent {
            Ok(true) => {
                self.counters.count(Counter::TxKick);
                self.queues.kick(Vring::Tx);
            }
            Ok(false) => {}
            Err(error) => self.tx_broken(queue, error),
        }
        Xmit::Ok
    }

    #[inline]
    fn poll(
        &self,
        cx: &napi::Context<'_>,
        rx: &mut Rx<'bound>,
        tx: &TxLock<'_, Tx<'bound>>,
    ) -> Polled {
        if self.broken.load(Relaxed) {
            tx.lock().parts().0.stop();
            return Polled::Done(0);
        }
        self.counters.count(Counter::Poll);
        let received = match rx.poll(cx, &self.counters) {
            Ok(received) => received,
            Err(error) => {
                self.give_up(
                    cx.dev(),
                    Counter::RxRing,
                    fmt!("vring {}: {error}", Vring::Rx),
                );
                return Polled::More;
            }
        };
        if received.need_kick {
            self.counters.count(Counter::RxKick);
            self.queues.kick(Vring::Rx);
        }
        let mut half_stored = false;
        // Only returned slots can be a reason to wake the queue. Without the lock a poll that finds
        // nothing took 746 instructions instead of 941.
        if self.queues.has_returned() {
            let mut tx = tx.lock();
            let (queue, tx) = tx.parts();
            if tx.is_half_stored() && cx.has_waited() {
                tx.count_look();
            }
            self.complete(queue, tx);
            half_stored = tx.is_half_stored();
        }
        if received.buffers == cx.budget() || rx.rearm() {
            Polled::More
        } else if half_stored || rx.is_half_stored() {
            // An interrupt follows, unless the modem is broken.
            Polled::Later(received.buffers)
        } else {
            Polled::Done(received.buffers)
        }
    }

    fn poll_tx(&self, tx: &mut TxGuard<'_, Tx<'bound>>) {
        let (queue, tx) = tx.parts();
        if self.broken.load(Relaxed) {
            queue.stop();
        } else {
            self.complete(queue, tx);
        }
    }

    fn watchdog(&self, tx: &mut TxGuard<'_, Tx<'bound>>, restarted: bool) -> bool {
        let (queue, tx) = tx.parts();
        if !self.broken.load(Relaxed) {
            // Slots that were returned without an interrupt must not count as kept.
            self.complete(queue, tx);
        }
        if self.broken.load(Relaxed) {
            queue.stop();
            return false;
        }
        match tx.look(restarted) {
            Finding::Idle => return false,
            Finding::Working => {}
            Finding::Silent => {
                tx.let_others_pass(queue);
                // The modem may have missed a kick: a full mailbox loses it, for example.
                self.queues.kick(Vring::Rx);
                self.queues.kick(Vring::Tx);
            }
            Finding::Keeping => log!(
                dev_warn,
                self.link.vdev().as_ref(),
                "the modem keeps a frame for more than {WATCHDOG_SECONDS} s, but returns others\n"
            ),
            Finding::Stuck => {
                queue.stop();
                self.give_up(
                    queue.dev(),
                    Counter::TxTimeout,
                    fmt!("the modem does not return what it was sent"),
                );
                return false;
            }
        }
        true
    }

    fn get_stats64(&self, stats: &mut Stats64) {
        self.counters.add_to(stats);
    }

    fn rings(&self) -> Rings {
        self.rings
    }

    fn counters(&self, f: &mut dyn FnMut(usize, u64)) {
        for (index, value) in self.counters.values().enumerate() {
            f(index, value);
        }
    }
}

impl<'bound> CaifVirtio<'bound> {
    /// Gives the link up until it is bound anew, and reports a crash to remoteproc. Any context.
    #[cold]
    fn give_up(&self, dev: &net::Device, fault: Counter, why: fmt::Arguments<'_>) {
        if self.broken.xchg(true, kernel::sync::atomic::Full) {
            return;
        }
        dev.carrier_off();
        self.queues.mute();
        self.counters.count(fault);
        trace::link_fault(dev, fault.name());
        let recovers = self.link.report_crash();
        let outlook = if recovers {
            "remoteproc recovers the modem"
        } else {
            "remoteproc does not recover the modem: unbind and bind to use the link again"
        };
        log!(
            dev_err,
            self.link.vdev().as_ref(),
            "link is down: {why}; {outlook}\n"
        );
    }

    /// Gives the link up because the TX vring broke, see [`give_up`](Self::give_up).
    #[cold]
    fn tx_broken(&self, queue: &TxQueue<'_>, error: DriverRingError) {
        queue.stop();
        self.give_up(
            queue.dev(),
            Counter::TxRing,
            fmt!("vring {}: {error}", Vring::Tx),
        );
    }

    /// Completes transmissions.
    fn complete(&self, queue: &TxQueue<'_>, tx: &mut Tx<'bound>) {
        if let Err(error) = tx.complete(queue).and_then(|()| tx.rearm(queue)) {
            self.tx_broken(queue, error);
        }
    }
}

module_virtio_netdev_driver! {
    type: CaifDriver,
    name: "caif_virtio",
    authors: ["The caif_virtio developers"],
    description: "CAIF over virtio, managed by remoteproc",
    license: "GPL",
}
