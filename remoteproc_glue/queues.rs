// SPDX-License-Identifier: GPL-2.0

//! The two vrings of a link: their memory, kicks and interrupts.
//!
//! remoteproc would create a virtqueue for each, `virtio_find_vqs()`, of which the link could use
//! nothing: `virtqueue_get_buf()` follows a chain in memory that the modem can write to, where it
//! could be made endless, and `rproc_vq_interrupt()` may use such a virtqueue after it was deleted.
//! So what `virtio_find_vqs()` does for the modem is done here: the memory is cleared, and its
//! address entered in the resource table. The vrings are accessed by the ring files, kicks go to
//! the platform's driver, and interrupts come by the [doorbell](super::doorbell).

use super::{
    bindings,
    carveout::VringMemory,
    doorbell::Lease,
    kick::Kicker,
    news::{
        LastSeen,
        State, //
    },
    ring_mem::VringMem,
    Link,
    PerVring,
    Vring, //
};
use crate::{
    abstractions::{
        compat::barrier::{
            dma_mb,
            Write, //
        },
        net::napi::{
            Napi,
            Source, //
        }, //
    },
    vring_layout::Layout,
    vring_mem::RingMem, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Full,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// The queues of a link, owned by its network device.
pub(crate) struct Queues<'bound> {
    // Dropped first: both use the link.
    kicker: Kicker,
    doorbell: Lease<'bound>,
    link: Link<'bound>,
    memory: PerVring<VringMemory<'bound>>,
    has_ended: AtomicFlag,
    /// Set once the remote processor was told of a reset; it is not kicked any more.
    is_told: AtomicFlag,
}

// SAFETY: Queues have no ties to a thread.
unsafe impl Send for Queues<'_> {}

// SAFETY: Of the methods for shared references, those that kick, hold kicks and mute use atomics
// and functions that lock by themselves, `has_returned()` uses what is `Sync`, `ring_mem()` and
// `last_seen()` read what does not change, and `end()` acts once.
unsafe impl Sync for Queues<'_> {}

// SAFETY: `end()`, which `drop()` calls, takes the instance from the doorbell and waits until no
// interrupt uses it.
unsafe impl<'bound> Source for Queues<'bound> {
    type Spec = (Link<'bound>, PerVring<Layout>);

    /// Creates the queues, muted.
    unsafe fn new((link, layouts): Self::Spec, napi: &Napi) -> Result<Self> {
        let memory =
            PerVring::try_from_fn(|vring| VringMemory::find(&link, vring, *layouts.get(vring)))?;
        for vring in Vring::ALL {
            let memory = memory.get(vring);
            clear(&memory.mem()?, memory.layout());
            // The modem must not see the address before the cleared ring.
            dma_mb(Write);
            link.enter_da(vring, memory.da())?;
        }
        let mems = PerVring::try_from_fn(|vring| {
            let memory = memory.get(vring);
            Ok((memory.mem()?, memory.layout()))
        })?;
        // SAFETY: By the safety requirements, the instance is valid until `end()` has returned, or
        // the queues were dropped, which calls it.
        let state = unsafe { State::new(napi, mems) }?;
        // SAFETY: By the safety requirements, the queues are dropped before the link ends.
        let kicker = unsafe { Kicker::new(&link) }?;
        // Before there is a doorbell, see `free_doorbells()`.
        link.keep_module()?;
        // SAFETY: `end()`, which `drop()` calls, ends the doorbell. By the safety requirements,
        // that is before the instance, or anything that `link` borrows, ends.
        let doorbell = unsafe { Lease::new(state) }?;
        for vring in Vring::ALL {
            link.enter_doorbell(vring, &doorbell);
        }
        Ok(Self {
            kicker,
            doorbell,
            link,
            memory,
            has_ended: AtomicFlag::new(false),
            is_told: AtomicFlag::new(false),
        })
    }

    /// Mutes the doorbell, resets the device, kicks the modem so that it notices, and disconnects
    /// interrupts.
    fn end(&self) {
        if self.has_ended.xchg(true, Full) {
            return;
        }
        self.mute();
        // SAFETY: By the invariant of `virtio::Device`, the device is valid, and this is process
        // context.
        unsafe { bindings::virtio_reset_device(self.link.vdev().as_raw()) };
        // Waits for deferred kicks: a platform's kick that sleeps must not run twice at once.
        self.kicker.hold();
        // After a shutdown of the machine, the platform may not be able to kick any more.
        if !self.is_told.load(Relaxed) {
            // Only a kick makes the modem read the status, after which it may reuse its buffers.
            self.kicker.tell_status(Kicker::kick_now);
        }
        for vring in Vring::ALL {
            self.link.leave_doorbell(vring);
        }
        self.doorbell.end();
    }
}

/// Clears the memory of a vring. No `memset()`: on some architectures it may not be used for
/// memory that is mapped as I/O memory.
fn clear(mem: &VringMem<'_>, layout: Layout) {
    let size = layout.size();
    let words = size - size % size_of::<u64>();
    for off in (0..words).step_by(size_of::<u64>()) {
        mem.store64(off, 0);
    }
    // The size is even.
    for off in (words..size).step_by(size_of::<u16>()) {
        mem.store16(off, 0);
    }
}

impl<'bound> Queues<'bound> {
    /// Returns the indices of the rings that the driver saw last, for it to update.
    pub(crate) fn last_seen(&self) -> Arc<LastSeen> {
        self.doorbell.state().last_seen()
    }

    /// Unmutes interrupts: they schedule the NAPI instance. Any context.
    pub(crate) fn listen(&self) {
        self.doorbell.unmute();
    }

    /// Mutes interrupts. One that is being handled may still schedule the NAPI instance. Any
    /// context.
    pub(crate) fn mute(&self) {
        self.doorbell.mute();
    }

    /// Returns the memory of a vring.
    pub(crate) fn ring_mem(&self, vring: Vring) -> Result<VringMem<'bound>> {
        self.memory.get(vring).mem()
    }

    /// Returns whether the remote processor returned buffers of the TX vring that were not taken
    /// back yet. Any context.
    #[inline]
    pub(crate) fn has_returned(&self) -> bool {
        self.doorbell.state().has_returned()
    }

    /// Kicks the remote processor for a vring. Any context.
    #[inline]
    pub(crate) fn kick(&self, vring: Vring) {
        self.kicker.kick(vring);
    }

    /// Kicks the remote processor so that it notices that the device is ready. Any context.
    pub(crate) fn tell_ready(&self) {
        self.kicker.tell_status(Kicker::kick);
    }

    /// Kicks the remote processor at once, even while kicks are held, so that it notices that the
    /// device was reset. The end of the queues does not do so again. Process context: may sleep.
    pub(crate) fn tell_reset(&self) {
        self.is_told.store(true, Relaxed);
        self.kicker.tell_status(Kicker::kick_now);
    }

    /// Waits for a deferred kick that is running, and starts no other before
    /// [`release_kicks`](Self::release_kicks). On platforms whose kicks are not deferred, nothing
    /// is held. Process context: sleeps.
    pub(crate) fn hold_kicks(&self) {
        self.kicker.hold();
    }

    /// Undoes [`hold_kicks`](Self::hold_kicks), if that was done. Kicks that were held are done
    /// with the next one. Process context: may sleep.
    pub(crate) fn release_kicks(&self) {
        self.kicker.release();
    }
}

impl Drop for Queues<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
