// SPDX-License-Identifier: GPL-2.0

//! A modem that runs already, since a boot loader started it.

use crate::{
    abstractions::{
        memory::Memory,
        remoteproc::DeviceRange, //
    },
    contract::{
        control::{
            ControlPage,
            ModemState, //
        },
        firmware::Unfit,
        map::{
            host_state,
            is_firmware,
            page,
            DA_BASE,
            FIRMWARE, //
        },
        table, //
    }, //
};
use kernel::{
    device::Device,
    prelude::*, //
};

/// A boot that Linux did not begin.
#[derive(Clone, Copy)]
pub(crate) struct Running {
    /// Number of the boot.
    pub(crate) boot_id: u32,
    /// The resource table, inside the memory for firmware.
    pub(crate) table: DeviceRange,
}

impl Running {
    /// Finds the boot that the modem runs, with a resource table that is not in use. `None` if
    /// there is no such boot.
    pub(crate) fn find(
        dev: &Device,
        control: &ControlPage,
        firmware: &Memory,
    ) -> Result<Option<Self>> {
        let boot_id = control.get(page::BOOT_ID)?;
        let modem = control.modem()?;
        let is_wanted = control.get(page::HOST_STATE)? == host_state::RUN;
        if !is_wanted || modem.state != ModemState::Running || modem.boot_id != boot_id {
            return Ok(None);
        }
        let da = control.get(page::RSC_TABLE_DA)?;
        let len = control.get(page::RSC_TABLE_LEN)?;
        if let Err(unfit) = check(firmware, da, len)? {
            dev_warn!(
                dev,
                "the modem runs, but cannot be attached to: it {unfit}\n"
            );
            return Ok(None);
        }
        let table = DeviceRange {
            da,
            len: usize::try_from(len)?,
        };
        Ok(Some(Self { boot_id, table }))
    }
}

/// Checks a copy of the resource table in the memory for firmware.
///
/// A table that names places of vrings is in use, or was when a kernel ended: then the modem and
/// the rings are in an unknown state.
fn check(firmware: &Memory, da: u32, len: u32) -> Result<Result<(), Unfit>> {
    if !is_firmware(da, len) {
        return Ok(Err(Unfit::Outside(da, len)));
    }
    let start = (da - DA_BASE) as usize - FIRMWARE.0;
    let mut copy = KVec::with_capacity(len as usize, GFP_KERNEL)?;
    for offset in 0..len as usize {
        copy.push(firmware.read::<u8>(start + offset)?, GFP_KERNEL)?;
    }
    Ok(table::check(&copy))
}
