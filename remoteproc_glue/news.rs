// SPDX-License-Identifier: GPL-2.0

//! Interrupts of the remote processor: each asks for a poll if an index of one of the vrings moved,
//! see `vring_news.rs`.

use super::{
    PerVring,
    VringMem, //
};
use crate::{
    abstractions::net::napi::Napi,
    vring_layout::Layout,
    vring_mem::RingMem,
    vring_news, //
};
use core::ptr::NonNull;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// A word for [`LastSeen`].
pub(crate) struct AtomicWord(Atomic<u32>);

impl vring_news::Word for AtomicWord {
    #[inline]
    fn load(&self) -> u32 {
        self.0.load(Relaxed)
    }

    #[inline]
    fn store(&self, value: u32) {
        self.0.store(value, Relaxed)
    }

    #[inline]
    fn swap(&self, value: u32) -> u32 {
        self.0.xchg(value, Full)
    }
}

/// The indices of a link's rings that the driver saw last, and whether a poll is due.
pub(crate) type LastSeen = vring_news::Seen<AtomicWord>;

/// The state that interrupts of a link use.
///
/// # Invariants
///
/// `napi` is valid.
pub(super) struct State<'bound> {
    napi: NonNull<Napi>,
    vrings: PerVring<(VringMem<'bound>, Layout)>,
    last_seen: Arc<LastSeen>,
}

// SAFETY: Through a shared reference, single words of the rings are loaded by volatile loads,
// atomics are used, and the instance, which is `Sync`, is scheduled.
unsafe impl Sync for State<'_> {}

impl<'bound> State<'bound> {
    /// Creates the state of a link whose interrupts are for `napi`.
    ///
    /// # Safety
    ///
    /// `napi` must be valid as long as [`interrupt`](Self::interrupt) may be called.
    pub(super) unsafe fn new(
        napi: &Napi,
        vrings: PerVring<(VringMem<'bound>, Layout)>,
    ) -> Result<KBox<Self>> {
        let seen = LastSeen::new([const { AtomicWord(Atomic::new(0)) }; 3]);
        // INVARIANT: By the safety requirements, `napi` is valid while the state is used.
        let this = Self {
            napi: napi.into(),
            vrings,
            last_seen: Arc::new(seen, GFP_KERNEL)?,
        };
        Ok(KBox::new(this, GFP_KERNEL)?)
    }

    /// Schedules the poll function if there is news for it. Any context.
    #[inline]
    pub(super) fn interrupt(&self) {
        let (rx, rx_layout) = &self.vrings.rx;
        let (tx, tx_layout) = &self.vrings.tx;
        let avail = rx.load16(rx_layout.avail_idx());
        let returned = || tx.load16(tx_layout.used_idx());
        if self.last_seen.interrupt(avail, returned) {
            // While the interface is down nothing is scheduled; it polls when it goes up.
            // SAFETY: By the type invariant, the instance is valid.
            unsafe { self.napi.as_ref() }.schedule();
        }
    }

    /// Returns whether the modem returned buffers of the TX vring that the driver has not seen: two
    /// loads, no barrier. Any context.
    #[inline]
    pub(super) fn has_returned(&self) -> bool {
        let (tx, layout) = &self.vrings.tx;
        self.last_seen.is_returned(tx.load16(layout.used_idx()))
    }

    /// Returns the indices of the rings that the driver saw last.
    pub(super) fn last_seen(&self) -> Arc<LastSeen> {
        self.last_seen.clone()
    }
}
