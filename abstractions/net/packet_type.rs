// SPDX-License-Identifier: GPL-2.0

//! Handlers of packets of one protocol that a network device receives.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::{
    netdev::{
        Netdev,
        NetdevRef, //
    },
    skbuff::SkBuff, //
};
use crate::abstractions::{
    bindings,
    module::{
        Registered,
        Unregister, //
    }, //
};
use core::ptr::NonNull;
use kernel::{
    container_of,
    prelude::*,
    types::Opaque, //
};

/// A handler of received packets.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Handles a packet, which starts behind the header of the link. In softirq context or with
    /// bottom halves off, inside a read section of RCU; on several CPUs at the same time.
    fn receive(&self, dev: &Netdev, skb: SkBuff);
}

#[pin_data]
#[repr(C)]
struct Inner<H> {
    #[pin]
    packet_type: Opaque<bindings::packet_type>,
    handler: H,
    _dev: NetdevRef,
}

// SAFETY: The registration may end on any thread, and the handler is `Send`.
unsafe impl<H: Handler> Send for Inner<H> {}

// SAFETY: The network core synchronizes the structure, and the handler is `Sync`.
unsafe impl<H: Handler> Sync for Inner<H> {}

// SAFETY: `dev_remove_pack()` waits for the read sections of RCU in which the handler is called.
unsafe impl<H: Handler> Unregister for Inner<H> {
    fn unregister(&self) {
        // SAFETY: It was registered when it had been made, and this is called once.
        unsafe { bindings::dev_remove_pack(self.packet_type.get()) };
    }
}

/// A handler that is registered. Dropping it waits for the handler to end: that is for process
/// context.
pub(crate) struct PacketType<H: Handler>(
    #[expect(dead_code, reason = "dropped")] Registered<Inner<H>>,
);

impl<H: Handler> PacketType<H> {
    /// Registers a handler for a protocol, `ETH_P_*`, of a device. Process context.
    pub(crate) fn new(dev: &Netdev, protocol: u16, handler: H) -> Result<Self> {
        let raw = bindings::packet_type {
            type_: protocol.to_be(),
            dev: dev.as_raw(),
            func: Some(receive::<H>),
            ..pin_init::zeroed()
        };
        let inner = try_pin_init!(Inner {
            packet_type: Opaque::new(raw),
            handler,
            _dev: dev.hold(),
            // SAFETY: The object stays where it is until it was removed, and the device until after
            // that.
            _: { unsafe { bindings::dev_add_pack(packet_type.get()) } },
        }? Error);
        Registered::new(inner).map(Self)
    }
}

/// Handles a packet.
///
/// # Safety
///
/// Must be called by the network core, with the `packet_type` of an [`Inner`].
unsafe extern "C" fn receive<H: Handler>(
    skb: *mut bindings::sk_buff,
    dev: *mut bindings::net_device,
    packet_type: *mut bindings::packet_type,
    _orig_dev: *mut bindings::net_device,
) -> c_int {
    // CAST: `Opaque` is a transparent wrapper.
    let packet_type: *mut Opaque<bindings::packet_type> = packet_type.cast();
    // SAFETY: By the safety requirements, it is the `packet_type` of an `Inner`.
    let inner = unsafe { container_of!(packet_type, Inner<H>, packet_type) };
    // SAFETY: The object is freed after its removal, by `Registered`, which waits for this
    // function. Only the handler is referred to, to which there are no mutable references.
    let handler = unsafe { &(*inner).handler };
    // SAFETY: The device delivers a packet: it is registered until this read section of RCU ends.
    let dev = unsafe { Netdev::from_raw(dev) };
    // SAFETY: The core passes a packet, and with it a reference, which the function may trade for
    // another; and what it has registered.
    let skb = unsafe { bindings::net_helper_take(skb, packet_type.cast()) };
    if let Some(skb) = NonNull::new(skb) {
        // SAFETY: The reference passes to the new object.
        handler.receive(dev, unsafe { SkBuff::from_raw(skb) });
    }
    0
}
