// SPDX-License-Identifier: GPL-2.0

//! NAPI: polling of a network device in softirq context.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::device::Device;
use crate::abstractions::bindings;
use kernel::types::Opaque;

/// A NAPI instance of a network device.
///
/// # Invariants
///
/// The `struct napi_struct` was added to a network device, which outlives it.
#[repr(transparent)]
pub struct Napi(Opaque<bindings::napi_struct>);

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

    /// The C object.
    pub(super) fn as_raw(&self) -> *mut bindings::napi_struct {
        self.0.get()
    }

    /// Makes the poll function run soon. Any context, hardirq and process context included; does
    /// nothing while the instance is disabled.
    #[inline]
    pub fn schedule(&self) {
        // SAFETY: By the type invariant, the instance was added to a network device.
        unsafe { bindings::caif_helper_napi_schedule(self.as_raw()) }
    }

    /// Lets the poll function run. Process context: may sleep.
    pub(super) fn enable(&self) {
        // SAFETY: The instance was added to a network device. The caller enables it once.
        unsafe { bindings::napi_enable(self.as_raw()) }
    }

    /// Waits for the poll function to end and keeps it from running. Process context: sleeps.
    pub(super) fn disable(&self) {
        // SAFETY: The instance was added to a network device and is enabled.
        unsafe { bindings::napi_disable(self.as_raw()) }
    }
}

/// One run of the poll function: the proof that it is running, in softirq context, and that no
/// other run is.
pub struct Context<'a> {
    napi: &'a Napi,
    dev: &'a Device,
    budget: u32,
}

impl<'a> Context<'a> {
    /// Describes the run of a poll function.
    ///
    /// # Safety
    ///
    /// To be called by the poll function of `napi`, an instance of `dev`, which has per-CPU
    /// statistics of the kind `NETDEV_PCPU_STAT_TSTATS`.
    pub(super) unsafe fn new(napi: &'a Napi, dev: &'a Device, budget: u32) -> Self {
        Self { napi, dev, budget }
    }

    /// The network device.
    #[inline]
    pub fn dev(&self) -> &'a Device {
        self.dev
    }

    /// How many packets this run may receive. With 0 it may only complete transmissions.
    #[inline]
    pub fn budget(&self) -> u32 {
        self.budget
    }

    /// Copies `len` bytes at `from`, which may be I/O memory, to a new packet of the protocol
    /// `ETH_P_CAIF`, counts it and hands it to the stack. Returns whether there was memory for it.
    ///
    /// # Safety
    ///
    /// `from` must be valid for reads of `len` bytes, in whatever state they are.
    #[inline]
    pub unsafe fn receive(&self, from: *const u8, is_iomem: bool, len: u32) -> bool {
        let napi = self.napi.as_raw();
        if is_iomem {
            // SAFETY: By the safety requirements of `new()` we are in the poll function of the
            // instance, hence in softirq context, and its device has the statistics. The rest is by
            // the safety requirements.
            unsafe { bindings::caif_helper_receive_io(napi, from.cast(), len) }
        } else {
            // SAFETY: As above.
            unsafe { bindings::caif_helper_receive(napi, from.cast(), len) }
        }
    }
}

/// What a run of the poll function came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// There may be more to do: run again.
    More,
    /// That many packets were received, less than the budget, and there were no more when
    /// interrupts had been asked for again.
    Done(u32),
}
