// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Tolerates an index of the peer of which only one half is stored yet.
//!
//! Compilers for processors that cannot store two bytes at any address make two stores to an index
//! in a packed struct, the low byte first. That is wrong (Virtio 1.2, section 2.7.6: the index is
//! one 16-bit field), but the state lasts a few cycles, and existing firmware does it. In between
//! the index is 1 to 255 too small, which it never is otherwise. With the high byte first it is too
//! large, which cannot be told from a valid index.

/// Number of looks at an index that may be half stored, with time in between, before the ring
/// counts as broken.
pub const LOOKS: u8 = 16;

/// Returns whether an index that is `delta` ahead of its last value, modulo 2^16, is 1 to 255 too
/// small.
const fn is_too_small(delta: u16) -> bool {
    delta > u16::MAX - u8::MAX as u16
}

/// State of the peer's index.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum HalfStored {
    /// It was not too small when it was read last, or has moved on since.
    #[default]
    Valid,
    /// It was too small; this many looks are left after the next one.
    Pending(u8),
    /// It was too small, and there are no looks left.
    Exhausted,
}

impl HalfStored {
    /// Returns whether an invalid index, `delta` ahead of its last value, may be half stored and is
    /// to be looked at again.
    pub(crate) fn tolerates(&mut self, delta: u16) -> bool {
        if matches!(self, Self::Exhausted) || !is_too_small(delta) {
            return false;
        }
        if matches!(self, Self::Valid) {
            *self = Self::Pending(LOOKS - 1);
        }
        true
    }

    /// Notes a valid index, `delta` ahead of its last value.
    #[inline]
    pub(crate) fn settle(&mut self, delta: u16) {
        // The other half moves the index on. An index that only went back to its last value still
        // counts as invalid.
        if delta != 0 || matches!(self, Self::Exhausted) {
            *self = Self::Valid;
        }
    }

    /// Returns whether an index that is `delta` ahead of its last value must be handled at once.
    /// One that may be half stored need not: a notification follows.
    pub(crate) fn is_due(&self, delta: u16) -> bool {
        delta != 0 && (matches!(self, Self::Exhausted) || !is_too_small(delta))
    }

    /// Returns whether the index must be looked at again.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        !matches!(self, Self::Valid)
    }

    /// Counts a look, if the index must be looked at again.
    #[inline]
    pub(crate) fn count_look(&mut self) {
        if let Self::Pending(looks) = self {
            *self = looks.checked_sub(1).map_or(Self::Exhausted, Self::Pending);
        }
    }
}
