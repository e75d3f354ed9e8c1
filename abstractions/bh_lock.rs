// SPDX-License-Identifier: GPL-2.0

//! Spin locks that softirq and process context share.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use crate::abstractions::bindings;
use kernel::{
    prelude::*,
    sync::lock::{
        Backend,
        Lock, //
    }, //
};

/// Creates a [`BhLock`] with a lockdep class of its own.
macro_rules! new_bh_lock {
    ($inner:expr, $name:expr) => {
        $crate::abstractions::bh_lock::BhLock::new($inner, $name, kernel::static_lock_class!())
    };
}
pub(crate) use new_bh_lock;

/// A spin lock that keeps bottom halves off while it is held. For any context with interrupts
/// enabled.
pub(crate) type BhLock<T> = Lock<T, BhBackend>;

/// The functions of a [`BhLock`].
pub(crate) struct BhBackend;

// SAFETY: `spin_lock_bh()` excludes all others until `spin_unlock_bh()`; `relock()` is that of the
// trait, which locks as `lock()` does.
unsafe impl Backend for BhBackend {
    type State = bindings::spinlock_t;
    type GuardState = ();

    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key) {
        // SAFETY: By the safety requirements, `ptr` is valid for writes, and `name` and `key` stay
        // valid.
        unsafe { bindings::__spin_lock_init(ptr, name, key) }
    }

    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: By the safety requirements, the lock is initialized.
        unsafe { bindings::net_helper_spin_lock_bh(ptr) }
    }

    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        // SAFETY: By the safety requirements, the lock is initialized.
        unsafe { bindings::net_helper_spin_trylock_bh(ptr) }.then_some(())
    }

    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &Self::GuardState) {
        // SAFETY: By the safety requirements, the caller holds the lock.
        unsafe { bindings::net_helper_spin_unlock_bh(ptr) }
    }

    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: By the safety requirements, the lock is initialized.
        unsafe { bindings::spin_assert_is_held(ptr) }
    }
}
