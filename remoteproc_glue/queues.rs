// SPDX-License-Identifier: GPL-2.0

//! The two vrings of a link, and the doorbell that the remote processor rings.
//!
//! The kernel's virtqueues are for peers that are trusted not to write to the descriptors:
//! `virtqueue_get_buf()` follows the chain there, which could be made endless. So both vrings are
//! accessed by the ring files, and the virtqueues that remoteproc makes for them serve to kick.
//!
//! remoteproc passes an interrupt on to the virtqueue that is entered for the vring, by way of
//! `vring_interrupt()`, which does nothing unless the used ring has news for that virtqueue. A
//! third one, the doorbell, is entered in the place of both: private memory, never used for
//! buffers, and with a used ring that has news for ever.

use super::{
    ring_mem::VringMem,
    Link,
    VRINGS,
    VRING_RX,
    VRING_TX, //
};
use crate::{
    abstractions::{
        bindings,
        virtio_netdev::Setup,
        virtqueue, //
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
        rcu, //
    }, //
};

/// The queues of a link.
///
/// When it is dropped, the doorbell is muted, the device reset, the modem kicked so that it notices,
/// interrupts cut off, and the virtqueues deleted.
///
/// # Invariants
///
/// The virtqueues are valid, and the device's list of virtqueues has these three and no others.
pub struct Queues<'bound> {
    found: Found<'bound>,
    vqs: [NonNull<bindings::virtqueue>; VRINGS],
    bell: NonNull<bindings::virtqueue>,
}

// SAFETY: The methods use the virtqueues in ways that need no lock.
unsafe impl Send for Queues<'_> {}

// SAFETY: As for `Send`.
unsafe impl Sync for Queues<'_> {}

/// The virtqueues of a device, found and not yet deleted. Dropping this is the end of them: the
/// device is reset, interrupts are cut off, the virtqueues deleted.
struct Found<'bound>(Link<'bound>);

impl Found<'_> {
    /// Enters `vq` for vring `index`, to get its interrupts.
    fn enter(&self, index: usize, vq: *mut bindings::virtqueue) {
        // SAFETY: The vring is valid.
        let place = unsafe { &raw mut (*self.0.vring(index)).vq };
        // SAFETY: The place is valid; who reads it takes an old value or a new one.
        unsafe { place.write_volatile(vq) };
    }
}

