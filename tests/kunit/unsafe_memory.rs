// SPDX-License-Identifier: GPL-2.0

//! Copies of many bytes to and from memory that modem and driver share.

use crate::abstractions::{
    bindings,
    memory::Memory, //
};
use kernel::prelude::*;

/// Copies `bytes` to `offset` of the memory.
pub fn write(memory: &Memory, offset: usize, bytes: &[u8]) -> Result {
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
pub fn fill(memory: &Memory, offset: usize, len: usize, value: u8) -> Result {
    if offset.checked_add(len).is_none_or(|end| end > memory.len()) {
        return Err(ERANGE);
    }
    let to = memory.as_ptr().wrapping_add(offset);
    // SAFETY: It was checked that the bytes fit, and nobody has a reference to them.
    unsafe { to.write_bytes(value, len) };
    Ok(())
}

/// A copy of `len` bytes at `offset` of the memory.
pub fn read(memory: &Memory, offset: usize, len: usize) -> Result<KVec<u8>> {
    if offset.checked_add(len).is_none_or(|end| end > memory.len()) {
        return Err(ERANGE);
    }
    // SAFETY: It was just checked that the bytes are inside of the memory.
    unsafe { copy(memory.as_ptr().wrapping_add(offset), len) }
}

/// A copy of `len` bytes at a DMA address of the machine's RAM, which is the physical address
/// where there is no IOMMU.
pub fn read_dma(address: u64, len: usize) -> Result<KVec<u8>> {
    let last = address.checked_add(len as u64).ok_or(EFAULT)?;
    // SAFETY: The function only computes.
    let from = unsafe { bindings::caif_kunit_phys_to_virt(address) };
    // SAFETY: As above.
    let end = unsafe { bindings::caif_kunit_phys_to_virt(last.saturating_sub(1)) };
    if from.is_null() || end.is_null() {
        return Err(EFAULT);
    }
    // SAFETY: Both ends are RAM, which is mapped.
    unsafe { copy(from.cast(), len) }
}

/// A copy of `len` bytes.
///
/// # Safety
///
/// They must be valid for reads.
unsafe fn copy(from: *const u8, len: usize) -> Result<KVec<u8>> {
    let mut bytes = KVec::with_capacity(len, GFP_KERNEL)?;
    let to: *mut u8 = bytes.spare_capacity_mut().as_mut_ptr().cast();
    // SAFETY: By the safety requirements; the vector has room for as many bytes.
    unsafe { from.copy_to_nonoverlapping(to, len) };
    // SAFETY: They were just written.
    unsafe { bytes.inc_len(len) };
    Ok(bytes)
}
