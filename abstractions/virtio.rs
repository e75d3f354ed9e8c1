// SPDX-License-Identifier: GPL-2.0

//! Virtio devices, and drivers for those that are network devices.
//!
//! C header: [`include/linux/virtio.h`](srctree/include/linux/virtio.h)

mod device;
pub(crate) mod netdev;
mod pm;

pub(crate) use self::device::{
    Device,
    DeviceId,
    IdTable, //
};
