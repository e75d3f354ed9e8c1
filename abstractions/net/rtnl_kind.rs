// SPDX-License-Identifier: GPL-2.0

//! Kinds of virtual network devices, which rtnetlink creates.
//!
//! C header: [`include/net/rtnetlink.h`](srctree/include/net/rtnetlink.h)

use super::{
    netdev::{
        Netdev,
        NetdevRef,
        Outcome,
        Rtnl, //
    },
    skbuff::SkBuff, //
};
use crate::abstractions::{
    bindings,
    module::{
        Registered,
        Unregister, //
    },
    rcu::{
        RcuArc,
        RcuSlot, //
    }, //
};
use core::{
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    }, //
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    error::{
        from_err_ptr,
        from_result,
        to_result, //
    },
    prelude::*,
    sync::rcu,
    types::Opaque, //
};

/// Alignment of private data (`NETDEV_ALIGN`).
const NETDEV_ALIGN: usize = 32;

/// The type of an attribute of `IFLA_INFO_DATA`.
#[derive(Clone, Copy)]
pub(crate) enum Attribute {
    /// No attribute has this number.
    None,
    /// A byte.
    U8,
    /// An integer of 32 bits.
    U32,
}

/// The attributes of a message for a device.
pub(crate) struct Attributes<'a> {
    data: *mut *mut bindings::nlattr,
    kinds: &'static [Attribute],
    _phantom: PhantomData<&'a ()>,
}

impl Attributes<'_> {
    /// Describes the attributes that a callback of the kind `V` was given.
    ///
    /// # Safety
    ///
    /// `data` must be NULL or an array of validated attributes for the policy of `V`, for as long
    /// as the value exists.
    unsafe fn new<V: VirtualNetdev>(data: *mut *mut bindings::nlattr) -> Self {
        Self {
            data,
            kinds: V::ATTRIBUTES,
            _phantom: PhantomData,
        }
    }

    /// Returns the first `N` bytes of an attribute, if it is present and that long.
    fn payload<const N: usize>(&self, number: usize) -> Option<[u8; N]> {
        if number >= self.kinds.len() {
            return None;
        }
        let number = u32::try_from(number).ok()?;
        let len = u32::try_from(N).ok()?;
        // SAFETY: The array is as long as `kinds`, by the policy of the kind.
        let payload = unsafe { bindings::net_helper_attr(self.data, number, len) };
        let payload: NonNull<[u8; N]> = NonNull::new(payload.cast_mut())?.cast();
        // SAFETY: It is valid for as many bytes.
        Some(unsafe { payload.read() })
    }

    /// Returns the value of an attribute of a byte or more.
    pub(crate) fn u8(&self, number: usize) -> Option<u8> {
        self.payload(number).map(u8::from_ne_bytes)
    }

    /// Returns the value of an attribute of four bytes or more.
    pub(crate) fn u32(&self, number: usize) -> Option<u32> {
        self.payload(number).map(u32::from_ne_bytes)
    }
}

/// The part of a message that describes a device.
pub(crate) struct Description<'a>(*mut bindings::sk_buff, PhantomData<&'a ()>);

impl Description<'_> {
    /// Adds an attribute.
    fn put<const N: usize>(&mut self, number: u16, payload: [u8; N]) -> Result {
        let len = c_int::try_from(N)?;
        // SAFETY: The message is valid, and the function checks that there is room.
        to_result(unsafe { bindings::nla_put(self.0, number.into(), len, payload.as_ptr().cast()) })
    }

    /// Adds an attribute of a byte.
    pub(crate) fn put_u8(&mut self, number: u16, value: u8) -> Result {
        self.put(number, value.to_ne_bytes())
    }

    /// Adds an attribute of four bytes.
    pub(crate) fn put_u32(&mut self, number: u16, value: u32) -> Result {
        self.put(number, value.to_ne_bytes())
    }
}

