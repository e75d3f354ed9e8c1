// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The accesses of a call to the ring's memory, to be compared with those of a reference.

use super::memory::Access;

/// The layout of a ring by the formulas of Virtio 1.2, section 2.7, independent of `vring_layout`.
#[derive(Clone, Copy)]
pub struct Places {
    /// Number of descriptors.
    pub num: usize,
    /// Start of the used ring.
    pub used: usize,
}

impl Places {
    /// Returns the places in a ring whose used ring is aligned to `align` bytes.
    pub fn new(num: usize, align: usize) -> Self {
        let used = (16 * num + 2 * (3 + num)).next_multiple_of(align);
        Self { num, used }
    }

    /// Returns the size of the whole ring.
    pub fn size(&self) -> usize {
        self.used + 2 * 3 + 8 * self.num
    }

    /// Returns the offset of descriptor `index`.
    pub fn desc(&self, index: u16) -> usize {
        16 * usize::from(index)
    }

    /// `avail.flags`.
    pub fn avail_flags(&self) -> usize {
        16 * self.num
    }

    /// `avail.idx`.
    pub fn avail_idx(&self) -> usize {
        16 * self.num + 2
    }

    /// Returns the offset of an entry of the available ring.
    pub fn avail_ring(&self, index: u16) -> usize {
        16 * self.num + 4 + 2 * (usize::from(index) % self.num)
    }

    /// `used_event`.
    pub fn used_event(&self) -> usize {
        16 * self.num + 4 + 2 * self.num
    }

    /// `used.flags`.
    pub fn used_flags(&self) -> usize {
        self.used
    }

    /// `used.idx`.
    pub fn used_idx(&self) -> usize {
        self.used + 2
    }

    /// Returns the offset of an entry of the used ring.
    pub fn used_ring(&self, index: u16) -> usize {
        self.used + 4 + 8 * (usize::from(index) % self.num)
    }

    /// `avail_event`.
    pub fn avail_event(&self) -> usize {
        self.used + 4 + 8 * self.num
    }
}

/// Returns whether an index that goes from `old` to `new` passes `event`, so that the other side
/// must be notified.
pub fn passes(event: u16, new: u16, old: u16) -> bool {
    let steps = new.wrapping_sub(old);
    let place = event.wrapping_sub(old);
    place < steps
}

/// The accesses of one call that the reference has not asked for yet.
pub struct Trace(std::vec::IntoIter<Access>);

impl Trace {
    /// Begins at a call's first access.
    pub fn new(log: Vec<Access>) -> Self {
        Self(log.into_iter())
    }

    /// Checks that the next access is a load of 16 bits at `off`. Returns the value.
    pub fn load16(&mut self, off: usize) -> u16 {
        match self.0.next() {
            Some(Access::Load(at, 2, value)) if at == off => value as u16,
            other => panic!("want a load of 2 bytes at {off}, there is {other:?}"),
        }
    }

    /// Checks that the next access is a load of 32 bits at `off`. Returns the value.
    pub fn load32(&mut self, off: usize) -> u32 {
        match self.0.next() {
            Some(Access::Load(at, 4, value)) if at == off => value as u32,
            other => panic!("want a load of 4 bytes at {off}, there is {other:?}"),
        }
    }

    /// Checks that the next accesses load each of 16 bytes at `off`, once, in any order and widths.
    /// Returns the bytes.
    pub fn load_desc(&mut self, off: usize) -> [u8; 16] {
        let mut bytes = [None; 16];
        while bytes.contains(&None) {
            let Some(Access::Load(at, len, value)) = self.0.next() else {
                panic!("the descriptor at {off} was not read whole");
            };
            for (i, byte) in value.to_le_bytes()[..len].iter().enumerate() {
                let place = at
                    .checked_sub(off)
                    .and_then(|start| bytes.get_mut(start + i))
                    .unwrap_or_else(|| panic!("want descriptor at {off}, {at} was loaded"));
                assert_eq!(place.replace(*byte), None, "byte {at} + {i} was read twice");
            }
        }
        bytes.map(Option::unwrap_or_default)
    }

    /// Checks that the next access is a store of `value` at `off`.
    pub fn store(&mut self, off: usize, len: usize, value: u64) {
        assert_eq!(self.0.next(), Some(Access::Store(off, len, value)));
    }

    /// Checks that the next access is `barrier`.
    pub fn barrier(&mut self, barrier: Access) {
        assert_eq!(self.0.next(), Some(barrier));
    }

    /// Checks that there is no further access.
    pub fn end(mut self) {
        assert_eq!(self.0.next(), None, "an access that nothing asks for");
    }
}
