// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Device side of a split virtqueue: takes chains of buffers that the modem made available and
//! returns them.
//!
//! On a *reversed* ring the modem is the driver in the words of the Virtio specification, and
//! Linux is the device. Here "the modem" is the side that owns the available ring, and "we" are
//! the side that owns the used ring.
//!
//! The modem can write to the whole ring at any time. So each descriptor is read once into private
//! memory and only that copy is validated and handed out, and our own indices are kept privately
//! and never read back. The first violation of the ring's rules ends the use of the ring: the error
//! is latched, every later call reports it, and the ring's memory is not accessed again.
//!
//! # The life of a chain
//!
//! [`DeviceRing::peek`] shows the next chain, [`Peeked::fetch`] hands it out as a [`Chain`],
//! [`DeviceRing::give_back`] takes it back in any order, and [`DeviceRing::publish`] publishes all
//! that were given back since. A [`Chain`] can neither be copied nor constructed, so giving one
//! back twice does not compile, and the one of another ring is refused.
//!
//! The compiler does not prevent that a chain is dropped instead of given back, and a destructor
//! that gives it back would have to borrow the ring, so that only one chain could be held at a
//! time. Instead, a chain that was only peeked at still belongs to the ring and can be given back
//! without being taken, as chains of one buffer are, the most common ones. A [`Chain`] is
//! `#[must_use]`, and [`DeviceRing::in_flight`] counts those that are held or were dropped. A
//! dropped chain is lost to the modem, and its buffers are never handed out again.
//!
//! Source: Virtio 1.2, sections 2.7.6 to 2.7.14;
//! C header: [`include/uapi/linux/virtio_ring.h`](srctree/include/uapi/linux/virtio_ring.h).

use core::{
    borrow::BorrowMut,
    num::Wrapping, //
};

use super::{
    vring_chain::{
        read_chain,
        read_desc,
        DeviceRingError,
        Segment, //
    },
    vring_half_stored::HalfStored,
    vring_layout::{
        need_event,
        Layout,
        AVAIL_F_NO_INTERRUPT,
        USED_F_NO_NOTIFY, //
    },
    vring_mem::{
        Features,
        RingMem, //
    }, //
};

/// A chain of buffers of the modem, to be given back with [`DeviceRing::give_back`].
///
/// It is the right to give the chain back, once. See the [module](self) on what happens when it
/// is dropped instead.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a chain that is not given back is lost to the modem"]
pub struct Chain {
    head: u16,
    len: usize,
}

#[allow(clippy::len_without_is_empty, reason = "a chain is never empty")]
impl Chain {
    /// Returns the index of the chain's first descriptor, by which the modem knows it.
    #[inline]
    pub const fn head(&self) -> u16 {
        self.head
    }

    /// Returns the number of the chain's segments, at least one.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }
}

/// A chain that was peeked at and not taken, see [`DeviceRing::peek`]. If this is dropped, the
/// chain is still the next one.
///
/// # Invariants
///
/// `ring` is not broken, its `next_avail` is not at `known_avail`, and `head` is not in flight.
pub struct Peeked<'a, M: RingMem, S: BorrowMut<[bool]>> {
    ring: &'a mut DeviceRing<M, S>,
    head: u16,
    first: Segment,
    /// The descriptor after the first, if there is one.
    second: Option<u16>,
}

impl<M: RingMem, S: BorrowMut<[bool]>> Peeked<'_, M, S> {
    /// Returns the chain's segment, if it has only one.
    #[inline]
    pub fn single(&self) -> Option<&Segment> {
        self.second.is_none().then_some(&self.first)
    }

    /// Gives the chain back without taking it, see [`DeviceRing::give_back`]. `written` is the
    /// number of bytes that we wrote. Of several segments only the first was checked.
    #[inline]
    pub fn give_back(self, written: u32) {
        // INVARIANT: By the type invariant, `next_avail` is not at `known_avail`, so that it may
        // move on. No place is set, as `next_used` moves on, too.
        self.ring.next_avail += 1;
        self.ring.add_used(self.head, written);
    }

    /// Takes the chain and copies its descriptors to the start of `segments`, which must have room
    /// for [`Layout::num`] of them.
    ///
    /// What is in `segments` beyond [`Chain::len`], or after an error, has no meaning.
    #[inline]
    pub fn fetch(self, segments: &mut [Segment]) -> Result<Chain, DeviceRingError> {
        let (ring, head) = (self.ring, self.head);
        let num = ring.layout.num();
        let len = u32::try_from(segments.len()).unwrap_or(u32::MAX);
        let Some(segments) = segments.get_mut(..usize::from(num)) else {
            return Err(DeviceRingError::Segments { len, num });
        };
        match read_chain(
            &ring.mem,
            &ring.layout,
            head,
            self.first,
            self.second,
            segments,
        ) {
            Ok(len) => {
                if let Some(is_in_flight) = ring.place(head) {
                    *is_in_flight = true;
                }
                // INVARIANT: By the type invariant, `next_avail` is not at `known_avail`, so that
                // it may move on, and the place was not set before.
                ring.next_avail += 1;
                Ok(Chain { head, len })
            }
            Err(error) => Err(ring.break_with(error)),
        }
    }
}

