// SPDX-License-Identifier: GPL-2.0

//! Interfaces of the stack, `caif.ko`, over links that are made here.

use crate::{
    bindings,
    links::FakeLink, //
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// An interface over a link.
///
/// # Invariants
///
/// The interface is registered as long as its link is, which is borrowed.
pub(crate) struct Interface<'a>(NonNull<bindings::net_device>, &'a FakeLink);

impl<'a> Interface<'a> {
    /// Makes an interface.
    pub(crate) fn new(link: &'a FakeLink) -> Result<Self> {
        Self::with_queues(link, 1)
    }

    /// Makes an interface with several queues.
    pub(crate) fn with_queues(link: &'a FakeLink, queues: u32) -> Result<Self> {
        // SAFETY: Process context.
        let dev = unsafe { bindings::caif_kunit_interface_new(link.index(), queues) };
        let dev = NonNull::new(dev).ok_or(ENODEV)?;
        // INVARIANT: It was just registered.
        Ok(Self(dev, link))
    }

    fn as_raw(&self) -> *mut bindings::net_device {
        self.0.as_ptr()
    }

    /// Lets it have no queueing discipline when it is set up.
    pub(crate) fn set_no_queue(&self) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_interface_no_queue(self.as_raw()) }
    }

    /// Sets its link down and up so many times, without releasing RTNL.
    pub(crate) fn restart_link(&self, times: u32) -> Result {
        // SAFETY: By its invariant, the link is registered.
        to_result(unsafe { bindings::caif_kunit_interface_restart_link(self.1.as_raw(), times) })
    }

    /// Sets it up.
    pub(crate) fn set_up(&self) -> Result {
        // SAFETY: By the type invariant, the device is registered.
        to_result(unsafe { bindings::caif_kunit_interface_up(self.as_raw()) })
    }

    /// Unregisters the interface right after its link was set down and up, without releasing RTNL.
    pub(crate) fn end_with_restart(self) -> Result {
        let this = ManuallyDrop::new(self);
        // SAFETY: By their invariants, both are registered, and this one is not used any more.
        to_result(unsafe {
            bindings::caif_kunit_interface_free_with(this.as_raw(), this.1.as_raw())
        })
    }

    /// Sends an IP packet by one of its queues.
    pub(crate) fn send(&self, queue: u32) -> Result {
        // SAFETY: By the type invariant, the device is registered.
        to_result(unsafe { bindings::caif_kunit_interface_send(self.as_raw(), queue) })
    }

    /// Sends an IP packet that left the queue before that was stopped.
    pub(crate) fn send_late(&self) -> Result {
        // SAFETY: By the type invariant, the device is registered.
        to_result(unsafe { bindings::caif_kunit_interface_send_late(self.as_raw()) })
    }

    /// Starts its queues, as if they had no discipline when they were stopped, and got one since.
    pub(crate) fn set_new_queue(&self) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_interface_new_queue(self.as_raw()) }
    }

    /// Returns how many packets it dropped instead of sending them.
    pub(crate) fn dropped(&self) -> u32 {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_interface_dropped(self.as_raw()) }
    }

    /// Sends a packet with the room around it that IP leaves for the interface. Returns whether the
    /// link got it in other memory.
    pub(crate) fn send_whole(&self, packet: &[u8]) -> Result<bool> {
        let (data, len) = (packet.as_ptr().cast(), u32::try_from(packet.len())?);
        let (link, mut is_moved) = (self.1.as_raw(), false);
        // SAFETY: By their invariants, both devices are registered; there are as many bytes.
        to_result(unsafe {
            bindings::caif_kunit_interface_send_whole(self.as_raw(), data, len, link, &mut is_moved)
        })?;
        Ok(is_moved)
    }

    /// Sends a packet to which somebody else has a reference, or of which somebody has a clone.
    /// Returns whether that was changed.
    pub(crate) fn send_held(&self, packet: &[u8], as_clone: bool) -> Result<bool> {
        let (data, len) = (packet.as_ptr().cast(), u32::try_from(packet.len())?);
        let mut is_changed = false;
        // SAFETY: By the type invariant, the device is registered; there are as many bytes.
        to_result(unsafe {
            bindings::caif_kunit_interface_send_held(
                self.as_raw(),
                data,
                len,
                as_clone,
                &mut is_changed,
            )
        })?;
        Ok(is_changed)
    }

    /// Sends a packet that has an owner.
    pub(crate) fn send_owned(&self, packet: &[u8]) -> Result {
        let (data, len) = (packet.as_ptr().cast(), u32::try_from(packet.len())?);
        // SAFETY: By the type invariant, the device is registered; there are as many bytes.
        to_result(unsafe { bindings::caif_kunit_interface_send_owned(self.as_raw(), data, len) })
    }

    /// Returns how many of those were given back to their owner, since the last call.
    pub(crate) fn given_back() -> i32 {
        // SAFETY: There are no requirements.
        unsafe { bindings::caif_kunit_packets_back() }
    }

    /// Returns the room that the interface wants in front of packets.
    pub(crate) fn headroom(&self) -> u32 {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_interface_headroom(self.as_raw()) }
    }

    /// Returns how many of its queues take no packets.
    pub(crate) fn stopped(&self) -> u32 {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_interface_stopped(self.as_raw()) }
    }

    /// Returns whether netpoll can send by it.
    pub(crate) fn has_netpoll(&self) -> bool {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_interface_has_netpoll(self.as_raw()) }
    }
}

impl Drop for Interface<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the device is registered, and not used any more.
        unsafe { bindings::caif_kunit_interface_free(self.as_raw()) }
    }
}
