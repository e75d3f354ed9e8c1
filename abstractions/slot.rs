// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A place for one object at a time, which readers look up without a lock.
//!
//! It holds an address only: the user counts and frees the objects. This file has the part that
//! makes the place safe to share, so that it can be tested: an object is published with all earlier
//! writes to it, and taking an object out never takes another one.

/// An atomic variable for the address of an object.
pub trait Pointer {
    /// The type of an address.
    type Address: Copy + PartialEq;

    /// The address that means no object.
    const NONE: Self::Address;

    /// Returns the address. What was written before its [`replace`](Self::replace) can be read
    /// after this.
    fn load(&self) -> Self::Address;

    /// Sets the address to `new` if it is `old`, and returns whether it was. If it was, all that
    /// precedes is ordered before all that follows.
    fn replace(&self, old: Self::Address, new: Self::Address) -> bool;

    /// Sets the address, and returns the old one; orders as [`replace`](Self::replace) does.
    fn swap(&self, new: Self::Address) -> Self::Address;
}

/// A place that is empty or has an object.
#[derive(Debug)]
pub struct AtomicSlot<P: Pointer>(P);

impl<P: Pointer> AtomicSlot<P> {
    /// Creates a place from a pointer that is [`NONE`](Pointer::NONE).
    pub const fn new(pointer: P) -> Self {
        Self(pointer)
    }

    /// Puts an object into the place if that is empty. Returns whether it was.
    #[must_use]
    pub fn publish(&self, object: P::Address) -> bool {
        self.0.replace(P::NONE, object)
    }

    /// Returns the object in the place.
    #[inline]
    pub fn look_up(&self) -> Option<P::Address> {
        Some(self.0.load()).filter(|object| *object != P::NONE)
    }

    /// Empties the place if this very object is in it. Returns whether it was; the object is the
    /// caller's then.
    #[must_use]
    pub fn take_back(&self, object: P::Address) -> bool {
        object != P::NONE && self.0.replace(object, P::NONE)
    }

    /// Empties the place. Returns the object that was in it, which is the caller's.
    #[must_use]
    pub fn take(&self) -> Option<P::Address> {
        Some(self.0.swap(P::NONE)).filter(|object| *object != P::NONE)
    }
}
