// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Device side of a split virtqueue: takes chains of buffers that the modem made available and
//! gives them back.
//!
//! On a *reversed* ring the modem is the driver in the words of the Virtio specification, and
//! Linux is the device. Here "the modem" is the side that owns the available ring, and "we" are
//! the side that owns the used ring.
//!
//! The modem can write to the whole ring at any time. So each descriptor is read once into
//! private memory and only that copy is validated and handed out, and our own indices are kept
//! privately and never read back. The first violation of the ring's rules ends the use of the
//! ring: the error is kept, every later call reports it, and the ring's memory is not touched
//! again.
//!
//! # The life of a chain
//!
//! [`Ring::fetch`] hands out a [`Chain`], [`Ring::give_back`] takes it back in any order, and
//! [`Ring::publish`] tells the modem about all that were given back since. A [`Chain`] can
//! neither be copied nor made up, so giving one back twice does not compile, and the one of
//! another ring is refused.
//!
//! The language cannot prevent that a value is dropped, and a destructor that reaches the ring
//! would have to borrow it, so that only one chain could be held at a time. Two things stand in:
//! [`Ring::peek`] shows a chain that is still the ring's, to be given back without being taken,
//! which is the way for chains of one buffer, the most common ones; and whoever must hold a chain
//! gets a `#[must_use]` token from [`Ring::fetch`] and a count, [`Ring::in_flight`], which tells a
//! forgotten chain from none. A forgotten chain is lost to the modem, but harmless: it is never
//! handed out a second time.
//!
//! Source: Virtio 1.2, sections 2.7.6 to 2.7.14;
//! C header: [`include/uapi/linux/virtio_ring.h`](srctree/include/uapi/linux/virtio_ring.h).

use core::{
    borrow::BorrowMut,
    fmt,
    num::Wrapping, //
};

use super::{
    vring_layout::{
        need_event,
        Layout,
        AVAIL_F_NO_INTERRUPT,
        DESC_F_INDIRECT,
        DESC_F_NEXT,
        DESC_F_WRITE,
        DESC_SIZE,
        USED_F_NO_NOTIFY, //
    },
    vring_mem::{
        Features,
        RingMem, //
    }, //
};

/// One buffer of a chain: a private copy of its descriptor.
///
/// The address and the length are as the modem wrote them; what they may be is for the caller to
/// judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    addr: u64,
    len: u32,
    flags: u16,
}

impl Segment {
    /// The modem's address of the buffer.
    #[inline]
    pub const fn addr(&self) -> u64 {
        self.addr
    }

    /// Bytes of the buffer.
    #[inline]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether the buffer has no bytes.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The descriptor's flags, unknown ones included.
    #[inline]
    pub const fn flags(&self) -> u16 {
        self.flags
    }

    /// Whether the buffer is for us to write to, which a frame to be received is not.
    #[inline]
    pub const fn is_write(&self) -> bool {
        self.flags & DESC_F_WRITE != 0
    }
}

/// Why a call was refused.
///
/// All but [`Storage`](Self::Storage) and [`Segments`](Self::Segments), which leave the ring as it
/// was, are kept by the [`Ring`] and end its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// `avail.idx` moved further than there are buffers that the modem owns.
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
    /// A chain was given back that this ring did not hand out. This is our own fault.
    NotInFlight {
        /// The chain's first descriptor.
        head: u16,
    },
    /// The storage for the heads in flight is too small. This is our own fault.
    Storage {
        /// Length of the storage, at most `u32::MAX`.
        len: u32,
        /// Number of descriptors, each of which needs a place.
        num: u16,
    },
    /// The slice for the segments is too short for the longest chain. This is our own fault.
    Segments {
        /// Length of the slice, at most `u32::MAX`.
        len: u32,
        /// Number of descriptors, and so of segments of the longest chain.
        num: u16,
    },
}

impl fmt::Display for RingError {
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

/// A chain of buffers that the modem lent us, to be given back with [`Ring::give_back`].
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
    /// Index of the chain's first descriptor, by which the modem knows it.
    #[inline]
    pub const fn head(&self) -> u16 {
        self.head
    }

    /// Number of the chain's segments, at least one.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }
}

/// A chain that was looked at and not taken, see [`Ring::peek`]. When this is dropped, the chain is
/// still the next one.
///
/// # Invariants
///
/// `ring` is not broken, its `next_avail` is not at `known_avail`, and `head` is not in flight.
pub struct Next<'a, M: RingMem, S: BorrowMut<[bool]>> {
    ring: &'a mut Ring<M, S>,
    head: u16,
    first: Segment,
    /// The descriptor at which it continues after the first.
    second: Option<u16>,
}

