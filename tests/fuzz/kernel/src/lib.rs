// SPDX-License-Identifier: GPL-2.0

//! What the board's readers of firmware use of the kernel crate, so that they build outside of it.

pub use core::fmt;

/// Nothing of the kernel's prelude is needed.
pub mod prelude {}