/// The device side of a ring.
///
/// `S` stores for each descriptor whether a chain that starts there is in flight.
///
/// # Invariants
///
/// - `published`, `next_used`, `next_avail` and `known_avail` follow each other in this order, and
///   from the first to the last it is at most `layout.num()`.
/// - `in_flight` has `layout.num()` places.
/// - Unless the ring is broken, exactly `next_avail - next_used` places of `in_flight` are set.
pub struct DeviceRing<M: RingMem, S: BorrowMut<[bool]>> {
    mem: M,
    layout: Layout,
    features: Features,
    in_flight: S,
    /// Position of the next chain in the available ring.
    next_avail: Wrapping<u16>,
    /// The last `avail.idx` that was read and found valid.
    known_avail: Wrapping<u16>,
    /// Position of the next chain in the used ring.
    next_used: Wrapping<u16>,
    /// The `used.idx` that the modem sees.
    published: Wrapping<u16>,
    /// Whether the `avail.idx` that was read last may be half stored.
    half_stored: HalfStored,
    /// The error that ended the use of the ring.
    broken: Option<DeviceRingError>,
}

impl<M: RingMem, S: BorrowMut<[bool]>> DeviceRing<M, S> {
    /// Creates the device side of a ring that is all zero and unused.
    ///
    /// `in_flight` must have one place for each descriptor; its content does not matter.
    pub fn new(
        mem: M,
        layout: Layout,
        features: Features,
        mut in_flight: S,
    ) -> Result<Self, DeviceRingError> {
        let num = layout.num();
        let places = in_flight.borrow_mut();
        if places.len() != usize::from(num) {
            return Err(DeviceRingError::Storage {
                len: u32::try_from(places.len()).unwrap_or(u32::MAX),
                num,
            });
        }
        places.fill(false);
        // INVARIANT: All indices are equal, there are `num` places, and none is set.
        Ok(Self {
            mem,
            layout,
            features,
            in_flight,
            next_avail: Wrapping(0),
            known_avail: Wrapping(0),
            next_used: Wrapping(0),
            published: Wrapping(0),
            half_stored: HalfStored::default(),
            broken: None,
        })
    }

    /// Returns the error that ended the use of the ring, if there was one.
    #[inline]
    pub fn error(&self) -> Option<DeviceRingError> {
        self.broken
    }

    /// Returns the position in the available ring of the next chain to fetch, counted from the
    /// start.
    pub fn next(&self) -> u16 {
        self.next_avail.0
    }

    /// Returns the number of chains that were fetched and not given back.
    pub fn in_flight(&self) -> u16 {
        (self.next_avail - self.next_used).0
    }

    /// Returns the number of chains that were given back and not published.
    pub fn pending(&self) -> u16 {
        (self.next_used - self.published).0
    }

