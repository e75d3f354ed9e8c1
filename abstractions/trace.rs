// SPDX-License-Identifier: GPL-2.0

//! Tracepoints of what goes wrong. Those of frames and kicks are where the helpers in C do these,
//! so that they cost nothing until they are enabled.

use super::{
    bindings,
    net, //
};
use kernel::prelude::*;

impl net::Device {
    /// Traces that a frame was dropped: the name of the reason's counter, and the device address
    /// and length of its buffer. Any context.
    #[cold]
    pub fn trace_drop(&self, why: &'static CStr, da: u64, len: u32) {
        // SAFETY: The device is valid, and the string ends in a zero.
        unsafe { bindings::caif_helper_trace_drop(self.as_raw(), why.as_char_ptr(), da, len) };
    }

    /// Traces that the link was given up, with the name of the reason's counter. Any context.
    #[cold]
    pub fn trace_fault(&self, why: &'static CStr) {
        // SAFETY: The device is valid, and the string ends in a zero.
        unsafe { bindings::caif_helper_trace_fault(self.as_raw(), why.as_char_ptr()) };
    }
}
