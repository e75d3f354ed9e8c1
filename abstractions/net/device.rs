// SPDX-License-Identifier: GPL-2.0

//! Network devices with one transmit queue and one NAPI instance.
//!
//! All state of a driver lives in the private data of its network device. What a callback may
//! touch follows from its arguments: the state of transmission is reached with the lock of the
//! transmit queue held, that of reception from the poll function, everything else is shared.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::{
    ethtool::Rings,
    napi::{
        self,
        Napi,
        Polled, //
    },
    repoll::Repoll,
    skbuff::SkBuff,
    timer::Tick,
    watchdog::Watchdog, //
};
use crate::abstractions::bindings;
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    num::NonZeroU32,
    ops::{
        Deref,
        DerefMut, //
    }, //
};
use kernel::{
    container_of,
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        SetOnce, //
    },
    types::{
        NotThreadSafe,
        Opaque, //
    }, //
};

/// Standard statistics of a network device.
pub(crate) type Stats64 = bindings::rtnl_link_stats64;

/// Result of [`NetdevOperations::start_xmit`].
pub(crate) enum Xmit {
    /// The packet was sent or dropped.
    Ok,
    /// The packet was not accepted: the queue was started although there was no room, which is a
    /// fault of the driver. The stack gets the packet back.
    Busy(SkBuff),
}

/// The callbacks of a network device.
pub(crate) trait NetdevOperations: Send + Sync + Sized {
    /// The name, or the format of it, shorter than `IFNAMSIZ`.
    const NAME: &'static CStr;
    /// Hardware type, `ARPHRD_*`.
    const HW_TYPE: u16;
    /// `IFF_*`.
    const FLAGS: u32;
    /// Packets that the queueing discipline may hold.
    const TX_QUEUE_LEN: u32;
    /// Names of the driver's own counters, each shorter than `ETH_GSTRING_LEN`.
    const COUNTERS: &'static [&'static CStr];
    /// Milliseconds between two calls of [`watchdog`](Self::watchdog).
    const WATCHDOG_MS: c_uint;

    /// The start of the private data, as the protocol above expects it; zeroed at first.
    type Prefix: Zeroable;
    /// State of transmission, protected by the lock of the transmit queue.
    type Tx: Send;
    /// State of reception, protected by NAPI.
    type Rx: Send;
    /// The object that schedules the NAPI instance.
    type Source: napi::Source;

    /// Sends a packet. Bottom halves are off: must not sleep.
    fn start_xmit(&self, queue: &TxQueue<'_>, tx: &mut Self::Tx, skb: SkBuff) -> Xmit;

    /// Completes transmissions and receives packets. Softirq context: must not sleep.
    fn poll(&self, cx: &napi::Context<'_>, rx: &mut Self::Rx, tx: &TxLock<'_, Self::Tx>) -> Polled;

    /// Completes transmissions for a sender that cannot wait (netpoll), perhaps while
    /// [`poll`](Self::poll) runs on another CPU. Any context, hardirq included: must not sleep.
    fn poll_tx(&self, tx: &mut TxGuard<'_, Self::Tx>);

    /// Checks on packets in flight: one period after a packet was sent or the interface came up,
    /// and again each period until it returns `false`. Does not run while the interface is down or
    /// paused; `restarted` tells whether it was since the last call. Softirq context: must not
    /// sleep.
    fn watchdog(&self, tx: &mut TxGuard<'_, Self::Tx>, restarted: bool) -> bool;

    /// Adds the driver's own counts. May run at any time, concurrently with every other callback.
    fn get_stats64(&self, stats: &mut Stats64);

    /// Returns the sizes of the rings. Process context with RTNL.
    fn rings(&self) -> Rings;

    /// Calls `f` with the number and the value of each of the [`COUNTERS`](Self::COUNTERS). Process
    /// context with RTNL.
    fn counters(&self, f: &mut dyn FnMut(usize, u64));
}

/// Settings of a network device before it is registered.
pub(crate) struct Settings {
    /// MTU to begin with, in bytes.
    pub(crate) mtu: u32,
    /// Smallest MTU that may be set.
    pub(crate) min_mtu: u32,
    /// Largest MTU that may be set.
    pub(crate) max_mtu: u32,
}

/// A network device.
///
/// There are no counted references: `unregister_netdev()` would wait for one for ever.
///
/// # Invariants
///
/// An instance represents an allocated `struct net_device`.
#[repr(transparent)]
pub(crate) struct Device(Opaque<bindings::net_device>);

// SAFETY: The methods are synchronized by the network core.
unsafe impl Sync for Device {}

impl Device {
    /// Borrows a network device.
    ///
    /// # Safety
    ///
    /// `ptr` must be an allocated network device for all of `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::net_device) -> &'a Self {
        // SAFETY: By the safety requirements, `ptr` is valid for `'a`; the type is a transparent
        // wrapper.
        // INVARIANT: By the safety requirements, the device is allocated.
        unsafe { &*ptr.cast() }
    }

    /// Returns the C object.
    pub(crate) fn as_raw(&self) -> *mut bindings::net_device {
        self.0.get()
    }

    /// Sets the carrier on. Any context.
    pub(crate) fn carrier_on(&self) {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::netif_carrier_on(self.as_raw()) }
    }

    /// Sets the carrier off. Any context.
    pub(crate) fn carrier_off(&self) {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::netif_carrier_off(self.as_raw()) }
    }
}

