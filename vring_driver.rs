// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Driver side of a split virtqueue: makes single buffers available to the modem and takes them
//! back.
//!
//! It is for a sender with fixed buffers: descriptor `n` is for buffer `n`, each frame is one
//! descriptor, and the modem only reads. Here "the modem" is the side that owns the used ring, and
//! "we" are the side that owns descriptors and available ring.
//!
//! The modem can write to the whole ring at any time. So only the used ring and the notification
//! fields are ever read from it. The state of each descriptor is kept in private memory, and a
//! descriptor is written anew each time it is made available; what the modem writes to descriptors
//! or available ring has no effect on this side. The first violation of the rules of the used ring
//! ends the use of the ring: the error is latched, every later call reports it, and the ring's
//! memory is not accessed again.
//!
//! [`DriverRing::take`] hands out a [`Slot`], the right to fill a buffer. [`DriverRing::add`] makes
//! it available, [`DriverRing::publish`] publishes all that were added since, and
//! [`DriverRing::reclaim`] takes back the buffers that the modem has used, in any order.
//!
//! Source: Virtio 1.2, sections 2.7.13 and 2.7.14;
//! C header: [`include/uapi/linux/virtio_ring.h`](srctree/include/uapi/linux/virtio_ring.h).

use core::{
    borrow::BorrowMut,
    fmt,
    num::Wrapping, //
};

use super::{
    vring_half_stored::HalfStored,
    vring_layout::{
        need_event,
        Layout,
        AVAIL_F_NO_INTERRUPT,
        DESC_SIZE,
        USED_F_NO_NOTIFY, //
    },
    vring_mem::{
        Features,
        RingMem, //
    }, //
};

/// The reason why a call was refused.
///
/// All but [`Slots`](Self::Slots), which is found before the ring is accessed, are latched by the
/// [`DriverRing`] and end its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverRingError {
    /// `used.idx` moved by more than the modem has buffers.
    UsedJump {
        /// Entries from the last one taken to the new index.
        delta: u16,
        /// Buffers that the modem has.
        allowed: u16,
    },
    /// The used ring names a descriptor that does not exist or has no slot.
    UsedId {
        /// The descriptor.
        id: u32,
        /// Number of slots.
        slots: u16,
    },
    /// The used ring names a descriptor that the modem does not have, or that is not published.
    NotInFlight {
        /// The descriptor.
        id: u16,
    },
    /// A slot was added that this ring did not hand out: a fault of the driver.
    NotTaken {
        /// The slot.
        slot: u16,
    },
    /// The number of slots is 0 or larger than that of descriptors: a fault of the driver.
    Slots {
        /// Number of slots, at most `u32::MAX`.
        slots: u32,
        /// Number of descriptors.
        num: u16,
    },
}

impl fmt::Display for DriverRingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UsedJump { delta, allowed } => write!(
                f,
                "used.idx moved by {delta}, at most {allowed} buffers can be done with"
            ),
            Self::UsedId { id, slots } => {
                write!(f, "descriptor {id} returned, must be below {slots}")
            }
            Self::NotInFlight { id } => write!(
                f,
                "descriptor {id} returned, only those made available can be"
            ),
            Self::NotTaken { slot } => {
                write!(f, "slot {slot} added to a ring that did not hand it out")
            }
            Self::Slots { slots, num } => write!(f, "{slots} slots, must be from 1 to {num}"),
        }
    }
}

/// The right to fill a buffer and to make it available to the modem, once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a slot that is neither added nor put back is lost"]
pub struct Slot(u16);

impl Slot {
    /// Returns the number of the slot, which is that of its descriptor.
    #[inline]
    pub const fn index(&self) -> u16 {
        self.0
    }
}

/// The owner of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlotState {
    /// The ring.
    Free {
        /// The next slot in the list of free slots.
        next: Option<u16>,
    },
    /// The sender, as a [`Slot`].
    #[default]
    Taken,
    /// The modem, once more buffers than `number` are published.
    Added {
        /// Number of buffers that had been added before.
        // 64 bits never wrap: a modem may keep a slot while any number of others are sent.
        number: u64,
    },
}

