// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Allocation of linkids.

use std::ops::RangeInclusive;

/// Allocates linkids in turn, so that a freed one is reused as late as possible: the host may still
/// have frames under way for it.
#[derive(Debug)]
pub(crate) struct LinkIds {
    range: RangeInclusive<u8>,
    last: u8,
}

impl LinkIds {
    pub(crate) fn new(range: RangeInclusive<u8>) -> Self {
        Self { range, last: 0 }
    }

    /// Returns the next linkid that is not in use; `None` if all are.
    pub(crate) fn allocate(&mut self, in_use: impl Fn(u8) -> bool) -> Option<u8> {
        let free = |id: &u8| *id != 0 && !in_use(*id);
        let last = self.last;
        let mut after = self.range.clone().filter(|id| *id > last);
        let mut up_to = self.range.clone().filter(|id| *id <= last);
        let id = after.find(free).or_else(|| up_to.find(free))?;
        self.last = id;
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_turn_and_never_zero() {
        let mut ids = LinkIds::new(0..=3);
        let got: Vec<_> = (0..5).map(|_| ids.allocate(|_| false)).collect();
        assert_eq!(got, [Some(1), Some(2), Some(3), Some(1), Some(2)]);
    }

    #[test]
    fn only_free_ones() {
        let mut ids = LinkIds::new(250..=255);
        assert_eq!(ids.allocate(|id| id != 255), Some(255));
        assert_eq!(ids.allocate(|id| id != 252), Some(252));
        assert_eq!(ids.allocate(|_| true), None);
    }
}
