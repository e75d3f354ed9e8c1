// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The driver side of a ring, for the modem's side of the reversed vring.

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
        DESC_F_NEXT,
        USED_F_NO_NOTIFY, //
    },
    vring_mem::{
        Features,
        RingMem, //
    },
    Violation, //
};
use core::{
    borrow::BorrowMut,
    num::Wrapping, //
};

/// The owner of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The modem.
    #[default]
    Free,
    /// Linux; it is the first of a chain.
    Head { next: Option<u16> },
    /// Linux; it is a later one of a chain.
    Body { next: Option<u16> },
}

/// The state that a [`Driver`] stores for each descriptor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    state: State,
    /// Entry of the stack of free descriptors, unrelated to `state`.
    free: u16,
}

/// The driver side of a ring: makes chains of buffers available and takes them back.
///
/// `S` stores a [`Place`] for each descriptor.
pub struct Driver<M, S> {
    fields: Fields<M>,
    features: Features,
    places: S,
    /// Number of free descriptors.
    free: u16,
    /// Position of the next chain in the available ring.
    next_avail: Wrapping<u16>,
    /// The `avail.idx` that Linux sees.
    published: Wrapping<u16>,
    /// The `avail.idx` at the last check whether Linux wants an interrupt.
    told: Wrapping<u16>,
    /// Position of the next chain in the used ring.
    next_used: Wrapping<u16>,
}

impl<M: RingMem, S: BorrowMut<[Place]>> Driver<M, S> {
    /// Creates the driver side of a ring that is all zero. Returns `None` if there are fewer places
    /// than descriptors. The descriptors are used from the first one on.
    pub fn new(mem: M, layout: Layout, features: Features, mut places: S) -> Option<Self> {
        let num = layout.num();
        let all = places.borrow_mut().get_mut(..usize::from(num))?;
        for (place, free) in all.iter_mut().zip((0..num).rev()) {
            *place = Place {
                state: State::Free,
                free,
            };
        }
        Some(Self {
            fields: Fields::new(mem, layout),
            features,
            places,
            free: num,
            next_avail: Wrapping(0),
            published: Wrapping(0),
            told: Wrapping(0),
            next_used: Wrapping(0),
        })
    }

    /// Returns the fields of the ring.
    pub fn fields(&self) -> &Fields<M> {
        &self.fields
    }

    /// Returns the number of free descriptors.
    pub fn free(&self) -> u16 {
        self.free
    }

    /// Returns the place in the available ring of the next chain, counted from the start.
    pub fn next_avail(&self) -> u16 {
        self.next_avail.0
    }

    /// Returns the place in the used ring of the next chain to take back, counted from the start.
    pub fn next_used(&self) -> u16 {
        self.next_used.0
    }

    /// Returns the number of chains that Linux can see and that were not taken back.
    pub fn in_flight(&self) -> u16 {
        (self.published - self.next_used).0
    }

    /// Shuffles the free descriptors, by a function that returns a random number below its
    /// argument.
    pub fn shuffle(&mut self, mut below: impl FnMut(u16) -> u16) {
        let places = self.places.borrow_mut();
        for i in (1..self.free).rev() {
            let j = usize::from(below(i + 1));
            let i = usize::from(i);
            if let (Some(a), Some(b)) = (places.get(i).copied(), places.get(j).copied()) {
                for (at, free) in [(i, b.free), (j, a.free)] {
                    if let Some(place) = places.get_mut(at) {
                        place.free = free;
                    }
                }
            }
        }
    }

    /// Puts a chain of buffers into the available ring. Returns its first descriptor, or `None` if
    /// there are no buffers or too few free descriptors.
    ///
    /// `NEXT` and `next` are set for all buffers but the last, whose `next` is stored as it is.
    pub fn post(&mut self, buffers: &[Desc]) -> Option<u16> {
        if buffers.is_empty() || buffers.len() > usize::from(self.free) {
            return None;
        }
        let head = self.pop_free()?;
        let mut index = head;
        let mut rest = buffers;
        while let [buffer, behind @ ..] = rest {
            let next = if behind.is_empty() {
                None
            } else {
                self.pop_free()
            };
            let desc = match next {
                Some(next) => Desc {
                    flags: buffer.flags | DESC_F_NEXT,
                    next,
                    ..*buffer
                },
                None => *buffer,
            };
            self.fields.write_desc(index, desc);
            if let Some(place) = self.places.borrow_mut().get_mut(usize::from(index)) {
                place.state = if index == head {
                    State::Head { next }
                } else {
                    State::Body { next }
                };
            }
            index = next.unwrap_or(index);
            rest = behind;
        }
        self.put(head);
        Some(head)
    }

