// SPDX-License-Identifier: GPL-2.0

//! Copies of many bytes to and from memory that modem and driver share.

use crate::abstractions::{
    bindings,
    memory::Memory, //
};
use kernel::prelude::*;

/// Copies `bytes` to `offset` of the memory.
pub(crate) fn write(memory: &Memory, offset: usize, bytes: &[u8]) -> Result {
    if offset
        .checked_add(bytes.len())
        .is_none_or(|end| end > memory.len())
    {
        return Err(ERANGE);
    }
    let to = memory.as_ptr().wrapping_add(offset);
    // SAFETY: It was checked that the bytes fit, and nobody has a reference to them.
    unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    Ok(())
}

/// Fills `len` bytes at `offset` of the memory with `value`.
pub(crate) fn fill(memory: &Memory, offset: usize, len: usize, value: u8) -> Result {
    if offset.checked_add(len).is_none_or(|end| end > memory.len()) {
        return Err(ERANGE);
    }
    let to = memory.as_ptr().wrapping_add(offset);
    // SAFETY: It was checked that the bytes fit, and nobody has a reference to them.
    unsafe { to.write_bytes(value, len) };
    Ok(())
}

/// A copy of `len` bytes at a DMA address of the machine's RAM, which is the physical address
/// where there is no IOMMU.
pub(crate) fn read_dma(address: u64, len: usize) -> Result<KVec<u8>> {
    let last = address.checked_add(len as u64).ok_or(EFAULT)?;
    // SAFETY: The function only computes.
    let from = unsafe { bindings::caif_kunit_phys_to_virt(address) };
    // SAFETY: As above.
    let end = unsafe { bindings::caif_kunit_phys_to_virt(last.saturating_sub(1)) };
    if from.is_null() || end.is_null() {
        return Err(EFAULT);
    }
    let mut bytes = KVec::from_elem(0, len, GFP_KERNEL)?;
    // SAFETY: Both ends are RAM, which is mapped, and the vector has room for as many bytes.
    unsafe {
        from.cast::<u8>()
            .copy_to_nonoverlapping(bytes.as_mut_ptr(), len)
    };
    Ok(bytes)
}