/// The driver side of a ring.
///
/// `S` stores a state for each slot. There are as many slots as that, at most as many as
/// descriptors.
///
/// # Invariants
///
/// - `next_used`, `known_used`, `published` and `added`, all modulo 2^16, follow each other in this
///   order, and from the first to the last it is at most the number of slots.
/// - Unless the ring is broken, exactly `added - next_used` slots are [`Added`](SlotState::Added),
///   and those that the modem does not see yet are the ones numbered from `published` on.
/// - The list that starts at `first_free` has `free` slots, all of which are
///   [`Free`](SlotState::Free).
pub struct DriverRing<M: RingMem, S: BorrowMut<[SlotState]>> {
    mem: M,
    layout: Layout,
    features: Features,
    slots: S,
    first_free: Option<u16>,
    free: u16,
    /// Number of buffers that were added. Modulo 2^16, the position of the next in the available
    /// ring.
    added: u64,
    /// Number of buffers that were published. Modulo 2^16, the `avail.idx` that the modem sees.
    published: u64,
    /// Position of the next buffer in the used ring.
    next_used: Wrapping<u16>,
    /// The last `used.idx` that was read and found valid.
    known_used: Wrapping<u16>,
    /// Whether interrupts are disabled: checking it saves a store, 10 instructions a frame, and 2
    /// with `EVENT_IDX` (bench, TX).
    notify_disabled: bool,
    /// Whether the `used.idx` that was read last may be half stored.
    half_stored: HalfStored,
    /// The error that ended the use of the ring.
    broken: Option<DriverRingError>,
}

impl<M: RingMem, S: BorrowMut<[SlotState]>> DriverRing<M, S> {
    /// Creates the driver side of a ring that is all zero and unused. It has as many slots as
    /// `slots` is long, whose content does not matter.
    pub fn new(
        mem: M,
        layout: Layout,
        features: Features,
        mut slots: S,
    ) -> Result<Self, DriverRingError> {
        let num = layout.num();
        let states = slots.borrow_mut();
        let free = match u16::try_from(states.len()) {
            Ok(count) if (1..=num).contains(&count) => count,
            _ => {
                return Err(DriverRingError::Slots {
                    slots: u32::try_from(states.len()).unwrap_or(u32::MAX),
                    num,
                });
            }
        };
        for (state, next) in states.iter_mut().zip(1..) {
            *state = SlotState::Free {
                next: (next < free).then_some(next),
            };
        }
        // INVARIANT: All indices are equal, and all slots are free and in the list.
        Ok(Self {
            mem,
            layout,
            features,
            slots,
            first_free: Some(0),
            free,
            added: 0,
            published: 0,
            next_used: Wrapping(0),
            known_used: Wrapping(0),
            notify_disabled: false,
            half_stored: HalfStored::default(),
            broken: None,
        })
    }

    /// Returns the error that ended the use of the ring, if there was one.
    #[inline]
    pub fn error(&self) -> Option<DriverRingError> {
        self.broken
    }

    /// Returns the position in the used ring of the next buffer to reclaim, counted from the start.
    pub fn next(&self) -> u16 {
        self.next_used.0
    }

    /// Returns the number of free slots.
    #[inline]
    pub fn free(&self) -> u16 {
        self.free
    }

    /// Returns the number of buffers published since the start.
    pub fn published(&self) -> u64 {
        self.published
    }

    /// Returns the number of published buffers that are not reclaimed yet.
    pub fn in_flight(&self) -> u16 {
        (Wrapping(self.published as u16) - self.next_used).0
    }

