// SPDX-License-Identifier: GPL-2.0

//! Drivers of remote processors (remoteproc platform drivers).
//!
//! C header: [`include/linux/remoteproc.h`](srctree/include/linux/remoteproc.h)

mod carveout;
#[expect(unreachable_pub, reason = "the host's tests build this file as well")]
pub(crate) mod elf;
mod firmware;
mod handle;
pub(crate) mod loaded;
mod ops;
mod recovery;
mod registration;
mod table;

pub(crate) use self::{
    carveout::{
        Carveout,
        DeviceRange, //
    },
    handle::{
        Crash,
        Rproc,
        State, //
    },
    registration::{
        Operations,
        RprocOptions,
        Unregistered, //
    }, //
};
