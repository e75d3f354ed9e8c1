// SPDX-License-Identifier: GPL-2.0

//! Addresses as a device sees them.
//!
//! C header: [`include/linux/dma-direct.h`](srctree/include/linux/dma-direct.h)

use crate::abstractions::{
    bindings,
    memory::Physical, //
};
use core::ptr::from_ref;
use kernel::{
    device::{
        Bound,
        Device, //
    },
    io::PhysAddr,
    prelude::*, //
};

/// Returns the address at which the device sees the first byte of the range, by the `dma-ranges` of
/// its bus. `ERANGE` if it cannot reach all of it by 32-bit addresses.
pub(crate) fn device_address(dev: &Device<Bound>, range: &Physical) -> Result<u32> {
    let to_dma = |at: PhysAddr| {
        // SAFETY: `Device<Bound>` stands for a valid device that is bound, so that its ranges do
        // not change.
        let address = unsafe { bindings::helper_phys_to_dma(from_ref(dev).cast_mut().cast(), at) };
        // For an address outside of all ranges, the function returns the largest one.
        u32::try_from(address).map_err(|_| ERANGE)
    };
    let last = range.len().checked_sub(1).ok_or(ERANGE)?;
    let first_address = to_dma(range.start())?;
    let last_address = to_dma(range.start() + last as PhysAddr)?;
    let in_one_piece = last_address.checked_sub(first_address) == u32::try_from(last).ok();
    in_one_piece.then_some(first_address).ok_or(ERANGE)
}
