// SPDX-License-Identifier: GPL-2.0

//! MSI-X vectors with their handlers.
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

use crate::abstractions::compat::{
    irq,
    pci::{
        alloc_irq_vectors,
        IrqVectorRegistration, //
    }, //
};
use kernel::{
    device::Bound,
    devres,
    pci,
    prelude::*, //
};

/// MSI-X vectors of a device, with a handler for each.
struct MsiX<H: irq::Handler + Send + 'static> {
    /// Before `vectors`, since the handlers must be gone when those are freed.
    _handlers: KVec<Pin<KBox<irq::Registration<'static, H>>>>,
    _vectors: IrqVectorRegistration<'static>,
}

/// Allocates one vector for each handler, and registers the handlers until the device is unbound,
/// after its driver's data was dropped.
pub(crate) fn handle_msix<H: irq::Handler + Send + 'static, const N: usize>(
    pdev: &pci::Device<Bound>,
    name: &'static CStr,
    handlers: [H; N],
) -> Result {
    // SAFETY: The lifetime stands for the device being bound, and nothing of this outlives that:
    // what is not dropped in this function is owned by the device, which drops it when it is
    // unbound.
    let bound: &'static pci::Device<Bound> =
        unsafe { core::mem::transmute::<&pci::Device<Bound>, &'static pci::Device<Bound>>(pdev) };
    let count = u32::try_from(N)?;
    let vectors = alloc_irq_vectors(bound, count)?;
    let mut registrations = KVec::with_capacity(N, GFP_KERNEL)?;
    for (index, handler) in handlers.into_iter().enumerate() {
        let request: irq::IrqRequest<'_> = vectors.index(index)?.into();
        // SAFETY: The device is bound for as long as the request is used, since nothing of
        // this outlives the binding. The order of the fields of `MsiX`, and of the variables here,
        // keeps the vectors allocated for as long.
        let request = unsafe {
            core::mem::transmute::<irq::IrqRequest<'_>, irq::IrqRequest<'static>>(request)
        };
        let handler = Ok::<H, Error>(handler);
        // SAFETY: The registration is dropped in this function, or by the device.
        let registration =
            unsafe { irq::Registration::new(request, irq::Flags::TRIGGER_NONE, name, handler) };
        registrations.push(KBox::pin_init(registration, GFP_KERNEL)?, GFP_KERNEL)?;
    }
    let all = MsiX {
        _handlers: registrations,
        _vectors: vectors,
    };
    devres::register(pdev.as_ref(), all, GFP_KERNEL)
}
