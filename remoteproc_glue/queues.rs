// SPDX-License-Identifier: GPL-2.0

//! The two vrings of a link.
//!
//! The kernel's virtqueues are for peers that are trusted not to write to the descriptors:
//! `virtqueue_get_buf()` follows the chain there, which could be made endless. So both vrings are
//! accessed by the ring files, and the virtqueues that remoteproc makes for them serve to kick.

use super::{
    bindings,
    doorbell::{
        Doorbell,
        LastSeen, //
    },
    kick::Kicker,
    ring_mem::VringMem,
    Link,
    PerVring,
    Vring, //
};
use crate::{
    abstractions::{
        virtio::netdev::Setup, //
    },
    vring_layout::Layout, //
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        barrier::{
            mb,
            Full, //
        },
        rcu,
        Arc, //
    }, //
};

/// The queues of a link.
///
/// When it is dropped, the doorbell is muted, the device reset, the modem kicked so that it
/// notices, interrupts cut off, and the virtqueues deleted.
pub(crate) struct Queues<'bound> {
    // Both of these use what is deleted with the last one.
    kicker: Kicker,
    doorbell: Doorbell<'bound>,
    found: Found<'bound>,
}

// SAFETY: Virtqueues have no ties to a thread. The methods for shared references kick, which any
// context may do at any time, and do single volatile accesses.
unsafe impl Send for Queues<'_> {}

// SAFETY: As for `Send`.
unsafe impl Sync for Queues<'_> {}

/// The virtqueues that remoteproc made for the vrings. Dropping this is the end of them: the device
/// is reset, interrupts are cut off, the virtqueues deleted.
///
/// # Invariants
///
/// The virtqueues are valid and of the layouts beside them, and those that remoteproc can find when
/// this is dropped are all in the device's list.
struct Found<'bound> {
    link: Link<'bound>,
    vrings: PerVring<(NonNull<bindings::virtqueue>, Layout)>,
    is_cut_off: bool,
}

impl<'bound> Found<'bound> {
    /// Makes remoteproc make the virtqueues.
    fn new(link: Link<'bound>, layouts: PerVring<Layout>) -> Result<Self> {
        let info = |name: &'static CStr| bindings::virtqueue_info {
            name: name.as_char_ptr(),
            // With NULL for a callback, virtio would write to the vring.
            callback: Some(ignore),
            ctx: false,
        };
        let mut infos = [info(c"input"), info(c"output")];
        let mut vqs = [core::ptr::null_mut(); Vring::ALL.len()];
        let vdev = link.vdev().as_raw();
        // SAFETY: The device is valid, and the arrays have as many entries as is said.
        to_result(unsafe {
            bindings::helper_virtio_find_vqs(
                vdev,
                Vring::ALL.len() as c_uint,
                vqs.as_mut_ptr(),
                infos.as_mut_ptr(),
            )
        })?;
        let [rx, tx] = vqs;
        let (Some(rx), Some(tx)) = (NonNull::new(rx), NonNull::new(tx)) else {
            // Not reached: remoteproc leaves out those without a name only.
            return Err(ENODEV);
        };
        // INVARIANT: The virtqueues were just made. The layouts are checked before they are used.
        let found = Self {
            link,
            vrings: PerVring {
                rx: (rx, layouts.rx),
                tx: (tx, layouts.tx),
            },
            is_cut_off: false,
        };
        for vring in Vring::ALL {
            let (vq, layout) = found.vrings.get(vring);
            // SAFETY: The virtqueue was just found and is valid.
            if unsafe { (*vq.as_ptr()).priv_ } != link.vring(vring).cast() {
                return Err(ENODEV);
            }
            check_layout(*vq, layout)?;
        }
        Ok(found)
    }

    /// Returns the memory of a vring.
    fn mem(&self, vring: Vring) -> Result<VringMem<'bound>> {
        let (vq, layout) = self.vrings.get(vring);
        // SAFETY: The virtqueue is valid.
        let vring = unsafe { bindings::virtqueue_get_vring(vq.as_ptr()) };
        // SAFETY: A split virtqueue has a vring.
        let desc = unsafe { (*vring).desc };
        let base = NonNull::new(desc.cast()).ok_or(ENODEV)?;
        // SAFETY: remoteproc keeps the memory of a vring of this layout for as long as its virtio
        // device exists.
        unsafe { VringMem::new(base, layout.size()) }.ok_or(EINVAL)
    }

    /// Enters `vq` for a vring, to get its interrupts.
    fn enter(&self, vring: Vring, vq: *mut bindings::virtqueue) {
        // SAFETY: The vring is valid.
        let place = unsafe { &raw mut (*self.link.vring(vring)).vq };
        // SAFETY: The place is valid. Interrupt handlers load the pointer at once, so that the
        // store is volatile.
        unsafe { place.write_volatile(vq) };
    }

    /// Resets the device and takes the virtqueues out of where interrupt handlers look for them.
    /// Process context: sleeps.
    fn cut_off(&mut self) {
        if self.is_cut_off {
            return;
        }
        // SAFETY: The device is valid, and this is process context.
        unsafe { bindings::virtio_reset_device(self.link.vdev().as_raw()) };
        for vring in Vring::ALL {
            self.enter(vring, core::ptr::null_mut());
        }
        // Interrupt handlers that found a virtqueue before are done with it after this, since
        // they run with preemption disabled. A platform that calls `rproc_vq_interrupt()` with
        // preemption enabled must end its calls before it takes its virtio devices away, as
        // remoteproc offers no lock for that.
        rcu::synchronize_rcu();
        self.is_cut_off = true;
    }
}

