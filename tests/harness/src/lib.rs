// SPDX-License-Identifier: GPL-2.0

//! Parts of tests in virtual machines, and the end-to-end cases.

#![allow(missing_docs, reason = "a library of our own harnesses only")]

pub mod calls;
pub mod cases;
pub mod config;
pub mod count;
pub mod descent;
pub mod guest;
pub mod hostile_user;
pub mod klog;
pub mod ktap;
pub mod leaks;
pub mod link;
pub mod machine;
pub mod modem;
pub mod mutants;
pub mod namespace;
pub mod output;
pub mod process;
pub mod runner;
pub mod suite;
pub mod supervise;
pub mod vm;
