// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The device side of a ring, for the modem's side of vring 1.

use super::{
    fields::{
        Desc,
        Fields,
        Used, //
    },
    vring_layout::{
        need_event,
        Layout,
        AVAIL_F_NO_INTERRUPT,
        USED_F_NO_NOTIFY, //
    },
    vring_mem::{
        Features,
        RingMem, //
    },
    Violation, //
};
use core::num::Wrapping;

/// The device side of a ring: takes buffers that Linux made available and returns them.
pub struct Device<M> {
    fields: Fields<M>,
    features: Features,
    /// Position of the next buffer in the available ring.
    next_avail: Wrapping<u16>,
    /// Position of the next buffer in the used ring.
    next_used: Wrapping<u16>,
    /// The `used.idx` that Linux sees.
    published: Wrapping<u16>,
    /// The `used.idx` at the last check whether Linux wants an interrupt.
    told: Wrapping<u16>,
}

impl<M: RingMem> Device<M> {
    /// Creates the device side of an unused ring.
    pub fn new(mem: M, layout: Layout, features: Features) -> Self {
        Self {
            fields: Fields::new(mem, layout),
            features,
            next_avail: Wrapping(0),
            next_used: Wrapping(0),
            published: Wrapping(0),
            told: Wrapping(0),
        }
    }

    /// Returns the fields of the ring.
    pub fn fields(&self) -> &Fields<M> {
        &self.fields
    }

    /// Returns the place in the available ring of the next buffer to fetch, counted from the start.
    pub fn next_avail(&self) -> u16 {
        self.next_avail.0
    }

    /// Returns the place in the used ring of the next buffer to return, counted from the start.
    pub fn next_used(&self) -> u16 {
        self.next_used.0
    }

    /// Returns the number of buffers that Linux made available and that were not fetched.
    /// `avail.idx` is not checked.
    pub fn waiting(&self) -> u16 {
        (Wrapping(self.fields.avail_idx()) - self.next_avail).0
    }

    /// Takes the next buffer that Linux made available, if there is one. Returns its first
    /// descriptor, by number and content.
    pub fn fetch(&mut self) -> Result<Option<(u16, Desc)>, Violation> {
        let (delta, num) = (self.waiting(), self.fields.num());
        if delta > num {
            return Err(Violation::AvailJump { delta, num });
        }
        if delta == 0 {
            return Ok(None);
        }
        self.fields.mem().rmb();
        let head = self.fields.avail(self.next_avail.0);
        if head >= num {
            return Err(Violation::Head { head, num });
        }
        self.next_avail += 1;
        Ok(Some((head, self.fields.desc(head))))
    }

    /// Puts an entry into the used ring without a check. A buffer is returned by its first
    /// descriptor, in any order.
    pub fn put_used(&mut self, id: u32, len: u32) {
        self.fields.write_used(self.next_used.0, Used { id, len });
        self.next_used += 1;
    }

    /// Skips entries of the used ring, which keep their values.
    pub fn skip(&mut self, entries: u16) {
        self.next_used += entries;
    }

    /// Stores `used.idx`, so that Linux sees the entries.
    pub fn expose(&mut self) {
        self.fields.write_used_idx(self.next_used.0);
        self.published = self.next_used;
    }

    /// Returns whether Linux must be interrupted for what was exposed since the last call.
    pub fn needs_interrupt(&mut self) -> bool {
        let old = core::mem::replace(&mut self.told, self.published);
        if old == self.published {
            return false;
        }
        self.fields.mem().mb();
        if self.features.event_idx {
            need_event(self.fields.used_event(), self.published.0, old.0)
        } else {
            self.fields.avail_flags() & AVAIL_F_NO_INTERRUPT == 0
        }
    }

    /// Stores `used.idx`. Returns whether Linux must be interrupted.
    pub fn publish(&mut self) -> bool {
        self.expose();
        self.needs_interrupt()
    }

    /// Asks not to be kicked when buffers are made available. Linux may still do so.
    pub fn disable_notify(&self) {
        if self.features.event_idx {
            // An index that was just passed is reached again only after 65,535 others.
            self.fields
                .write_avail_event((self.next_avail - Wrapping(1)).0);
        } else {
            self.fields.write_used_flags(USED_F_NO_NOTIFY);
        }
    }

    /// Asks to be kicked when that many buffers are available; without `EVENT_IDX`, when any are.
    /// Returns whether they already are, possibly without a kick.
    pub fn notify_after(&self, buffers: u16) -> bool {
        if self.features.event_idx {
            let last = self.next_avail + Wrapping(buffers) - Wrapping(1);
            self.fields.write_avail_event(last.0);
        } else {
            self.fields.write_used_flags(0);
        }
        self.fields.mem().mb();
        self.waiting() >= buffers
    }

    /// Asks to be kicked when the next buffer is available. Returns whether one already is.
    pub fn enable_notify(&self) -> bool {
        self.notify_after(1)
    }
}