/// A kind of virtual network device, and the state of one such device.
///
/// All but [`transmit`](Self::transmit) run in process context with RTNL held, and may sleep.
pub(crate) trait VirtualNetdev: Send + Sync + Sized + 'static {
    /// Name of the kind, with which names of devices begin by default.
    const KIND: &'static CStr;
    /// Hardware type, `ARPHRD_*`.
    const HW_TYPE: u16;
    /// `IFF_*`.
    const FLAGS: u32;
    /// Packets that the queueing discipline may hold.
    const TX_QUEUE_LEN: u32;
    /// Initial MTU.
    const MTU: u32;
    /// Smallest MTU.
    const MIN_MTU: u32;
    /// Largest MTU.
    const MAX_MTU: u32;
    /// Most segments of a packet that is still to be cut.
    const MAX_SEGMENTS: u32;
    /// Whether IPv6 attaches to a device when that goes up, not when it is registered.
    const IPV6_WHEN_UP: bool;
    /// The attributes of the kind, by number.
    const ATTRIBUTES: &'static [Attribute];

    /// Creates the state of a device, above `lower` if one was given.
    fn create(
        attributes: &Attributes<'_>,
        lower: Option<&Netdev>,
        rtnl: &Rtnl<'_>,
    ) -> Result<RcuArc<Self>>;

    /// Called when the device has been registered.
    fn registered(this: &RcuArc<Self>, dev: &Netdev, rtnl: &Rtnl<'_>) -> Result;

    /// Changes attributes.
    fn change(&self, attributes: &Attributes<'_>) -> Result;

    /// Describes the device, with each attribute of the kind at most once.
    fn describe(&self, description: &mut Description<'_>) -> Result;

    /// Sets the device up.
    fn open(this: &RcuArc<Self>, dev: &Netdev, rtnl: &Rtnl<'_>) -> Result;

    /// Sets the device down.
    fn stop(&self, dev: &Netdev);

    /// Sends a packet, which may be nonlinear, consist of several segments, and still lack its
    /// checksum. With bottom halves off, on several CPUs at the same time.
    fn transmit(&self, dev: &Netdev, skb: SkBuff);

    /// Called when the device is being unregistered, or could not be registered. The core waits
    /// until all counted references to it are dropped.
    fn unregistered(&self, rtnl: &Rtnl<'_>);
}

/// The most transmit queues of a device, all of which are stopped and woken in one go.
const MOST_QUEUES: c_uint = 64;

/// The private data of a device. It is zeroed at first, which makes the places empty.
struct Private<V: VirtualNetdev> {
    state: RcuSlot<V>,
    lower: RcuSlot<NetdevRef>,
    cell: Opaque<bindings::net_gro_cell>,
}

/// The callbacks of the network core and of rtnetlink.
///
/// All of them are called with a device whose private data is a `Private<V>`.
struct Callbacks<V: VirtualNetdev>(PhantomData<V>);

impl<V: VirtualNetdev> Callbacks<V> {
    const OPS: bindings::net_device_ops = bindings::net_device_ops {
        ndo_uninit: Some(Self::uninit),
        ndo_open: Some(Self::open),
        ndo_stop: Some(Self::stop),
        ndo_start_xmit: Some(Self::start_xmit),
        ndo_get_iflink: Some(Self::get_iflink),
        ..pin_init::zeroed()
    };

    /// Returns the private data.
    ///
    /// # Safety
    ///
    /// `dev` must be a device as described at [`Callbacks`], for all of `'a`.
    unsafe fn private<'a>(dev: *const bindings::net_device) -> &'a Private<V> {
        let private: *const Private<V> = dev
            .wrapping_byte_add(bindings::HELPER_NETDEV_PRIV as usize)
            .cast();
        // SAFETY: By the safety requirements, the private data is of this type; only shared
        // references to it are made.
        unsafe { &*private }
    }

    /// Returns the state of a device and the device.
    ///
    /// # Safety
    ///
    /// `dev` must be a device as described at [`Callbacks`], which is registered for all of `'a`.
    unsafe fn state<'a>(dev: *mut bindings::net_device) -> Result<(RcuArc<V>, &'a Netdev)> {
        // SAFETY: By the safety requirements, `dev` is as described at `Callbacks`.
        let private = unsafe { Self::private(dev) };
        // SAFETY: By the safety requirements, the device is registered.
        let dev = unsafe { Netdev::from_raw(dev) };
        Ok((private.state.get().ok_or(ENODEV)?, dev))
    }

    extern "C" fn setup(dev: *mut bindings::net_device) {
        // SAFETY: The network core passes the device it is about to return, which nothing else
        // refers to.
        unsafe { bindings::net_helper_set_lltx(dev) };
        // SAFETY: The network core passes the device it is about to return, which nothing else
        // refers to.
        unsafe { bindings::net_helper_set_offloads(dev, V::MAX_SEGMENTS) };
        // SAFETY: The network core passes the device it is about to return, which nothing else
        // refers to.
        let dev = unsafe { &mut *dev };
        dev.set_pcpu_stat_type(bindings::netdev_stat_type_NETDEV_PCPU_STAT_TSTATS);
        dev.netdev_ops = &Self::OPS;
        dev.type_ = V::HW_TYPE;
        dev.flags = V::FLAGS;
        dev.tx_queue_len = V::TX_QUEUE_LEN;
        dev.mtu = V::MTU;
        dev.min_mtu = V::MIN_MTU;
        dev.max_mtu = V::MAX_MTU;
        dev.needs_free_netdev = true;
        dev.priv_destructor = Some(Self::destroy);
    }

    extern "C" fn destroy(dev: *mut bindings::net_device) {
        // SAFETY: The device is of this kind.
        let private = unsafe { Self::private(dev) };
        drop(private.state.take());
        drop(private.lower.take());
    }

    extern "C" fn newlink(
        dev: *mut bindings::net_device,
        params: *mut bindings::rtnl_newlink_params,
        extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: rtnetlink passes a new device of this kind, and valid parameters.
        let created = unsafe { Self::create(dev, params, extack) };
        if created.is_err() {
            // Unless it was registered, the core frees the device without calling the destructor.
            Self::destroy(dev);
        }
        from_result(|| created.map(|()| 0))
    }

    /// Completes a new device and registers it.
    ///
    /// # Safety
    ///
    /// `dev` must be a new device of this kind and `params` those of its request, with RTNL held.
    unsafe fn create(
        dev: *mut bindings::net_device,
        params: *mut bindings::rtnl_newlink_params,
        extack: *mut bindings::netlink_ext_ack,
    ) -> Result {
        // SAFETY: By the safety requirements, the device is valid.
        if unsafe { (*dev).num_tx_queues } > MOST_QUEUES {
            return Err(EINVAL);
        }
        // SAFETY: By the safety requirements, the parameters are valid, and RTNL is held.
        let lower = from_err_ptr(unsafe { bindings::net_helper_newlink_lower(params) })?;
        // SAFETY: The lower device is registered, and RTNL is held.
        let lower = NonNull::new(lower).map(|lower| unsafe { Netdev::from_raw(lower.as_ptr()) });
        // SAFETY: By the safety requirements, the parameters are valid.
        let data = unsafe { (*params).data };
        // SAFETY: rtnetlink validated the attributes by the policy of this kind.
        let attributes = unsafe { Attributes::new::<V>(data) };
        // SAFETY: RTNL is held.
        let state = V::create(&attributes, lower, &unsafe { Rtnl::assume_held() })?;
        // SAFETY: By the safety requirements, the device is of this kind.
        let private = unsafe { Self::private(dev) };
        // SAFETY: The device is new. The cell stays where it is as long as the device, which frees
        // what it consists of.
        unsafe { bindings::net_gro_cell_init(private.cell.get(), dev) };
        private.state.publish(state.clone());
        if let Some(lower) = lower {
            private
                .lower
                .publish(RcuArc::pin_init(lower.hold(), GFP_KERNEL_ACCOUNT)?);
        }
        // SAFETY: The device is new, and RTNL is held. There is no carrier before `open()`.
        unsafe { bindings::netif_carrier_off(dev) };
        to_result(if V::IPV6_WHEN_UP {
            // SAFETY: The device is complete, and RTNL is held.
            unsafe { bindings::net_helper_register_before_ipv6(dev) }
        } else {
            // SAFETY: The device is complete, and RTNL is held.
            unsafe { bindings::register_netdevice(dev) }
        })?;
        // SAFETY: The device is registered, and RTNL is held.
        let linked = unsafe { Self::link(&state, dev, lower, extack) };
        if linked.is_err() {
            // SAFETY: The device is registered, and RTNL is held. The core frees it once nothing
            // uses it.
            unsafe { bindings::unregister_netdevice_queue(dev, null_mut()) };
        }
        linked
    }

    /// Puts a registered device above another one, and announces it.
    ///
    /// # Safety
    ///
    /// `dev` must be registered and of this kind, and RTNL be held.
    unsafe fn link(
        state: &RcuArc<V>,
        dev: *mut bindings::net_device,
        lower: Option<&Netdev>,
        extack: *mut bindings::netlink_ext_ack,
    ) -> Result {
        if let Some(lower) = lower {
            // SAFETY: Both devices are registered, and RTNL is held.
            to_result(unsafe { bindings::netdev_upper_dev_link(lower.as_raw(), dev, extack) })?;
        }
        // SAFETY: By the safety requirements, the device is registered.
        let dev = unsafe { Netdev::from_raw(dev) };
        // SAFETY: By the safety requirements, RTNL is held.
        V::registered(state, dev, &unsafe { Rtnl::assume_held() })
    }

    extern "C" fn changelink(
        dev: *mut bindings::net_device,
        _tb: *mut *mut bindings::nlattr,
        data: *mut *mut bindings::nlattr,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        from_result(|| {
            // SAFETY: rtnetlink passes a registered device of this kind.
            let private = unsafe { Self::private(dev) };
            // SAFETY: rtnetlink passes a registered device of this kind.
            let (state, _) = unsafe { Self::state(dev) }?;
            // CAP_NET_ADMIN in the device's own namespace, which rtnetlink checked, is not enough
            // if the lower device is in another one.
            if private.lower.get().is_some_and(|lower| !lower.may_admin()) {
                return Err(EPERM);
            }
            // SAFETY: rtnetlink validated the attributes by the policy of this kind.
            state.change(&unsafe { Attributes::new::<V>(data) })?;
            Ok(0)
        })
    }

    extern "C" fn get_size(_dev: *const bindings::net_device) -> usize {
        V::ATTRIBUTES
            .iter()
            .map(|attribute| {
                let len = match attribute {
                    Attribute::None => return 0,
                    Attribute::U8 => 1,
                    Attribute::U32 => 4,
                };
                // SAFETY: The function only adds and rounds up.
                unsafe { bindings::net_helper_nla_total_size(len) }
            })
            .sum()
    }

    extern "C" fn fill_info(
        skb: *mut bindings::sk_buff,
        dev: *const bindings::net_device,
    ) -> c_int {
        from_result(|| {
            // SAFETY: rtnetlink passes a registered device of this kind.
            let (state, _) = unsafe { Self::state(dev.cast_mut()) }?;
            state.describe(&mut Description(skb, PhantomData))?;
            Ok(0)
        })
    }

    extern "C" fn get_link_net(dev: *const bindings::net_device) -> *mut bindings::net {
        // SAFETY: rtnetlink passes a device of this kind.
        let private = unsafe { Self::private(dev) };
        let guard = rcu::read_lock();
        let lower = private.lower.load(&guard).map(|lower| lower.as_raw());
        // SAFETY: Both devices are valid while the guard is held. The lower one does not end before
        // our reference is dropped, nor does its namespace before that of its devices.
        unsafe { bindings::net_helper_dev_net(lower.map_or(dev, |lower| lower.cast_const())) }
    }

    extern "C" fn get_iflink(dev: *const bindings::net_device) -> c_int {
        // SAFETY: The network core passes a device of this kind.
        let private = unsafe { Self::private(dev) };
        let guard = rcu::read_lock();
        let index = match private.lower.load(&guard) {
            Some(lower) => lower.index(),
            // SAFETY: The device is valid.
            None => unsafe { Netdev::from_raw(dev.cast_mut()) }.index(),
        };
        // CAST: It was an `int`.
        index as c_int
    }

    extern "C" fn open(dev: *mut bindings::net_device) -> c_int {
        from_result(|| {
            // SAFETY: The network core passes a registered device of this kind.
            let private = unsafe { Self::private(dev) };
            // SAFETY: The network core passes a registered device of this kind.
            let (state, dev) = unsafe { Self::state(dev) }?;
            // SAFETY: The cell was made when the device was, and is closed when it is down.
            unsafe { bindings::net_gro_cell_open(private.cell.get()) };
            // SAFETY: This is called with RTNL held.
            let opened = V::open(&state, dev, &unsafe { Rtnl::assume_held() });
            if opened.is_err() {
                // SAFETY: The cell was just opened.
                unsafe { bindings::net_gro_cell_close(private.cell.get()) };
            }
            opened?;
            Ok(0)
        })
    }

    extern "C" fn stop(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: The network core passes a registered device of this kind.
        if let Ok((state, dev)) = unsafe { Self::state(dev) } {
            state.stop(dev);
        }
        // SAFETY: The network core passes a registered device of this kind.
        let private = unsafe { Self::private(dev) };
        // SAFETY: The cell was opened when the device was set up.
        unsafe { bindings::net_gro_cell_close(private.cell.get()) };
        0
    }

    extern "C" fn uninit(dev: *mut bindings::net_device) {
        // SAFETY: The network core passes a device of this kind, with RTNL held.
        unsafe { bindings::net_helper_unlink_lowers(dev) };
        // SAFETY: The network core passes a device of this kind.
        let private = unsafe { Self::private(dev) };
        drop(private.lower.take());
        if let Some(state) = private.state.get() {
            // SAFETY: This is called with RTNL held.
            state.unregistered(&unsafe { Rtnl::assume_held() });
        }
    }

    extern "C" fn start_xmit(
        skb: *mut bindings::sk_buff,
        dev: *mut bindings::net_device,
    ) -> bindings::netdev_tx_t {
        // SAFETY: The network core passes a packet, which passes to the callee.
        let skb = unsafe { bindings::net_helper_skb_share_check(skb) };
        // No memory for a clone: its sender keeps a reference, as pktgen does.
        let Some(skb) = NonNull::new(skb) else {
            // SAFETY: The device is registered, while packets are sent by it.
            unsafe { Netdev::from_raw(dev) }.count_tx_fault(Outcome::Dropped);
            return bindings::netdev_tx::OK;
        };
        // SAFETY: The packet passes to us, with the only reference.
        let skb = unsafe { SkBuff::from_raw(skb) };
        // SAFETY: The network core passes a device of this kind.
        let private = unsafe { Self::private(dev) };
        let guard = rcu::read_lock();
        if let Some(state) = private.state.load(&guard) {
            // SAFETY: The device is registered, while packets are sent by it.
            state.transmit(unsafe { Netdev::from_raw(dev) }, skb);
        }
        bindings::netdev_tx::OK
    }
}

#[pin_data]
struct Inner {
    #[pin]
    ops: Opaque<bindings::rtnl_link_ops>,
    policy: KVec<bindings::nla_policy>,
}

// SAFETY: The registration may end on any thread; the pointers are to constants and to `policy`.
unsafe impl Send for Inner {}

// SAFETY: rtnetlink synchronizes the operations, and the policy does not change.
unsafe impl Sync for Inner {}

// SAFETY: Unregistering waits for requests that are under way, and unregisters and frees the
// devices of the kind.
unsafe impl Unregister for Inner {
    fn unregister(&self) {
        // SAFETY: They were registered when they had been made, and this is called once.
        unsafe { bindings::rtnl_link_unregister(self.ops.get()) };
    }
}

/// A kind that is registered with rtnetlink. Dropping it, which is for process context without
/// RTNL, unregisters all devices of the kind.
pub(crate) struct RtnlKind<V: VirtualNetdev>(
    #[expect(dead_code, reason = "dropped")] Registered<Inner>,
    PhantomData<V>,
);

impl<V: VirtualNetdev> RtnlKind<V> {
    /// Registers the kind with rtnetlink. Process context without RTNL.
    pub(crate) fn new() -> Result<Self> {
        const {
            assert!(!V::ATTRIBUTES.is_empty());
            assert!(V::ATTRIBUTES.len() <= 32);
            assert!(core::mem::align_of::<Private<V>>() <= NETDEV_ALIGN);
        }
        let mut policy = KVec::with_capacity(V::ATTRIBUTES.len(), GFP_KERNEL)?;
        for attribute in V::ATTRIBUTES {
            let kind = match attribute {
                Attribute::None => bindings::NLA_REJECT,
                Attribute::U8 => bindings::NLA_U8,
                Attribute::U32 => bindings::NLA_U32,
            };
            policy.push(
                bindings::nla_policy {
                    type_: kind as u8,
                    ..pin_init::zeroed()
                },
                GFP_KERNEL,
            )?;
        }
        let ops = bindings::rtnl_link_ops {
            kind: V::KIND.as_char_ptr(),
            priv_size: core::mem::size_of::<Private<V>>(),
            setup: Some(Callbacks::<V>::setup),
            maxtype: (V::ATTRIBUTES.len() - 1) as c_uint,
            policy: policy.as_ptr(),
            newlink: Some(Callbacks::<V>::newlink),
            changelink: Some(Callbacks::<V>::changelink),
            get_size: Some(Callbacks::<V>::get_size),
            fill_info: Some(Callbacks::<V>::fill_info),
            get_link_net: Some(Callbacks::<V>::get_link_net),
            ..pin_init::zeroed()
        };
        let inner = try_pin_init!(Inner {
            ops: Opaque::new(ops),
            policy,
            // SAFETY: The operations stay where they are until they were unregistered, and with
            // them the policy; if this fails, nothing refers to them.
            _: { to_result(unsafe { bindings::rtnl_link_register(ops.get()) })? },
        }? Error);
        Ok(Self(Registered::new(inner)?, PhantomData))
    }
}
