// SPDX-License-Identifier: GPL-2.0

//! Network devices of any driver: nothing here touches their private data.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::skbuff::SkBuff;
use crate::abstractions::{
    bindings,
    compat::prelude::*, //
};
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    types::{
        NotThreadSafe,
        Opaque, //
    }, //
};

/// The identity of a network namespace, for comparison only: the namespace may be gone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NetId(*const bindings::net);

// SAFETY: The pointer is compared, never followed.
unsafe impl Send for NetId {}

// SAFETY: The pointer is compared, never followed.
unsafe impl Sync for NetId {}

impl NetId {
    /// Returns the identity of a namespace.
    pub(crate) fn new(net: *const bindings::net) -> Self {
        Self(net)
    }
}

/// Proof that this task holds RTNL.
pub(crate) struct Rtnl<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl Rtnl<'_> {
    /// Describes a context in which RTNL is held.
    ///
    /// # Safety
    ///
    /// This task must hold RTNL as long as the value exists.
    pub(super) unsafe fn assume_held() -> Self {
        Self(PhantomData, NotThreadSafe)
    }

    /// Takes RTNL. Process context: may sleep, for long. A task that has RTNL already waits for
    /// ever.
    pub(crate) fn lock() -> RtnlGuard {
        // SAFETY: `rtnl_lock()` takes a mutex: this is for process context, as documented above.
        unsafe { bindings::rtnl_lock() };
        RtnlGuard(Rtnl(PhantomData, NotThreadSafe))
    }
}

/// RTNL, held until this is dropped.
pub(crate) struct RtnlGuard(Rtnl<'static>);

impl RtnlGuard {
    /// Returns the proof.
    pub(crate) fn rtnl(&self) -> &Rtnl<'static> {
        &self.0
    }
}

impl Drop for RtnlGuard {
    fn drop(&mut self) {
        // SAFETY: `RtnlGuard` is made by `Rtnl::lock()` alone, which took RTNL, and cannot be sent
        // to another task.
        unsafe { bindings::rtnl_unlock() }
    }
}

/// The reason why a packet was not handled, which decides where it is counted.
#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    /// The packet is invalid.
    Error,
    /// The packet is valid, but could not be handled.
    Dropped,
}

/// The room that a device wants around a packet, in bytes.
///
/// # Invariants
///
/// It is below 2^18.
#[derive(Clone, Copy)]
pub(crate) struct Room(u32);

impl Room {
    /// No room.
    // INVARIANT: 0 is below 2^18.
    pub(crate) const NONE: Self = Self(0);

    /// Returns the number of bytes.
    #[inline]
    pub(crate) fn get(self) -> u32 {
        self.0
    }
}

/// The name of a network device at one moment.
pub(crate) struct DeviceName([u8; bindings::IFNAMSIZ as usize]);

impl DeviceName {
    /// Returns the name, which has neither zeroes nor white space.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or(&[])
    }
}

/// A network device.
///
/// # Invariants
///
/// It is allocated, and was registered.
#[repr(transparent)]
pub(crate) struct Netdev(Opaque<bindings::net_device>);

// SAFETY: The methods are synchronized by the network core.
unsafe impl Sync for Netdev {}

