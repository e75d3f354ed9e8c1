// SPDX-License-Identifier: GPL-2.0

//! Reserved memory of the device tree, which a device's node refers to by `memory-region`.
//!
//! C header: [`include/linux/of_reserved_mem.h`](srctree/include/linux/of_reserved_mem.h)

use crate::abstractions::{
    bindings,
    memory::{
        Claim,
        Physical, //
    }, //
};
use core::ptr::from_ref;
use kernel::{
    device::{
        Bound,
        Device, //
    },
    error::to_result,
    io::PhysAddr,
    prelude::*,
    sync::Arc, //
};

/// A reserved region that is claimed exclusively.
///
/// # Invariants
///
/// The `len` bytes at `start` are requested for us.
pub(crate) struct Reserved {
    start: PhysAddr,
    len: usize,
}

impl Reserved {
    /// Claims the region that the device's node calls `name` in `memory-region-names`, and returns
    /// its addresses, which hold the claim. `ENODEV` or another device-tree error if there is none,
    /// `EINVAL` if the kernel uses it as RAM, `EBUSY` if it is claimed already.
    pub(crate) fn claim(dev: &Device<Bound>, name: &'static CStr) -> Result<Physical> {
        let dev = from_ref(dev).cast::<bindings::device>();
        // SAFETY: `Device<Bound>` stands for a valid device, and its node does not change while it
        // is bound.
        let node = unsafe { (*dev).of_node };
        let mut resource = bindings::resource::default();
        // SAFETY: The node is valid or null, which the function checks, and the name is a string.
        to_result(unsafe {
            bindings::of_reserved_mem_region_to_resource_byname(
                node,
                name.as_char_ptr(),
                &mut resource,
            )
        })?;
        let start = resource.start;
        let len = resource.end.checked_sub(start).ok_or(EINVAL)?;
        let len = usize::try_from(len)?.checked_add(1).ok_or(EOVERFLOW)?;
        // SAFETY: The function only looks up the range.
        let found = unsafe {
            bindings::region_intersects(
                start,
                len,
                bindings::IORESOURCE_SYSTEM_RAM as c_ulong,
                bindings::IORES_DESC_NONE as c_ulong,
            )
        };
        if found != bindings::REGION_DISJOINT as c_int {
            return Err(EINVAL);
        }
        // SAFETY: The name is static.
        let requested =
            unsafe { bindings::request_mem_region(start, len as PhysAddr, name.as_char_ptr()) };
        if requested.is_null() {
            return Err(EBUSY);
        }
        // INVARIANT: It was just requested.
        let region = Self { start, len };
        // SAFETY: The range is disjoint from the kernel's RAM, and reserved memory stays reserved
        // for as long as the kernel runs.
        unsafe { Physical::new(start, len, Arc::new(region, GFP_KERNEL)?) }
    }
}

impl Claim for Reserved {}

impl Drop for Reserved {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the region is requested for us.
        unsafe { bindings::release_mem_region(self.start, self.len as PhysAddr) };
    }
}
