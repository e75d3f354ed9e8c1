// SPDX-License-Identifier: GPL-2.0

//! Virtual devices with a GRO cell, as interfaces of the stack are.

use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// What a device counts of its packets.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    Offered = bindings::CAIF_KUNIT_OFFERED as isize,
    Received = bindings::CAIF_KUNIT_RECEIVED as isize,
    Dropped = bindings::CAIF_KUNIT_DROPPED as isize,
    /// Those that were received or dropped among them.
    Freed = bindings::CAIF_KUNIT_FREED as isize,
    /// Most that waited at the same time.
    Most = bindings::CAIF_KUNIT_MOST as isize,
}

/// A device that is up.
///
/// # Invariants
///
/// The device is registered.
pub(crate) struct Cell(NonNull<bindings::net_device>);

impl Cell {
    /// Makes a device.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Process context.
        let dev = unsafe { bindings::caif_kunit_cell_new() };
        // INVARIANT: It is registered, unless NULL was returned.
        NonNull::new(dev).map(Self).ok_or(ENOMEM)
    }

    fn as_raw(&self) -> *mut bindings::net_device {
        self.0.as_ptr()
    }

    /// Gives packets to the cell.
    pub(crate) fn offer(&self, packets: u32) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_cell_offer(self.as_raw(), packets) }
    }

    /// Gives it two more for each packet that is received, up to so many in all.
    pub(crate) fn multiply(&self, most: u32) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_cell_multiply(self.as_raw(), most) }
    }

    /// Returns a count.
    pub(crate) fn count(&self, what: Count) -> i32 {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_cell_count(self.as_raw(), what as c_uint) }
    }

    /// Keeps the cell from being polled. Returns whether it does.
    pub(crate) fn hold(&self) -> bool {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_cell_hold(self.as_raw()) }
    }

    /// Lets it be polled again, after [`hold`](Self::hold).
    pub(crate) fn release(&self) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_cell_release(self.as_raw()) }
    }

    /// Begins to set the device down, in another task.
    pub(crate) fn begin_to_close(&self) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_cell_close_begin(self.as_raw()) }
    }

    /// Waits until that is done.
    pub(crate) fn end_to_close(&self) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_cell_close_end(self.as_raw()) }
    }

    /// Returns whether the cell takes no packets any more.
    fn is_closing(&self) -> bool {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_cell_is_closing(self.as_raw()) }
    }

    /// Waits until the cell takes no packets any more. Returns whether it takes none. There is no
    /// event: it only clears a flag.
    pub(crate) fn begins_to_close(&self, ms: u32) -> bool {
        for _ in 0..ms {
            if self.is_closing() {
                return true;
            }
            fsleep(Delta::from_millis(1));
        }
        self.is_closing()
    }

    /// Waits until the cell is closed completely, at most `ms` milliseconds. Returns whether it
    /// is.
    pub(crate) fn closes(&self, ms: u32) -> bool {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_cell_closes(self.as_raw(), ms) }
    }

    /// Waits until so many packets were freed, at most `ms` milliseconds.
    pub(crate) fn frees(&self, packets: i32, ms: u32) {
        // SAFETY: Process context.
        unsafe { bindings::caif_kunit_cell_frees(packets, ms) }
    }

    /// Lets the device receive a packet with this hash and a receive queue. Returns the hash that
    /// the packet has then, and whether it has a receive queue.
    pub(crate) fn receive_hash(&self, is_l4: bool, hash: u32) -> Result<(u32, bool)> {
        let (mut hash, mut queue) = (hash, false);
        // SAFETY: By the type invariant, the device is registered.
        to_result(unsafe {
            bindings::caif_kunit_receive_hash(self.as_raw(), is_l4, &mut hash, &mut queue)
        })?;
        Ok((hash, queue))
    }

    /// Lets the device receive a packet that has an owner. Returns whether it has one then.
    pub(crate) fn receive_owned(&self) -> Result<bool> {
        let mut has_owner = false;
        // SAFETY: By the type invariant, the device is registered.
        to_result(unsafe { bindings::caif_kunit_receive_owned(self.as_raw(), &mut has_owner) })?;
        Ok(has_owner)
    }
}

/// Puts zeroes behind a packet in pages. Returns whether its pages are marked as shared.
pub(crate) fn put_zeroes() -> Result<bool> {
    let mut is_shared = false;
    // SAFETY: Process context.
    to_result(unsafe { bindings::caif_kunit_put_zeroes(&mut is_shared) })?;
    Ok(is_shared)
}

impl Drop for Cell {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the device is registered, and not used any more.
        unsafe { bindings::caif_kunit_cell_free(self.as_raw()) }
    }
}
