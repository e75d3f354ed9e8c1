// SPDX-License-Identifier: GPL-2.0

//! BARs that have RAM behind them.
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

use crate::abstractions::{
    bindings,
    memory::{
        Claim,
        Physical, //
    }, //
};
use core::ptr::from_ref;
use kernel::{
    device::Bound,
    error::to_result,
    pci,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

/// Returns the C structure of a device.
fn as_raw(pdev: &pci::Device) -> *mut bindings::pci_dev {
    // CAST: The type is a transparent wrapper.
    from_ref(pdev).cast_mut().cast()
}

/// A BAR that is claimed exclusively.
///
/// # Invariants
///
/// The BAR `num` is claimed for us.
pub(crate) struct Region {
    pdev: ARef<pci::Device>,
    num: c_int,
}

impl Region {
    /// Claims the BAR `num`, which has RAM behind it, and returns its addresses, which hold the
    /// claim. `ENODEV` if there is no such memory BAR, `EBUSY` if it is claimed already.
    pub(crate) fn claim(
        pdev: &pci::Device<Bound>,
        num: u32,
        name: &'static CStr,
    ) -> Result<Physical> {
        let len = usize::try_from(pdev.resource_len(num)?)?;
        let start = pdev.resource_start(num)?;
        let raw = as_raw(pdev);
        // SAFETY: `pci::Device` stands for a valid device; only the address of a part of it is
        // taken.
        let resources = unsafe { &raw const (*raw).resource };
        let resources = resources.cast::<bindings::resource>();
        // SAFETY: `resource_len` checked that there is a resource of this number.
        let resource = unsafe { resources.add(num as usize) };
        // SAFETY: `resource_len` found the resource; its flags do not change while a driver is
        // bound.
        let flags = unsafe { (*resource).flags };
        if len == 0 || flags & bindings::IORESOURCE_MEM as c_ulong == 0 {
            return Err(ENODEV);
        }
        let num = c_int::try_from(num)?;
        // SAFETY: `pci::Device` stands for a valid device, `num` was checked, and the name is
        // static.
        to_result(unsafe { bindings::pci_request_region(raw, num, name.as_char_ptr()) })?;
        // INVARIANT: It was just claimed.
        let region = Self {
            pdev: pdev.into(),
            num,
        };
        // SAFETY: A memory BAR is device memory, not the kernel's RAM.
        unsafe { Physical::new(start, len, Arc::new(region, GFP_KERNEL)?) }
    }
}

impl Claim for Region {}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the BAR is claimed for us.
        unsafe { bindings::pci_release_region(as_raw(&self.pdev), self.num) };
    }
}
