// SPDX-License-Identifier: GPL-2.0

//! Options of level `SOL_CAIF`.

use super::{
    connect::{
        settle,
        Phase, //
    },
    CaifSocket,
    Protocol, //
};
use crate::{
    abstractions::{
        bindings,
        compat::prelude::*,
        net::socket::{
            Call,
            OptionSink,
            OptionSource, //
        }, //
    },
    policy::{
        Errno,
        Preference, //
    }, //
};
use kernel::alloc::flags::GFP_KERNEL_ACCOUNT;

/// `SOL_CAIF`.
const LEVEL: c_int = bindings::SOL_CAIF as c_int;
/// `CAIFSO_LINK_SELECT`.
const LINK_SELECT: c_int = 127;
/// `CAIFSO_REQ_PARAM`.
const REQ_PARAM: c_int = 128;
/// `CAIFSO_RSP_PARAM`.
const RSP_PARAM: c_int = 129;

/// Options that are set before the socket is connected.
pub(super) struct Options {
    link: c_int,
    parameters: KVec<u8>,
}

impl Options {
    pub(super) const fn new() -> Self {
        Self {
            link: Preference::LowLatency as c_int,
            parameters: KVec::new(),
        }
    }

    /// Returns the preferred kind of link. `EINVAL` if the option has another value.
    pub(super) fn link(&self) -> Result<Preference, Errno> {
        Preference::from_option(self.link)
    }

    /// Returns the parameters for the modem's service.
    pub(super) fn parameters(&self) -> &[u8] {
        &self.parameters
    }
}

/// Sets an option.
pub(super) fn set(
    call: &mut Call<'_, CaifSocket>,
    level: c_int,
    name: c_int,
    value: &OptionSource,
) -> Result {
    let is_util = call.socket().ops().protocol == Protocol::Util;
    let mut guard = call.lock();
    let state = guard.state();
    if !matches!(state.phase, Phase::Unconnected) || level != LEVEL {
        return Err(ENOPROTOOPT);
    }
    match name {
        LINK_SELECT => {
            let mut bytes = [0; 4];
            value.read(&mut bytes).map_err(|_| EINVAL)?;
            state.options.link = c_int::from_ne_bytes(bytes);
        }
        REQ_PARAM if is_util => {
            let mut bytes = [0; 256];
            let bytes = bytes.get_mut(..value.len()).ok_or(EINVAL)?;
            value.read(bytes).map_err(|_| EINVAL)?;
            let mut parameters = KVec::with_capacity(bytes.len(), GFP_KERNEL_ACCOUNT)?;
            parameters.extend_from_slice(bytes, GFP_KERNEL_ACCOUNT)?;
            state.options.parameters = parameters;
        }
        _ => return Err(ENOPROTOOPT),
    }
    Ok(())
}

/// Gets an option. There is only one: the parameters that the modem's service returned.
pub(super) fn get(
    call: &mut Call<'_, CaifSocket>,
    level: c_int,
    name: c_int,
    value: &mut OptionSink<'_>,
) -> Result {
    let is_util = call.socket().ops().protocol == Protocol::Util;
    if level != LEVEL || name != RSP_PARAM || !is_util {
        return Err(EOPNOTSUPP);
    }
    let mut guard = call.lock();
    settle(&mut guard);
    match &guard.state().phase {
        Phase::Connected { connection, .. } => value.write(&connection.appended()?),
        _ => Err(ENOTCONN),
    }
}