    /// Returns the number of the first buffer that was published and not reclaimed yet, counted
    /// from the start. Searches all slots.
    pub fn oldest(&self) -> Option<u64> {
        let numbers = self.slots.borrow().iter().filter_map(|state| match *state {
            SlotState::Added { number } if number < self.published => Some(number),
            _ => None,
        });
        numbers.min()
    }

    /// Takes a free slot, the one that was freed last.
    #[inline]
    pub fn take(&mut self) -> Option<Slot> {
        let slot = self.first_free?;
        let state = self.slots.borrow_mut().get_mut(usize::from(slot))?;
        let SlotState::Free { next } = *state else {
            return None;
        };
        // INVARIANT: The slot was the first of the list and is not in it any more.
        *state = SlotState::Taken;
        self.first_free = next;
        self.free = self.free.saturating_sub(1);
        Some(Slot(slot))
    }

    /// Puts a slot back unused. A slot of another ring is dropped.
    pub fn put(&mut self, slot: Slot) {
        let Slot(slot) = slot;
        let state = self.slots.borrow_mut().get_mut(usize::from(slot));
        if let Some(state @ SlotState::Taken) = state {
            // INVARIANT: The slot is free and the first of the list now.
            *state = SlotState::Free {
                next: self.first_free.replace(slot),
            };
            self.free = self.free.saturating_add(1);
        }
    }

    /// Adds a buffer of `len` bytes at the modem's address `addr` to the available ring. The modem
    /// sees it after [`publish`](Self::publish).
    #[inline]
    pub fn add(&mut self, slot: Slot, addr: u64, len: u32) -> Result<(), DriverRingError> {
        const _: () = assert!(DESC_SIZE == 16);

        if let Some(error) = self.error() {
            return Err(error);
        }
        let Slot(slot) = slot;
        match self.slots.borrow_mut().get_mut(usize::from(slot)) {
            Some(state @ SlotState::Taken) => *state = SlotState::Added { number: self.added },
            _ => return Err(self.break_with(DriverRingError::NotTaken { slot })),
        }
        let desc = self.layout.desc(slot);
        let [l0, l1, l2, l3] = len.to_ne_bytes();
        // No flags and no next descriptor.
        let rest = u64::from_ne_bytes([l0, l1, l2, l3, 0, 0, 0, 0]);
        self.mem.store64(desc, addr);
        self.mem.store64(desc + 8, rest);
        self.mem
            .store16(self.layout.avail_ring(self.added as u16), slot);
        // INVARIANT: One slot more is added, with a number not below `published`, and there are
        // not more added than slots.
        self.added = self.added.wrapping_add(1);
        Ok(())
    }

    /// Publishes all buffers added since the last call. Returns whether the modem must be kicked.
    pub fn publish(&mut self) -> bool {
        if self.broken.is_some() || self.published == self.added {
            return false;
        }
        let (old, new) = (self.published as u16, self.added as u16);
        self.mem.wmb();
        self.mem.store16(self.layout.avail_idx(), new);
        // INVARIANT: Equal to its successor.
        self.published = self.added;
        self.mem.mb();
        if self.features.event_idx {
            let event = self.mem.load16(self.layout.avail_event());
            need_event(event, new, old)
        } else {
            self.mem.load16(self.layout.used_flags()) & USED_F_NO_NOTIFY == 0
        }
    }

    /// Takes back the next buffer that the modem has used, if there is one, and returns the number
    /// of its slot, which is free now.
    ///
    /// The used element's `len` is not read: the modem only reads the buffers.
    #[inline]
    pub fn reclaim(&mut self) -> Result<Option<u16>, DriverRingError> {
        if let Some(error) = self.error() {
            return Err(error);
        }
        if self.next_used == self.known_used && !self.read_used_idx()? {
            return Ok(None);
        }
        let id = self.mem.load32(self.layout.used_ring(self.next_used.0));
        let states = self.slots.borrow_mut();
        let found = u16::try_from(id)
            .ok()
            .and_then(|slot| Some((slot, states.get_mut(usize::from(slot))?)));
        let Some((slot, state)) = found else {
            return Err(self.break_by_id(id));
        };
        if !matches!(*state, SlotState::Added { number } if number < self.published) {
            return Err(self.break_with(DriverRingError::NotInFlight { id: slot }));
        }
        // INVARIANT: The slot is free and the first of the list now; one slot less is added, which
        // the modem saw, and `next_used` was not at `known_used`.
        *state = SlotState::Free {
            next: self.first_free.replace(slot),
        };
        self.free = self.free.saturating_add(1);
        self.next_used += 1;
        Ok(Some(slot))
    }