impl<M: RingMem, S: BorrowMut<[bool]>> Next<'_, M, S> {
    /// The chain's segment, if it has only one.
    #[inline(always)]
    pub fn single(&self) -> Option<&Segment> {
        self.second.is_none().then_some(&self.first)
    }

    /// Gives the chain back, of which we wrote the first `written` bytes, as [`Ring::give_back`]
    /// does with one that was taken. If it has several segments, only the first was looked at.
    #[inline(always)]
    pub fn give_back(self, written: u32) {
        // INVARIANT: By the type invariant, `next_avail` may move on. No place is set, as
        // `next_used` moves on, too.
        self.ring.next_avail += 1;
        self.ring.put(self.head, written);
    }

    /// Takes the chain, as [`Ring::fetch`] does.
    #[inline]
    pub fn fetch(self, segments: &mut [Segment]) -> Result<Chain, RingError> {
        let (ring, head) = (self.ring, self.head);
        ring.check_room(segments)?;
        match ring.read_chain(head, self.first, self.second, segments) {
            Ok(len) => {
                if let Some(is_in_flight) = ring.place(head) {
                    *is_in_flight = true;
                }
                // INVARIANT: By the type invariant, `next_avail` may move on, and the place was
                // not set before.
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
/// - Unless the ring is broken, exactly `next_avail - next_used` places of `in_flight` are set.
pub struct Ring<M: RingMem, S: BorrowMut<[bool]>> {
    mem: M,
    layout: Layout,
    features: Features,
    in_flight: S,
    /// Where the next chain is in the available ring.
    next_avail: Wrapping<u16>,
    /// The last `avail.idx` that was read and found possible.
    known_avail: Wrapping<u16>,
    /// Where the next chain goes in the used ring.
    next_used: Wrapping<u16>,
    /// The `used.idx` that the modem sees.
    published: Wrapping<u16>,
    /// The error that ended the use of the ring.
    broken: Option<RingError>,
}

impl<M: RingMem, S: BorrowMut<[bool]>> Ring<M, S> {
    /// Takes the device side of a ring that is all zero and that nobody has used yet.
    ///
    /// `in_flight` must have a place for each descriptor; its content does not matter.
    pub fn new(
        mem: M,
        layout: Layout,
        features: Features,
        mut in_flight: S,
    ) -> Result<Self, RingError> {
        let num = layout.num();
        let places = in_flight.borrow_mut();
        if places.len() < usize::from(num) {
            return Err(RingError::Storage {
                len: u32::try_from(places.len()).unwrap_or(u32::MAX),
                num,
            });
        }
        places.fill(false);
        // INVARIANT: All indices are equal, and no place is set.
        Ok(Self {
            mem,
            layout,
            features,
            in_flight,
            next_avail: Wrapping(0),
            known_avail: Wrapping(0),
            next_used: Wrapping(0),
            published: Wrapping(0),
            broken: None,
        })
    }

    /// The ring's geometry.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The error that ended the use of the ring, if there was one.
    pub fn error(&self) -> Option<RingError> {
        self.broken
    }

    /// Place in the available ring of the next chain to fetch, counted from the start.
    pub fn next(&self) -> u16 {
        self.next_avail.0
    }

    /// Number of chains that were fetched and not given back.
    pub fn in_flight(&self) -> u16 {
        (self.next_avail - self.next_used).0
    }

    /// Number of chains that were given back and not published.
    pub fn pending(&self) -> u16 {
        (self.next_used - self.published).0
    }

    /// Looks at the next chain, if there is one, without taking it: reads its first descriptor.
    #[inline(always)]
    pub fn peek(&mut self) -> Result<Option<Next<'_, M, S>>, RingError> {
        if self.next_avail == self.known_avail && !self.read_avail_idx()? {
            return Ok(None);
        }
        let num = self.layout.num();
        let head = self.mem.load16(self.layout.avail_ring(self.next_avail.0));
        if head >= num {
            return Err(self.break_with(RingError::Head { head, num }));
        }
        if self.place(head).is_none_or(|is_in_flight| *is_in_flight) {
            return Err(self.break_with(RingError::HeadInFlight { head }));
        }
        let (first, next) = self.read_desc(head);
        match self.follow(head, &first, next) {
            // INVARIANT: Was checked above; in a broken ring `known_avail` is at `next_avail`.
            Ok(second) => Ok(Some(Next {
                ring: self,
                head,
                first,
                second,
            })),
            Err(error) => Err(self.break_with(error)),
        }
    }

    /// Takes the next chain, if there is one, and copies its descriptors to the start of
    /// `segments`, which must have room for [`Layout::num`] of them.
    ///
    /// What is in `segments` beyond [`Chain::len`], or after an error, has no meaning.
    #[inline]
    pub fn fetch(&mut self, segments: &mut [Segment]) -> Result<Option<Chain>, RingError> {
        self.check_room(segments)?;
        match self.peek()? {
            Some(next) => next.fetch(segments).map(Some),
            None => Ok(None),
        }
    }

    /// Gives a chain back, of which we wrote the first `written` bytes. The modem does not know
    /// before [`publish`](Self::publish).
    pub fn give_back(&mut self, chain: Chain, written: u32) -> Result<(), RingError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let head = chain.head;
        match self.place(head) {
            Some(is_in_flight) if *is_in_flight => *is_in_flight = false,
            _ => return Err(self.break_with(RingError::NotInFlight { head })),
        }
        // A place was set, so `next_used` is not at `next_avail`.
        self.put(head, written);
        Ok(())
    }

    /// Tells the modem about all chains given back since the last call. Returns whether it must
    /// be kicked to notice.
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
    /// With `EVENT_IDX` there is nothing to store: the modem passed the index that was asked for
    /// last and comes by it again only 65,536 chains later.
    pub fn disable_notify(&mut self) {
        if self.broken.is_none() && !self.features.event_idx {
            self.mem.store16(self.layout.used_flags(), USED_F_NO_NOTIFY);
        }
    }

    /// Asks the modem to interrupt when it makes the next chain available. Returns whether it
    /// already did, possibly without an interrupt: then there is more to fetch.
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

    /// Whether there seems to be something to fetch: one load, no barrier. Of use to tell an
    /// interrupt for this ring from one for another.
    pub fn has_more(&self) -> bool {
        self.broken.is_none() && self.mem.load16(self.layout.avail_idx()) != self.next_avail.0
    }

    /// Looks for chains beyond the known ones. Returns whether there are any.
    fn read_avail_idx(&mut self) -> Result<bool, RingError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let idx = Wrapping(self.mem.load16(self.layout.avail_idx()));
        let delta = (idx - self.next_avail).0;
        // Before the modem sees a chain in the used ring it cannot make its head available
        // again, so chains in flight and chains that are not published both count.
        let taken = self.next_avail - self.published;
        // By the type invariant, it is not negative.
        let allowed = (Wrapping(self.layout.num()) - taken).0;
        if delta > allowed {
            return Err(self.break_with(RingError::AvailJump { delta, allowed }));
        }
        // INVARIANT: From `published` it is `taken + delta`, at most the number of descriptors.
        self.known_avail = idx;
        if delta == 0 {
            return Ok(false);
        }
        self.mem.rmb();
        Ok(true)
    }

    /// Whether `segments` has room for the longest chain.
    #[inline]
    fn check_room(&self, segments: &[Segment]) -> Result<(), RingError> {
        let num = self.layout.num();
        if segments.len() < usize::from(num) {
            return Err(self.broken.unwrap_or(RingError::Segments {
                len: u32::try_from(segments.len()).unwrap_or(u32::MAX),
                num,
            }));
        }
        Ok(())
    }

    /// Reads the chain at `head` to `segments`. Its first descriptor was read before, and it
    /// continues at `next`. Returns the number of its segments.
    #[inline]
    fn read_chain(
        &self,
        head: u16,
        first: Segment,
        mut next: Option<u16>,
        segments: &mut [Segment],
    ) -> Result<usize, RingError> {
        let num = self.layout.num();
        let mut slots = segments.iter_mut().take(usize::from(num));
        if let Some(slot) = slots.next() {
            *slot = first;
        }
        let mut len = 1;
        while let Some(desc) = next {
            let Some(slot) = slots.next() else {
                return Err(RingError::Loop { head, num });
            };
            let (segment, after) = self.read_desc(desc);
            next = self.follow(desc, &segment, after)?;
            *slot = segment;
            len += 1;
        }
        Ok(len)
    }

    /// The index of the descriptor that comes after `desc`, if it is not the chain's last.
    #[inline(always)]
    fn follow(&self, desc: u16, segment: &Segment, next: u16) -> Result<Option<u16>, RingError> {
        let num = self.layout.num();
        if segment.flags & DESC_F_INDIRECT != 0 {
            Err(RingError::Indirect { desc })
        } else if segment.flags & DESC_F_NEXT == 0 {
            Ok(None)
        } else if next >= num {
            Err(RingError::Next { desc, next, num })
        } else {
            Ok(Some(next))
        }
    }

    /// Puts a chain into the used ring. `next_used` must not be at `next_avail`.
    #[inline(always)]
    fn put(&mut self, head: u16, written: u32) {
        let elem = self.layout.used_ring(self.next_used.0);
        self.mem.store32x2(elem, [head.into(), written]);
        // INVARIANT: By what is asked for above.
        self.next_used += 1;
    }

    /// Reads a descriptor, each byte once. The second value is its `next` field.
    #[inline(always)]
    fn read_desc(&self, index: u16) -> (Segment, u16) {
        const _: () = assert!(DESC_SIZE == 16);

        let [addr, rest] = self.mem.load64x2(self.layout.desc(index));
        // The fields are found by their place in memory, whatever the byte order.
        let [l0, l1, l2, l3, f0, f1, n0, n1] = rest.to_ne_bytes();
        let segment = Segment {
            addr,
            len: u32::from_ne_bytes([l0, l1, l2, l3]),
            flags: u16::from_ne_bytes([f0, f1]),
        };
        (segment, u16::from_ne_bytes([n0, n1]))
    }

    /// Whether the chain at `head` is in flight.
    #[inline]
    fn place(&mut self, head: u16) -> Option<&mut bool> {
        self.in_flight.borrow_mut().get_mut(usize::from(head))
    }

    /// Ends the use of the ring.
    #[cold]
    fn break_with(&mut self, error: RingError) -> RingError {
        self.broken = Some(error);
        // Nothing more to fetch: whoever tries is led to where the error is found.
        // INVARIANT: Equal to its predecessor.
        self.known_avail = self.next_avail;
        error
    }
}
