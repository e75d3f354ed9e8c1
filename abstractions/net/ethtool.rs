// SPDX-License-Identifier: GPL-2.0

//! The `ethtool` operations of a network device with one pair of rings: ring sizes and the driver's
//! own counters. The core shows driver and bus by itself.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use super::device::{
    Callbacks,
    NetdevOperations, //
};
use crate::abstractions::{
    bindings,
    compat::prelude::*, //
};
use core::marker::PhantomData;

/// Sizes of the rings, in frames.
#[derive(Clone, Copy)]
pub(crate) struct Rings {
    /// Frames that can be on their way to us.
    pub(crate) rx: u32,
    /// Frames that can be on their way from us.
    pub(crate) tx: u32,
}

/// The `ethtool` callbacks for `O`.
///
/// The network core calls them with RTNL held and a device as described at [`Callbacks`].
pub(super) struct EthtoolCallbacks<O: NetdevOperations>(PhantomData<O>);

impl<O: NetdevOperations> EthtoolCallbacks<O> {
    pub(super) const OPS: bindings::ethtool_ops = bindings::ethtool_ops {
        get_link: Some(bindings::ethtool_op_get_link),
        get_ts_info: Some(bindings::ethtool_op_get_ts_info),
        get_ringparam: Some(Self::get_ringparam),
        get_channels: Some(Self::get_channels),
        get_sset_count: Some(Self::get_sset_count),
        get_strings: Some(Self::get_strings),
        get_ethtool_stats: Some(Self::get_ethtool_stats),
        ..pin_init::zeroed()
    };

    extern "C" fn get_ringparam(
        dev: *mut bindings::net_device,
        param: *mut bindings::ethtool_ringparam,
        _kernel_param: *mut bindings::kernel_ethtool_ringparam,
        _extack: *mut bindings::netlink_ext_ack,
    ) {
        // SAFETY: `dev` is as described at `Callbacks`.
        let (_, _, parts) = unsafe { Callbacks::<O>::borrow(dev) };
        let Rings { rx, tx } = parts.ops.rings();
        // SAFETY: The network core passes a structure for us to fill in.
        let param = unsafe { &mut *param };
        param.rx_max_pending = rx;
        param.rx_pending = rx;
        param.tx_max_pending = tx;
        param.tx_pending = tx;
    }

    extern "C" fn get_channels(
        _dev: *mut bindings::net_device,
        channels: *mut bindings::ethtool_channels,
    ) {
        // SAFETY: The network core passes a structure for us to fill in.
        let channels = unsafe { &mut *channels };
        channels.max_combined = 1;
        channels.combined_count = 1;
    }

    extern "C" fn get_sset_count(_dev: *mut bindings::net_device, sset: c_int) -> c_int {
        if sset == bindings::ethtool_stringset_ETH_SS_STATS as c_int {
            O::COUNTERS.len() as c_int
        } else {
            EOPNOTSUPP.to_errno()
        }
    }

    extern "C" fn get_strings(_dev: *mut bindings::net_device, sset: u32, data: *mut u8) {
        if sset != bindings::ethtool_stringset_ETH_SS_STATS {
            return;
        }
        let mut at = data;
        for name in O::COUNTERS {
            // SAFETY: The network core passes room for as many names as `get_sset_count` said.
            unsafe { bindings::ethtool_puts(&raw mut at, name.as_char_ptr()) };
        }
    }

    extern "C" fn get_ethtool_stats(
        dev: *mut bindings::net_device,
        _stats: *mut bindings::ethtool_stats,
        data: *mut u64,
    ) {
        // SAFETY: `dev` is as described at `Callbacks`.
        let (_, _, parts) = unsafe { Callbacks::<O>::borrow(dev) };
        parts.ops.counters(&mut |index, value| {
            if index < O::COUNTERS.len() {
                // SAFETY: The network core passes room for as many values as `get_sset_count` said.
                unsafe { data.wrapping_add(index).write(value) };
            }
        });
    }
}