impl Netdev {
    /// Borrows a network device.
    ///
    /// # Safety
    ///
    /// `ptr` must be a network device as the type invariant says for all of `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::net_device) -> &'a Self {
        // SAFETY: By the safety requirements, `ptr` is valid for `'a`; the type is a transparent
        // wrapper.
        // INVARIANT: By the safety requirements, the device is allocated, and was registered.
        unsafe { &*ptr.cast() }
    }

    /// Returns the C object.
    pub(super) fn as_raw(&self) -> *mut bindings::net_device {
        self.0.get()
    }

    /// Returns a counted reference. The device cannot end before it is dropped.
    pub(crate) fn hold(&self) -> NetdevRef {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_dev_hold(self.as_raw()) };
        // INVARIANT: The reference was just counted.
        NetdevRef(self.into())
    }

    /// Returns the hardware type, `ARPHRD_*`.
    pub(crate) fn hw_type(&self) -> u16 {
        // SAFETY: By the type invariant, the device is valid; only an address is taken.
        let hw_type = unsafe { &raw const (*self.as_raw()).type_ };
        // SAFETY: By the type invariant, the device is valid; the field may change, as a whole, at
        // any time.
        unsafe { hw_type.read_volatile() }
    }

    /// Returns the number of the device in its namespace.
    pub(crate) fn index(&self) -> u32 {
        // SAFETY: By the type invariant, the device is valid; only an address is taken.
        let index = unsafe { &raw const (*self.as_raw()).ifindex };
        // SAFETY: By the type invariant, the device is valid; the field may change, as a whole, at
        // any time.
        let index = unsafe { index.read_volatile() };
        // CAST: The core assigns positive numbers only.
        index as u32
    }

    /// Returns the name.
    pub(crate) fn name(&self) -> DeviceName {
        let mut name = [0; bindings::IFNAMSIZ as usize];
        // SAFETY: By the type invariant, the device is valid; there is room for a name.
        unsafe { bindings::net_helper_copy_name(self.as_raw(), name.as_mut_ptr().cast()) };
        DeviceName(name)
    }

    /// Returns the size of the largest packet.
    pub(crate) fn mtu(&self) -> u32 {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_mtu(self.as_raw()) }
    }

    /// Returns the namespace.
    pub(crate) fn net(&self) -> NetId {
        // SAFETY: By the type invariant, the device is valid.
        NetId::new(unsafe { bindings::net_helper_dev_net(self.as_raw()) })
    }

    /// Returns whether the device's namespace belongs to the initial user namespace, in which
    /// users have no capabilities by namespaces of their own.
    pub(crate) fn is_of_init_user_ns(&self) -> bool {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_is_of_init_user_ns(self.as_raw()) }
    }

    /// Returns whether the queue by which the device sends a packet can hold packets back: whether
    /// it has a queueing discipline. Any context.
    pub(crate) fn can_wait(&self, skb: &SkBuff) -> bool {
        // SAFETY: By their type invariants, both are valid.
        unsafe { bindings::net_helper_can_wait(self.as_raw(), skb.as_raw()) }
    }

    /// Returns whether the device is up and has a carrier.
    pub(crate) fn works(&self) -> bool {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_netif_works(self.as_raw()) }
    }

    /// Returns how many times the device lost its carrier, which may have come back since.
    pub(crate) fn carrier_losses(&self) -> u32 {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_carrier_losses(self.as_raw()) }
    }

    /// Returns whether this task may change devices of the device's namespace.
    pub(super) fn may_admin(&self) -> bool {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_may_admin(self.as_raw()) }
    }

    /// Returns whether another device, such as a bond, takes all packets that this one receives.
    pub(crate) fn is_port(&self, _rtnl: &Rtnl<'_>) -> bool {
        // SAFETY: By the type invariant, the device is valid; RTNL is held.
        unsafe { bindings::netdev_is_rx_handler_busy(self.as_raw()) }
    }

    /// Returns whether the device takes packets without a check sequence as well,
    /// `IFF_SUPP_NOFCS`.
    #[inline]
    pub(crate) fn supports_nofcs(&self) -> bool {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_supports_nofcs(self.as_raw()) }
    }

    /// Returns the room that the device wants in front of a packet.
    pub(crate) fn headroom(&self) -> Room {
        // SAFETY: By the type invariant, the device is valid.
        // INVARIANT: It is the sum of two fields of 16 bits, rounded up to 16.
        Room(unsafe { bindings::net_helper_headroom(self.as_raw()) })
    }

    /// Returns the room that the device wants behind a packet.
    pub(crate) fn tailroom(&self) -> Room {
        // SAFETY: By the type invariant, the device is valid.
        // INVARIANT: The field has 16 bits.
        Room(unsafe { bindings::net_helper_tailroom(self.as_raw()) })
    }

    /// Sets the room that the device wants in front of a packet and behind it.
    pub(crate) fn set_room(&self, head: u32, tail: u32) {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_set_room(self.as_raw(), head, tail) }
    }

    /// Sets the size of the largest packet.
    pub(crate) fn set_mtu(&self, mtu: u32, _rtnl: &Rtnl<'_>) -> Result {
        // SAFETY: By the type invariant, the device is valid; RTNL is held.
        to_result(unsafe { bindings::net_helper_set_mtu(self.as_raw(), mtu) })
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

    /// Stops the queues that have a queueing discipline: the stack sends no more packets by them.
    /// By one that gets its discipline later it does, until it is stopped. What the device's driver
    /// cannot send of the others it must drop. Any context.
    pub(crate) fn stop_queues(&self) {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_stop_queues(self.as_raw()) }
    }

    /// Wakes the queues: the stack sends packets again. Any context.
    pub(crate) fn wake_queues(&self) {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_wake_queues(self.as_raw()) }
    }

    /// Returns the number of packets that wait for the device, if any do or its queue is stopped;
    /// `i32::MAX` if it is stopped and has no queueing discipline.
    #[inline]
    pub(crate) fn backlog(&self) -> Option<u32> {
        // SAFETY: By the type invariant, the device is valid.
        u32::try_from(unsafe { bindings::net_helper_backlog(self.as_raw()) }).ok()
    }

    /// Returns whether the device is up, has a carrier, and its driver has got all packets that
    /// were sent; if it is above others, their drivers. Any context.
    pub(crate) fn is_drained(&self) -> bool {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_is_drained(self.as_raw()) }
    }

    /// Returns how many packets may wait for the device.
    pub(crate) fn tx_queue_len(&self) -> u32 {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_tx_queue_len(self.as_raw()) }
    }

    /// Returns how many packets can wait for the device, as an upper limit of
    /// [`backlog`](Self::backlog): `i32::MAX` if none do, but the driver takes all.
    pub(crate) fn queue_limit(&self) -> u32 {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_queue_limit(self.as_raw()) }
    }

    /// Unlinks the device from its lower devices.
    pub(crate) fn unlink_lowers(&self, _rtnl: &Rtnl<'_>) {
        // SAFETY: By the type invariant, the device is valid; RTNL is held.
        unsafe { bindings::net_helper_unlink_lowers(self.as_raw()) }
    }

    /// Sends a packet of a protocol, `ETH_P_*`. `ENOBUFS` if the device's queue dropped it. With
    /// interrupts enabled.
    pub(crate) fn transmit(&self, skb: SkBuff, protocol: u16) -> Result {
        // SAFETY: By the type invariant, the device is valid, and the packet passes to the callee.
        to_result(unsafe { bindings::net_helper_xmit(skb.into_raw(), self.as_raw(), protocol) })
    }

    /// Hands a packet of a protocol, `ETH_P_*`, to the stack as received by the device. With bottom
    /// halves off.
    pub(crate) fn receive(&self, skb: SkBuff, protocol: u16) {
        // SAFETY: By the type invariant, the device is valid, and the packet passes to the callee.
        unsafe { bindings::net_helper_receive(skb.into_raw(), self.as_raw(), protocol) }
    }

    /// Counts a packet of `len` bytes as received, if the device has per-CPU counters. With bottom
    /// halves off.
    pub(crate) fn count_rx(&self, len: u32) {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_count_rx(self.as_raw(), len) }
    }

    /// Counts packets of `len` bytes in total as sent, as [`count_rx`](Self::count_rx) does.
    pub(crate) fn count_tx(&self, packets: u32, len: u32) {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { bindings::net_helper_count_tx(self.as_raw(), packets, len) }
    }

    /// Counts a received packet that was invalid or dropped.
    pub(crate) fn count_rx_fault(&self, outcome: Outcome) {
        match outcome {
            // SAFETY: By the type invariant, the device is valid.
            Outcome::Error => unsafe { bindings::net_helper_count_rx_error(self.as_raw()) },
            // SAFETY: By the type invariant, the device is valid.
            Outcome::Dropped => unsafe { bindings::net_helper_count_rx_dropped(self.as_raw()) },
        }
    }

    /// Counts a packet that was not sent.
    pub(crate) fn count_tx_fault(&self, outcome: Outcome) {
        match outcome {
            // SAFETY: By the type invariant, the device is valid.
            Outcome::Error => unsafe { bindings::net_helper_count_tx_error(self.as_raw()) },
            // SAFETY: By the type invariant, the device is valid.
            Outcome::Dropped => unsafe { bindings::net_helper_count_tx_dropped(self.as_raw()) },
        }
    }
}

/// A counted reference to a network device, which cannot end before it is dropped.
///
/// # Invariants
///
/// The reference is counted.
pub(crate) struct NetdevRef(NonNull<Netdev>);

// SAFETY: A reference may be dropped in any task.
unsafe impl Send for NetdevRef {}

// SAFETY: `Netdev` is `Sync`.
unsafe impl Sync for NetdevRef {}

impl Deref for NetdevRef {
    type Target = Netdev;

    fn deref(&self) -> &Netdev {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for NetdevRef {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the reference is counted; it ends here.
        unsafe { bindings::net_helper_dev_put(self.as_raw()) }
    }
}
