// SPDX-License-Identifier: GPL-2.0

//! Memory shared by modem and driver, and copies to and from it.

use crate::{
    abstractions::memory::{
        Claim,
        Memory,
        Physical, //
    },
    bindings, //
};
use core::ptr::NonNull;
use kernel::{
    alloc::flags,
    io::PhysAddr,
    prelude::*,
    sync::Arc, //
};

/// A page, for its alignment.
#[derive(Clone, Copy)]
#[repr(C, align(4096))]
struct Page([u8; 4096]);

impl Memory {
    /// Allocates zeroed memory of the kernel, rounded up to whole pages of 4096 bytes.
    pub(crate) fn alloc(len: usize) -> Result<Self> {
        let pages = len.div_ceil(size_of::<Page>());
        let pages = VVec::<Page>::with_capacity(pages, GFP_KERNEL | flags::__GFP_ZERO)?;
        let (base, _, capacity) = pages.into_raw_parts();
        let base = NonNull::new(base.cast()).ok_or(ENOMEM)?;
        let len = capacity * size_of::<Page>();
        // SAFETY: The vector was taken apart, so that the memory is ours until `free`.
        Ok(unsafe { Self::from_raw(base, None, len, free) })
    }
}

/// Releases memory of [`Memory::alloc`].
fn free(base: NonNull<u8>, len: usize) {
    let pages = len / size_of::<Page>();
    // SAFETY: Only called when a `Memory` is dropped that `Memory::alloc` has made, once: the
    // parts are those of the vector that it took apart.
    drop(unsafe { VVec::<Page>::from_raw_parts(base.as_ptr().cast(), 0, pages) });
}

/// Claims a page of addresses where no machine has memory.
pub(crate) fn nowhere(claim: Arc<dyn Claim>) -> Result<Physical> {
    const PAGE: usize = size_of::<Page>();
    // SAFETY: The last addresses are those of error pointers, so that there is no RAM.
    unsafe { Physical::new(PhysAddr::MAX - PAGE as PhysAddr, PAGE, claim) }
}

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

/// Lets a kernel with KASAN report each access to `len` bytes at `offset` of the memory, multiples
/// of 8, but those of the functions for I/O memory.
pub(crate) fn only_io(memory: &Memory, offset: usize, len: usize, on: bool) -> Result {
    if offset.checked_add(len).is_none_or(|end| end > memory.len()) {
        return Err(ERANGE);
    }
    let from = memory.as_ptr().wrapping_add(offset);
    // SAFETY: It was checked that the bytes are of the memory, which is mapped.
    unsafe { bindings::caif_kunit_only_io(from.cast(), len, on) };
    Ok(())
}

/// Returns a copy of `len` bytes at a DMA address of the machine's RAM, which is the physical
/// address where there is no IOMMU.
pub(crate) fn read_dma(address: u64, len: usize) -> Result<KVec<u8>> {
    let last = address.checked_add(len as u64).ok_or(EFAULT)?;
    // SAFETY: The function only computes.
    let from = unsafe { bindings::caif_kunit_phys_to_virt(address) };
    // SAFETY: The function only computes.
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
