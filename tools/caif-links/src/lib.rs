// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The CAIF links and interfaces of this machine, and the remote processors that the links belong
//! to, by rtnetlink and sysfs.

pub mod netdevs;
pub mod netlink;
pub mod remoteproc;
pub mod uevents;
