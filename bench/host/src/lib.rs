// SPDX-License-Identifier: GPL-2.0

//! Empty: the package exists for `benches/ring.rs`.
