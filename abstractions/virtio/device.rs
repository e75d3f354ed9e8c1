// SPDX-License-Identifier: GPL-2.0

//! Abstractions for virtio devices.
//!
//! C header: [`include/linux/virtio.h`](srctree/include/linux/virtio.h)

use crate::abstractions::bindings;
use core::marker::PhantomData;
use kernel::{
    device,
    device_id::RawDeviceId,
    types::Opaque, //
};

/// Abstraction for [`struct virtio_device_id`](srctree/include/linux/device-id/virtio.h).
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(crate) struct DeviceId(bindings::virtio_device_id);

impl DeviceId {
    /// Matches devices of type `device` from any vendor.
    pub(crate) const fn new(device: u32) -> Self {
        Self(bindings::virtio_device_id {
            device,
            vendor: bindings::VIRTIO_DEV_ANY_ID,
        })
    }
}

// SAFETY: `DeviceId` is a `#[repr(transparent)]` wrapper of `virtio_device_id` and does not add
// additional invariants, so it is safe to transmute to `RawType`.
unsafe impl RawDeviceId for DeviceId {
    type RawType = bindings::virtio_device_id;
}

/// [`IdTable`](kernel::device_id::IdTable) type for virtio.
pub(crate) type IdTable = &'static dyn kernel::device_id::IdTable<DeviceId, ()>;

/// A virtio device.
///
/// # Invariants
///
/// An instance represents a valid [`struct virtio_device`](srctree/include/linux/virtio.h) that
/// is registered on the virtio bus.
#[repr(transparent)]
pub(crate) struct Device<Ctx: device::DeviceContext = device::Normal>(
    Opaque<bindings::virtio_device>,
    PhantomData<Ctx>,
);

impl<Ctx: device::DeviceContext> Device<Ctx> {
    /// Borrows a virtio device.
    ///
    /// # Safety
    ///
    /// `ptr` must be a registered virtio device that is in the context `Ctx` for all of `'a`.
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::virtio_device) -> &'a Self {
        // SAFETY: By the safety requirements, `ptr` is valid for `'a`; the type is a transparent
        // wrapper.
        // INVARIANT: By the safety requirements, it is registered on the virtio bus.
        unsafe { &*ptr.cast() }
    }

    /// Returns the C object.
    pub(crate) fn as_raw(&self) -> *mut bindings::virtio_device {
        self.0.get()
    }

    /// Returns whether the feature with number `BIT` was negotiated. One that the driver does not
    /// list never is.
    pub(crate) fn has_feature<const BIT: u32>(&self) -> bool {
        const { assert!(BIT < bindings::VIRTIO_FEATURES_BITS) };
        // SAFETY: `self` is a valid virtio device, and it has that many features.
        unsafe { bindings::helper_virtio_has_feature(self.as_raw(), BIT) }
    }
}

impl Device<device::Core<'_>> {
    /// Withdraws the feature with number `BIT`. Only of use in [`validate`].
    ///
    /// [`validate`]: super::netdev::Driver::validate
    pub(crate) fn clear_feature<const BIT: u32>(&self) {
        const { assert!(BIT < bindings::VIRTIO_FEATURES_BITS) };
        // SAFETY: `self` is a valid virtio device, it has that many features, and the core context
        // means that the device's lock is held, which protects the features.
        unsafe { bindings::helper_virtio_clear_bit(self.as_raw(), BIT) }
    }

    /// Sets the status that tells the device that its driver is ready (`virtio_device_ready()`).
    ///
    /// The status is written and not read, since for some transports the device can write to it
    /// as well.
    pub(super) fn ready(&self) {
        let status = bindings::VIRTIO_CONFIG_S_ACKNOWLEDGE
            | bindings::VIRTIO_CONFIG_S_DRIVER
            | bindings::VIRTIO_CONFIG_S_DRIVER_OK;
        // SAFETY: `self` is a valid virtio device in the course of its probe.
        unsafe { bindings::helper_virtio_set_status(self.as_raw(), status as u8) }
    }

    /// Resets the device: it stops using its queues.
    pub(super) fn reset(&self) {
        // SAFETY: `self` is a valid virtio device, and process context is implied by the core
        // context.
        unsafe { bindings::virtio_reset_device(self.as_raw()) }
    }
}

// SAFETY: `Device` is a transparent wrapper of a type that does not depend on its generic
// argument.
kernel::impl_device_context_deref!(unsafe { Device });

impl<Ctx: device::DeviceContext> AsRef<device::Device<Ctx>> for Device<Ctx> {
    fn as_ref(&self) -> &device::Device<Ctx> {
        // SAFETY: `self` is a valid virtio device, of which `dev` is a part.
        let dev = unsafe { &raw mut (*self.as_raw()).dev };
        // SAFETY: `dev` is valid as long as `self` is, and in the same context.
        unsafe { device::Device::from_raw(dev) }
    }
}

// SAFETY: A virtio device may be released from any thread.
unsafe impl Send for Device {}

// SAFETY: What can be called on a shared reference is synchronized by the virtio core.
unsafe impl Sync for Device {}

// SAFETY: `Device<Normal>` is `Sync`, and `Bound` is a marker that does not affect thread safety.
unsafe impl Sync for Device<device::Bound> {}