/// The transmit queue, with its lock held by this CPU.
///
/// # Invariants
///
/// The lock is held as long as the value exists.
pub(crate) struct TxQueue<'a>(&'a Device, NotThreadSafe);

assert_not_send!(TxQueue<'static>, &'static TxQueue<'static>);

impl<'a> TxQueue<'a> {
    /// Describes the transmit queue of a device.
    ///
    /// # Safety
    ///
    /// The lock of the queue must be held as long as the value exists.
    #[inline]
    unsafe fn new(dev: &'a Device) -> Self {
        // INVARIANT: By the safety requirements, the lock is held.
        Self(dev, NotThreadSafe)
    }

    /// Returns the network device.
    #[inline]
    pub(crate) fn dev(&self) -> &Device {
        self.0
    }

    /// Stops the queue: the stack sends no more packets.
    #[inline]
    pub(crate) fn stop(&self) {
        // SAFETY: By the invariant of `Device`, it is allocated, and so has a transmit queue.
        unsafe { bindings::helper_netif_stop_queue(self.0.as_raw()) }
    }

    /// Wakes the queue: the stack sends packets again.
    #[inline]
    pub(crate) fn wake(&self) {
        // SAFETY: By the invariant of `Device`, it is allocated, and so has a transmit queue.
        unsafe { bindings::helper_netif_wake_queue(self.0.as_raw()) }
    }

    /// Returns whether the driver stopped the queue.
    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        // SAFETY: By the invariant of `Device`, it is allocated, and so has a transmit queue.
        unsafe { bindings::helper_netif_queue_stopped(self.0.as_raw()) }
    }

    /// Returns whether the driver or the byte queue limits stopped the queue.
    #[inline]
    pub(crate) fn is_halted(&self) -> bool {
        // SAFETY: By the invariant of `Device`, it is allocated, and so has a transmit queue.
        unsafe { bindings::helper_netif_xmit_stopped(self.0.as_raw()) }
    }

    /// Returns whether another packet follows at once. Only of use in `start_xmit`.
    #[inline]
    pub(crate) fn xmit_more(&self) -> bool {
        // SAFETY: By the type invariant, the lock is held, for which bottom halves are off.
        unsafe { bindings::helper_netdev_xmit_more() }
    }

    /// Resets the byte queue limits, so that bytes in flight no longer stop the queue.
    pub(crate) fn reset_byte_limits(&self) {
        // SAFETY: By the type invariants, the device is valid, and the lock of its queue is held.
        unsafe { bindings::helper_netdev_tx_reset_queue(self.0.as_raw()) }
    }

    /// Counts packets of `bytes` bytes in total as completed, for the byte queue limits. Bytes that
    /// were not counted as sent are left out.
    #[inline]
    pub(crate) fn completed(&self, packets: u32, bytes: u32) {
        // SAFETY: By the type invariants, the device is valid, and the lock of its queue is held.
        unsafe { bindings::helper_netdev_completed_queue(self.0.as_raw(), packets, bytes) }
    }
}

