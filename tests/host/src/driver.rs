// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A model of the modem: the driver side of a ring, one that obeys the rules.
//!
//! Tests that need a modem that breaks them write to its memory behind its back.

use std::num::Wrapping;

use fastrand::Rng;

use crate::memory::View;
use crate::vring_chain::Segment;
use crate::vring_layout::{
    need_event, Layout, DESC_FLAGS, DESC_F_NEXT, DESC_LEN, DESC_NEXT, USED_F_NO_NOTIFY,
};
use crate::vring_mem::RingMem;

/// A buffer to be posted, before it has a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffer {
    /// Device address.
    pub addr: u64,
    /// Bytes.
    pub len: u32,
    /// Flags of its descriptor, without `NEXT`.
    pub flags: u16,
}

impl Buffer {
    /// Whether `segment` is what the other side should have made of this buffer, which is the
    /// `last` of its chain or not.
    pub fn is(&self, segment: &Segment, last: bool) -> bool {
        let flags = self.flags | if last { 0 } else { DESC_F_NEXT };
        (self.addr, self.len, flags) == (segment.addr(), segment.len(), segment.flags())
    }
}

/// An entry of the used ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// The chain's first descriptor.
    pub head: u16,
    /// Bytes that the other side says it wrote.
    pub written: u32,
}

/// The driver side of a ring.
pub struct Driver<'a> {
    mem: View<'a>,
    layout: Layout,
    event_idx: bool,
    rng: Rng,
    free: Vec<u16>,
    /// The descriptors of the chain that starts at each index, none if it is not posted.
    chains: Vec<Vec<u16>>,
    avail: Wrapping<u16>,
    exposed: Wrapping<u16>,
    used: Wrapping<u16>,
}

impl<'a> Driver<'a> {
    /// Takes the driver side of a ring that is all zero. Descriptors are used in an order that
    /// `seed` decides.
    pub fn new(mem: View<'a>, layout: Layout, event_idx: bool, seed: u64) -> Self {
        Self {
            mem,
            layout,
            event_idx,
            rng: Rng::with_seed(seed),
            free: (0..layout.num()).collect(),
            chains: vec![Vec::new(); usize::from(layout.num())],
            avail: Wrapping(0),
            exposed: Wrapping(0),
            used: Wrapping(0),
        }
    }

    /// Number of descriptors that are in no posted chain.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Number of chains that the other side can see and that were not reclaimed.
    pub fn outstanding(&self) -> u16 {
        (self.exposed - self.used).0
    }

    /// Puts a chain into the available ring and returns its head, or `None` if there are too few
    /// descriptors. [`Driver::expose`] shows it to the other side.
    pub fn post(&mut self, buffers: &[Buffer]) -> Option<u16> {
        if buffers.is_empty() || buffers.len() > self.free.len() {
            return None;
        }
        // Backwards, so that each descriptor knows its successor.
        let mut next = None;
        let mut descs = Vec::new();
        for buffer in buffers.iter().rev() {
            let desc = self.free.swap_remove(self.rng.usize(..self.free.len()));
            let flags = buffer.flags | if next.is_some() { DESC_F_NEXT } else { 0 };
            // The `next` of a last descriptor has no meaning, so it is not left at 0.
            write_desc(
                &self.mem,
                &self.layout,
                desc,
                (
                    buffer.addr,
                    buffer.len,
                    flags,
                    next.unwrap_or_else(|| self.rng.u16(..)),
                ),
            );
            descs.push(desc);
            next = Some(desc);
        }
        let head = next?;
        self.chains[usize::from(head)] = descs;
        self.mem.store16(self.layout.avail_ring(self.avail.0), head);
        self.avail += 1;
        Some(head)
    }

    /// Shows all posted chains to the other side. Returns whether it must be interrupted.
    pub fn expose(&mut self) -> bool {
        let old = self.exposed;
        self.mem.wmb();
        self.mem.store16(self.layout.avail_idx(), self.avail.0);
        self.exposed = self.avail;
        self.mem.mb();
        if old == self.exposed {
            false
        } else if self.event_idx {
            let event = self.mem.load16(self.layout.avail_event());
            need_event(event, self.exposed.0, old.0)
        } else {
            self.mem.load16(self.layout.used_flags()) & USED_F_NO_NOTIFY == 0
        }
    }

    /// Takes back the next chain that the other side returned. Ends the test if that is not one
    /// it holds.
    pub fn reclaim(&mut self) -> Option<Used> {
        if self.mem.load16(self.layout.used_idx()) == self.used.0 {
            return None;
        }
        self.mem.rmb();
        let elem = self.layout.used_ring(self.used.0);
        let id = self.mem.load32(elem);
        let written = self.mem.load32(elem + 4);
        let head = u16::try_from(id).expect("the used id must be a descriptor");
        let descs = self
            .chains
            .get_mut(usize::from(head))
            .expect("the used id must be below num");
        assert!(!descs.is_empty(), "chain {head} must have been posted");
        self.free.append(descs);
        self.used += 1;
        Some(Used { head, written })
    }

    /// Asks for a kick when the next chain comes back. Returns whether one already did.
    pub fn enable_kick(&mut self) -> bool {
        if self.event_idx {
            self.mem.store16(self.layout.used_event(), self.used.0);
        } else {
            self.mem.store16(self.layout.avail_flags(), 0);
        }
        self.mem.mb();
        self.mem.load16(self.layout.used_idx()) != self.used.0
    }

    /// Free-running index of the next entry of the used ring.
    pub fn used_idx(&self) -> u16 {
        self.used.0
    }
}

/// Writes address, length, flags and next of descriptor `index`, whatever they are.
pub fn write_desc(
    mem: &View<'_>,
    layout: &Layout,
    index: u16,
    (addr, len, flags, next): (u64, u32, u16, u16),
) {
    let off = layout.desc(index);
    mem.store64(off, addr);
    mem.store32(off + DESC_LEN, len);
    mem.store16(off + DESC_FLAGS, flags);
    mem.store16(off + DESC_NEXT, next);
}