impl Drop for Found<'_> {
    fn drop(&mut self) {
        let vdev = self.0.vdev().as_raw();
        // SAFETY: The device is valid, and this is process context.
        unsafe { bindings::virtio_reset_device(vdev) };
        for index in [VRING_RX, VRING_TX] {
            self.enter(index, core::ptr::null_mut());
        }
        // Interrupt handlers that found a virtqueue before are done with it after this, since
        // they run with preemption disabled. A platform that calls `rproc_vq_interrupt()` with
        // preemption enabled must end its calls before it takes its virtio devices away, as
        // remoteproc offers no lock for that.
        rcu::synchronize_rcu();
        // SAFETY: The device is valid and was reset, and nobody uses its virtqueues any more.
        unsafe { bindings::caif_helper_virtio_del_vqs(vdev) }
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
        let vdev = setup.vdev().as_raw();
        let mut infos = [
            // With NULL for a callback, virtio would write to the vring.
            bindings::virtqueue_info {
                name: c"input".as_char_ptr(),
                callback: Some(virtqueue::ignore),
                ctx: false,
            },
            bindings::virtqueue_info {
                name: c"output".as_char_ptr(),
                callback: Some(virtqueue::ignore),
                ctx: false,
            },
        ];
        let mut vqs = [core::ptr::null_mut(); VRINGS];
        // SAFETY: The device is valid, and the arrays have as many entries as is said.
        to_result(unsafe {
            bindings::caif_helper_virtio_find_vqs(
                vdev,
                VRINGS as c_uint,
                vqs.as_mut_ptr(),
                infos.as_mut_ptr(),
            )
        })?;
        let found = Found(link);
        let [rx, tx] = vqs;
        let vqs = [
            NonNull::new(rx).ok_or(ENODEV)?,
            NonNull::new(tx).ok_or(ENODEV)?,
        ];
        for (index, (vq, layout)) in vqs.into_iter().zip(&layouts).enumerate() {
            // SAFETY: The virtqueue was just found and is valid.
            if unsafe { (*vq.as_ptr()).priv_ } != link.vring(index).cast() {
                return Err(ENODEV);
            }
            check_layout(vq, layout)?;
        }
        let bell = Self::make_bell(vdev)?;
        // SAFETY: The virtqueue is valid. Deleting it needs a vring to be set.
        unsafe { (*bell.as_ptr()).priv_ = link.vring(VRING_RX).cast() };
        // INVARIANT: All of them were just made, on a device that had none.
        Ok(Self { found, vqs, bell })
    }

    /// Makes the doorbell, a virtqueue in private memory.
    fn make_bell(vdev: *mut bindings::virtio_device) -> Result<NonNull<bindings::virtqueue>> {
        /// Descriptors of the doorbell, none of which is ever used.
        const NUM: c_uint = 2;
        /// Alignment of its used ring.
        const ALIGN: c_uint = 64;

        extern "C" fn no_notify(_vq: *mut bindings::virtqueue) -> bool {
            true
        }

        // SAFETY: The device is valid, and its `priv` is what `schedule_napi` wants, by the
        // invariant of `Setup`.
        let bell = unsafe {
            bindings::vring_create_virtqueue(
                VRINGS as c_uint,
                NUM,
                ALIGN,
                vdev,
                true,
                false,
                false,
                Some(no_notify),
                Some(virtqueue::schedule_napi),
                c"doorbell".as_char_ptr(),
            )
        };
        NonNull::new(bell).ok_or(ENOMEM)
    }

    /// Whether the doorbell passes interrupts on, which it does while its used ring has news.
    fn set_bell(&self, rings: bool) {
        // SAFETY: The virtqueue is valid.
        let vring = unsafe { bindings::virtqueue_get_vring(self.bell.as_ptr()) };
        // SAFETY: The vring is valid.
        let used = unsafe { (*vring).used };
        // SAFETY: The vring of a split virtqueue has a used ring.
        let idx = unsafe { &raw mut (*used).idx };
        // SAFETY: The used ring is in private memory, and only this function writes to it.
        unsafe { idx.write_volatile(rings.into()) };
    }

    /// Lets the remote processor ring the doorbell. From now on, the NAPI instance is scheduled
    /// when it does.
    pub fn listen(&self) {
        self.set_bell(true);
        // The virtqueue must be complete before it can be found.
        mb(Full);
        for index in [VRING_RX, VRING_TX] {
            self.found.enter(index, self.bell.as_ptr());
        }
    }

    /// Keeps the doorbell from ringing. An interrupt that is under way may still get through.
    pub fn mute(&self) {
        self.set_bell(false);
    }

    /// The virtqueue that remoteproc made for vring `index`, which is below [`VRINGS`].
    #[inline]
    fn vq(&self, index: usize) -> *mut bindings::virtqueue {
        let [rx, tx] = self.vqs;
        if index == VRING_TX { tx } else { rx }.as_ptr()
    }

    /// The memory of vring `index`.
    pub fn ring_mem(&self, index: usize, layout: &Layout) -> Result<VringMem<'bound>> {
        // SAFETY: The virtqueue is valid.
        let vring = unsafe { bindings::virtqueue_get_vring(self.vq(index)) };
        // SAFETY: A split virtqueue has a vring.
        let desc = unsafe { (*vring).desc };
        let base = NonNull::new(desc.cast()).ok_or(ENODEV)?;
        // SAFETY: remoteproc keeps the memory of a vring of this layout for as long as its virtio
        // device exists.
        unsafe { VringMem::new(base, layout.size()) }.ok_or(EINVAL)
    }

    /// Tells the remote processor to look at vring `index`. Softirq or process context.
    #[inline]
    pub fn kick(&self, index: usize) {
        // SAFETY: The virtqueue is valid.
        unsafe { bindings::virtqueue_notify(self.vq(index)) };
    }
}

impl Drop for Queues<'_> {
    fn drop(&mut self) {
        self.mute();
        // SAFETY: The device is valid, and this is process context.
        unsafe { bindings::virtio_reset_device(self.found.0.vdev().as_raw()) };
        // Nothing else tells the modem to look at the status: it may forget its buffers now.
        self.kick(VRING_RX);
    }
}
