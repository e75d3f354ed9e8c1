// SPDX-License-Identifier: GPL-2.0

//! Events of network devices, in all namespaces.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::netdev::{
    Netdev,
    Rtnl, //
};
use crate::abstractions::{
    bindings,
    module::{
        Registered,
        Unregister, //
    }, //
};
use kernel::{
    container_of,
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// An event of a network device.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetdevEvent {
    /// The device was registered, or moved to this namespace.
    Register,
    /// The device went up.
    Up,
    /// The device went down, its carrier changed, or it became the port of another one, such as a
    /// bond, or no longer is. That may be when it is being unregistered.
    State,
    /// The device is about to go down.
    GoingDown,
    /// The hardware type of the device changed.
    Type,
    /// The MTU of the device changed.
    Mtu,
    /// The device is being unregistered, or moves to another namespace.
    Unregister,
}

/// A receiver of events of network devices.
pub(crate) trait Listener: Send + Sync + 'static {
    /// Handles an event. Process context with RTNL: may sleep.
    fn event(&self, event: NetdevEvent, dev: &Netdev, rtnl: &Rtnl<'_>);
}

#[pin_data]
#[repr(C)]
struct Inner<L> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    listener: L,
}

// SAFETY: The registration may end on any thread, and the listener is `Send`.
unsafe impl<L: Listener> Send for Inner<L> {}

// SAFETY: The notifier chain synchronizes the block, and the listener is `Sync`.
unsafe impl<L: Listener> Sync for Inner<L> {}

// SAFETY: Unregistering takes the lock of the chain, with which the listener is called.
unsafe impl<L: Listener> Unregister for Inner<L> {
    fn unregister(&self) {
        // It cannot fail: the block is registered.
        // SAFETY: It was registered when it had been made, and this is called once.
        unsafe { bindings::unregister_netdevice_notifier(self.block.get()) };
    }
}

/// A registered listener. Registering it reports all existing devices to it, and dropping it
/// reports them as gone. Both are for process context without RTNL: they sleep.
pub(crate) struct Notifier<L: Listener>(
    #[expect(dead_code, reason = "dropped")] Registered<Inner<L>>,
);

impl<L: Listener> Notifier<L> {
    /// Registers a listener.
    pub(crate) fn new(listener: L) -> Result<Self> {
        let raw = bindings::notifier_block {
            notifier_call: Some(call::<L>),
            ..pin_init::zeroed()
        };
        let inner = try_pin_init!(Inner {
            block: Opaque::new(raw),
            listener,
            // SAFETY: The object stays where it is until it was unregistered; if this fails,
            // nothing refers to it.
            _: { to_result(unsafe { bindings::register_netdevice_notifier(block.get()) })? },
        }? Error);
        Registered::new(inner).map(Self)
    }
}

/// Passes an event to a listener.
///
/// # Safety
///
/// Must be called by the chain of network devices, with the `block` of an [`Inner`].
unsafe extern "C" fn call<L: Listener>(
    block: *mut bindings::notifier_block,
    action: c_ulong,
    info: *mut c_void,
) -> c_int {
    let event = match u32::try_from(action) {
        Ok(bindings::netdev_cmd_NETDEV_REGISTER) => NetdevEvent::Register,
        Ok(bindings::netdev_cmd_NETDEV_UP) => NetdevEvent::Up,
        Ok(
            bindings::netdev_cmd_NETDEV_DOWN
            | bindings::netdev_cmd_NETDEV_CHANGE
            | bindings::netdev_cmd_NETDEV_CHANGEUPPER,
        ) => NetdevEvent::State,
        Ok(bindings::netdev_cmd_NETDEV_GOING_DOWN) => NetdevEvent::GoingDown,
        Ok(bindings::netdev_cmd_NETDEV_POST_TYPE_CHANGE) => NetdevEvent::Type,
        Ok(bindings::netdev_cmd_NETDEV_CHANGEMTU) => NetdevEvent::Mtu,
        Ok(bindings::netdev_cmd_NETDEV_UNREGISTER) => NetdevEvent::Unregister,
        _ => return NOTIFY_DONE,
    };
    // CAST: `Opaque` is a transparent wrapper.
    let block: *mut Opaque<bindings::notifier_block> = block.cast();
    // SAFETY: By the safety requirements, it is the `block` of an `Inner`.
    let inner = unsafe { container_of!(block, Inner<L>, block) };
    // SAFETY: The object is freed after it was unregistered, by `Registered`, which waits for this
    // function. Only the listener is referred to, to which there are no mutable references.
    let listener = unsafe { &(*inner).listener };
    let info: *mut bindings::netdev_notifier_info = info.cast();
    // SAFETY: By the safety requirements, `info` is what the chain of network devices passes,
    // which begins with this structure.
    let dev = unsafe { (*info).dev };
    // SAFETY: The device is registered, and is not freed before the chain has ended.
    let dev = unsafe { Netdev::from_raw(dev) };
    // SAFETY: The chain is called with RTNL held, for the events above.
    let rtnl = unsafe { Rtnl::assume_held() };
    listener.event(event, dev, &rtnl);
    NOTIFY_DONE
}

/// The result of a listener that does not object.
const NOTIFY_DONE: c_int = bindings::NOTIFY_DONE as c_int;
