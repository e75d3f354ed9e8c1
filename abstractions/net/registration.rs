// SPDX-License-Identifier: GPL-2.0

//! Ownership of a network device, from its allocation until it is freed.
//!
//! An [`AllocatedNetdev`] becomes a [`NetdevRegistration`] when the driver's state is complete, and
//! that an [`UnregisteredNetdev`] when it is unregistered. Dropping the last frees the driver's
//! state first and the device last.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::{
    device::{
        Callbacks,
        Device,
        NetdevOperations,
        Parts,
        Private,
        Settings, //
    },
    ethtool::EthtoolCallbacks,
    napi::{
        Napi,
        Source,
        SourcePlace, //
    },
    repoll::Repoll,
    watchdog::Watchdog, //
};
use crate::abstractions::bindings;
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    device,
    error::to_result,
    prelude::*,
    sync::SetOnce, //
};

/// Alignment of private data (`NETDEV_ALIGN`).
const NETDEV_ALIGN: usize = 32;

/// A network device that is not registered yet, with a NAPI instance and without the driver's
/// state.
///
/// # Invariants
///
/// `dev` is an allocated and unregistered device whose private data is a `Private<O>` with a NAPI
/// instance that was added to it, and an initialized place for its source.
pub(crate) struct AllocatedNetdev<O: NetdevOperations> {
    dev: NonNull<bindings::net_device>,
    _phantom: PhantomData<O>,
}

impl<O: NetdevOperations> AllocatedNetdev<O> {
    /// Allocates a network device of the device `parent`.
    pub(crate) fn new(parent: &device::Device<device::Bound>) -> Result<Self> {
        const {
            assert!(O::NAME.count_bytes() < bindings::IFNAMSIZ as usize);
            assert!(core::mem::align_of::<Private<O>>() <= NETDEV_ALIGN);
            assert!(!core::mem::needs_drop::<O::Prefix>());
        }
        let size = c_int::try_from(core::mem::size_of::<Private<O>>())?;
        // SAFETY: The name is a C string of a length that is allowed, as checked above: the kernel
        // stops at another. `setup()` is good for any device. The private data that comes with the
        // device is zeroed, which is valid for all fields of `Private`.
        let dev = unsafe {
            bindings::alloc_netdev_mqs(
                size,
                O::NAME.as_char_ptr(),
                bindings::NET_NAME_ENUM as u8,
                Some(Self::setup),
                1,
                1,
            )
        };
        let dev = NonNull::new(dev).ok_or(ENOMEM)?;
        let private = Private::<O>::of(dev.as_ptr());
        // SAFETY: The device was just allocated, with private data of this type.
        let napi = unsafe { (*private).napi.get() };
        // SAFETY: The device is not registered yet, and the instance lives as long as it does.
        unsafe { bindings::helper_netif_napi_add(dev.as_ptr(), napi, Some(Callbacks::<O>::poll)) };
        // SAFETY: The device was just allocated, with private data of this type.
        let watchdog = unsafe { &raw mut (*private).watchdog };
        // SAFETY: The private data is zeroed, and nothing else refers to it yet.
        unsafe { Watchdog::init(watchdog, Callbacks::<O>::TICK) };
        // SAFETY: The device was just allocated, with private data of this type.
        let repoll = unsafe { &raw mut (*private).repoll };
        // SAFETY: The private data is zeroed, and nothing else refers to it yet.
        unsafe { Repoll::init(repoll, napi) };
        // CAST: `device::Device` is a transparent wrapper of `struct device`.
        let parent = core::ptr::from_ref(parent).cast_mut().cast();
        // SAFETY: The device is not registered, so that nothing else accesses it.
        unsafe { (*dev.as_ptr()).dev.parent = parent };
        // SAFETY: The device was just allocated, with private data of this type.
        let source = unsafe { &raw mut (*private).source };
        // SAFETY: The pointer is to a part of the private data, and nothing else refers to it yet.
        unsafe { source.write(SetOnce::new()) };
        // INVARIANT: It was allocated with private data of this type, the NAPI instance was added,
        // and the place for its source written; it is not registered.
        Ok(Self {
            dev,
            _phantom: PhantomData,
        })
    }

    extern "C" fn setup(dev: *mut bindings::net_device) {
        // SAFETY: `alloc_netdev_mqs()` passes the device it is about to return, which nothing else
        // refers to.
        unsafe { bindings::helper_set_offloads(dev) };
        // SAFETY: `alloc_netdev_mqs()` passes the device it is about to return, which nothing else
        // refers to.
        let dev = unsafe { &mut *dev };
        dev.set_pcpu_stat_type(bindings::netdev_stat_type_NETDEV_PCPU_STAT_TSTATS);
        // `alloc_netdev_mqs()` makes the queues next: the type decides on the class of their lock,
        // the length on whether they have a queueing discipline.
        dev.type_ = O::HW_TYPE;
        dev.flags = O::FLAGS;
        dev.tx_queue_len = O::TX_QUEUE_LEN;
    }

