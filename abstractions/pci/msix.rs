// SPDX-License-Identifier: GPL-2.0

//! MSI-X vectors with their handlers.
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

use kernel::{
    device::Bound,
    irq,
    pci,
    prelude::*, //
};

/// MSI-X vectors of a device, with a handler for each.
///
/// Dropping it waits for the handlers that run. A leaked one leaks its handlers with all that
/// they hold, so that nothing dangles.
pub(crate) struct MsiX<'a, H: irq::Handler + Send + 'static> {
    /// Before `vectors`, since the handlers must be gone when those are freed.
    _handlers: KVec<Pin<KBox<irq::Registration<'a, H>>>>,
    _vectors: pci::IrqVectorRegistration<'a>,
}

impl<'a, H: irq::Handler + Send + 'static> MsiX<'a, H> {
    /// Allocates as many vectors as there are handlers, and lets each handler handle the one of
    /// its index.
    pub(crate) fn new<const N: usize>(
        pdev: &'a pci::Device<Bound>,
        name: &'static CStr,
        handlers: [H; N],
    ) -> Result<Self> {
        let count = u32::try_from(N)?;
        let types = pci::IrqTypes::default().with(pci::IrqType::MsiX);
        let vectors = pdev.alloc_irq_vectors(count, count, types)?;
        let mut registrations = KVec::with_capacity(N, GFP_KERNEL)?;
        for (index, handler) in handlers.into_iter().enumerate() {
            let request: irq::IrqRequest<'_> = vectors.index(index)?.into();
            // SAFETY: The lifetime stands for the device being bound, which it is for `'a`. That
            // the vectors stay allocated is seen to by the order of the fields here, and by that
            // of the variables in this function.
            let request = unsafe {
                core::mem::transmute::<irq::IrqRequest<'_>, irq::IrqRequest<'a>>(request)
            };
            let handler = Ok::<H, Error>(handler);
            // SAFETY: Even if it was leaked, handler and registration would be `'static` memory
            // that nobody frees.
            let registration =
                unsafe { irq::Registration::new(request, irq::Flags::TRIGGER_NONE, name, handler) };
            registrations.push(KBox::pin_init(registration, GFP_KERNEL)?, GFP_KERNEL)?;
        }
        Ok(Self {
            _handlers: registrations,
            _vectors: vectors,
        })
    }
}
