// SPDX-License-Identifier: GPL-2.0

//! The control page: Linux, the modem and the server publish their states there. All values are
//! little-endian.

use super::map::{
    host_state,
    page,
    MAGIC,
    VERSION, //
};
use crate::abstractions::{
    compat::barrier::{
        dma_mb,
        Read,
        Write, //
    },
    memory::Memory,
    remoteproc::DeviceRange, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

pub(crate) use super::map::ModemState;

/// The modem's fields of the control page, each read once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Modem {
    /// `modem_state`.
    pub(crate) state: ModemState,
    /// `modem_boot_id`.
    pub(crate) boot_id: u32,
    /// `heartbeat`.
    pub(crate) heartbeat: u32,
}

/// The control page, the first of the memory: Linux, the modem and the server publish their states
/// there.
pub(crate) struct ControlPage(Arc<Memory>);

impl ControlPage {
    /// Creates the page, which is at the start of `memory`.
    pub(crate) fn new(memory: Arc<Memory>) -> Self {
        Self(memory)
    }

    /// Reads a field. A field that another side writes may have any value.
    pub(crate) fn get(&self, offset: usize) -> Result<u32> {
        self.0.read(offset).map(u32::from_le)
    }

    /// Writes a field.
    fn set(&self, offset: usize, value: u32) -> Result {
        self.0.write(offset, value.to_le())
    }

    /// Checks `magic` and `version`. Returns the values found if they are not those of a modem.
    pub(crate) fn check(&self) -> Result<Result<(), (u32, u32)>> {
        let found = (self.get(page::MAGIC)?, self.get(page::VERSION)?);
        Ok(if found == (MAGIC, VERSION) {
            Ok(())
        } else {
            Err(found)
        })
    }

    /// Tells the modem of a new boot, and returns its number.
    pub(crate) fn start(&self, table: DeviceRange, host_peer: u16) -> Result<u32> {
        self.set(page::RSC_TABLE_DA, table.da)?;
        self.set(page::RSC_TABLE_LEN, u32::try_from(table.len)?)?;
        self.set(page::HOST_PEER, host_peer.into())?;
        // No boot has number 0. The modem can overwrite the number, which only ends its own boot.
        let boot_id = self.get(page::BOOT_ID)?.wrapping_add(1).max(1);
        self.set(page::BOOT_ID, boot_id)?;
        // The modem reads the other fields after the state.
        dma_mb(Write);
        self.set(page::HOST_STATE, host_state::RUN)?;
        Ok(boot_id)
    }

    /// Tells the modem to leave the boot.
    pub(crate) fn stop(&self) -> Result {
        self.set(page::HOST_STATE, host_state::STOP)
    }

    /// Reads the modem's fields. An unknown state counts as a crash.
    pub(crate) fn modem(&self) -> Result<Modem> {
        let state =
            ModemState::from_raw(self.get(page::MODEM_STATE)?).unwrap_or(ModemState::Crashed);
        // The modem writes the state last.
        dma_mb(Read);
        Ok(Modem {
            state,
            boot_id: self.get(page::MODEM_BOOT_ID)?,
            heartbeat: self.get(page::HEARTBEAT)?,
        })
    }

    /// Returns the modem's peer id. `ERANGE` if it has no valid one.
    pub(crate) fn modem_peer(&self) -> Result<u16> {
        u16::try_from(self.get(page::MODEM_PEER)?).map_err(|_| ERANGE)
    }
}
