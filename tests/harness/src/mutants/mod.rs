// SPDX-License-Identifier: GPL-2.0

//! Puts faults into copies of the sources, one at a time, and names the test that catches each.

pub mod failures;
pub mod fingerprint;
pub mod patch;
pub mod place;
pub mod report;
pub mod suites;
