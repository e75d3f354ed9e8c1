// SPDX-License-Identifier: GPL-2.0

//! Tracepoints of faults. Those of frames and kicks are in `frames.c`, which copies frames and
//! kicks.

use super::bindings;
use crate::abstractions::net::Device;
use kernel::prelude::*;

/// Traces that a frame was dropped: the name of the reason's counter, and the device address and
/// length of its buffer. Any context.
#[cold]
pub(crate) fn frame_dropped(dev: &Device, why: &'static CStr, da: u64, len: u32) {
    // SAFETY: By the invariant of `Device`, the device is valid, and the string ends in a zero.
    unsafe { bindings::caif_virtio_trace_drop(dev.as_raw(), why.as_char_ptr(), da, len) };
}

/// Traces that the link was given up, with the name of the reason's counter. Any context.
#[cold]
pub(crate) fn link_fault(dev: &Device, why: &'static CStr) {
    // SAFETY: By the invariant of `Device`, the device is valid, and the string ends in a zero.
    unsafe { bindings::caif_virtio_trace_fault(dev.as_raw(), why.as_char_ptr()) };
}
