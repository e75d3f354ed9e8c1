// SPDX-License-Identifier: GPL-2.0
//! x
use kernel::prelude::*;
#[allow(unsafe_code)]
pub mod abstractions { pub mod bindings; }