    /// Asks the modem not to interrupt for used buffers. It may still do so.
    ///
    /// With `EVENT_IDX` there is nothing to store: the modem passes the index that was asked for
    /// once, and then again only 65,536 buffers later.
    #[inline]
    pub fn disable_notify(&mut self) {
        if self.notify_disabled || self.broken.is_some() {
            return;
        }
        self.notify_disabled = true;
        if !self.features.event_idx {
            self.mem
                .store16(self.layout.avail_flags(), AVAIL_F_NO_INTERRUPT);
        }
    }

    /// Asks the modem to interrupt for the next used buffer. Returns whether there is one already,
    /// possibly without an interrupt: then there is more to reclaim.
    pub fn enable_notify(&mut self) -> bool {
        if self.broken.is_some() {
            return false;
        }
        self.notify_disabled = false;
        if self.features.event_idx {
            self.mem.store16(self.layout.used_event(), self.next_used.0);
        } else {
            self.mem.store16(self.layout.avail_flags(), 0);
        }
        self.mem.mb();
        self.has_more()
    }

    /// Returns whether there seems to be something to reclaim: one load, no barrier.
    pub fn has_more(&self) -> bool {
        if self.broken.is_some() {
            return false;
        }
        let idx = Wrapping(self.mem.load16(self.layout.used_idx()));
        self.half_stored.is_due((idx - self.next_used).0)
    }

    /// Returns whether the modem's index was invalid when it was read last, and may have been half
    /// stored. If no notification comes soon it must be read again.
    #[inline]
    pub fn is_half_stored(&self) -> bool {
        self.half_stored.is_pending()
    }

    /// Counts a look at an index that may be half stored. The caller must have waited for the other
    /// half before, since the ring may be read many times in a moment. If the index is still
    /// invalid when it is read after [`LOOKS`](super::vring_half_stored::LOOKS) of these, the ring
    /// is broken.
    #[inline]
    pub fn count_look(&mut self) {
        self.half_stored.count_look();
    }

    /// Reads `used.idx`. Returns whether there are buffers to reclaim.
    fn read_used_idx(&mut self) -> Result<bool, DriverRingError> {
        let idx = Wrapping(self.mem.load16(self.layout.used_idx()));
        let delta = (idx - self.next_used).0;
        if delta == 0 {
            self.half_stored.settle(0);
            return Ok(false);
        }
        let allowed = (Wrapping(self.published as u16) - self.next_used).0;
        if delta > allowed {
            if self.half_stored.tolerates(delta) {
                return Ok(false);
            }
            return Err(self.break_with(DriverRingError::UsedJump { delta, allowed }));
        }
        // INVARIANT: At most at `published`.
        self.known_used = idx;
        self.half_stored.settle(delta);
        self.mem.rmb();
        Ok(true)
    }

    /// Ends the use of the ring, because a descriptor was returned that has no slot.
    #[cold]
    fn break_by_id(&mut self, id: u32) -> DriverRingError {
        let slots = u16::try_from(self.slots.borrow_mut().len()).unwrap_or(u16::MAX);
        self.break_with(DriverRingError::UsedId { id, slots })
    }

    /// Ends the use of the ring.
    #[cold]
    fn break_with(&mut self, error: DriverRingError) -> DriverRingError {
        self.broken = Some(error);
        // No further look is needed.
        self.half_stored = HalfStored::default();
        error
    }
}
