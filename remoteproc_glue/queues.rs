// SPDX-License-Identifier: GPL-2.0

//! The two vrings of a link: their memory, kicks and interrupts.
//!
//! remoteproc would make a virtqueue for each, `virtio_find_vqs()`, of which the link could use
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
    // Both of these end before the last one.
    kicker: Kicker,
    doorbell: Lease<'bound>,
    link: Link<'bound>,
    memory: PerVring<VringMemory<'bound>>,
    has_ended: AtomicFlag,
    /// Whether the remote processor was told of a reset, and left alone since.
    is_told: AtomicFlag,
}

// SAFETY: Queues have no ties to a thread.
unsafe impl Send for Queues<'_> {}

// SAFETY: Of the methods for shared references, those that kick, hold kicks and mute use atomics
// and functions that lock by themselves, `has_returned()` uses what is `Sync`, `ring_mem()` and
// `last_seen()` read what does not change, and `end()` acts once.
unsafe impl Sync for Queues<'_> {}

// SAFETY: `end()` takes the instance from the doorbell and waits until no interrupt uses it.
unsafe impl<'bound> Source for Queues<'bound> {
    type Spec = (Link<'bound>, PerVring<Layout>);

    /// Makes the queues, muted.
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
        // SAFETY: By the safety requirements, the instance is valid until `end()` has returned.
        let state = unsafe { State::new(napi, mems) }?;
        // SAFETY: By the safety requirements, the queues are dropped in time.
        let kicker = unsafe { Kicker::new(&link) }?;
        // Before there is a doorbell, see `free_doorbells()`.
        link.keep_module()?;
        // SAFETY: By the safety requirements, `end()` is called in time.
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

    /// Mutes the doorbell, resets the device, kicks the modem so that it notices, and cuts
    /// interrupts off.
    fn end(&self) {
        if self.has_ended.xchg(true, Full) {
            return;
        }
        self.mute();
        // SAFETY: The device is valid, and this is process context.
        unsafe { bindings::virtio_reset_device(self.link.vdev().as_raw()) };
        // Waits for deferred kicks: a platform's kick that sleeps must not run twice at once.
        self.kicker.hold();
        // After a shutdown of the machine, the platform may not be there to kick by any more.
        if !self.is_told.load(Relaxed) {
            // Only a kick makes the modem look at the status, by which it may reuse its buffers.
            self.kicker.kick_now(Vring::Rx);
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
    /// Returns how far the driver saw the rings, for it to update.
    pub(crate) fn last_seen(&self) -> Arc<LastSeen> {
        self.doorbell.state().last_seen()
    }

    /// Lets interrupts of the remote processor schedule the NAPI instance. Any context.
    pub(crate) fn listen(&self) {
        self.doorbell.unmute();
    }

    /// Keeps interrupts from the NAPI instance. One that is under way may still schedule it. Any
    /// context.
    pub(crate) fn mute(&self) {
        self.doorbell.mute();
    }

    /// Returns the memory of a vring.
    pub(crate) fn ring_mem(&self, vring: Vring) -> Result<VringMem<'bound>> {
        self.memory.get(vring).mem()
    }

    /// Returns whether the remote processor returned buffers of the vring to send by that were not
    /// taken back yet. Any context.
    #[inline]
    pub(crate) fn has_returned(&self) -> bool {
        self.doorbell.state().has_returned()
    }

    /// Tells the remote processor to look at a vring. Any context.
    #[inline]
    pub(crate) fn kick(&self, vring: Vring) {
        self.kicker.kick(vring);
    }

    /// Tells the remote processor that the device was reset, at once and also while kicks are
    /// held. The end of the queues does not tell it once more. Process context: may sleep.
    pub(crate) fn tell_reset(&self) {
        self.is_told.store(true, Relaxed);
        self.kicker.kick_now(Vring::Rx);
    }

    /// Waits for a kick that is under way, and lets no other that waits for process context follow
    /// before [`release_kicks`](Self::release_kicks). On platforms whose kicks do not wait, one may
    /// follow if somebody kicks meanwhile. Process context: sleeps.
    pub(crate) fn hold_kicks(&self) {
        self.kicker.hold();
    }

    /// Undoes [`hold_kicks`](Self::hold_kicks), if that was done. What was held follows with the
    /// next kick. Process context: may sleep.
    pub(crate) fn release_kicks(&self) {
        self.kicker.release();
    }
}

impl Drop for Queues<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
