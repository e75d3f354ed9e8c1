// SPDX-License-Identifier: GPL-2.0

//! Network devices with one transmit queue and one NAPI instance.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

/// Fails to compile if one of the types is `Send`, which a proof of what this CPU holds or runs
/// must not be.
macro_rules! assert_not_send {
    ($($type:ty),+) => {
        $(const _: () = {
            trait Probe<Which> {
                fn probe() {}
            }
            struct Any;
            struct Sendable;
            impl<T: ?Sized> Probe<Any> for T {}
            impl<T: ?Sized + Send> Probe<Sendable> for T {}
            // Ambiguous if both apply.
            let _ = <$type as Probe<_>>::probe;
        };)+
    };
}

mod device;
pub(crate) mod ethtool;
mod log;
pub(crate) mod napi;
pub(crate) mod registration;
mod repoll;
mod skbuff;
mod timer;
mod watchdog;

pub(crate) use self::{
    device::{
        Device,
        NetdevOperations,
        Parts,
        Settings,
        Stats64,
        TxGuard,
        TxLock,
        TxQueue,
        Xmit, //
    },
    log::may_log,
    skbuff::SkBuff, //
};
