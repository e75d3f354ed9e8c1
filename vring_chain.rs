// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Chains of descriptors on a reversed ring: their segments, how they are read, and the errors of
//! them and of their ring.
//!
//! Each descriptor is read once into private memory, and only that copy is used.
//!
//! Source: Virtio 1.2, sections 2.7.5 and 2.7.13;
//! C header: [`include/uapi/linux/virtio_ring.h`](srctree/include/uapi/linux/virtio_ring.h).

use core::fmt;

use super::{
    vring_layout::{
        Layout,
        DESC_FLAGS,
        DESC_F_INDIRECT,
        DESC_F_NEXT,
        DESC_F_WRITE,
        DESC_LEN,
        DESC_NEXT,
        DESC_SIZE, //
    },
    vring_mem::RingMem, //
};

/// A buffer of a chain: a private copy of its descriptor.
///
/// The address and the length are as the modem wrote them; the caller must check them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    addr: u64,
    /// Length, flags and next, as they are in memory. One word instead of three: 4 instructions a
    /// frame fewer (bench, rx 8x1), 2 (rx 8x8).
    rest: u64,
}

#[allow(
    clippy::len_without_is_empty,
    reason = "no caller asks whether a buffer is empty"
)]
impl Segment {
    /// Returns the modem's address of the buffer.
    #[inline]
    pub const fn addr(&self) -> u64 {
        self.addr
    }

    /// Returns the size of the buffer, in bytes.
    #[inline]
    pub const fn len(&self) -> u32 {
        let [l0, l1, l2, l3, _, _, _, _] = self.rest.to_ne_bytes();
        u32::from_ne_bytes([l0, l1, l2, l3])
    }

    /// Returns the descriptor's flags, unknown ones included.
    #[inline]
    pub const fn flags(&self) -> u16 {
        let [_, _, _, _, f0, f1, _, _] = self.rest.to_ne_bytes();
        u16::from_ne_bytes([f0, f1])
    }

    /// Returns the index of the next descriptor, which has a meaning only with the flag `NEXT`.
    #[inline]
    const fn next(&self) -> u16 {
        let [_, _, _, _, _, _, n0, n1] = self.rest.to_ne_bytes();
        u16::from_ne_bytes([n0, n1])
    }

    /// Returns whether the buffer has the `WRITE` flag, which no frame to be received may have.
    #[inline]
    pub const fn is_write(&self) -> bool {
        self.flags() & DESC_F_WRITE != 0
    }
}

/// The reason why a call was refused.
///
/// All but [`Storage`](Self::Storage) and [`Segments`](Self::Segments), which leave the ring as it
/// was, are kept by the [`DeviceRing`](super::vring_reversed::DeviceRing) and end its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRingError {
    /// `avail.idx` moved by more than the modem has buffers.
    AvailJump {
        /// Entries from the last one taken to the new index.
        delta: u16,
        /// Descriptors less those that were made available and whose return is not published.
        allowed: u16,
    },
    /// The available ring names a descriptor that does not exist.
    Head {
        /// The descriptor.
        head: u16,
        /// Number of descriptors.
        num: u16,
    },
    /// The available ring names a chain that has not been given back yet.
    HeadInFlight {
        /// The chain's first descriptor.
        head: u16,
    },
    /// A descriptor continues at one that does not exist.
    Next {
        /// The descriptor that continues.
        desc: u16,
        /// Its `next` field.
        next: u16,
        /// Number of descriptors.
        num: u16,
    },
    /// A chain does not end within as many descriptors as there are.
    Loop {
        /// The chain's first descriptor.
        head: u16,
        /// Number of descriptors.
        num: u16,
    },
    /// A descriptor refers to a table of descriptors, which was not negotiated.
    Indirect {
        /// The descriptor.
        desc: u16,
    },
    /// A chain was given back that this ring did not hand out: a fault of the driver.
    NotInFlight {
        /// The chain's first descriptor.
        head: u16,
    },
    /// The storage for the heads in flight does not have one place for each descriptor: a fault of
    /// the driver.
    Storage {
        /// Length of the storage, at most `u32::MAX`.
        len: u32,
        /// Number of descriptors.
        num: u16,
    },
    /// The slice for the segments is too short for the longest chain: a fault of the driver.
    Segments {
        /// Length of the slice, at most `u32::MAX`.
        len: u32,
        /// Number of descriptors, and so of segments of the longest chain.
        num: u16,
    },
}

impl fmt::Display for DeviceRingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::AvailJump { delta, allowed } => write!(
                f,
                "avail.idx moved by {delta}, at most {allowed} buffers can be new"
            ),
            Self::Head { head, num } => {
                write!(f, "chain starts at descriptor {head}, must be below {num}")
            }
            Self::HeadInFlight { head } => write!(
                f,
                "chain {head} made available again, must be returned first"
            ),
            Self::Next { desc, next, num } => write!(
                f,
                "descriptor {desc} continues at {next}, must be below {num}"
            ),
            Self::Loop { head, num } => write!(
                f,
                "chain {head} does not end, must have at most {num} descriptors"
            ),
            Self::Indirect { desc } => write!(
                f,
                "descriptor {desc} is indirect, only direct ones were negotiated"
            ),
            Self::NotInFlight { head } => write!(
                f,
                "chain {head} given back to a ring that did not hand it out"
            ),
            Self::Storage { len, num } => {
                write!(f, "room for {len} heads in flight, {num} are needed")
            }
            Self::Segments { len, num } => {
                write!(f, "room for {len} segments, {num} are needed")
            }
        }
    }
}

/// Reads descriptor `index`, each byte once. Returns, beside the buffer, the index of the
/// descriptor after it, unless it is the chain's last.
// Always inline: 6 instructions a frame fewer (bench, rx 8x1).
#[inline(always)]
pub(super) fn read_desc<M: RingMem>(
    mem: &M,
    layout: &Layout,
    index: u16,
) -> Result<(Segment, Option<u16>), DeviceRingError> {
    const { assert!(DESC_LEN == 8 && DESC_FLAGS == 12 && DESC_NEXT == 14 && DESC_SIZE == 16) };

    let [addr, rest] = mem.load64x2(layout.desc(index));
    let segment = Segment { addr, rest };
    let next = segment.next();
    let num = layout.num();
    if segment.flags() & (DESC_F_INDIRECT | DESC_F_NEXT) == 0 {
        Ok((segment, None))
    } else if segment.flags() & DESC_F_INDIRECT != 0 {
        Err(DeviceRingError::Indirect { desc: index })
    } else if next >= num {
        Err(DeviceRingError::Next {
            desc: index,
            next,
            num,
        })
    } else {
        Ok((segment, Some(next)))
    }
}

/// Reads the chain at `head` to `segments`, which has a place for each descriptor. The first
/// descriptor was read before; the chain continues at `next`. Returns the number of its segments.
#[inline]
pub(super) fn read_chain<M: RingMem>(
    mem: &M,
    layout: &Layout,
    head: u16,
    first: Segment,
    mut next: Option<u16>,
    segments: &mut [Segment],
) -> Result<usize, DeviceRingError> {
    let mut places = segments.iter_mut();
    if let Some(place) = places.next() {
        *place = first;
    }
    let mut len = 1;
    while let Some(desc) = next {
        let Some(place) = places.next() else {
            let num = layout.num();
            return Err(DeviceRingError::Loop { head, num });
        };
        (*place, next) = read_desc(mem, layout, desc)?;
        len += 1;
    }
    Ok(len)
}
