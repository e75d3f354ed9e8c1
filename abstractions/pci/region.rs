// SPDX-License-Identifier: GPL-2.0

//! What the kernel crate's PCI abstractions lack.
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

use crate::abstractions::{
    bindings,
    memory::Physical, //
};
use core::ptr::from_ref;
use kernel::{
    device::Bound,
    error::to_result,
    irq,
    pci,
    prelude::*,
    sync::aref::ARef, //
};

/// The C structure of a device.
fn as_raw(pdev: &pci::Device) -> *mut bindings::pci_dev {
    // CAST: The type is a transparent wrapper.
    from_ref(pdev).cast_mut().cast()
}

/// A BAR that nobody else can claim: the bare addresses, for one that has RAM behind it.
///
/// # Invariants
///
/// The BAR `num` is claimed for us.
pub struct Region {
    pdev: ARef<pci::Device>,
    num: c_int,
    physical: Physical,
}

impl Region {
    /// Claims the BAR `num`: `ENODEV` if it is not there or not one of memory, `EBUSY` if someone
    /// else has it.
    pub fn claim(pdev: &pci::Device<Bound>, num: u32, name: &'static CStr) -> Result<Self> {
        let len = usize::try_from(pdev.resource_len(num)?)?;
        let start = pdev.resource_start(num)?;
        let raw = as_raw(pdev);
        // SAFETY: The device is valid; only the address of a part of it is taken.
        let resources = unsafe { &raw const (*raw).resource };
        let resources = resources.cast::<bindings::resource>();
        // SAFETY: `resource_len` checked that there is a resource of this number.
        let resource = unsafe { resources.add(num as usize) };
        // SAFETY: As above; the flags do not change while a driver is bound.
        let flags = unsafe { (*resource).flags };
        if len == 0 || flags & bindings::IORESOURCE_MEM as c_ulong == 0 {
            return Err(ENODEV);
        }
        // SAFETY: A memory BAR is device memory, not the kernel's RAM.
        let physical = unsafe { Physical::new(start, len) }?;
        let num = c_int::try_from(num)?;
        // SAFETY: The device is valid, `num` was checked, and the name is static.
        to_result(unsafe { bindings::pci_request_region(raw, num, name.as_char_ptr()) })?;
        // INVARIANT: It was just claimed.
        Ok(Self {
            pdev: pdev.into(),
            num,
            physical,
        })
    }

    /// The addresses.
    pub fn physical(&self) -> Physical {
        self.physical
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the BAR is claimed for us.
        unsafe { bindings::pci_release_region(as_raw(&self.pdev), self.num) };
    }
}

/// MSI-X vectors of a device, with a handler for each.
///
/// Dropping it waits for the handlers that run. A leaked one leaks its handlers with all that
/// they hold, so that nothing dangles.
pub struct MsiX<'a, H: irq::Handler + Send + 'static> {
    /// Before `vectors`, since the handlers must be gone when those are freed.
    _handlers: KVec<Pin<KBox<irq::Registration<'a, H>>>>,
    _vectors: pci::IrqVectorRegistration<'a>,
}

impl<'a, H: irq::Handler + Send + 'static> MsiX<'a, H> {
    /// Allocates as many vectors as there are handlers, and lets each handler handle the one of
    /// its index.
    pub fn new<const N: usize>(
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
