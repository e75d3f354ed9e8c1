// SPDX-License-Identifier: GPL-2.0

//! Helpers for lines of the kernel's log.

use crate::{
    link_config::ConfigError,
    vring_chain::DeviceRingError,
    vring_driver::DriverRingError,
    vring_layout::LayoutError, //
};
use kernel::fmt;

/// Prints a line that a modem can cause, subject to the network stack's rate limit.
macro_rules! log {
    ($print:ident, $($args:tt)*) => {
        if $crate::abstractions::net::may_log() {
            kernel::$print!($($args)*);
        }
    };
}
pub(crate) use log;

/// Implements the kernel's `Display` for errors of files that are built without the kernel crate.
macro_rules! impl_display {
    ($($error:ty),*) => {$(
        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                core::fmt::Display::fmt(self, f)
            }
        }
    )*};
}

impl_display!(ConfigError, LayoutError, DeviceRingError, DriverRingError);
