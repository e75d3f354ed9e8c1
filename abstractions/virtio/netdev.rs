// SPDX-License-Identifier: GPL-2.0

//! A virtio driver whose devices are network devices.
//!
//! The adapter owns the registration of each network device, and so ensures the only safe order of
//! events, whatever the driver does:
//!
//! - Coming up: the network device is allocated, the driver finds its queues and the rest of its
//!   state, the device is registered and the virtio device made ready under one RTNL section,
//!   the driver starts the traffic.
//! - Going down: the driver mutes the interrupts, the network device is unregistered, the virtio
//!   device is reset, the queues end, the driver's state is dropped, the queues and the network
//!   device are freed.
//! - At shutdown: the driver mutes the interrupts, the interface goes down, the driver stops its
//!   work, the virtio device is reset and the remote side is told so.
//!
//! Other buses drop a driver's data after its remove callback; for virtio that would be too late,
//! since the device must be reset, and hence unused, when that callback returns.

use crate::abstractions::{
    bindings,
    net::{
        napi::{
            Source,
            SourcePlace, //
        },
        registration::{
            AllocatedNetdev,
            NetdevRegistration, //
        },
        Device,
        NetdevOperations,
        Parts,
        Settings, //
    },
    virtio, //
};
use core::{
    marker::PhantomData,
    mem::offset_of, //
};
use kernel::{
    device,
    driver,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    types::{
        ForeignOwnable,
        Opaque, //
    }, //
};

/// A driver for virtio devices that are network devices.
pub(crate) trait Driver {
    /// The callbacks and the shared state of a network device.
    type Netdev<'bound>: NetdevOperations + 'bound;

    /// The device types of the driver.
    const ID_TABLE: virtio::IdTable;
    /// The features of the driver, by number. Those of the transport need not be listed.
    const FEATURES: &'static [c_uint];

    /// Withdraws features that the device offers and the driver does not want. Process context.
    fn validate(vdev: &virtio::Device<device::Core<'_>>) -> Result;

    /// Creates the state of a device. Process context: may sleep.
    fn probe<'bound>(setup: Setup<'bound, '_, Self::Netdev<'bound>>) -> Probed<'bound, Self>;

