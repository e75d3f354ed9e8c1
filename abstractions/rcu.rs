// SPDX-License-Identifier: GPL-2.0

//! Objects that readers under RCU can look up without taking a reference.
//!
//! The objects are freed by RCU callbacks, which are code of the module. So the module must be a
//! [`Contained`](super::module::Contained) one, which waits for the callbacks before it ends.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::abstractions::{
    bindings,
    compat::rcu_barrier,
    module,
    slot::{
        AtomicSlot,
        Pointer, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::{
        offset_of,
        ManuallyDrop, //
    },
    ops::Deref,
    ptr::{
        self,
        from_ref,
        null_mut,
        NonNull, //
    }, //
};
use kernel::{
    container_of,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed,
            Release, //
        },
        rcu::{
            self,
            Guard, //
        },
        Refcount, //
    },
    types::Opaque, //
};

/// The number of objects that are to be freed.
static PENDING: Atomic<i64> = Atomic::new(0);

/// An object with its count.
#[pin_data]
#[repr(C)]
struct Inner<T> {
    count: Refcount,
    head: Opaque<bindings::callback_head>,
    #[pin]
    value: T,
}

/// A counted reference to an object that is freed a grace period after the last one is dropped.
///
/// The object is dropped in softirq context: that must not sleep.
///
/// # Invariants
///
/// `ptr` came from a `KBox`, and one of the counts of the object is ours.
pub(crate) struct RcuArc<T: Send + Sync + 'static> {
    ptr: NonNull<Inner<T>>,
    _phantom: PhantomData<Inner<T>>,
}

// SAFETY: All references share the object, which is `Sync`, and any task may drop it, since it is
// `Send`.
unsafe impl<T: Send + Sync + 'static> Send for RcuArc<T> {}

// SAFETY: A shared reference gives access to the object, which is `Sync`, and can be cloned, which
// `Send` allows.
unsafe impl<T: Send + Sync + 'static> Sync for RcuArc<T> {}

// The object is pinned, the reference to it is not.
impl<T: Send + Sync + 'static> Unpin for RcuArc<T> {}

impl<T: Send + Sync + 'static> RcuArc<T> {
    /// Creates an object.
    pub(crate) fn pin_init<E>(
        value: impl PinInit<T, E>,
        flags: kernel::alloc::Flags,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        // The module waits for the callback that frees the object.
        module::assert_contained();
        let inner = KBox::try_pin_init(
            try_pin_init!(Inner {
                count: Refcount::new(1),
                head: Opaque::zeroed(),
                value <- value,
            }? Error),
            flags,
        )?;
        // SAFETY: The object stays where it is until it is dropped.
        let inner = unsafe { Pin::into_inner_unchecked(inner) };
        // INVARIANT: The count is 1, and it becomes ours.
        Ok(Self {
            ptr: NonNull::from(KBox::leak(inner)),
            _phantom: PhantomData,
        })
    }

    /// Passes our count to the caller.
    fn into_raw(self) -> *mut Inner<T> {
        ManuallyDrop::new(self).ptr.as_ptr()
    }

    /// Creates a reference from a count.
    ///
    /// # Safety
    ///
    /// `ptr` must be NULL or come from [`into_raw`](Self::into_raw), whose count passes to the new
    /// reference.
    unsafe fn from_raw(ptr: *mut Inner<T>) -> Option<Self> {
        // INVARIANT: By the safety requirements, it came from a `KBox`, and its count passes to
        // us.
        NonNull::new(ptr).map(|ptr| Self {
            ptr,
            _phantom: PhantomData,
        })
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: By the type invariant, the object exists at least as long as the reference.
        unsafe { self.ptr.as_ref() }
    }
}

impl<T: Send + Sync + 'static> Deref for RcuArc<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T: Send + Sync + 'static> Clone for RcuArc<T> {
    fn clone(&self) -> Self {
        self.inner().count.inc();
        // INVARIANT: The count that was just added is that of the new reference.
        Self {
            ptr: self.ptr,
            _phantom: PhantomData,
        }
    }
}

impl<T: Send + Sync + 'static> Drop for RcuArc<T> {
    fn drop(&mut self) {
        if self.inner().count.dec_and_test() {
            let head = self.inner().head.get();
            PENDING.fetch_add(1, Relaxed);
            // SAFETY: The object exists until `free()` frees it, and with its count at zero this
            // call is not made again: `RcuSlot::get()` does not count from zero.
            unsafe { bindings::call_rcu(head, Some(free::<T>)) };
        }
    }
}

