// SPDX-License-Identifier: GPL-2.0

//! Nothing but the place of `benches/ring.rs`.
