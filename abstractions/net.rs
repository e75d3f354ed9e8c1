// SPDX-License-Identifier: GPL-2.0

//! Network devices with one transmit queue and one NAPI instance.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

mod device;
pub(crate) mod ethtool;
pub(crate) mod napi;
pub(crate) mod registration;
mod skbuff;

pub(crate) use self::{
    device::{
        may_log,
        Device,
        NetdevOperations,
        Parts,
        Settings,
        Stats64,
        TxLock,
        TxQueue,
        Xmit, //
    },
    skbuff::SkBuff, //
};
