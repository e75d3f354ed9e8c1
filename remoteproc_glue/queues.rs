// SPDX-License-Identifier: GPL-2.0

//! The two vrings of a link.
//!
//! The kernel's virtqueues are for peers that are trusted not to write to the descriptors:
//! `virtqueue_get_buf()` follows the chain there, which could be made endless. So both vrings are
//! accessed by the ring files, and the virtqueues that remoteproc makes for them serve to kick.

use super::{
    doorbell::{
        Doorbell,
        Seen, //
    },
    kick::Kicker,
    ring_mem::VringMem,
    Link,
    VRINGS,
    VRING_RX,
    VRING_TX, //
};
use crate::{
    abstractions::{
        bindings,
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
pub struct Queues<'bound> {
    // Both of these use what is deleted with the last one.
    kicker: Kicker,
    bell: Doorbell<'bound>,
    found: Found<'bound>,
}

// SAFETY: The methods use the virtqueues in ways that need no lock.
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
    vrings: [(NonNull<bindings::virtqueue>, Layout); VRINGS],
    cut_off: bool,
}

impl<'bound> Found<'bound> {
    /// Makes remoteproc find the virtqueues.
    fn new(link: Link<'bound>, layouts: [Layout; VRINGS]) -> Result<Self> {
        let info = |name: &'static CStr| bindings::virtqueue_info {
            name: name.as_char_ptr(),
            // With NULL for a callback, virtio would write to the vring.
            callback: Some(ignore),
            ctx: false,
        };
        let mut infos = [info(c"input"), info(c"output")];
        let mut vqs = [core::ptr::null_mut(); VRINGS];
        let vdev = link.vdev().as_raw();
        // SAFETY: The device is valid, and the arrays have as many entries as is said.
        to_result(unsafe {
            bindings::caif_helper_virtio_find_vqs(
                vdev,
                VRINGS as c_uint,
                vqs.as_mut_ptr(),
                infos.as_mut_ptr(),
            )
        })?;
        let ([rx, tx], [rx_layout, tx_layout]) = (vqs, layouts);
        let (Some(rx), Some(tx)) = (NonNull::new(rx), NonNull::new(tx)) else {
            // The names given, remoteproc leaves none out.
            return Err(ENODEV);
        };
        // INVARIANT: The virtqueues were just made. The layouts are checked before they are used.
        let found = Self {
            link,
            vrings: [(rx, rx_layout), (tx, tx_layout)],
            cut_off: false,
        };
        for (index, (vq, layout)) in found.vrings.iter().enumerate() {
            // SAFETY: The virtqueue was just found and is valid.
            if unsafe { (*vq.as_ptr()).priv_ } != link.vring(index).cast() {
                return Err(ENODEV);
            }
            check_layout(*vq, layout)?;
        }
        Ok(found)
    }

    /// The virtqueue and the layout of vring `index`, which is below [`VRINGS`].
    #[inline]
    fn vring(&self, index: usize) -> &(NonNull<bindings::virtqueue>, Layout) {
        let [rx, tx] = &self.vrings;
        if index == VRING_TX {
            tx
        } else {
            rx
        }
    }

    /// The memory of vring `index`.
    fn mem(&self, index: usize) -> Result<VringMem<'bound>> {
        let (vq, layout) = self.vring(index);
        // SAFETY: The virtqueue is valid.
        let vring = unsafe { bindings::virtqueue_get_vring(vq.as_ptr()) };
        // SAFETY: A split virtqueue has a vring.
        let desc = unsafe { (*vring).desc };
        let base = NonNull::new(desc.cast()).ok_or(ENODEV)?;
        // SAFETY: remoteproc keeps the memory of a vring of this layout for as long as its virtio
        // device exists.
        unsafe { VringMem::new(base, layout.size()) }.ok_or(EINVAL)
    }

    /// Enters `vq` for vring `index`, to get its interrupts.
    fn enter(&self, index: usize, vq: *mut bindings::virtqueue) {
        // SAFETY: The vring is valid.
        let place = unsafe { &raw mut (*self.link.vring(index)).vq };
        // SAFETY: The place is valid; who reads it takes an old value or a new one.
        unsafe { place.write_volatile(vq) };
    }

    /// Resets the device, and sees to it that nobody finds a virtqueue any more. Process context:
    /// sleeps.
    fn cut_off(&mut self) {
        if self.cut_off {
            return;
        }
        // SAFETY: The device is valid, and this is process context.
        unsafe { bindings::virtio_reset_device(self.link.vdev().as_raw()) };
        for index in [VRING_RX, VRING_TX] {
            self.enter(index, core::ptr::null_mut());
        }
        // Interrupt handlers that found a virtqueue before are done with it after this, since
        // they run with preemption disabled. A platform that calls `rproc_vq_interrupt()` with
        // preemption enabled must end its calls before it takes its virtio devices away, as
        // remoteproc offers no lock for that.
        rcu::synchronize_rcu();
        self.cut_off = true;
    }
}

