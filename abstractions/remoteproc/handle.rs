// SPDX-License-Identifier: GPL-2.0

//! The handle of a remote processor, for its driver and for interrupt handlers.
//!
//! C header: [`include/linux/remoteproc.h`](srctree/include/linux/remoteproc.h)

use super::{
    firmware::ElfLoader,
    recovery::Recovery,
    table::Shown, //
};
use crate::abstractions::{
    bindings,
    compat::synchronize_rcu, //
};
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    device,
    prelude::*,
    sync::{
        aref::AlwaysRefCounted,
        atomic::{
            ordering::{
                Acquire,
                Release, //
            },
            Atomic, //
        },
        rcu, //
    },
    types::{
        NotThreadSafe,
        Opaque, //
    }, //
};

/// State of a remote processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The processor is off.
    Offline,
    /// The processor is suspended.
    Suspended,
    /// The processor was booted and runs.
    Running,
    /// The processor crashed and was not recovered yet.
    Crashed,
    /// The processor was started by others than Linux, and Linux is attached to it.
    Attached,
    /// The processor was started by others than Linux, and Linux is not attached to it.
    Detached,
}

/// Kind of a crash, for the message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Crash {
    /// The processor's watchdog expired.
    Watchdog,
    /// The processor reported a fatal error.
    Fatal,
}

/// The private data of a remote processor, which lies behind the C structure.
pub(super) struct RprocPrivate {
    /// The [`CallbackData`](super::registration::CallbackData) of the driver, for the callbacks.
    pub(super) context: *const c_void,
    /// Whether interrupts are passed to virtqueues.
    pub(super) interrupts: Atomic<bool>,
    /// Whether the processor was registered, or is about to be.
    pub(super) is_registered: Atomic<bool>,
    /// The operations of the ELF loader, which others replace and call.
    pub(super) elf: ElfLoader,
    /// The copy of the resource table that the processor sees.
    pub(super) shown: Shown,
    /// The work after a recovery.
    pub(super) recovery: Recovery,
}

// `rproc_alloc()` puts the private data behind the structure.
const _: () = assert!(align_of::<RprocPrivate>() <= align_of::<bindings::rproc>());

/// A remote processor of a driver in Rust.
///
/// # Invariants
///
/// The structure was made by `Unregistered::new`, so that its private data is a [`RprocPrivate`],
/// which lives as long as the structure itself.
#[repr(transparent)]
pub(crate) struct Rproc(Opaque<bindings::rproc>);

// SAFETY: A remote processor may be released from any thread.
unsafe impl Send for Rproc {}
// SAFETY: What can be called on a shared reference is synchronized by remoteproc.
unsafe impl Sync for Rproc {}

// SAFETY: The count of the embedded device is that of the remote processor.
unsafe impl AlwaysRefCounted for Rproc {
    fn inc_ref(&self) {
        // SAFETY: There is a reference, so that the count is not zero.
        unsafe { bindings::get_device(self.device()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the safety requirements, the caller owns a count.
        unsafe { bindings::rproc_free(obj.as_ptr().cast()) };
    }
}

impl AsRef<device::Device> for Rproc {
    fn as_ref(&self) -> &device::Device {
        // SAFETY: The embedded device is initialized and lives as long as the processor.
        unsafe { device::Device::from_raw(self.device()) }
    }
}

impl Rproc {
    /// Borrows a remote processor.
    ///
    /// # Safety
    ///
    /// `ptr` must have been made by `Unregistered::new` and be valid for `'a`.
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::rproc) -> &'a Self {
        // SAFETY: By the safety requirements, `ptr` is valid for `'a`; the type is a transparent
        // wrapper.
        // INVARIANT: By the safety requirements, `Unregistered::new` made it.
        unsafe { &*ptr.cast() }
    }

    /// Returns the C structure.
    pub(crate) fn as_raw(&self) -> *mut bindings::rproc {
        self.0.get()
    }

    /// Returns the embedded device.
    fn device(&self) -> *mut bindings::device {
        // SAFETY: By the type invariant, the structure is valid; only the address of a part of it
        // is taken.
        unsafe { &raw mut (*self.as_raw()).dev }.cast()
    }

    /// Returns the private data.
    pub(super) fn private(&self) -> &RprocPrivate {
        // SAFETY: By the type invariant, the structure is valid, and `priv` does not change after
        // `rproc_alloc()`.
        let private = unsafe { (*self.as_raw()).priv_ };
        // SAFETY: By the type invariant, this is an `RprocPrivate`. Its fields are atomics, written
        // before there is an `Rproc` only, or the work item, which is `Opaque`.
        unsafe { &*private.cast::<RprocPrivate>() }
    }

