// SPDX-License-Identifier: GPL-2.0

//! NAPI: polling of a network device in softirq context.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::device::Device;
use crate::abstractions::bindings;
use core::num::NonZeroU32;
use kernel::types::{
    NotThreadSafe,
    Opaque, //
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
        // SAFETY: By the safety requirements; the type is a transparent wrapper.
        // INVARIANT: By the safety requirements.
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
    pub(super) fn enable(&self) {
        // SAFETY: By the type invariant, the instance was added to a network device, which adds it
        // disabled. The callers enable and disable it in turn, with RTNL held.
        unsafe { bindings::napi_enable(self.as_raw()) }
    }

    /// Waits for the poll function to end and disables the instance. Process context: sleeps.
    pub(super) fn disable(&self) {
        // SAFETY: By the type invariant, the instance was added to a network device. The callers
        // enable and disable it in turn, with RTNL held.
        unsafe { bindings::napi_disable(self.as_raw()) }
    }
}

/// One run of the poll function with a budget: the proof that it is running, in softirq context,
/// and that no other such run is.
pub(crate) struct Context<'a> {
    napi: &'a Napi,
    dev: &'a Device,
    budget: NonZeroU32,
    _not_send: NotThreadSafe,
}

assert_not_send!(Context<'static>, &'static Context<'static>);

impl<'a> Context<'a> {
    /// Describes the run of a poll function.
    ///
    /// # Safety
    ///
    /// To be called by the poll function of `napi`, with the budget that it was given. `napi` must
    /// be an instance of `dev`, which has per-CPU statistics of the kind
    /// `NETDEV_PCPU_STAT_TSTATS`.
    #[inline]
    pub(super) unsafe fn new(napi: &'a Napi, dev: &'a Device, budget: NonZeroU32) -> Self {
        Self {
            napi,
            dev,
            budget,
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

    /// The NAPI instance as a C object.
    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::napi_struct {
        self.napi.as_raw()
    }
}

/// Result of a run of the poll function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Polled {
    /// There may be more to do: run again.
    More,
    /// That many packets were received, less than the budget, and there were no more when
    /// interrupts had been asked for again.
    Done(u32),
}
