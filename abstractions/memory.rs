// SPDX-License-Identifier: GPL-2.0

//! Memory that a remote processor shares with Linux.
//!
//! C header: [`include/linux/io.h`](srctree/include/linux/io.h)

use super::bindings;
use core::ptr::NonNull;
use kernel::{
    alloc::flags,
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    }, //
};

/// A range of physical addresses.
///
/// # Invariants
///
/// At `start` are `len` bytes of memory that are not the kernel's RAM, so that no reference of
/// the kernel can point there. The end does not overflow.
#[derive(Clone, Copy)]
pub struct Physical {
    start: u64,
    len: usize,
}

impl Physical {
    /// Names a range of physical addresses.
    ///
    /// # Safety
    ///
    /// At `start` there must be `len` bytes of memory that are not the kernel's RAM.
    pub unsafe fn new(start: u64, len: usize) -> Result<Self> {
        start.checked_add(len as u64).ok_or(EOVERFLOW)?;
        // INVARIANT: By the safety requirements, and checked above.
        Ok(Self { start, len })
    }

    /// The part of `len` bytes at `offset`, or `ERANGE` if it is not all inside.
    pub fn part(&self, offset: usize, len: usize) -> Result<Self> {
        if offset.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(ERANGE);
        }
        // INVARIANT: The part is inside of `self`.
        Ok(Self {
            start: self.start + offset as u64,
            len,
        })
    }

    /// The first address.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the range is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Maps the range like RAM: cached and free of side effects.
    pub fn map(&self) -> Result<Memory> {
        // SAFETY: By the type invariant, the range is not the kernel's RAM, so that a mapping
        // gives access to nothing that the kernel owns.
        let base =
            unsafe { bindings::memremap(self.start, self.len, bindings::MEMREMAP_WB as c_ulong) };
        // INVARIANT: `memremap()` mapped `len` bytes, which stay until `memunmap()`.
        Ok(Memory {
            base: NonNull::new(base.cast()).ok_or(ENOMEM)?,
            pa: Some(self.start),
            len: self.len,
            release: unmap,
        })
    }
}

/// Undoes [`Physical::map`].
fn unmap(base: NonNull<u8>, _len: usize) {
    // SAFETY: Only called when a `Memory` is dropped that `Physical::map` has made, once.
    unsafe { bindings::memunmap(base.as_ptr().cast()) };
}

/// A page, for its alignment.
#[derive(Clone, Copy)]
#[repr(C, align(4096))]
struct Page([u8; 4096]);

/// Undoes [`Memory::alloc`].
fn free(base: NonNull<u8>, len: usize) {
    let pages = len / size_of::<Page>();
    // SAFETY: Only called when a `Memory` is dropped that `Memory::alloc` has made, once: the
    // parts are those of the vector that it took apart.
    drop(unsafe { VVec::<Page>::from_raw_parts(base.as_ptr().cast(), 0, pages) });
}

/// Mapped memory that the other side may change at any time.
///
/// No references into it are ever made; it is read and written by volatile accesses of single
/// values, or through the raw pointer.
///
/// # Invariants
///
/// `base` points to `len` bytes that are mapped, and of which nobody holds a reference, until
/// `release` is called. It is aligned to 4096 bytes if the memory was allocated, and as the
/// physical range otherwise.
pub struct Memory {
    base: NonNull<u8>,
    pa: Option<u64>,
    len: usize,
    release: fn(NonNull<u8>, usize),
}

// SAFETY: The mapping is not tied to a thread.
unsafe impl Send for Memory {}
// SAFETY: All accesses are volatile, and what is read is not trusted.
unsafe impl Sync for Memory {}

impl Memory {
    /// Allocates zeroed memory of the kernel, rounded up to whole pages of 4096 bytes.
    pub fn alloc(len: usize) -> Result<Self> {
        let pages = len.div_ceil(size_of::<Page>());
        let pages = VVec::<Page>::with_capacity(pages, GFP_KERNEL | flags::__GFP_ZERO)?;
        let (base, _, capacity) = pages.into_raw_parts();
        // INVARIANT: The vector was taken apart, so that the memory is ours until `free`.
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(ENOMEM)?,
            pa: None,
            len: capacity * size_of::<Page>(),
            release: free,
        })
    }

    /// The first byte. It is valid for raw accesses as long as `self`.
    pub fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The physical address, where the memory is contiguous there.
    pub fn physical(&self) -> Option<u64> {
        self.pa
    }

    /// A pointer to a `T` at `offset`: `ERANGE` if it is not inside, `EINVAL` if not aligned.
    fn at<T>(&self, offset: usize) -> Result<*mut T> {
        if offset
            .checked_add(size_of::<T>())
            .is_none_or(|end| end > self.len)
        {
            return Err(ERANGE);
        }
        // SAFETY: It was checked that the offset is inside of the memory.
        let ptr = unsafe { self.base.as_ptr().add(offset) }.cast::<T>();
        if !ptr.is_aligned() {
            return Err(EINVAL);
        }
        Ok(ptr)
    }

    /// Reads the value at `offset` once.
    pub fn read<T: FromBytes + Copy>(&self, offset: usize) -> Result<T> {
        let ptr = self.at::<T>(offset)?;
        // SAFETY: `at` checked bounds and alignment, and any bits are a valid `T`.
        Ok(unsafe { ptr.read_volatile() })
    }

    /// Writes the value at `offset` once.
    pub fn write<T: AsBytes + Copy>(&self, offset: usize, value: T) -> Result {
        let ptr = self.at::<T>(offset)?;
        // SAFETY: `at` checked bounds and alignment; nobody has a reference to the memory.
        unsafe { ptr.write_volatile(value) };
        Ok(())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        (self.release)(self.base, self.len);
    }
}