    /// Returns the place for the source of the NAPI instance. The instance is disabled, so that
    /// scheduling it has no effect yet.
    ///
    /// # Safety
    ///
    /// The device, and what this becomes, must be dropped before `'a` ends, and the source must not
    /// be used afterwards.
    pub(crate) unsafe fn source_place<'a>(&self) -> SourcePlace<'a, O::Source> {
        let private = Private::<O>::of(self.dev.as_ptr());
        // SAFETY: By the type invariant, the private data is of this type.
        let napi = unsafe { (*private).napi.get() };
        // SAFETY: The instance was added to the device and lives as long as it does.
        let napi = unsafe { Napi::from_raw(napi) };
        // SAFETY: By the type invariant, the place is initialized, and only shared references to it
        // are made before the device is dropped.
        let place = unsafe { &(*private).source };
        // SAFETY: Dropping the device ends the source, drops it and then frees the instance, by the
        // safety requirements before `'a` ends.
        unsafe { SourcePlace::new(napi, place) }
    }

    /// Adds the driver's state and registers the device, without a carrier. `ready` runs before
    /// the interface can go up. Process context without RTNL: sleeps.
    ///
    /// # Safety
    ///
    /// The registration must be dropped before anything ends that `O` borrows.
    pub(crate) unsafe fn register(
        self,
        settings: Settings,
        parts: Parts<O>,
        ready: impl FnOnce(),
    ) -> Result<NetdevRegistration<O>> {
        let dev = self.dev.as_ptr();
        let private = Private::<O>::of(dev);
        // SAFETY: By the type invariant, the private data is of this type. Nothing uses the parts
        // before the device is registered.
        unsafe { (*private).parts.write(parts) };
        // INVARIANT: The parts are initialized now.
        let unregistered = UnregisteredNetdev {
            dev: ManuallyDrop::new(self).dev,
            _phantom: PhantomData,
        };
        // SAFETY: The device is valid and not registered, so it is ours alone.
        let raw = unsafe { &mut *dev };
        raw.netdev_ops = &Callbacks::<O>::OPS;
        raw.ethtool_ops = &EthtoolCallbacks::<O>::OPS;
        raw.mtu = settings.mtu;
        raw.min_mtu = settings.min_mtu;
        raw.max_mtu = settings.max_mtu;
        unregistered.device().carrier_off();

        // SAFETY: Process context without RTNL, as documented for the function.
        unsafe { bindings::rtnl_lock() };
        // SAFETY: The device is complete, and RTNL is held.
        let result = to_result(unsafe { bindings::register_netdevice(dev) });
        if result.is_ok() {
            ready();
        }
        // SAFETY: RTNL was taken above.
        unsafe { bindings::rtnl_unlock() };
        result?;
        // INVARIANT: The device is registered.
        Ok(NetdevRegistration {
            dev: ManuallyDrop::new(unregistered),
        })
    }
}

/// Ends the source of a device's NAPI instance, if it has one.
///
/// # Safety
///
/// `dev` must have private data of `Private<O>`, with an initialized place for the source.
unsafe fn end_source<O: NetdevOperations>(dev: NonNull<bindings::net_device>) {
    let private = Private::<O>::of(dev.as_ptr());
    // SAFETY: By the safety requirements, the place is initialized; there are only shared
    // references to it.
    let place = unsafe { &(*private).source };
    if let Some(source) = place.as_ref() {
        source.end();
    }
}

/// Drops the source of a device's NAPI instance, if it has one.
///
/// # Safety
///
/// The requirements of [`end_source`] must be met, and the place must not be used any more.
unsafe fn drop_source<O: NetdevOperations>(dev: NonNull<bindings::net_device>) {
    let private = Private::<O>::of(dev.as_ptr());
    // SAFETY: By the safety requirements, the private data is of this type.
    let source = unsafe { &raw mut (*private).source };
    // SAFETY: By the safety requirements, the place is initialized and not used any more.
    unsafe { source.drop_in_place() };
}

impl<O: NetdevOperations> Drop for AllocatedNetdev<O> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the private data is of this type, with a place for the
        // source.
        unsafe { end_source::<O>(self.dev) };
        // SAFETY: By the type invariant, the place is initialized; the device is freed next, so
        // that it is not used again.
        unsafe { drop_source::<O>(self.dev) };
        // SAFETY: By the type invariant, the device is not registered and ours.
        unsafe { bindings::free_netdev(self.dev.as_ptr()) }
    }
}

/// A network device that is not registered, with the driver's state.
///
/// # Invariants
///
/// The device is as for [`AllocatedNetdev`], and the parts of the private data are initialized.
pub(crate) struct UnregisteredNetdev<O: NetdevOperations> {
    dev: NonNull<bindings::net_device>,
    _phantom: PhantomData<O>,
}

impl<O: NetdevOperations> UnregisteredNetdev<O> {
    fn device(&self) -> &Device {
        // SAFETY: By the type invariant, the device is valid for as long as `self`.
        unsafe { Device::from_raw(self.dev.as_ptr()) }
    }

