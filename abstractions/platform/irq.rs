// SPDX-License-Identifier: GPL-2.0

//! Interrupts with their handlers.
//!
//! C header: [`include/linux/platform_device.h`](srctree/include/linux/platform_device.h)

use crate::abstractions::compat::irq;
use kernel::{
    device::Bound,
    devres,
    platform,
    prelude::*, //
};

/// Registers a handler of the interrupt of this index until the device is unbound, after its
/// driver's data was dropped.
pub(crate) fn handle_irq<H: irq::Handler + Send + 'static>(
    pdev: &platform::Device<Bound>,
    index: u32,
    name: &'static CStr,
    handler: H,
) -> Result {
    // SAFETY: The lifetime stands for the device being bound, and nothing of this outlives that:
    // what is not dropped in this function is owned by the device, which drops it when it is
    // unbound.
    let bound: &'static platform::Device<Bound> = unsafe {
        core::mem::transmute::<&platform::Device<Bound>, &'static platform::Device<Bound>>(pdev)
    };
    let request = bound.irq_by_index(index)?;
    let handler = Ok::<H, Error>(handler);
    // SAFETY: The registration is dropped in this function, or by the device.
    let registration =
        unsafe { irq::Registration::new(request, irq::Flags::TRIGGER_NONE, name, handler) };
    devres::register(pdev.as_ref(), registration, GFP_KERNEL)
}
