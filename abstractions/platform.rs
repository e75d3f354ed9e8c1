// SPDX-License-Identifier: GPL-2.0

//! Abstractions of platform devices that the kernel crate lacks.
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
