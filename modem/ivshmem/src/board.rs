// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modem's side of the board: control page, doorbells, heartbeat.

use crate::{
    Error, VECTORS,
    client::{Bell, Client},
    control::{self, ControlPage, Field, ModemState},
    memory::SharedMemory,
};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tracing::debug;

/// Period of the heartbeat.
pub const HEARTBEAT: Duration = Duration::from_millis(50);

/// The board.
pub struct Board {
    client: Client,
    memory: SharedMemory,
    page: ControlPage,
    beat: Instant,
}

/// The fields of the control page that Linux writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// Whether Linux wants the modem to run.
    pub running: bool,
    /// Number of the boot.
    pub boot_id: u32,
}

impl Board {
    /// Joins the peers of the server at `socket`.
    pub fn connect(socket: &Path) -> Result<Self, Error> {
        let client = Client::connect(socket)?;
        let memory = SharedMemory::map(client.memory())?;
        let page = ControlPage::open(memory.clone())?;
        let other = page.get(Field::ModemPeer)?;
        let state = page.get(Field::ModemState)?;
        if state != ModemState::Absent as u32 && client.has_peer(other) {
            return Err(Error::Protocol(format!(
                "peer {other} is the modem of this board already, there can be one"
            )));
        }
        page.set(Field::ModemPeer, client.id().into())?;
        Ok(Self {
            client,
            memory,
            page,
            beat: Instant::now(),
        })
    }

    /// Returns the connection to the server.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the shared memory.
    pub fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// Processes messages of the server, and clears the doorbells.
    pub fn update(&mut self) -> Result<(), Error> {
        self.client.update()?;
        for vector in 0..VECTORS {
            self.client.clear(vector)?;
        }
        Ok(())
    }

    /// Reads the fields that Linux writes.
    pub fn host(&self) -> Result<Host, Error> {
        Ok(Host {
            running: self.page.get(Field::HostState)? == control::host_state::RUN,
            boot_id: self.page.get(Field::BootId)?,
        })
    }

    /// Returns the boot that was taken last, by this modem or an earlier one.
    pub fn taken(&self) -> Result<u32, Error> {
        self.page.get(Field::ModemBootId)
    }

    /// Marks a boot as taken.
    pub fn take(&self, boot_id: u32) -> Result<(), Error> {
        self.page.set(Field::ModemBootId, boot_id)
    }

    /// Returns the device address and the length of the resource table.
    pub fn table(&self) -> Result<(u32, u32), Error> {
        Ok((
            self.page.get(Field::RscTableDa)?,
            self.page.get(Field::RscTableLen)?,
        ))
    }

    /// Publishes the modem's state and interrupts Linux.
    pub fn set_state(&self, state: ModemState) -> Result<(), Error> {
        self.page.set(Field::ModemState, state as u32)?;
        self.ring(control::VECTOR)
    }

    /// Returns a vector of the board, if the board is connected.
    pub fn bell(&self, vector: usize) -> Result<Option<Bell>, Error> {
        self.client.bell(self.page.get(Field::HostPeer)?, vector)
    }

    /// Rings a vector of the board. Does nothing if the board is not connected.
    pub fn ring(&self, vector: usize) -> Result<(), Error> {
        let host = self.page.get(Field::HostPeer)?;
        if !self.client.ring(host, vector)? {
            debug!("no peer {host} to ring");
        }
        Ok(())
    }

    /// Counts the heartbeat up if it is due. Returns when it is due next.
    pub fn beat(&mut self, now: Instant) -> Result<Instant, Error> {
        if now >= self.beat {
            let beats = self.page.get(Field::Heartbeat)?;
            self.page.set(Field::Heartbeat, beats.wrapping_add(1))?;
            self.beat = now + HEARTBEAT;
        }
        Ok(self.beat)
    }
}
