// SPDX-License-Identifier: GPL-2.0

//! The doorbell that the remote processor rings.
//!
//! remoteproc passes an interrupt on to the virtqueue that is entered for the vring, by way of
//! `vring_interrupt()`, which does nothing unless the used ring has news for that virtqueue. The
//! doorbell is a virtqueue to be entered there: in private memory, never used for buffers, and
//! with a used ring that has news until it is muted.
//!
//! Before it asks for a poll, the doorbell looks whether there are news, see `vring_news.rs`.

use super::{
    ring_mem::VringMem,
    VRINGS, //
};
use crate::{
    abstractions::{
        bindings,
        net::napi::Napi,
        virtio::netdev::Setup, //
    },
    vring_layout::Layout,
    vring_mem::RingMem,
    vring_news, //
};
use core::ptr::{
    from_ref,
    NonNull, //
};
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

/// A word for [`Seen`].
pub struct Word(Atomic<u32>);

impl vring_news::Word for Word {
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

/// How far the driver saw the rings of a link, and whether a poll is due.
pub type Seen = vring_news::Seen<Word>;

/// What the callback of the doorbell works with.
struct State<'bound> {
    napi: &'bound Napi,
    rx: (VringMem<'bound>, Layout),
    tx: (VringMem<'bound>, Layout),
    seen: Arc<Seen>,
}

impl State<'_> {
    /// Whether an interrupt must be followed by a poll.
    #[inline]
    fn has_news(&self) -> bool {
        let (rx, rx_layout) = &self.rx;
        let (tx, tx_layout) = &self.tx;
        let avail = rx.load16(rx_layout.avail_idx());
        self.seen
            .interrupt(avail, || tx.load16(tx_layout.used_idx()))
    }
}

/// The doorbell.
///
/// # Invariants
///
/// `vq` is a valid virtqueue whose `priv` points to `state`.
pub(super) struct Doorbell<'bound> {
    vq: NonNull<bindings::virtqueue>,
    state: KBox<State<'bound>>,
}

impl<'bound> Doorbell<'bound> {
    /// Makes a doorbell, muted. Process context: may sleep.
    pub(super) fn new(
        setup: &Setup<'bound, '_>,
        rx: (VringMem<'bound>, Layout),
        tx: (VringMem<'bound>, Layout),
    ) -> Result<Self> {
        /// Descriptors of the virtqueue, none of which is ever used.
        const NUM: c_uint = 2;
        /// Alignment of its used ring.
        const ALIGN: c_uint = 64;

        let seen = Seen::new([const { Word(Atomic::new(0)) }; 3]);
        let state = KBox::new(
            State {
                napi: setup.napi(),
                rx,
                tx,
                seen: Arc::new(seen, GFP_KERNEL)?,
            },
            GFP_KERNEL,
        )?;
        // SAFETY: The device is valid.
        let vq = unsafe {
            bindings::vring_create_virtqueue(
                VRINGS as c_uint,
                NUM,
                ALIGN,
                setup.vdev().as_raw(),
                true,
                false,
                false,
                Some(no_notify),
                Some(rung),
                c"doorbell".as_char_ptr(),
            )
        };
        let vq = NonNull::new(vq).ok_or(ENOMEM)?;
        // SAFETY: The virtqueue was just made.
        unsafe { (*vq.as_ptr()).priv_ = from_ref(&*state).cast_mut().cast() };
        // INVARIANT: As was just arranged.
        Ok(Self { vq, state })
    }

    /// The virtqueue, to be entered for the vrings.
    pub(super) fn vq(&self) -> *mut bindings::virtqueue {
        self.vq.as_ptr()
    }

    /// How far the driver saw the rings.
    pub(super) fn seen(&self) -> Arc<Seen> {
        self.state.seen.clone()
    }

    /// Whether the modem returned buffers of the vring to send by that the driver did not see yet:
    /// two loads, no barrier. Any context.
    #[inline]
    pub(super) fn has_returned(&self) -> bool {
        let (tx, layout) = &self.state.tx;
        self.state.seen.is_returned(tx.load16(layout.used_idx()))
    }

    /// Lets interrupts through, which are passed on while the used ring has news, or keeps them
    /// from it. Any context.
    pub(super) fn set(&self, rings: bool) {
        // SAFETY: The virtqueue is valid.
        let vring = unsafe { bindings::virtqueue_get_vring(self.vq()) };
        // SAFETY: The vring is valid.
        let used = unsafe { (*vring).used };
        // SAFETY: The vring of a split virtqueue has a used ring.
        let idx = unsafe { &raw mut (*used).idx };
        // SAFETY: The used ring is in private memory, and only this function writes to it.
        unsafe { idx.write_volatile(rings.into()) };
    }
}

impl Drop for Doorbell<'_> {
    /// Nobody finds the virtqueue any more, see [`Found`](super::queues).
    fn drop(&mut self) {
        // SAFETY: The virtqueue is valid, and nobody else uses it.
        unsafe { bindings::vring_del_virtqueue(self.vq()) }
    }
}

/// The callback of the doorbell. Any context.
///
/// # Safety
///
/// For the virtio core to call with the virtqueue of a [`Doorbell`].
unsafe extern "C" fn rung(vq: *mut bindings::virtqueue) {
    // SAFETY: The virtio core calls with a valid virtqueue.
    let state = unsafe { (*vq).priv_ }.cast::<State<'_>>();
    // SAFETY: By the invariant of `Doorbell`; only shared references to it are ever made.
    let state = unsafe { &*state };
    // While the interface is down nothing is scheduled; it polls when it comes up.
    if state.has_news() {
        state.napi.schedule();
    }
}

/// Kicks nobody.
extern "C" fn no_notify(_vq: *mut bindings::virtqueue) -> bool {
    true
}
