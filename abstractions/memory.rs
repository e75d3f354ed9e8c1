// SPDX-License-Identifier: GPL-2.0

//! Memory that a remote processor shares with Linux.
//!
//! C header: [`include/linux/io.h`](srctree/include/linux/io.h)

use super::bindings;
use core::ptr::NonNull;
use kernel::{
    io::PhysAddr,
    prelude::*,
    sync::Arc,
    transmute::{
        AsBytes,
        FromBytes, //
    }, //
};

/// A claim to a range of physical addresses, released on drop.
pub(crate) trait Claim: Send + Sync {}

/// A range of physical addresses, and the claim to it. The claim ends with the last part of the
/// range and the last [`Memory`] that a part was mapped as.
///
/// # Invariants
///
/// At `start` are, as long as `claim` exists, `len` bytes of memory that are not the kernel's RAM,
/// so that no reference of the kernel can point there. The end does not overflow.
pub(crate) struct Physical {
    start: PhysAddr,
    len: usize,
    claim: Arc<dyn Claim>,
}

impl Physical {
    /// Creates a range of physical addresses. `EOVERFLOW` if its end overflows.
    ///
    /// # Safety
    ///
    /// At `start` there must be, as long as `claim` exists, `len` bytes of memory that are not the
    /// kernel's RAM.
    pub(crate) unsafe fn new(start: PhysAddr, len: usize, claim: Arc<dyn Claim>) -> Result<Self> {
        start.checked_add(len as PhysAddr).ok_or(EOVERFLOW)?;
        // INVARIANT: By the safety requirements, the bytes at `start` are not the kernel's RAM.
        // That their end does not overflow was checked above.
        Ok(Self { start, len, claim })
    }

    /// Returns the part of `len` bytes at `offset`. `ERANGE` if it is not all inside.
    pub(crate) fn part(&self, offset: usize, len: usize) -> Result<Self> {
        if offset.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(ERANGE);
        }
        // INVARIANT: The part is inside of `self`.
        Ok(Self {
            start: self.start + offset as PhysAddr,
            len,
            claim: self.claim.clone(),
        })
    }

    /// Returns the first address.
    pub(crate) fn start(&self) -> PhysAddr {
        self.start
    }

    /// Returns the number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Maps the range like RAM: cached and free of side effects.
    pub(crate) fn map(&self) -> Result<Memory> {
        self.map_as(bindings::MEMREMAP_WB)
    }

    /// Maps the range as I/O memory, write-combining (`ioremap_wc()`).
    pub(crate) fn map_io(&self) -> Result<Memory> {
        self.map_as(bindings::MEMREMAP_WC).map(Memory::into_io)
    }

    fn map_as(&self, flags: c_uint) -> Result<Memory> {
        // SAFETY: By the type invariant, the range is not the kernel's RAM, so that a mapping
        // gives access to nothing that the kernel owns.
        let base = unsafe { bindings::memremap(self.start, self.len, flags as c_ulong) };
        let base = NonNull::new(base.cast()).ok_or(ENOMEM)?;
        // SAFETY: `memremap()` mapped `len` bytes, which stay until `memunmap()`. By the type
        // invariant, they are not the kernel's RAM, to which there could be references, as long as
        // there is the claim, which is added below.
        let mut memory = unsafe { Memory::from_raw(base, Some(self.start), self.len, unmap) };
        memory._claim = Some(self.claim.clone());
        Ok(memory)
    }
}

/// Releases what [`Physical::map_as`] mapped.
fn unmap(base: NonNull<u8>, _len: usize) {
    // SAFETY: Only called when a `Memory` is dropped that `Physical::map_as` has made, once.
    unsafe { bindings::memunmap(base.as_ptr().cast()) };
}

/// Mapped memory that the other side may change at any time.
///
/// No references into it are ever made; it is read and written by volatile accesses of single
/// values, or through the raw pointer.
///
/// # Invariants
///
/// `base` points to `len` bytes that are mapped, and to which there are no references, until
/// `release` is called.
pub(crate) struct Memory {
    base: NonNull<u8>,
    pa: Option<PhysAddr>,
    len: usize,
    is_io: bool,
    release: fn(NonNull<u8>, usize),
    /// Dropped after `release` was called.
    _claim: Option<Arc<dyn Claim>>,
}

// SAFETY: The mapping is not tied to a thread.
unsafe impl Send for Memory {}
// SAFETY: All accesses are volatile, and values that are read are not trusted.
unsafe impl Sync for Memory {}

impl Memory {
    /// Creates the owner of the `len` bytes at `base`, which calls `release` when it is dropped.
    ///
    /// # Safety
    ///
    /// The bytes must be mapped, at the physical address `pa` if that is given, and without
    /// references to them, until `release` is called, which happens once.
    pub(crate) unsafe fn from_raw(
        base: NonNull<u8>,
        pa: Option<PhysAddr>,
        len: usize,
        release: fn(NonNull<u8>, usize),
    ) -> Self {
        // INVARIANT: By the safety requirements, the bytes are mapped and without references until
        // `release` is called, which `drop()` does.
        Self {
            base,
            pa,
            len,
            is_io: false,
            release,
            _claim: None,
        }
    }

    /// Marks the memory as I/O memory: bytes are copied from and to it as from and to such.
    pub(crate) fn into_io(mut self) -> Self {
        self.is_io = true;
        self
    }

    /// Returns whether the memory is I/O memory.
    pub(crate) fn is_io(&self) -> bool {
        self.is_io
    }

    /// Returns a pointer to the first byte, valid for raw accesses as long as `self`.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Returns the number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the physical address, or `None` if the memory is not physically contiguous.
    pub(crate) fn physical(&self) -> Option<PhysAddr> {
        self.pa
    }

    /// Returns a pointer to a `T` at `offset`. `ERANGE` if it is not inside, `EINVAL` if not
    /// aligned.
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
    pub(crate) fn read<T: FromBytes + Copy>(&self, offset: usize) -> Result<T> {
        let ptr = self.at::<T>(offset)?;
        // SAFETY: `at` checked bounds and alignment, and any bits are a valid `T`.
        Ok(unsafe { ptr.read_volatile() })
    }

    /// Writes the value at `offset` once.
    pub(crate) fn write<T: AsBytes + Copy>(&self, offset: usize, value: T) -> Result {
        let ptr = self.at::<T>(offset)?;
        // SAFETY: `at` checked bounds and alignment; there are no references to the memory.
        unsafe { ptr.write_volatile(value) };
        Ok(())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        (self.release)(self.base, self.len);
    }
}