    /// Returns the present state. It may change at any time, except in one of the operations.
    pub(crate) fn state(&self) -> State {
        // SAFETY: By the type invariant, the structure is valid.
        let state = unsafe { &raw const (*self.as_raw()).state };
        // SAFETY: The pointer is to a part of a valid structure. Writers hold the lock of the
        // processor; a state that is out of date does no harm.
        match unsafe { state.read_volatile() } {
            bindings::rproc_state_RPROC_SUSPENDED => State::Suspended,
            bindings::rproc_state_RPROC_RUNNING => State::Running,
            bindings::rproc_state_RPROC_CRASHED => State::Crashed,
            bindings::rproc_state_RPROC_ATTACHED => State::Attached,
            bindings::rproc_state_RPROC_DETACHED => State::Detached,
            _ => State::Offline,
        }
    }

    /// Passes an interrupt of the processor to the virtqueue of this number. Returns whether the
    /// virtqueue handled it. Does nothing unless the processor runs.
    ///
    /// May be called in any context, and at any time after `Unregistered::new`.
    pub(crate) fn vq_interrupt(&self, notifyid: u32) -> bool {
        let Ok(notifyid) = c_int::try_from(notifyid) else {
            return false;
        };
        // `close_interrupts` waits for the end of this section, and virtqueues are freed after it.
        let _guard = rcu::read_lock();
        if !self.private().interrupts.load(Acquire) {
            return false;
        }
        // SAFETY: By the type invariant, the processor is valid. By the safety requirements of
        // `open_interrupts`, its vrings are not released before `close_interrupts` returned, which
        // waits for the RCU read lock held here.
        let ret = unsafe { bindings::rproc_vq_interrupt(self.as_raw(), notifyid) };
        ret == bindings::irqreturn_IRQ_HANDLED
    }

    /// Starts passing interrupts to virtqueues.
    ///
    /// # Safety
    ///
    /// [`close_interrupts`](Self::close_interrupts) must return before vrings are released.
    pub(super) unsafe fn open_interrupts(&self) {
        self.private().interrupts.store(true, Release);
    }

    /// Stops passing interrupts to virtqueues, and waits for those that are being handled. May
    /// sleep.
    pub(super) fn close_interrupts(&self) {
        self.private().interrupts.store(false, Release);
        synchronize_rcu();
    }

    /// Reports that the processor crashed. It is recovered later, unless the user disabled that.
    ///
    /// May be called in any context, and at any time after `Unregistered::new`; it does
    /// nothing before the processor is registered, once it is being unregistered, or while it is
    /// offline or crashed.
    pub(crate) fn report_crash(&self, crash: Crash) {
        // Without a registration, nothing would wait for remoteproc's work item.
        if !self.private().is_registered.load(Acquire) {
            return;
        }
        if self.state() == State::Crashed {
            // remoteproc would handle this after the recovery, as a crash of the processor just
            // started.
            return;
        }
        let crash = match crash {
            Crash::Watchdog => bindings::rproc_crash_type_RPROC_WATCHDOG,
            Crash::Fatal => bindings::rproc_crash_type_RPROC_FATAL_ERROR,
        };
        // SAFETY: By the type invariant, the processor is valid, and the function may be called in
        // any context. Its work item ends before the processor: both ends of
        // `Unregistered::register` wait for it.
        unsafe { bindings::rproc_report_crash(self.as_raw(), crash) };
    }

    /// Runs `f` with the lock of the processor held. Deadlocks if called by an operation, which
    /// holds it.
    pub(super) fn locked<R>(&self, f: impl FnOnce(&Locked<'_>) -> R) -> R {
        // SAFETY: By the type invariant, the structure is valid; only the address of a part of it
        // is taken.
        let lock = unsafe { &raw mut (*self.as_raw()).lock };
        // SAFETY: `rproc_alloc()` initialized the lock.
        unsafe { bindings::mutex_lock(lock) };
        // SAFETY: The lock was just taken, and is released when `f` has returned.
        let ret = f(&unsafe { Locked::new(self) });
        // SAFETY: It was locked above.
        unsafe { bindings::mutex_unlock(lock) };
        ret
    }

    /// Returns whether the processor is down. Takes the lock of the processor.
    pub(crate) fn is_down(&self) -> bool {
        matches!(
            self.locked(|rproc| rproc.state()),
            State::Offline | State::Detached
        )
    }
}

/// A remote processor whose lock is held by this task.
///
/// # Invariants
///
/// The lock is held as long as the value exists.
pub(super) struct Locked<'a>(&'a Rproc, NotThreadSafe);

impl<'a> Locked<'a> {
    /// Describes a processor whose lock is held.
    ///
    /// # Safety
    ///
    /// This task must hold the lock as long as the value exists.
    pub(super) unsafe fn new(rproc: &'a Rproc) -> Self {
        // INVARIANT: By the safety requirements, the lock is held.
        Self(rproc, NotThreadSafe)
    }
}

impl Deref for Locked<'_> {
    type Target = Rproc;

    fn deref(&self) -> &Rproc {
        self.0
    }
}
