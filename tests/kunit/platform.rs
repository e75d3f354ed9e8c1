// SPDX-License-Identifier: GPL-2.0

//! The platform: kicks that sleep, suspend and resume; and the driver's own counters, such as that
//! of its polls.

use crate::{
    bindings,
    fake::Fake,
    netdev::DriverNetdev, //
};
use core::ptr::{
    from_ref,
    NonNull, //
};
use kernel::{
    device,
    error::to_result,
    prelude::*, //
};

/// A device of a driver whose remote processors sleep when they are kicked, by its name.
///
/// # Invariants
///
/// The device is registered and bound until the value is dropped.
pub(crate) struct SleepyPlatform(NonNull<bindings::device>);

// SAFETY: A device has no ties to a thread.
unsafe impl Send for SleepyPlatform {}

// SAFETY: Shared references only give the device.
unsafe impl Sync for SleepyPlatform {}

impl SleepyPlatform {
    /// Makes the device and its driver. May sleep.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: The function may be called in process context.
        let dev = unsafe { bindings::caif_kunit_sleepy_platform() };
        // INVARIANT: It is registered and bound, unless NULL is returned.
        NonNull::new(dev).map(Self).ok_or(ENOMEM)
    }

    /// Returns the device.
    pub(crate) fn device(&self) -> &device::Device<device::Bound> {
        // SAFETY: By the type invariant.
        unsafe { device::Device::from_raw(self.0.as_ptr()) }
    }
}

impl Drop for SleepyPlatform {
    fn drop(&mut self) {
        // SAFETY: The device was made by the counterpart of this function.
        unsafe { bindings::caif_kunit_sleepy_platform_put(self.0.as_ptr()) }
    }
}

/// Warns if sleeping is not allowed here, like a function that may sleep.
pub(crate) fn sleeps() {
    // SAFETY: The function only checks.
    unsafe { bindings::caif_kunit_might_sleep() }
}

/// Power events of a device's driver.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sleep {
    /// The machine goes to sleep.
    Suspend,
    /// It wakes up.
    Resume,
    /// It comes back from hibernation.
    Restore,
}

/// Calls the driver of the virtio device of a modem.
pub(crate) fn sleep(fake: &Fake, sleep: Sleep) -> Result {
    let device: &device::Device = (**fake.rproc()).as_ref();
    let which = match sleep {
        Sleep::Suspend => 0,
        Sleep::Resume => 1,
        Sleep::Restore => 2,
    };
    // SAFETY: By the invariant of `Rproc`, its device is valid.
    to_result(unsafe { bindings::caif_kunit_sleep(from_ref(device).cast_mut().cast(), which) })
}

/// Shuts the virtio device of a modem down by its bus, as at a shutdown of the machine.
pub(crate) fn shutdown(fake: &Fake) -> Result {
    let device: &device::Device = (**fake.rproc()).as_ref();
    // SAFETY: By the invariant of `Rproc`, its device is valid.
    to_result(unsafe { bindings::caif_kunit_shutdown(from_ref(device).cast_mut().cast()) })
}

/// Returns the driver's own counter of that name.
pub(crate) fn counter(netdev: DriverNetdev<'_>, name: &CStr) -> Result<u64> {
    let mut value = 0;
    // SAFETY: By its invariant, the device is registered; the name is a string, and there is room
    // for the value.
    to_result(unsafe {
        bindings::caif_kunit_counter(netdev.as_raw(), name.as_char_ptr(), &raw mut value)
    })?;
    Ok(value)
}
