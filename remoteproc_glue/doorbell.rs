// SPDX-License-Identifier: GPL-2.0

//! The doorbell: a virtqueue that receives the remote processor's interrupts.
//!
//! remoteproc passes an interrupt on to the virtqueue that is entered for the vring, by way of
//! `vring_interrupt()`, which calls the virtqueue's callback if the virtqueue has used buffers. The
//! doorbell is a virtqueue to be entered there. It is in private memory and never used for buffers;
//! its `used.idx` says that there are used buffers until it is muted.
//!
//! The callback asks for a poll if an index of one of the vrings moved, see `vring_news.rs`.

use super::{
    bindings,
    PerVring,
    Vring,
    VringMem, //
};
use crate::{
    abstractions::{
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

/// How far the driver saw the rings of a link, and whether a poll is due.
pub(crate) type LastSeen = vring_news::Seen<AtomicWord>;

/// What the callback of the doorbell works with.
struct State<'bound> {
    napi: &'bound Napi,
    vrings: PerVring<(VringMem<'bound>, Layout)>,
    last_seen: Arc<LastSeen>,
}

impl State<'_> {
    /// Returns whether an interrupt must be followed by a poll.
    #[inline]
    fn has_news(&self) -> bool {
        let (rx, rx_layout) = &self.vrings.rx;
        let (tx, tx_layout) = &self.vrings.tx;
        let avail = rx.load16(rx_layout.avail_idx());
        self.last_seen
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
        vrings: PerVring<(VringMem<'bound>, Layout)>,
    ) -> Result<Self> {
        /// Descriptors of the virtqueue, none of which is ever used.
        const NUM: c_uint = 2;
        /// Alignment of its used ring.
        const ALIGN: c_uint = 64;

        let seen = LastSeen::new([const { AtomicWord(Atomic::new(0)) }; 3]);
        let state = KBox::new(
            State {
                napi: setup.napi(),
                vrings,
                last_seen: Arc::new(seen, GFP_KERNEL)?,
            },
            GFP_KERNEL,
        )?;
        // SAFETY: The device is valid.
        let vq = unsafe {
            bindings::vring_create_virtqueue(
                // A number behind those of the vrings.
                Vring::ALL.len() as c_uint,
                NUM,
                ALIGN,
                setup.vdev().as_raw(),
                true,
                false,
                false,
                Some(no_notify),
                Some(interrupt),
                c"doorbell".as_char_ptr(),
            )
        };
        let vq = NonNull::new(vq).ok_or(ENOMEM)?;
        // SAFETY: The virtqueue was just made.
        unsafe { (*vq.as_ptr()).priv_ = from_ref(&*state).cast_mut().cast() };
        // INVARIANT: As was just arranged.
        Ok(Self { vq, state })
    }

    /// Returns the virtqueue, to be entered for the vrings.
    pub(super) fn vq(&self) -> *mut bindings::virtqueue {
        self.vq.as_ptr()
    }

    /// Returns how far the driver saw the rings.
    pub(super) fn last_seen(&self) -> Arc<LastSeen> {
        self.state.last_seen.clone()
    }

    /// Returns whether the modem returned buffers of the vring to send by that the driver did not
    /// see yet: two loads, no barrier. Any context.
    #[inline]
    pub(super) fn has_returned(&self) -> bool {
        let (tx, layout) = &self.state.vrings.tx;
        self.state
            .last_seen
            .is_returned(tx.load16(layout.used_idx()))
    }

    /// Lets interrupts reach the callback. Any context.
    pub(super) fn unmute(&self) {
        self.set_used_idx(1);
    }

    /// Keeps interrupts from the callback. Any context.
    pub(super) fn mute(&self) {
        self.set_used_idx(0);
    }

    /// Sets how many used buffers virtio takes the virtqueue to have, of which none is ever taken
    /// back.
    fn set_used_idx(&self, value: u16) {
        // SAFETY: The virtqueue is valid.
        let vring = unsafe { bindings::virtqueue_get_vring(self.vq()) };
        // SAFETY: The vring is valid.
        let used = unsafe { (*vring).used };
        // SAFETY: The vring of a split virtqueue has a used ring.
        let idx = unsafe { &raw mut (*used).idx };
        // SAFETY: The used ring is in private memory, and only this function writes to it.
        unsafe { idx.write_volatile(value) };
    }
}

impl Drop for Doorbell<'_> {
    /// Deletes the virtqueue, which remoteproc does not find any more, see
    /// [`Queues`](super::Queues).
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
unsafe extern "C" fn interrupt(vq: *mut bindings::virtqueue) {
    // SAFETY: The virtio core calls with a valid virtqueue.
    let state = unsafe { (*vq).priv_ }.cast::<State<'_>>();
    // SAFETY: By the invariant of `Doorbell`; only shared references to it are ever made.
    let state = unsafe { &*state };
    // While the interface is down nothing is scheduled; it polls when it comes up.
    if state.has_news() {
        state.napi.schedule();
    }
}

/// The virtqueue's function to kick, which there is nobody to use for.
extern "C" fn no_notify(_vq: *mut bindings::virtqueue) -> bool {
    true
}