impl Drop for Found<'_> {
    fn drop(&mut self) {
        self.cut_off();
        // SAFETY: The device is valid and was reset, and nobody uses its virtqueues any more.
        unsafe { bindings::caif_helper_virtio_del_vqs(self.link.vdev().as_raw()) }
    }
}

/// Whether virtio put the parts of a vring where `layout` has them. It aligns the used ring by its
/// address, so that they differ if the vring itself is not aligned as much.
fn check_layout(vq: NonNull<bindings::virtqueue>, layout: &Layout) -> Result {
    // SAFETY: The virtqueue is valid.
    let vring = unsafe { bindings::virtqueue_get_vring(vq.as_ptr()) };
    // SAFETY: A split virtqueue has a vring.
    let num = unsafe { (*vring).num };
    // SAFETY: As above.
    let desc = unsafe { (*vring).desc }.addr();
    // SAFETY: As above.
    let used = unsafe { (*vring).used }.addr();
    if num != u32::from(layout.num()) || used.wrapping_sub(desc) != layout.used_flags() {
        return Err(EINVAL);
    }
    Ok(())
}

impl<'bound> Queues<'bound> {
    /// Finds the virtqueues and makes the doorbell. The remote processor cannot ring it before
    /// [`listen`](Self::listen). Process context: may sleep.
    pub fn new(
        setup: Setup<'bound, '_>,
        link: Link<'bound>,
        layouts: [Layout; VRINGS],
    ) -> Result<Self> {
        let found = Found::new(link, layouts)?;
        let ring = |index| -> Result<_> { Ok((found.mem(index)?, found.vring(index).1)) };
        let bell = Doorbell::new(&setup, ring(VRING_RX)?, ring(VRING_TX)?)?;
        let [(rx, _), (tx, _)] = found.vrings;
        // SAFETY: The virtqueues are deleted when `found` is dropped, which is after the kicker.
        let kicker = unsafe { Kicker::new(&link, [rx, tx]) }?;
        Ok(Self {
            kicker,
            bell,
            found,
        })
    }

    /// How far the driver saw the rings, for it to tell.
    pub fn seen(&self) -> Arc<Seen> {
        self.bell.seen()
    }

    /// Lets the remote processor ring the doorbell. From now on, the NAPI instance is scheduled
    /// when it does.
    pub fn listen(&self) {
        self.bell.set(true);
        // The virtqueue must be complete before it can be found.
        mb(Full);
        for index in [VRING_RX, VRING_TX] {
            self.found.enter(index, self.bell.vq());
        }
    }

    /// Keeps the doorbell from ringing. An interrupt that is under way may still get through.
    pub fn mute(&self) {
        self.bell.set(false);
    }

    /// The memory of vring `index`, which is below [`VRINGS`].
    pub fn ring_mem(&self, index: usize) -> Result<VringMem<'bound>> {
        self.found.mem(index)
    }

    /// Whether the remote processor returned buffers of the vring to send by that were not taken
    /// back yet. Any context.
    #[inline]
    pub fn has_returned(&self) -> bool {
        self.bell.has_returned()
    }

    /// Tells the remote processor to look at vring `index`, which is below [`VRINGS`]. Any context.
    #[inline]
    pub fn kick(&self, index: usize) {
        self.kicker.kick(index);
    }
}

impl Drop for Queues<'_> {
    fn drop(&mut self) {
        self.mute();
        // SAFETY: The device is valid, and this is process context.
        unsafe { bindings::virtio_reset_device(self.found.link.vdev().as_raw()) };
        // Nothing else tells the modem to look at the status: it may forget its buffers now.
        self.kicker.kick_now(VRING_RX);
        // The doorbell goes before the rest does: remoteproc takes every virtqueue in the device's
        // list for one of its own.
        self.found.cut_off();
    }
}

/// The callback of a virtqueue that nobody has to be told about.
extern "C" fn ignore(_vq: *mut bindings::virtqueue) {}
