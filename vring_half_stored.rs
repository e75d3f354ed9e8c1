// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Tolerates an index of the peer of which only one half is stored yet.
//!
//! Compilers for processors that cannot store two bytes at any address make two stores to an index
//! in a packed struct, the low byte first. That is wrong (Virtio 1.2, section 2.7.6: the index is
//! one 16-bit field), but it is over soon, and there is firmware that does it. In between the index
//! is 1 to 255 too small, which it never is otherwise. High byte first it would be too large, which
//! nobody can tell from an index that is right.

/// How often an index that may be half stored is looked at, with time in between, before the ring
/// counts as broken.
pub const LOOKS: u8 = 16;

/// Returns whether an index that is `delta` ahead of what was seen of it last, modulo 2^16, is 1 to
/// 255 too small.
const fn is_too_small(delta: u16) -> bool {
    delta > u16::MAX - u8::MAX as u16
}

/// What a ring knows of its peer's index. By default: it was right when it was read last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HalfStored {
    /// The looks that are left, if the index was too small and has not moved on since.
    looks: Option<u8>,
}

impl HalfStored {
    /// Returns whether an index that cannot be, `delta` ahead of what was seen last, may be half
    /// stored, and is to be looked at again.
    pub(crate) fn tolerates(&mut self, delta: u16) -> bool {
        if self.looks == Some(0) || !is_too_small(delta) {
            return false;
        }
        self.looks.get_or_insert(LOOKS);
        true
    }

    /// Takes note of an index that can be, `delta` ahead of what was seen last.
    #[inline]
    pub(crate) fn settle(&mut self, delta: u16) {
        // The other half moves an index on. One that came back goes on to count as wrong.
        if delta != 0 || self.looks == Some(0) {
            self.looks = None;
        }
    }

    /// Returns whether an index that is `delta` ahead of what was seen last asks for a look at
    /// once. One that may be half stored does not: it is followed by a notification.
    pub(crate) fn is_due(&self, delta: u16) -> bool {
        delta != 0 && (self.looks == Some(0) || !is_too_small(delta))
    }

    /// Returns whether the index must be looked at again.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.looks.is_some()
    }

    /// Counts a look, if the index must be looked at again.
    #[inline]
    pub(crate) fn count_look(&mut self) {
        if let Some(looks) = &mut self.looks {
            *looks = looks.saturating_sub(1);
        }
    }
}