/// The state of transmission, not locked. It stays on the CPU, where bottom halves are off.
pub(crate) struct TxLock<'a, T> {
    dev: &'a Device,
    tx: &'a UnsafeCell<T>,
}

impl<'a, T> TxLock<'a, T> {
    /// Takes the lock of the transmit queue. Softirq context, as the lifetime of `self` proves.
    #[inline]
    pub(crate) fn lock(&self) -> TxGuard<'a, T> {
        // SAFETY: By its invariant, `dev` is allocated, with a queue. This is softirq context.
        unsafe { bindings::helper_netif_tx_lock(self.dev.as_raw()) };
        // SAFETY: The lock was just taken.
        unsafe { TxGuard::new(self.dev, self.tx) }
    }

    /// Tries to take the lock of the transmit queue. In hardirq context, the interrupted code may
    /// hold it.
    ///
    /// # Safety
    ///
    /// Bottom halves or interrupts must be off.
    unsafe fn try_lock(&self) -> Option<TxGuard<'a, T>> {
        // SAFETY: By its invariant, `dev` is allocated, with a queue; the rest is required above.
        if !unsafe { bindings::helper_netif_tx_trylock(self.dev.as_raw()) } {
            return None;
        }
        // SAFETY: The lock was just taken.
        Some(unsafe { TxGuard::new(self.dev, self.tx) })
    }
}

assert_not_send!(TxLock<'static, ()>, &'static TxLock<'static, ()>);

/// The state of transmission, locked by this CPU.
pub(crate) struct TxGuard<'a, T> {
    queue: TxQueue<'a>,
    tx: &'a mut T,
}

assert_not_send!(TxGuard<'static, ()>, &'static TxGuard<'static, ()>);

impl<'a, T> TxGuard<'a, T> {
    /// Describes the locked state.
    ///
    /// # Safety
    ///
    /// The lock of the device's transmit queue must be held and protect `tx`, and passes to the
    /// guard.
    #[inline]
    unsafe fn new(dev: &'a Device, tx: &'a UnsafeCell<T>) -> Self {
        Self {
            // SAFETY: By the safety requirements, the lock is held until the guard is dropped.
            queue: unsafe { TxQueue::new(dev) },
            // SAFETY: By the safety requirements, nothing else uses the state.
            tx: unsafe { &mut *tx.get() },
        }
    }

    /// Returns the queue and the state of transmission.
    #[inline]
    pub(crate) fn parts(&mut self) -> (&TxQueue<'a>, &mut T) {
        (&self.queue, self.tx)
    }
}

impl<T> Deref for TxGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.tx
    }
}

impl<T> DerefMut for TxGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.tx
    }
}

impl<T> Drop for TxGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: By the invariant of `queue`, the lock is held.
        unsafe { bindings::helper_netif_tx_unlock(self.queue.0.as_raw()) }
    }
}

/// The state of a driver.
pub(crate) struct Parts<O: NetdevOperations> {
    /// Shared by all callbacks.
    pub(crate) ops: O,
    /// See [`NetdevOperations::Rx`].
    pub(crate) rx: UnsafeCell<O::Rx>,
    /// See [`NetdevOperations::Tx`].
    pub(crate) tx: UnsafeCell<O::Tx>,
}

/// The private data of a network device.
#[repr(C)]
pub(super) struct Private<O: NetdevOperations> {
    prefix: O::Prefix,
    pub(super) napi: Opaque<bindings::napi_struct>,
    pub(super) source: SetOnce<O::Source>,
    /// Whether the interface is up and not paused: the NAPI instance and the watchdog are enabled.
    /// Changed with RTNL held.
    active: AtomicFlag,
    pub(super) watchdog: Watchdog,
    pub(super) repoll: Repoll,
    pub(super) parts: core::mem::MaybeUninit<Parts<O>>,
}

