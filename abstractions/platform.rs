// SPDX-License-Identifier: GPL-2.0

//! What the kernel crate's abstractions of platform devices lack.
//!
//! C header: [`include/linux/platform_device.h`](srctree/include/linux/platform_device.h)

mod address;
mod irq;
mod reserved;

pub(crate) use self::{
    address::device_address,
    irq::handle_irq,
    reserved::Reserved, //
};