    /// Looks at the next chain, if there is one, without taking it: reads its first descriptor.
    #[inline]
    pub fn peek(&mut self) -> Result<Option<Peeked<'_, M, S>>, DeviceRingError> {
        if self.next_avail == self.known_avail && !self.read_avail_idx()? {
            return Ok(None);
        }
        let head = self.mem.load16(self.layout.avail_ring(self.next_avail.0));
        // `place()` returns `None` for a head that is not below `num`, by the type invariant.
        match self.place(head) {
            Some(false) => {}
            Some(true) => return Err(self.break_with(DeviceRingError::HeadInFlight { head })),
            None => {
                let num = self.layout.num();
                return Err(self.break_with(DeviceRingError::Head { head, num }));
            }
        }
        match read_desc(&self.mem, &self.layout, head) {
            // INVARIANT: `next_avail` is not at `known_avail`, where it is in a broken ring, and
            // the place of `head` is not set: both were checked above.
            Ok((first, second)) => Ok(Some(Peeked {
                ring: self,
                head,
                first,
                second,
            })),
            Err(error) => Err(self.break_with(error)),
        }
    }

    /// Gives a chain back. `written` is the number of bytes that we wrote to it. The modem sees it
    /// after [`publish`](Self::publish).
    pub fn give_back(&mut self, chain: Chain, written: u32) -> Result<(), DeviceRingError> {
        if let Some(error) = self.error() {
            return Err(error);
        }
        let head = chain.head();
        match self.place(head) {
            Some(is_in_flight) if *is_in_flight => *is_in_flight = false,
            _ => return Err(self.break_with(DeviceRingError::NotInFlight { head })),
        }
        // A place was set, so `next_used` is not at `next_avail`.
        self.add_used(head, written);
        Ok(())
    }

    /// Publishes all chains given back since the last call. Returns whether the modem must be
    /// kicked.
    pub fn publish(&mut self) -> bool {
        if self.broken.is_some() || self.pending() == 0 {
            return false;
        }
        let old = self.published;
        self.mem.wmb();
        self.mem.store16(self.layout.used_idx(), self.next_used.0);
        // INVARIANT: Equal to its successor.
        self.published = self.next_used;
        self.mem.mb();
        if self.features.event_idx {
            let event = self.mem.load16(self.layout.used_event());
            need_event(event, self.published.0, old.0)
        } else {
            self.mem.load16(self.layout.avail_flags()) & AVAIL_F_NO_INTERRUPT == 0
        }
    }

    /// Asks the modem not to interrupt when it makes chains available. It may still do so.
    ///
    /// With `EVENT_IDX` there is nothing to store: the modem passes the index that was asked for
    /// once, and then again only 65,536 chains later.
    pub fn disable_notify(&mut self) {
        if self.broken.is_none() && !self.features.event_idx {
            self.mem.store16(self.layout.used_flags(), USED_F_NO_NOTIFY);
        }
    }

    /// Asks the modem to interrupt when it makes the next chain available. Returns whether it did
    /// already, possibly without an interrupt: then there is more to fetch.
    pub fn enable_notify(&mut self) -> bool {
        if self.broken.is_some() {
            return false;
        }
        if self.features.event_idx {
            self.mem
                .store16(self.layout.avail_event(), self.next_avail.0);
        } else {
            self.mem.store16(self.layout.used_flags(), 0);
        }
        self.mem.mb();
        self.has_more()
    }

    /// Returns whether there seems to be something to fetch: one load, no barrier.
    pub fn has_more(&self) -> bool {
        if self.broken.is_some() {
            return false;
        }
        let idx = Wrapping(self.mem.load16(self.layout.avail_idx()));
        self.half_stored.is_due((idx - self.next_avail).0)
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

    /// Reads `avail.idx`. Returns whether there are chains to fetch.
    fn read_avail_idx(&mut self) -> Result<bool, DeviceRingError> {
        if let Some(error) = self.error() {
            return Err(error);
        }
        let idx = Wrapping(self.mem.load16(self.layout.avail_idx()));
        let delta = (idx - self.next_avail).0;
        if delta == 0 {
            self.half_stored.settle(0);
            return Ok(false);
        }
        // Before the modem sees a chain in the used ring it cannot make its head available
        // again, so chains in flight and chains that are not published both count.
        let taken = Wrapping(self.in_flight()) + Wrapping(self.pending());
        // Not negative: by the type invariant, `taken` is at most the number of descriptors.
        let allowed = (Wrapping(self.layout.num()) - taken).0;
        if delta > allowed {
            if self.half_stored.tolerates(delta) {
                return Ok(false);
            }
            return Err(self.break_with(DeviceRingError::AvailJump { delta, allowed }));
        }
        // INVARIANT: From `published` it is `taken + delta`, at most the number of descriptors.
        self.known_avail = idx;
        self.half_stored.settle(delta);
        self.mem.rmb();
        Ok(true)
    }

    /// Adds a chain to the used ring. `next_used` must not be at `next_avail`.
    #[inline]
    fn add_used(&mut self, head: u16, written: u32) {
        let index = self.next_used;
        let elem = self.layout.used_ring(index.0);
        self.mem.store32x2(elem, [head.into(), written]);
        // INVARIANT: `next_used` was not at `next_avail`, so it may move on by one.
        self.next_used = index + Wrapping(1);
    }

    /// Returns the place that says whether the chain at `head` is in flight.
    #[inline]
    fn place(&mut self, head: u16) -> Option<&mut bool> {
        self.in_flight.borrow_mut().get_mut(usize::from(head))
    }

    /// Ends the use of the ring.
    #[cold]
    fn break_with(&mut self, error: DeviceRingError) -> DeviceRingError {
        self.broken = Some(error);
        // With no known chain left, `peek()` gets to `read_avail_idx()`, which returns the error.
        // Without a check in `peek()` itself: 5 instructions a frame fewer (bench, rx 8x1).
        // INVARIANT: Equal to its predecessor.
        self.known_avail = self.next_avail;
        // No further look is needed.
        self.half_stored = HalfStored::default();
        error
    }
}