impl<O: NetdevOperations> Private<O> {
    /// Returns a pointer to the private data of `dev`, if that is of this type.
    #[inline]
    pub(super) const fn of(dev: *mut bindings::net_device) -> *mut Self {
        dev.wrapping_byte_add(bindings::HELPER_NETDEV_PRIV as usize)
            .cast()
    }
}

/// The C callbacks for `O`.
///
/// All of them are called with a device whose private data is a `Private<O>` with its parts
/// initialized, since a device is registered last and unregistered first.
pub(super) struct Callbacks<O: NetdevOperations>(PhantomData<O>);

impl<O: NetdevOperations> Callbacks<O> {
    pub(super) const OPS: bindings::net_device_ops = bindings::net_device_ops {
        ndo_open: Some(Self::open),
        ndo_stop: Some(Self::stop),
        ndo_start_xmit: Some(Self::start_xmit),
        ndo_get_stats64: Some(Self::get_stats64),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// `dev` must be a device as described at [`Callbacks`], for all of `'a`.
    pub(super) unsafe fn borrow<'a>(
        dev: *mut bindings::net_device,
    ) -> (&'a Device, &'a Napi, &'a Parts<O>) {
        let private = Private::<O>::of(dev);
        // SAFETY: By the safety requirements, the private data is of this type.
        let napi = unsafe { &raw mut (*private).napi };
        // SAFETY: The instance was added to `dev` when that was allocated.
        let napi = unsafe { Napi::from_raw(napi.cast()) };
        // SAFETY: By the safety requirements, the private data is of this type.
        let parts = unsafe { &(*private).parts };
        // SAFETY: By the safety requirements, the parts are initialized.
        let parts = unsafe { parts.assume_init_ref() };
        // SAFETY: By the safety requirements, the device is allocated for all of `'a`.
        let dev = unsafe { Device::from_raw(dev) };
        (dev, napi, parts)
    }