    fn parts(&self) -> NonNull<Parts<O>> {
        let private = Private::<O>::of(self.dev.as_ptr());
        // SAFETY: By the type invariant, the private data is of this type.
        let parts = unsafe { &raw mut (*private).parts };
        // SAFETY: A part of the private data is not at NULL.
        unsafe { NonNull::new_unchecked(parts.cast()) }
    }
}

impl<O: NetdevOperations> Drop for UnregisteredNetdev<O> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the private data is of this type, with a place for the
        // source.
        unsafe { end_source::<O>(self.dev) };
        // SAFETY: By the type invariant, the parts are initialized, and no callback can come to
        // use them again.
        unsafe { self.parts().drop_in_place() };
        // The parts may have used it.
        // SAFETY: By the type invariant, the place is initialized; the device is freed next, so
        // that it is not used again.
        unsafe { drop_source::<O>(self.dev) };
        // SAFETY: By the type invariant, the device is not registered and ours.
        unsafe { bindings::free_netdev(self.dev.as_ptr()) }
    }
}

/// A registered network device.
///
/// # Invariants
///
/// The device is registered.
pub(crate) struct NetdevRegistration<O: NetdevOperations> {
    dev: ManuallyDrop<UnregisteredNetdev<O>>,
}

// SAFETY: Registering and unregistering can happen on different threads, and the state is `Send`.
unsafe impl<O: NetdevOperations> Send for NetdevRegistration<O> {}

// SAFETY: Only `ops`, which is `Sync`, can be reached by a shared reference.
unsafe impl<O: NetdevOperations> Sync for NetdevRegistration<O> {}

// The state is pinned, but in the private data of the network device.
impl<O: NetdevOperations> Unpin for NetdevRegistration<O> {}

impl<O: NetdevOperations> NetdevRegistration<O> {
    /// Returns the network device.
    pub(crate) fn device(&self) -> &Device {
        self.dev.device()
    }

    /// Returns the shared part of the driver's state.
    pub(crate) fn ops(&self) -> &O {
        // SAFETY: The parts are initialized and live as long as `self`.
        unsafe { &self.dev.parts().as_ref().ops }
    }

    /// Runs `f` with RTNL held. Process context without RTNL: sleeps.
    fn with_rtnl(&self, f: impl FnOnce(*mut bindings::net_device)) {
        // SAFETY: Process context without RTNL, as documented for the function.
        unsafe { bindings::rtnl_lock() };
        f(self.device().as_raw());
        // SAFETY: RTNL was taken above.
        unsafe { bindings::rtnl_unlock() };
    }

    /// Pauses and closes the interface, for a machine that shuts down. It cannot be opened again.
    /// Process context without RTNL: sleeps.
    pub(crate) fn shut(&self) {
        self.pause();
        self.with_rtnl(|dev| {
            // SAFETY: By the type invariant, the device is registered; RTNL is held.
            unsafe { bindings::dev_close(dev) };
        });
    }

    /// Disables polling and the watchdog, and detaches the device, so that the stack does not send;
    /// the interface stays up. No callback sends, completes or receives packets after this returns.
    /// Process context without RTNL: sleeps.
    pub(crate) fn pause(&self) {
        self.with_rtnl(|dev| {
            // NAPI and the watchdog can wake the queue, so they are disabled first; a transmission
            // holds the lock that the detach takes.
            // SAFETY: By the type invariant, the device is registered; RTNL is held.
            unsafe { Callbacks::<O>::deactivate(dev) };
            // SAFETY: By the type invariant, the device is registered; RTNL is held.
            unsafe { bindings::helper_netif_device_detach(dev) };
        });
    }

    /// Undoes [`pause`](Self::pause), if that was done. Process context without RTNL: sleeps.
    pub(crate) fn unpause(&self) {
        self.with_rtnl(|dev| {
            // SAFETY: By the type invariant, the device is registered; RTNL is held.
            if unsafe { bindings::helper_netif_running(dev) } {
                // It may not be paused, and then this does nothing.
                // SAFETY: By the type invariant, the device is registered; RTNL is held.
                unsafe { Callbacks::<O>::activate(dev) };
            }
            // SAFETY: By the type invariant, the device is registered; RTNL is held.
            unsafe { bindings::helper_netif_device_attach(dev) };
        });
    }

    /// Unregisters the device: the interface goes down, and no callback runs any more. Process
    /// context without RTNL: sleeps.
    pub(crate) fn unregister(self) -> UnregisteredNetdev<O> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: By the type invariant, the device is registered, and `self` is not used again.
        unsafe { this.stop() }
    }

    /// Unregisters the device.
    ///
    /// # Safety
    ///
    /// `self` must not be used again.
    unsafe fn stop(&mut self) -> UnregisteredNetdev<O> {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::unregister_netdev(self.dev.dev.as_ptr()) };
        // SAFETY: By the safety requirements, this happens once.
        unsafe { ManuallyDrop::take(&mut self.dev) }
    }
}

impl<O: NetdevOperations> Drop for NetdevRegistration<O> {
    fn drop(&mut self) {
        // SAFETY: `self` is being dropped and is not used again.
        drop(unsafe { self.stop() });
    }
}
