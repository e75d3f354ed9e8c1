// SPDX-License-Identifier: GPL-2.0

//! Lines of the kernel's log, and what they show.

use crate::{
    link_config::ConfigError,
    vring_chain::DeviceRingError,
    vring_driver::DriverRingError,
    vring_layout::LayoutError, //
};
use kernel::fmt;

/// Prints a line that a modem can cause, at the rate that the network stack allows for such lines.
macro_rules! log {
    ($print:ident, $($args:tt)*) => {
        if $crate::abstractions::net::may_log() {
            kernel::$print!($($args)*);
        }
    };
}
pub(crate) use log;

/// Makes the kernel's printing take errors of files that do not know the kernel.
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