    /// Puts a number into the available ring without a check.
    pub fn put(&mut self, head: u16) {
        self.fields.write_avail(self.next_avail.0, head);
        self.next_avail += 1;
    }

    /// Skips entries of the available ring, which keep their values.
    pub fn skip(&mut self, entries: u16) {
        self.next_avail += entries;
    }

    /// Stores `avail.idx`, so that Linux sees the entries.
    pub fn expose(&mut self) {
        self.fields.write_avail_idx(self.next_avail.0);
        self.published = self.next_avail;
    }

    /// Returns whether Linux must be interrupted for what was exposed since the last call.
    pub fn needs_interrupt(&mut self) -> bool {
        let old = core::mem::replace(&mut self.told, self.published);
        if old == self.published {
            return false;
        }
        self.fields.mem().mb();
        if self.features.event_idx {
            need_event(self.fields.avail_event(), self.published.0, old.0)
        } else {
            self.fields.used_flags() & USED_F_NO_NOTIFY == 0
        }
    }

    /// Stores `avail.idx`. Returns whether Linux must be interrupted.
    pub fn publish(&mut self) -> bool {
        self.expose();
        self.needs_interrupt()
    }

    /// Returns the number of returned chains that were not taken. `used.idx` is not checked.
    pub fn returned(&self) -> u16 {
        (Wrapping(self.fields.used_idx()) - self.next_used).0
    }

    /// Takes the next entry of the used ring, if there is one, without any check. Its descriptors
    /// do not become free.
    pub fn take_used(&mut self) -> Option<Used> {
        (self.returned() != 0).then(|| self.next_entry())
    }

    /// Takes back the next chain that Linux returned, if there is one. Its descriptors are free
    /// afterwards.
    pub fn reclaim(&mut self) -> Result<Option<Used>, Violation> {
        let (delta, allowed) = (self.returned(), self.in_flight());
        if delta > allowed {
            return Err(Violation::UsedJump { delta, allowed });
        }
        if delta == 0 {
            return Ok(None);
        }
        let used = self.next_entry();
        self.free_chain(used.id)
            .ok_or(Violation::UsedId { id: used.id })?;
        Ok(Some(used))
    }

    /// Asks not to be kicked when chains come back. Linux may still do so.
    pub fn disable_notify(&self) {
        if self.features.event_idx {
            // An index that was just passed is reached again only after 65,535 others.
            self.fields
                .write_used_event((self.next_used - Wrapping(1)).0);
        } else {
            self.fields.write_avail_flags(AVAIL_F_NO_INTERRUPT);
        }
    }

    /// Asks to be kicked when that many chains are back; without `EVENT_IDX`, when any are. Returns
    /// whether they already are, possibly without a kick.
    pub fn notify_after(&self, chains: u16) -> bool {
        if self.features.event_idx {
            let last = self.next_used + Wrapping(chains) - Wrapping(1);
            self.fields.write_used_event(last.0);
        } else {
            self.fields.write_avail_flags(0);
        }
        self.fields.mem().mb();
        self.returned() >= chains
    }

    /// Asks to be kicked when the next chain is back. Returns whether one already is.
    pub fn enable_notify(&self) -> bool {
        self.notify_after(1)
    }

    /// Takes the next entry of the used ring.
    fn next_entry(&mut self) -> Used {
        self.fields.mem().rmb();
        let used = self.fields.used(self.next_used.0);
        self.next_used += 1;
        used
    }

    /// Frees the descriptors of the chain `id`. `None` if Linux has no such chain.
    fn free_chain(&mut self, id: u32) -> Option<()> {
        let places = self.places.borrow_mut();
        let mut index = u16::try_from(id).ok()?;
        if !matches!(places.get(usize::from(index))?.state, State::Head { .. }) {
            return None;
        }
        loop {
            let place = places.get_mut(usize::from(index))?;
            let state = core::mem::take(&mut place.state);
            places.get_mut(usize::from(self.free))?.free = index;
            self.free = self.free.checked_add(1)?;
            match state {
                State::Head { next: Some(next) } | State::Body { next: Some(next) } => index = next,
                _ => return Some(()),
            }
        }
    }

    fn pop_free(&mut self) -> Option<u16> {
        let top = self.free.checked_sub(1)?;
        let free = self.places.borrow_mut().get(usize::from(top))?.free;
        self.free = top;
        Some(free)
    }
}
