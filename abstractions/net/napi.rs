// SPDX-License-Identifier: GPL-2.0

//! NAPI: polling of a network device in softirq context.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::device::Device;
use crate::abstractions::bindings;
use core::num::NonZeroU32;
use kernel::{
    prelude::*,
    sync::SetOnce,
    types::{
        NotThreadSafe,
        Opaque, //
    }, //
};

/// A NAPI instance of a network device.
///
/// # Invariants
///
/// The `struct napi_struct` was added to a network device, which outlives it.
#[repr(transparent)]
pub(crate) struct Napi(Opaque<bindings::napi_struct>);

// SAFETY: The methods are those that NAPI synchronizes by itself.
unsafe impl Sync for Napi {}

impl Napi {
    /// Borrows a NAPI instance.
    ///
    /// # Safety
    ///
    /// `ptr` must be a NAPI instance that was added to a network device and stays so for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::napi_struct) -> &'a Self {
        // SAFETY: By the safety requirements, `ptr` is valid for `'a`; the type is a transparent
        // wrapper.
        // INVARIANT: By the safety requirements, it was added to a network device, and stays so.
        unsafe { &*ptr.cast() }
    }

    /// Returns the C object.
    pub(super) fn as_raw(&self) -> *mut bindings::napi_struct {
        self.0.get()
    }

    /// Schedules the poll function. Any context, hardirq and process context included; does
    /// nothing while the instance is disabled.
    #[inline]
    pub(crate) fn schedule(&self) {
        // SAFETY: By the type invariant, the instance was added to a network device.
        unsafe { bindings::helper_napi_schedule(self.as_raw()) }
    }

    /// Enables the instance. Process context: may sleep.
    ///
    /// # Safety
    ///
    /// The instance must be disabled, as it is after it was added, and no other code may be about
    /// to enable it.
    pub(super) unsafe fn enable(&self) {
        // SAFETY: By the type invariant, the instance was added to a network device; by the safety
        // requirements, it is disabled.
        unsafe { bindings::napi_enable(self.as_raw()) }
    }

    /// Waits for the poll function to end and disables the instance. Process context: sleeps.
    ///
    /// # Safety
    ///
    /// The instance must be enabled, and no other code may be about to disable it.
    pub(super) unsafe fn disable(&self) {
        // SAFETY: By the type invariant, the instance was added to a network device; by the safety
        // requirements, it is enabled.
        unsafe { bindings::napi_disable(self.as_raw()) }
    }
}

/// An object that schedules a NAPI instance: the queues of its device.
///
/// The network device owns it, so that it ends before the instance does, whatever a driver does
/// with references to it.
///
/// # Safety
///
/// When [`end`](Self::end) has returned, or the source was dropped, the instance is not used any
/// more.
pub(crate) unsafe trait Source: Send + Sync + Sized {
    /// The arguments of [`new`](Self::new).
    type Spec;

    /// Creates a source for an instance. Process context: may sleep.
    ///
    /// # Safety
    ///
    /// The instance must be valid until [`end`](Self::end) has returned or the new object was
    /// dropped. That must be dropped before anything ends that `spec` borrows.
    unsafe fn new(spec: Self::Spec, napi: &Napi) -> Result<Self>;

    /// Stops using the instance for good. Process context: may sleep.
    fn end(&self);
}

/// The place for the source of a NAPI instance.
pub(crate) struct SourcePlace<'a, S: Source> {
    napi: &'a Napi,
    place: &'a SetOnce<S>,
}

impl<'a, S: Source> SourcePlace<'a, S> {
    /// Describes the place.
    ///
    /// # Safety
    ///
    /// What is put into `place` must be ended before the instance is freed and before `'a` ends,
    /// and be dropped before `'a` ends.
    pub(super) unsafe fn new(napi: &'a Napi, place: &'a SetOnce<S>) -> Self {
        Self { napi, place }
    }

    /// Creates the source, which stays in its place. `EBUSY` if there is one. Process context: may
    /// sleep.
    pub(crate) fn fill(self, spec: S::Spec) -> Result<&'a S>
    where
        S::Spec: 'a,
    {
        // SAFETY: By the safety requirements of `new()`, what is put into the place ends before
        // the instance and `'a` do; if it is occupied, the source is dropped here.
        let source = unsafe { S::new(spec, self.napi) }?;
        if !self.place.populate(source) {
            return Err(EBUSY);
        }
        self.place.as_ref().ok_or(EBUSY)
    }
}

/// A run of the poll function with a budget: proof that it is running, in softirq context, and that
/// no other such run is.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    napi: &'a Napi,
    dev: &'a Device,
    budget: NonZeroU32,
    has_waited: bool,
    _not_send: NotThreadSafe,
}

assert_not_send!(Context<'static>, &'static Context<'static>);

impl<'a> Context<'a> {
    /// Describes the run of a poll function.
    ///
    /// # Safety
    ///
    /// Must be called by the poll function of `napi`, with the budget that it was given. `napi`
    /// must be an instance of `dev`, which has per-CPU statistics of the kind
    /// `NETDEV_PCPU_STAT_TSTATS`.
    #[inline]
    pub(super) unsafe fn new(
        napi: &'a Napi,
        dev: &'a Device,
        budget: NonZeroU32,
        has_waited: bool,
    ) -> Self {
        Self {
            napi,
            dev,
            budget,
            has_waited,
            _not_send: NotThreadSafe,
        }
    }

    /// Returns the network device.
    #[inline]
    pub(crate) fn dev(&self) -> &'a Device {
        self.dev
    }

    /// Returns how many packets this run may receive, at least one.
    #[inline]
    pub(crate) fn budget(&self) -> u32 {
        self.budget.get()
    }

    /// Returns whether this is the first run since the timer has expired that was started after a
    /// run returned [`Polled::Later`].
    #[inline]
    pub(crate) fn has_waited(&self) -> bool {
        self.has_waited
    }

    /// Returns the NAPI instance as a C object.
    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::napi_struct {
        self.napi.as_raw()
    }
}

/// Result of a run of the poll function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Polled {
    /// There may be more to do: the poll function runs again.
    More,
    /// So many packets were received, fewer than the budget, and no more were found after
    /// interrupts had been requested again.
    Done(u32),
    /// Like [`Done`](Self::Done), but the poll function runs again shortly, even without an
    /// interrupt.
    Later(u32),
}
