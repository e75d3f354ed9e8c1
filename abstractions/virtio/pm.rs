// SPDX-License-Identifier: GPL-2.0

//! Sleep of the machine, for virtio drivers whose devices are network devices.
//!
//! The device keeps its queues and buffers while the machine sleeps, and goes on with them
//! afterwards: it is another processor, which may well be awake meanwhile. Only the interface
//! pauses, and the driver sends, receives and notifies nothing until the machine wakes up; what
//! else accesses the device is the concern of its interrupt handlers. The device core calls the
//! driver directly, since the virtio bus leaves sleep to the transports and remoteproc's does
//! nothing for it.
//!
//! After hibernation the memory of the queues may have changed. The driver is told so, and gives
//! the link up.
//!
//! C header: [`include/linux/pm.h`](srctree/include/linux/pm.h)

use super::netdev::{
    Adapter,
    Driver, //
};
use crate::abstractions::{
    bindings,
    net::registration::NetdevRegistration,
    virtio, //
};
use kernel::{
    container_of,
    device,
    prelude::*, //
};

impl<T: Driver> Adapter<T> {
    /// The callbacks of the device core for when the machine falls asleep or wakes up.
    pub(super) const PM: bindings::dev_pm_ops = bindings::dev_pm_ops {
        suspend: Some(Self::suspend_callback),
        resume: Some(Self::resume_callback),
        freeze: Some(Self::suspend_callback),
        thaw: Some(Self::resume_callback),
        poweroff: Some(Self::suspend_callback),
        restore: Some(Self::restore_callback),
        ..pin_init::zeroed()
    };

    /// Runs `f` with the data of a bound device.
    ///
    /// # Safety
    ///
    /// Must be called by the device core with a device of this driver, whose lock is held.
    unsafe fn with_data(
        dev: *mut bindings::device,
        f: impl FnOnce(&NetdevRegistration<T::Netdev<'_>>),
    ) -> c_int {
        // SAFETY: A device of this driver is part of a virtio device.
        let vdev = unsafe { container_of!(dev, bindings::virtio_device, dev) };
        // SAFETY: By the safety requirements, it is a device of this driver, whose lock is held.
        let vdev = unsafe { virtio::Device::<device::CoreInternal<'_>>::from_raw(vdev) };
        let dev: &device::Device<device::CoreInternal<'_>> = vdev.as_ref();
        // SAFETY: The device is bound, so that the probe was successful and stored the data by
        // `set_drvdata()`.
        let data = unsafe { dev.drvdata_borrow::<NetdevRegistration<T::Netdev<'_>>>() };
        f(&data);
        0
    }

    extern "C" fn suspend_callback(dev: *mut bindings::device) -> c_int {
        let suspend = |data: &NetdevRegistration<T::Netdev<'_>>| {
            T::quiesce(data.ops());
            data.pause();
            T::settle(data.ops());
        };
        // SAFETY: The device core calls with a bound device, whose lock it holds.
        unsafe { Self::with_data(dev, suspend) }
    }

    extern "C" fn resume_callback(dev: *mut bindings::device) -> c_int {
        let resume = |data: &NetdevRegistration<T::Netdev<'_>>| {
            T::wake(data.ops());
            data.unpause();
        };
        // SAFETY: The device core calls with a bound device, whose lock it holds.
        unsafe { Self::with_data(dev, resume) }
    }

    extern "C" fn restore_callback(dev: *mut bindings::device) -> c_int {
        let restore = |data: &NetdevRegistration<T::Netdev<'_>>| {
            T::lost(data.ops(), data.device());
            data.unpause();
        };
        // SAFETY: The device core calls with a bound device, whose lock it holds.
        unsafe { Self::with_data(dev, restore) }
    }
}