/// Frees an object.
///
/// # Safety
///
/// `head` must be that of an [`Inner`] from a `KBox`, which is not used any more.
unsafe extern "C" fn free<T>(head: *mut bindings::callback_head) {
    // CAST: `Opaque` is a transparent wrapper.
    let head: *mut Opaque<bindings::callback_head> = head.cast();
    // SAFETY: By the safety requirements, it is the `head` of an `Inner`.
    let inner = unsafe { container_of!(head, Inner<T>, head) };
    // SAFETY: By the safety requirements, it came from a `KBox`, and this is the only user.
    drop(unsafe { KBox::from_raw(inner) });
    // Counted down only now: dropping the object may have added others.
    PENDING.fetch_sub(1, Release);
}

/// The address of an object with its count.
struct Address<T>(Atomic<*mut Inner<T>>);

impl<T> Pointer for Address<T> {
    type Address = *mut Inner<T>;

    const NONE: Self::Address = null_mut();

    #[inline]
    fn load(&self) -> Self::Address {
        self.0.load(Acquire)
    }

    fn replace(&self, old: Self::Address, new: Self::Address) -> bool {
        self.0.cmpxchg(old, new, Full).is_ok()
    }

    fn swap(&self, new: Self::Address) -> Self::Address {
        self.0.xchg(new, Full)
    }
}

/// A place for an object, which may be empty.
///
/// # Invariants
///
/// An address in the place came from [`RcuArc::into_raw`], and its count belongs to the place.
pub(crate) struct RcuSlot<T: Send + Sync + 'static>(AtomicSlot<Address<T>>);

// SAFETY: The place has a reference, which is `Send`.
unsafe impl<T: Send + Sync + 'static> Send for RcuSlot<T> {}

// SAFETY: The address is atomic, and a reference to the object is `Sync`.
unsafe impl<T: Send + Sync + 'static> Sync for RcuSlot<T> {}

impl<T: Send + Sync + 'static> RcuSlot<T> {
    /// Creates an empty place.
    pub(crate) const fn new() -> Self {
        // INVARIANT: There is no address in it.
        Self(AtomicSlot::new(Address(Atomic::new(null_mut()))))
    }

    /// Returns the object in the place, for as long as the guard is held.
    #[inline]
    pub(crate) fn load<'g>(&self, guard: &'g Guard) -> Option<&'g T> {
        self.inner(guard).map(|inner| &inner.value)
    }

    #[inline]
    fn inner<'g>(&self, _guard: &'g Guard) -> Option<&'g Inner<T>> {
        let ptr = NonNull::new(self.0.look_up()?)?;
        // SAFETY: By the type invariant, the object was counted when it was looked up, in the read
        // section of the guard, so that it is freed after the end of that section.
        Some(unsafe { ptr.as_ref() })
    }

    /// Returns a counted reference to the object in the place.
    pub(crate) fn get(&self) -> Option<RcuArc<T>> {
        let guard = rcu::read_lock();
        let inner = self.inner(&guard)?;
        // CAST: `Refcount` is a transparent wrapper.
        let count = from_ref(&inner.count).cast_mut().cast();
        // SAFETY: The object exists while the guard is held.
        if !unsafe { bindings::net_helper_refcount_inc_not_zero(count) } {
            return None;
        }
        // INVARIANT: The count that was just added is that of the new reference.
        Some(RcuArc {
            ptr: NonNull::from(inner),
            _phantom: PhantomData,
        })
    }

    /// Puts an object into the place if that is empty. Returns whether it was.
    pub(crate) fn publish(&self, object: RcuArc<T>) -> bool {
        let ptr = object.into_raw();
        // INVARIANT: The count passes to the place, if that is empty.
        let published = self.0.publish(ptr);
        if !published {
            // SAFETY: It came from `into_raw()`, and its count is not that of the place.
            drop(unsafe { RcuArc::from_raw(ptr) });
        }
        published
    }

    /// Empties the place, and returns the object that was in it.
    pub(crate) fn take(&self) -> Option<RcuArc<T>> {
        let ptr = self.0.take()?;
        // SAFETY: By the type invariant, it came from `into_raw()`; the count passes from the
        // place to the reference.
        unsafe { RcuArc::from_raw(ptr) }
    }

    /// Empties the place if this very object is in it, and returns the object.
    pub(crate) fn take_if(&self, object: &T) -> Option<RcuArc<T>> {
        let ptr = self.0.look_up()?;
        let value = ptr.wrapping_byte_add(offset_of!(Inner<T>, value)).cast();
        // As long as `object` is borrowed, nothing else can have its address.
        if !ptr::eq(value, object) || !self.0.take_back(ptr) {
            return None;
        }
        // SAFETY: By the type invariant, it came from `into_raw()`; the count passes from the
        // place to the reference.
        unsafe { RcuArc::from_raw(ptr) }
    }
}

impl<T: Send + Sync + 'static> Drop for RcuSlot<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Waits until no callback is pending or running. Process context: sleeps.
pub(super) fn wait() {
    // Freeing an object may drop the last reference to another one.
    while PENDING.load(Acquire) != 0 {
        rcu_barrier();
    }
    rcu_barrier();
}