    /// Starts the traffic: the device is ready, and its network device registered. Process context:
    /// may sleep.
    fn start(netdev: &Self::Netdev<'_>, dev: &Device);

    /// Mutes interrupts, before the device is removed or the machine sleeps. Process context: may
    /// sleep.
    fn quiesce(netdev: &Self::Netdev<'_>);

    /// Stops the driver's work after the interface was paused or closed: until [`wake`](Self::wake)
    /// the device is accessed at most by interrupt handlers that began before
    /// [`quiesce`](Self::quiesce), to look for news. Process context: may sleep.
    fn settle(netdev: &Self::Netdev<'_>);

    /// Unmutes interrupts and tells the device to look at its queues, after the machine woke up.
    /// The interface is still paused. Process context: may sleep.
    fn wake(netdev: &Self::Netdev<'_>);

    /// Tells the remote side that the device was reset, because the machine shuts down. Process
    /// context: may sleep.
    fn tell_reset(netdev: &Self::Netdev<'_>);

    /// Gives up the queues, whose contents are lost after hibernation. Process context: may sleep.
    fn lost(netdev: &Self::Netdev<'_>, dev: &Device);

    /// Called after the driver was unregistered and all its devices removed. Process context: may
    /// sleep.
    fn exit();
}

/// Result of [`Driver::probe`].
pub(crate) type Probed<'bound, T> = Result<(Settings, Parts<<T as Driver>::Netdev<'bound>>)>;

/// A virtio device in the course of its probe.
pub(crate) struct Setup<'bound, 'core, O: NetdevOperations> {
    vdev: &'bound virtio::Device<device::Core<'core>>,
    queues: SourcePlace<'bound, O::Source>,
}

impl<'bound, 'core, O: NetdevOperations> Setup<'bound, 'core, O> {
    /// Returns the device.
    pub(crate) fn vdev(&self) -> &'bound virtio::Device<device::Core<'core>> {
        self.vdev
    }

    /// Creates the queues of the device, which the network device owns. They schedule NAPI without
    /// effect until the interface is up. Process context: may sleep.
    pub(crate) fn queues(self, spec: <O::Source as Source>::Spec) -> Result<&'bound O::Source>
    where
        <O::Source as Source>::Spec: 'bound,
    {
        self.queues.fill(spec)
    }
}

/// An adapter for the registration of virtio network drivers.
pub(crate) struct Adapter<T: Driver>(PhantomData<T>);

// SAFETY:
// - `bindings::virtio_driver` is a C type declared as `repr(C)`.
// - `NetdevRegistration<T::Netdev>` is the type of the driver's device private data.
// - `struct virtio_driver` embeds a `struct device_driver`.
// - `DEVICE_DRIVER_OFFSET` is the correct byte offset to the embedded `struct device_driver`.
unsafe impl<T: Driver> driver::DriverLayout for Adapter<T> {
    type DriverType = bindings::virtio_driver;
    type DriverData<'bound> = NetdevRegistration<T::Netdev<'bound>>;
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(Self::DriverType, driver);
}

// SAFETY: A call to `unregister` for a given instance of `DriverType` is guaranteed to be valid if
// a preceding call to `register` has been successful.
unsafe impl<T: Driver> driver::RegistrationOps for Adapter<T> {
    unsafe fn register(
        vdrv: &Opaque<Self::DriverType>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        let drv = vdrv.get();
        // SAFETY: The driver is not registered yet, so it is ours to initialize.
        let raw = unsafe { &mut *drv };
        raw.driver.name = name.as_char_ptr();
        raw.driver.pm = &Self::PM;
        raw.id_table = T::ID_TABLE.as_ptr();
        raw.feature_table = T::FEATURES.as_ptr();
        raw.feature_table_size = c_uint::try_from(T::FEATURES.len())?;
        raw.validate = Some(Self::validate_callback);
        raw.probe = Some(Self::probe_callback);
        raw.remove = Some(Self::remove_callback);
        raw.shutdown = Some(Self::shutdown_callback);
        let driver: *const bindings::device_driver = &raw.driver;
        // Without this, the driver core lets the driver of a parent be unbound first.
        // SAFETY: The driver stays where it is until `unregister`, and is the module's only one.
        to_result(unsafe { bindings::helper_unbind_before_parent(driver) })?;
        // SAFETY: `drv` is a complete driver that stays where it is until `unregister`.
        to_result(unsafe { bindings::__register_virtio_driver(drv, module.as_ptr()) })
            .inspect_err(|_| Self::end())
    }

    unsafe fn unregister(vdrv: &Opaque<Self::DriverType>) {
        // SAFETY: By the safety requirements of the trait, `vdrv` is registered.
        unsafe { bindings::unregister_virtio_driver(vdrv.get()) };
        Self::end();
    }
}

impl<T: Driver> Adapter<T> {
    /// Ends what was begun before the driver was registered, after its last device was removed.
    fn end() {
        // SAFETY: `register` began it, and the driver has no devices any more.
        unsafe { bindings::helper_unbind_before_parent_end() };
        T::exit();
    }

    extern "C" fn validate_callback(vdev: *mut bindings::virtio_device) -> c_int {
        // SAFETY: The virtio core calls with a registered device whose lock is held.
        let vdev = unsafe { virtio::Device::<device::CoreInternal<'_>>::from_raw(vdev) };
        from_result(|| T::validate(vdev).map(|()| 0))
    }

    extern "C" fn probe_callback(vdev: *mut bindings::virtio_device) -> c_int {
        // SAFETY: The virtio core calls with a registered device whose lock is held.
        let vdev = unsafe { virtio::Device::<device::CoreInternal<'_>>::from_raw(vdev) };
        from_result(|| Self::probe(vdev).map(|()| 0))
    }

    fn probe<'bound>(vdev: &'bound virtio::Device<device::CoreInternal<'_>>) -> Result {
        let dev: &device::Device<device::CoreInternal<'_>> = vdev.as_ref();
        let netdev = AllocatedNetdev::<T::Netdev<'bound>>::new(dev)?;
        // SAFETY: The network device is dropped here, or in the remove callback, after the driver's
        // state, which alone has references to the queues. The device is bound until then.
        let queues: SourcePlace<'bound, _> = unsafe { netdev.source_place() };
        let (settings, parts) = T::probe(Setup { vdev, queues })?;
        // SAFETY: The registration is dropped here, or in the remove callback, while the device is
        // bound.
        let registration = unsafe { netdev.register(settings, parts, || vdev.ready()) }?;
        T::start(registration.ops(), registration.device());
        dev.set_drvdata(Ok::<_, Error>(registration))
    }

    extern "C" fn shutdown_callback(vdev: *mut bindings::virtio_device) {
        // SAFETY: The virtio core calls with a registered device whose lock is held.
        let vdev = unsafe { virtio::Device::<device::CoreInternal<'_>>::from_raw(vdev) };
        let dev: &device::Device<device::CoreInternal<'_>> = vdev.as_ref();
        // SAFETY: The device is bound, so that the probe was successful and stored the data by
        // `set_drvdata()`.
        let data = unsafe { dev.drvdata_borrow::<NetdevRegistration<T::Netdev<'_>>>() };
        T::quiesce(data.ops());
        data.shut();
        T::settle(data.ops());
        vdev.reset();
        T::tell_reset(data.ops());
    }

    extern "C" fn remove_callback(vdev: *mut bindings::virtio_device) {
        // SAFETY: The virtio core calls with a registered device whose lock is held.
        let vdev = unsafe { virtio::Device::<device::CoreInternal<'_>>::from_raw(vdev) };
        let dev: &device::Device<device::CoreInternal<'_>> = vdev.as_ref();
        let raw = core::ptr::from_ref(dev).cast_mut().cast();
        // SAFETY: `raw` is a valid device.
        let data = unsafe { bindings::dev_get_drvdata(raw) };
        // The driver core's own hook, which comes later, finds nothing to drop.
        // SAFETY: `raw` is a valid device.
        unsafe { bindings::dev_set_drvdata(raw, core::ptr::null_mut()) };
        if data.is_null() {
            return;
        }
        // SAFETY: The probe was successful and stored the data by `set_drvdata()`.
        let data =
            unsafe { Pin::<KBox<NetdevRegistration<T::Netdev<'_>>>>::from_foreign(data.cast()) };
        T::quiesce(data.ops());
        let unregistered = KBox::into_inner(Pin::into_inner(data)).unregister();
        vdev.reset();
        drop(unregistered);
    }
}

/// Declares a kernel module that exposes a single virtio network driver.
#[macro_export]
macro_rules! module_virtio_netdev_driver {
    ($($f:tt)*) => {
        kernel::module_driver!(<T>, $crate::abstractions::virtio::netdev::Adapter<T>, { $($f)* });
    };
}
