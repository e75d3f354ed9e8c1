// SPDX-License-Identifier: GPL-2.0

//! Access of the ring code to the memory of a vring.

use crate::{
    abstractions::compat::barrier::{
        dma_mb,
        mb,
        Full,
        Read, //
    },
    vring_mem::RingMem, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

/// Memory of a vring that the remote processor can write to at any time.
///
/// An access outside of it, which the rings do not make, reads as 0 or has no effect.
///
/// # Invariants
///
/// The `size` bytes from `base` on are valid for volatile reads and writes for `'bound`, and
/// `base` is aligned to 16 bytes.
pub(crate) struct VringMem<'bound> {
    base: NonNull<u8>,
    size: usize,
    _phantom: PhantomData<&'bound ()>,
}

// SAFETY: The memory has no ties to a thread.
unsafe impl Send for VringMem<'_> {}

impl VringMem<'_> {
    /// Describes the memory of a vring. `None` if `base` is not aligned to 16 bytes.
    ///
    /// # Safety
    ///
    /// The `size` bytes from `base` on must be valid for volatile reads and writes for `'bound`.
    pub(super) unsafe fn new(base: NonNull<u8>, size: usize) -> Option<Self> {
        if base.addr().get() % 16 != 0 {
            return None;
        }
        // INVARIANT: By the safety requirements, the bytes are valid for `'bound`; the alignment
        // was checked above.
        Some(Self {
            base,
            size,
            _phantom: PhantomData,
        })
    }

    /// Returns the place of a `T` at `off`, if it is inside the memory and aligned.
    #[inline]
    fn at<T>(&self, off: usize) -> Option<*mut T> {
        // The compiler omits both checks for offsets of `Layout`, which has the measured gain.
        if off.checked_add(size_of::<T>())? > self.size || off % align_of::<T>() != 0 {
            return None;
        }
        Some(self.base.as_ptr().wrapping_add(off).cast())
    }

    #[inline]
    fn load<T: Default>(&self, off: usize) -> T {
        match self.at::<T>(off) {
            // SAFETY: `at()` returns places inside the memory, which is valid by the invariant,
            // and aligned for `T`. Only integers are loaded, so any content will do.
            Some(ptr) => unsafe { ptr.read_volatile() },
            None => T::default(),
        }
    }

    #[inline]
    fn store<T>(&self, off: usize, value: T) {
        if let Some(ptr) = self.at::<T>(off) {
            // SAFETY: `at()` returns places inside the memory, which is valid by the invariant,
            // and aligned for `T`.
            unsafe { ptr.write_volatile(value) }
        }
    }
}

impl RingMem for VringMem<'_> {
    #[inline]
    fn load16(&self, off: usize) -> u16 {
        self.load(off)
    }

    #[inline]
    fn load32(&self, off: usize) -> u32 {
        self.load(off)
    }

    #[inline]
    fn load64(&self, off: usize) -> u64 {
        self.load(off)
    }

    #[inline]
    fn store16(&self, off: usize, value: u16) {
        self.store(off, value)
    }

    #[inline]
    fn store32(&self, off: usize, value: u32) {
        self.store(off, value)
    }

    #[inline]
    fn store64(&self, off: usize, value: u64) {
        self.store(off, value)
    }

    #[inline]
    fn load64x2(&self, off: usize) -> [u64; 2] {
        let Some(ptr) = self.at::<[u64; 2]>(off) else {
            return [0; 2];
        };
        let ptr = ptr.cast::<u64>();
        // SAFETY: `at()` returns places of 16 bytes inside the memory, which is valid by the
        // invariant, and aligned. Only integers are loaded, so any content will do.
        let first = unsafe { ptr.read_volatile() };
        // SAFETY: `at()` returns places of 16 bytes inside the memory, which is valid by the
        // invariant, and aligned. Only integers are loaded, so any content will do.
        let second = unsafe { ptr.wrapping_add(1).read_volatile() };
        [first, second]
    }

    #[inline]
    fn store32x2(&self, off: usize, [first, second]: [u32; 2]) {
        let Some(ptr) = self.at::<[u32; 2]>(off) else {
            return;
        };
        let ptr = ptr.cast::<u32>();
        // SAFETY: `at()` returns places of 8 bytes inside the memory, which is valid by the
        // invariant, and aligned.
        unsafe { ptr.write_volatile(first) };
        // SAFETY: `at()` returns places of 8 bytes inside the memory, which is valid by the
        // invariant, and aligned.
        unsafe { ptr.wrapping_add(1).write_volatile(second) };
    }

    #[inline]
    fn rmb(&self) {
        dma_mb(Read)
    }

    #[inline]
    fn wmb(&self) {
        dma_mb(Full)
    }

    #[inline]
    fn mb(&self) {
        mb(Full)
    }
}
