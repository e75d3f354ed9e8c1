// SPDX-License-Identifier: GPL-2.0

//! Network devices with one transmit queue and one NAPI instance.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

mod device;
pub mod ethtool;
pub mod napi;
pub mod registration;
mod skbuff;

pub use self::{
    device::{
        may_log,
        Device,
        Operations,
        Parts,
        Settings,
        Stats64,
        TxLock,
        TxQueue,
        Xmit, //
    },
    skbuff::SkBuff, //
};
