// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Memory layout of a legacy split virtqueue.
//!
//! Offsets, sizes and alignment of the three parts of a ring, for either side of it. Independent of
//! the kernel, of pointers and of the ring's side.
//!
//! Source: Virtio 1.2, section 2.7 (and 2.7.2 for the legacy layout);
//! C header: [`include/uapi/linux/virtio_ring.h`](srctree/include/uapi/linux/virtio_ring.h).

use core::fmt;

/// The descriptor continues at its `next` field.
pub const DESC_F_NEXT: u16 = 1;
/// The device may write to the buffer.
pub const DESC_F_WRITE: u16 = 2;
/// The buffer holds a table of descriptors.
pub const DESC_F_INDIRECT: u16 = 4;
/// The driver asks not to be interrupted (`avail.flags`).
pub const AVAIL_F_NO_INTERRUPT: u16 = 1;
/// The device asks not to be kicked (`used.flags`).
pub const USED_F_NO_NOTIFY: u16 = 1;

/// Feature bit: a descriptor may refer to a table of descriptors.
pub const F_INDIRECT_DESC: u32 = 28;
/// Feature bit: `used_event` and `avail_event` replace the two flags.
pub const F_EVENT_IDX: u32 = 29;

/// Bytes of a descriptor: `addr` u64, `len` u32, `flags` u16, `next` u16.
pub const DESC_SIZE: usize = 16;
/// Offset of `len` in a descriptor.
pub const DESC_LEN: usize = 8;
/// Offset of `flags` in a descriptor.
pub const DESC_FLAGS: usize = 12;
/// Offset of `next` in a descriptor.
pub const DESC_NEXT: usize = 14;
/// Bytes of an entry of the used ring: `id` u32, `len` u32.
pub const USED_ELEM_SIZE: usize = 8;

/// Largest number of descriptors of a ring (Virtio 1.2, section 2.7).
pub const MAX_NUM: u32 = 32768;

/// The reason why a ring cannot have the requested geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The number of descriptors is not a power of two from 1 to [`MAX_NUM`].
    Num(u32),
    /// The alignment is not a power of two from 4 to 65536.
    Align(u32),
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Num(num) => write!(
                f,
                "{num} descriptors, must be a power of two from 1 to {MAX_NUM}"
            ),
            Self::Align(align) => write!(
                f,
                "alignment of {align} bytes, must be a power of two from 4 to 65536"
            ),
        }
    }
}

/// The layout of a ring: the offsets of its parts, and its size.
///
/// # Invariants
///
/// `num` is a power of two from 1 to [`MAX_NUM`], `mask` is one less, every part lies inside
/// `size`, and no offset below overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    num: u16,
    mask: u32,
    // 32 bits, so that on 64-bit machines the compiler sees that no offset overflows, in units of 4
    // bytes, so that it sees their alignment. It omits both checks: 10 instructions a frame fewer
    // (bench, rx 8x1), 32 (rx 1x1), 7 (tx 1x1).
    avail_words: u32,
    used_words: u32,
    size: u32,
}

impl Layout {
    /// Lays out a ring of `num` descriptors whose used ring is aligned to `align` bytes, as
    /// `vring_init()` does.
    pub const fn new(num: u32, align: u32) -> Result<Self, LayoutError> {
        if !num.is_power_of_two() || num > MAX_NUM {
            return Err(LayoutError::Num(num));
        }
        if !align.is_power_of_two() || align < 4 || align > 65536 {
            return Err(LayoutError::Align(align));
        }
        let avail = num * DESC_SIZE as u32;
        // flags, idx, the ring itself, used_event.
        let used = (avail + 2 * (3 + num) + align - 1) & !(align - 1);
        // flags, idx, the ring itself, avail_event.
        let size = used + 2 * 3 + num * USED_ELEM_SIZE as u32;
        // INVARIANT: `num` was checked above and is at most 32768; the sums stay below 2^20.
        Ok(Self {
            num: num as u16,
            mask: num - 1,
            avail_words: avail / 4,
            used_words: used / 4,
            size,
        })
    }

    /// Returns the number of descriptors: a power of two, at most [`MAX_NUM`].
    pub const fn num(&self) -> u16 {
        self.num
    }

    /// Returns the number of bytes from the ring's start to the end of `avail_event`.
    pub const fn size(&self) -> usize {
        self.size as usize
    }

    /// Returns the offset of descriptor `index`, which is taken modulo the number of descriptors.
    pub const fn desc(&self, index: u16) -> usize {
        self.slot(index) * DESC_SIZE
    }

    /// Returns the offset of `avail.flags`, which follows the descriptors.
    pub const fn avail_flags(&self) -> usize {
        self.avail_words as usize * 4
    }

    /// Returns the offset of `avail.idx`.
    pub const fn avail_idx(&self) -> usize {
        self.avail_flags() + 2
    }

    /// Returns the offset of entry `index` of the available ring, modulo the number of entries.
    pub const fn avail_ring(&self, index: u16) -> usize {
        2 * (2 * self.avail_words as usize + 2 + self.slot(index))
    }

    /// Returns the offset of `used_event`, which the driver writes and the device reads.
    pub const fn used_event(&self) -> usize {
        self.avail_flags() + 4 + 2 * self.num as usize
    }

    /// Returns the offset of `used.flags`.
    pub const fn used_flags(&self) -> usize {
        self.used_words as usize * 4
    }

    /// Returns the offset of `used.idx`.
    pub const fn used_idx(&self) -> usize {
        self.used_flags() + 2
    }

    /// Returns the offset of entry `index` of the used ring, modulo the number of entries.
    pub const fn used_ring(&self, index: u16) -> usize {
        4 * (self.used_words as usize + 1 + USED_ELEM_SIZE / 4 * self.slot(index))
    }

    /// Returns the offset of `avail_event`, which the device writes and the driver reads.
    pub const fn avail_event(&self) -> usize {
        self.used_flags() + 4 + USED_ELEM_SIZE * self.num as usize
    }

    const fn slot(&self, index: u16) -> usize {
        (index as u32 & self.mask) as usize
    }
}

/// Returns whether moving an index from `old` to `new` passes the peer's event index, so that the
/// peer asked to be notified (Virtio 1.2, section 2.7.7.2; `vring_need_event()`).
pub const fn need_event(event: u16, new: u16, old: u16) -> bool {
    new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
}
