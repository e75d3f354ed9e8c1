// SPDX-License-Identifier: GPL-2.0

//! Runs the parts of the tests, two at a time, and sums up their counts.

pub(crate) mod child;
pub mod content;
pub(crate) mod logs;
pub mod parts;
pub mod plan;
pub mod report;
pub mod run;
pub mod saved;
pub mod verdict;