impl Drop for Found<'_> {
    fn drop(&mut self) {
        self.cut_off();
        // SAFETY: The device is valid and was reset; interrupt handlers do not find its virtqueues,
        // and `Queues` drops the kicker before this.
        unsafe { bindings::helper_virtio_del_vqs(self.link.vdev().as_raw()) }
    }
}

/// Checks that virtio put the parts of a vring where `layout` has them. It aligns the used ring by
/// its address, so that they differ if the vring itself is not aligned as much.
fn check_layout(vq: NonNull<bindings::virtqueue>, layout: &Layout) -> Result {
    // SAFETY: The virtqueue is valid.
    let vring = unsafe { bindings::virtqueue_get_vring(vq.as_ptr()) };
    // SAFETY: A split virtqueue has a vring.
    let num = unsafe { (*vring).num };
    // SAFETY: As above.
    let desc = unsafe { (*vring).desc }.addr();
    // SAFETY: As above.
    let used = unsafe { (*vring).used }.addr();
    if num != u32::from(layout.num()) || used.checked_sub(desc) != Some(layout.used_flags()) {
        return Err(EINVAL);
    }
    Ok(())
}

impl<'bound> Queues<'bound> {
    /// Makes the virtqueues and the doorbell, which gets no interrupts before
    /// [`listen`](Self::listen). Process context: may sleep.
    pub(crate) fn new(
        setup: Setup<'bound, '_>,
        link: Link<'bound>,
        layouts: PerVring<Layout>,
    ) -> Result<Self> {
        let found = Found::new(link, layouts)?;
        let doorbell = Doorbell::new(
            &setup,
            PerVring::try_from_fn(|vring| Ok((found.mem(vring)?, *layouts.get(vring))))?,
        )?;
        let vqs = PerVring {
            rx: found.vrings.rx.0,
            tx: found.vrings.tx.0,
        };
        // SAFETY: The virtqueues are deleted when `found` is dropped, which is after the kicker.
        let kicker = unsafe { Kicker::new(&link, vqs) }?;
        Ok(Self {
            kicker,
            doorbell,
            found,
        })
    }

    /// Returns how far the driver saw the rings, for it to update.
    pub(crate) fn last_seen(&self) -> Arc<LastSeen> {
        self.doorbell.last_seen()
    }

    /// Lets interrupts of the remote processor reach the doorbell, which schedules the NAPI
    /// instance.
    pub(crate) fn listen(&self) {
        self.doorbell.unmute();
        // The virtqueue must be complete before it can be found.
        mb(Full);
        for vring in Vring::ALL {
            self.found.enter(vring, self.doorbell.vq());
        }
    }

    /// Keeps interrupts from the doorbell. An interrupt that is under way may still reach it.
    pub(crate) fn mute(&self) {
        self.doorbell.mute();
    }

    /// Returns the memory of a vring.
    pub(crate) fn ring_mem(&self, vring: Vring) -> Result<VringMem<'bound>> {
        self.found.mem(vring)
    }

    /// Returns whether the remote processor returned buffers of the vring to send by that were not
    /// taken back yet. Any context.
    #[inline]
    pub(crate) fn has_returned(&self) -> bool {
        self.doorbell.has_returned()
    }

    /// Tells the remote processor to look at a vring. Any context.
    #[inline]
    pub(crate) fn kick(&self, vring: Vring) {
        self.kicker.kick(vring);
    }
}

impl Drop for Queues<'_> {
    fn drop(&mut self) {
        self.mute();
        // SAFETY: The device is valid, and this is process context.
        unsafe { bindings::virtio_reset_device(self.found.link.vdev().as_raw()) };
        // Only a kick makes the modem look at the status, by which it may reuse its buffers.
        self.kicker.kick_now(Vring::Rx);
        // The doorbell goes before the rest does: remoteproc takes every virtqueue in the device's
        // list for one of its own.
        self.found.cut_off();
    }
}

/// The callback of the virtqueues for the vrings, whose interrupts go to the doorbell.
extern "C" fn ignore(_vq: *mut bindings::virtqueue) {}
