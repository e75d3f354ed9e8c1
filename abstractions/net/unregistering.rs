// SPDX-License-Identifier: GPL-2.0

//! Network devices that are unregistered together, so that the grace periods of RCU, which are
//! waited for with RTNL held, are the same for all of them.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::netdev::{
    Netdev,
    Rtnl, //
};
use crate::abstractions::bindings;
use core::{
    marker::PhantomData,
    pin::Pin, //
};
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// Devices that are unregistered when this is dropped. Process context.
///
/// # Invariants
///
/// `list` is an initialized list of devices, and RTNL is held.
#[pin_data(PinnedDrop)]
pub(crate) struct Unregistering<'a> {
    #[pin]
    list: Opaque<kernel::bindings::list_head>,
    _rtnl: PhantomData<&'a Rtnl<'a>>,
}

impl<'a> Unregistering<'a> {
    /// Begins without a device.
    pub(crate) fn new(_rtnl: &'a Rtnl<'_>) -> impl PinInit<Self> {
        // INVARIANT: The list is initialized, and RTNL is held as long as `'a`.
        pin_init!(Self {
            // SAFETY: There is room for a list, which stays where it is.
            list <- Opaque::ffi_init(|list| unsafe { bindings::net_helper_init_list(list) }),
            _rtnl: PhantomData,
        })
    }

    /// Adds a device, unless it is being unregistered already.
    pub(crate) fn add(&self, dev: &Netdev) {
        // SAFETY: By the invariant of `Netdev`, the device is valid; by ours, the list is
        // initialized, and RTNL is held.
        unsafe { bindings::net_helper_unregister(dev.as_raw(), self.list.get()) }
    }
}

#[pinned_drop]
impl PinnedDrop for Unregistering<'_> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant, it is a list of devices, and RTNL is held. No device is
        // freed before RTNL is released.
        unsafe { bindings::unregister_netdevice_many(self.list.get()) }
    }
}
