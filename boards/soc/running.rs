// SPDX-License-Identifier: GPL-2.0

//! A modem that runs already, since a boot loader started it.

use crate::{
    abstractions::{
        memory::Memory,
        remoteproc::{
            loaded::LoadedTable,
            DeviceRange, //
        }, //
    },
    contract::{
        control::{
            ControlPage,
            ModemState, //
        },
        firmware::Unfit,
        map::{
            host_state,
            offset_in,
            page,
            DA_BASE,
            RSC_TABLE, //
        },
        table, //
    }, //
};
use kernel::{
    device::Device,
    fmt,
    prelude::*, //
};

/// The longest resource table, in bytes. That of a link has less than 200.
const TABLE_MAX: u32 = 4096;

/// A boot that Linux did not begin.
#[derive(Clone, Copy)]
pub(crate) struct Running {
    /// Number of the boot.
    pub(crate) boot_id: u32,
}

impl Running {
    /// Finds the boot that the modem runs. `None` if there is none.
    pub(crate) fn find(control: &ControlPage) -> Result<Option<Self>> {
        let boot_id = control.get(page::BOOT_ID)?;
        let modem = control.modem()?;
        let is_wanted = control.get(page::HOST_STATE)? == host_state::RUN;
        if !is_wanted || modem.state != ModemState::Running || modem.boot_id != boot_id {
            return Ok(None);
        }
        Ok(Some(Self { boot_id }))
    }

    /// Reads the boot's resource table, and checks what was read. `None`, with a line in the log,
    /// if the modem cannot be attached to.
    pub(crate) fn table(
        &self,
        dev: &Device,
        control: &ControlPage,
        memory: &Memory,
    ) -> Result<Option<LoadedTable>> {
        let da = control.get(page::RSC_TABLE_DA)?;
        let len = control.get(page::RSC_TABLE_LEN)?;
        let table = read(memory, da, len).map_err(|unusable| {
            dev_warn!(
                dev,
                "the modem runs, but cannot be attached to: it {unusable}\n"
            );
        });
        Ok(table.ok())
    }
}

/// Why a resource table cannot be used.
enum Unusable {
    /// It is not allowed.
    Unfit(Unfit),
    /// It is not where the board has its table.
    Elsewhere(u32, u32),
    /// It is longer than any that is allowed.
    TooLong(u32),
    /// It cannot be read, such as for lack of memory.
    Unread(Error),
}

impl From<Unfit> for Unusable {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, room) = RSC_TABLE;
        match self {
            Self::Unfit(unfit) => unfit.fmt(f),
            Self::Elsewhere(da, len) => write!(
                f,
                "has a resource table of {len:#x} bytes at {da:#x}, \
                 while {room:#x} bytes at {:#x} are for it",
                DA_BASE as usize + offset
            ),
            Self::TooLong(len) => write!(
                f,
                "has a resource table of {len:#x} bytes, allowed are {TABLE_MAX:#x}"
            ),
            Self::Unread(e) => write!(f, "has a resource table that cannot be read ({e:?})"),
        }
    }
}

/// Reads a resource table in the memory for it.
///
/// A table that names places of vrings is in use, or was when a kernel ended: then the modem and
/// the rings are in an unknown state.
fn read(memory: &Memory, da: u32, len: u32) -> Result<LoadedTable, Unusable> {
    let start = offset_in(RSC_TABLE, da, len).ok_or(Unusable::Elsewhere(da, len))?;
    if len > TABLE_MAX {
        return Err(Unusable::TooLong(len));
    }
    let range = DeviceRange {
        da,
        len: len as usize,
    };
    let table = LoadedTable::read(memory, start, range).map_err(Unusable::Unread)?;
    table::check(table.bytes())?;
    Ok(table)
}