    /// Returns the flag and the watchdog of an active interface, as [`borrow`](Self::borrow) does.
    ///
    /// # Safety
    ///
    /// As for [`borrow`](Self::borrow).
    #[inline]
    unsafe fn activity<'a>(dev: *mut bindings::net_device) -> (&'a AtomicFlag, &'a Watchdog) {
        let private = Private::<O>::of(dev);
        // SAFETY: By the safety requirements, the private data is of this type.
        let active = unsafe { &(*private).active };
        // SAFETY: By the safety requirements, the private data is of this type.
        let watchdog = unsafe { &(*private).watchdog };
        (active, watchdog)
    }

    /// Returns the timer that schedules the poll function again, as [`borrow`](Self::borrow) does.
    ///
    /// # Safety
    ///
    /// As for [`borrow`](Self::borrow).
    unsafe fn repoll<'a>(dev: *mut bindings::net_device) -> &'a Repoll {
        // SAFETY: By the safety requirements, the private data is of this type.
        unsafe { &(*Private::<O>::of(dev)).repoll }
    }

    /// Enables polling and the watchdog if they are disabled. Process context: may sleep.
    ///
    /// # Safety
    ///
    /// As for [`borrow`](Self::borrow), and RTNL must be held.
    pub(super) unsafe fn activate(dev: *mut bindings::net_device) {
        // SAFETY: By the safety requirements, `dev` is as described at `Callbacks`.
        let (_, napi, _) = unsafe { Self::borrow(dev) };
        // SAFETY: By the safety requirements, `dev` is as described at `Callbacks`.
        let (active, watchdog) = unsafe { Self::activity(dev) };
        if active.xchg(true, Relaxed) {
            return;
        }
        // SAFETY: By the safety requirements, `dev` is as described at `Callbacks`.
        let repoll = unsafe { Self::repoll(dev) };
        // SAFETY: The instance is disabled, so that the poll function does not run. It lives as
        // long as the device, which is closed first, and that disables the timer.
        unsafe { repoll.enable() };
        // SAFETY: It is enabled here and disabled in `deactivate()` only, in turn by `active`, with
        // RTNL held.
        unsafe { napi.enable() };
        // Without a queueing discipline, packets may be sent already.
        // SAFETY: By the safety requirements, the device is valid and has a transmit queue.
        unsafe { bindings::helper_netif_tx_lock_bh(dev) };
        // SAFETY: The lock was just taken. The device is closed, which disables the watchdog,
        // before its parts are dropped.
        unsafe { watchdog.enable(dev, Self::TICK, O::WATCHDOG_MS) };
        // SAFETY: The lock was taken above.
        unsafe { bindings::helper_netif_tx_unlock_bh(dev) };
        // Interrupts before this were ignored, so poll once.
        napi.schedule();
    }

    /// Disables polling and the watchdog if they are enabled, and waits until neither runs. Process
    /// context: sleeps.
    ///
    /// # Safety
    ///
    /// As for [`activate`](Self::activate).
    pub(super) unsafe fn deactivate(dev: *mut bindings::net_device) {
        // SAFETY: By the safety requirements, `dev` is as described at `Callbacks`.
        let (_, napi, _) = unsafe { Self::borrow(dev) };
        // SAFETY: By the safety requirements, `dev` is as described at `Callbacks`.
        let (active, watchdog) = unsafe { Self::activity(dev) };
        if active.xchg(false, Relaxed) {
            // The poll function, which starts the timer to run again, does not run any more.
            // SAFETY: It is enabled in `activate()` and disabled here only, in turn by `active`,
            // with RTNL held.
            unsafe { napi.disable() };
            // SAFETY: By the safety requirements, `dev` is as described at `Callbacks`.
            unsafe { Self::repoll(dev) }.disable();
            watchdog.disable();
        }
    }

    extern "C" fn open(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: `dev` is as described at `Callbacks`, and the network core holds RTNL.
        unsafe { Self::activate(dev) };
        0
    }

    extern "C" fn stop(dev: *mut bindings::net_device) -> c_int {
        // The device may be paused.
        // SAFETY: `dev` is as described at `Callbacks`, and the network core holds RTNL.
        unsafe { Self::deactivate(dev) };
        0
    }

    extern "C" fn start_xmit(
        skb: *mut bindings::sk_buff,
        dev: *mut bindings::net_device,
    ) -> bindings::netdev_tx_t {
        // SAFETY: `dev` is as described at `Callbacks`.
        let (_, watchdog) = unsafe { Self::activity(dev) };
        // SAFETY: `dev` is as described at `Callbacks`.
        let (dev, _, parts) = unsafe { Self::borrow(dev) };
        let Some(skb) = core::ptr::NonNull::new(skb) else {
            return bindings::netdev_tx::OK;
        };
        // SAFETY: The network core passes a valid socket buffer to us, with a reference. Who has
        // another one, such as pktgen, does not use the buffer meanwhile; here it is only read.
        let skb = unsafe { SkBuff::from_raw(skb) };
        // SAFETY: The network core holds the lock of the transmit queue, which protects this
        // state.
        let tx = unsafe { &mut *parts.tx.get() };
        // SAFETY: The network core holds the lock of the transmit queue until this function
        // returns.
        let queue = unsafe { TxQueue::new(dev) };
        watchdog.arm(&queue, O::WATCHDOG_MS);
        match parts.ops.start_xmit(&queue, tx, skb) {
            Xmit::Ok => bindings::netdev_tx::OK,
            Xmit::Busy(skb) => {
                skb.into_raw();
                bindings::netdev_tx::BUSY
            }
        }
    }

    /// The poll function of the device's NAPI instance.
    pub(super) extern "C" fn poll(napi: *mut bindings::napi_struct, budget: c_int) -> c_int {
        // SAFETY: The network core calls with a valid instance.
        let dev = unsafe { (*napi).dev };
        // SAFETY: The instance is enabled only while `dev` is open, so that it is as described at
        // `Callbacks`.
        let (dev, instance, parts) = unsafe { Self::borrow(dev) };
        let tx = TxLock { dev, tx: &parts.tx };
        let Some(budget) = u32::try_from(budget).ok().and_then(NonZeroU32::new) else {
            // netpoll does not own the instance's state: another run may be under way.
            // SAFETY: netpoll polls with interrupts off.
            if let Some(mut tx) = unsafe { tx.try_lock() } {
                parts.ops.poll_tx(&mut tx);
            }
            return 0;
        };
        // SAFETY: `dev` is open, so that it is as described at `Callbacks`.
        let repoll = unsafe { Self::repoll(dev.as_raw()) };
        // SAFETY: This is the poll function of `instance`, with a budget. The device has the
        // statistics, see `AllocatedNetdev::new()`.
        let cx = unsafe { napi::Context::new(instance, dev, budget, repoll.take_is_over()) };
        // SAFETY: NAPI calls with a budget only while it owns the instance's state, so that no
        // other such run is under way, and only those use this state.
        let rx = unsafe { &mut *parts.rx.get() };
        let polled = parts.ops.poll(&cx, rx, &tx);
        let budget = budget.get();
        if let Polled::Later(_) = polled {
            repoll.start();
        }
        match polled {
            Polled::Done(done) | Polled::Later(done) if done < budget => {
                let done = done as c_int;
                // SAFETY: We are in the poll function of `napi`, which ends without a further
                // use of the state. If it was scheduled meanwhile, it runs again.
                unsafe { bindings::napi_complete_done(napi, done) };
                done
            }
            _ => budget as c_int,
        }
    }

    /// The function of the watchdog's timer.
    pub(super) const TICK: Tick = Self::tick;

    /// # Safety
    ///
    /// `timer` must be that of the watchdog of a device as described at [`Callbacks`].
    unsafe extern "C" fn tick(timer: *mut bindings::timer_list) {
        // SAFETY: By the safety requirements, the timer is that of a watchdog.
        let watchdog = unsafe { Watchdog::of(timer) };
        // SAFETY: By the safety requirements, the watchdog is in private data of this type.
        let private = unsafe { container_of!(watchdog, Private<O>, watchdog) };
        // SAFETY: The private data is valid as long as the watchdog is enabled.
        let napi = unsafe { (*private).napi.get() };
        // SAFETY: The instance was added to the device when that was allocated.
        let dev = unsafe { (*napi).dev };
        // SAFETY: By the safety requirements, `dev` is as described at `Callbacks`.
        let (_, watchdog) = unsafe { Self::activity(dev) };
        // SAFETY: By the safety requirements, `dev` is as described at `Callbacks`.
        let (dev, _, parts) = unsafe { Self::borrow(dev) };
        // A timer's function runs in softirq context.
        let mut tx = TxLock { dev, tx: &parts.tx }.lock();
        let again = parts.ops.watchdog(&mut tx, watchdog.take_restarted());
        watchdog.ticked(&tx.queue, again, O::WATCHDOG_MS);
    }

    extern "C" fn get_stats64(dev: *mut bindings::net_device, stats: *mut Stats64) {
        // SAFETY: The device has per-CPU statistics of the kind that this function sums up, and
        // the network core passes valid statistics.
        unsafe { bindings::dev_get_tstats64(dev, stats) };
        // SAFETY: `dev` is as described at `Callbacks`.
        let (_, _, parts) = unsafe { Self::borrow(dev) };
        // The statistics may be part of a netlink message, where they are not aligned.
        // SAFETY: The network core passes valid statistics, for us alone.
        let mut sum = unsafe { stats.read_unaligned() };
        parts.ops.get_stats64(&mut sum);
        // SAFETY: The network core passes valid statistics, for us alone.
        unsafe { stats.write_unaligned(sum) };
    }
}
