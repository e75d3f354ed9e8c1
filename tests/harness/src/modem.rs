// SPDX-License-Identifier: GPL-2.0

//! A modem of the bench: the ivshmem server with the memory, and the modem process itself.

use std::{
    collections::HashMap,
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use kernel_pure::{
    ivshmem::map::{self, page},
    vring_layout::DESC_SIZE,
};
use nix::sys::signal::Signal;

use crate::{
    config::Place,
    machine::{Machine, beside},
    process::Process,
};

/// Time limit for a process to start. The first of a modem prints its readiness at once, even on a busy
/// machine.
pub const START: Duration = Duration::from_secs(20);

/// Where the index of vring 0's available ring is, behind the flags and the table of 256 descriptors.
const AVAIL_IDX: u64 = (map::VRING0.0 + 256 * DESC_SIZE + 2) as u64;

/// The fields of the control page with the modem's address of the resource table and with its length.
const RSC_TABLE_DA: u64 = page::RSC_TABLE_DA as u64;
const RSC_TABLE_LEN: u64 = page::RSC_TABLE_LEN as u64;

/// Reads a word of the memory.
fn word(memory: &File, at: u64) -> Result<u32> {
    let mut bytes = [0; 4];
    memory.read_exact_at(&mut bytes, at)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Returns where in the memory's file the modem's address of a table is.
fn place_of(da: u32) -> Result<u64> {
    u64::from(da)
        .checked_sub(map::DA_BASE.into())
        .context("the control page names no table")
}

pub struct Modem {
    pub socket: PathBuf,
    /// Dropped before the server.
    pub process: Process,
    server: Process,
    machine: Machine,
    program: PathBuf,
    /// Whether the modem sends invalid frames as well, from its next start on.
    pub noise: bool,
    /// Further arguments, from its next start on.
    pub arguments: Vec<String>,
    dir: PathBuf,
    name: String,
}

impl Modem {
    /// Starts the server and, once that listens, the modem.
    /// With `runs_first` it runs before Linux boots it.
    pub fn start(
        place: &Place,
        runs_first: bool,
        dir: &Path,
        logs: &Path,
        index: usize,
    ) -> Result<Self> {
        let socket = dir.join(format!("iv{index}"));
        let mut command = place.machine.server(&place.modem_bin, &socket);
        if runs_first {
            place
                .machine
                .boot(&mut command, &place.modem_bin, &socket)?;
        }
        let server = Process::start(&format!("ivshmem-server{index}"), command, logs)?;
        server
            .output
            .wait_for(0, "listening", START)
            .context("ivshmem-server")?;
        let program = place.modem_bin.join("caif-modem");
        let name = format!("caif-modem{index}");
        let arguments = place.modem_arguments.clone();
        let process = start_modem(&program, &socket, &arguments, &name, logs)?;
        Ok(Self {
            socket,
            process,
            server,
            machine: place.machine,
            program,
            noise: false,
            arguments,
            dir: logs.to_owned(),
            name,
        })
    }

    /// Kills the modem, as a crash would.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts the modem again after its end.
    pub fn restart(&mut self) -> Result<()> {
        let noise = self.noise.then(|| "--noise".to_owned());
        let arguments: Vec<_> = self.arguments.iter().cloned().chain(noise).collect();
        self.process = start_modem(
            &self.program,
            &self.socket,
            &arguments,
            &self.name,
            &self.dir,
        )?;
        Ok(())
    }

    /// Stops the modem's process, and publishes more buffers on vring 0 than there are descriptors in
    /// its place: a modem that runs would take that for a ring that Linux has cleared. Returns the index
    /// that was there, for [`Modem::mend_ring`], which must come before Linux misses the heartbeat.
    pub fn damage_ring(&mut self) -> Result<[u8; 2]> {
        self.process.signal(Signal::SIGSTOP)?;
        let memory = self.memory()?;
        let mut before = [0; 2];
        memory.read_exact_at(&mut before, AVAIL_IDX)?;
        let index = u16::from_le_bytes(before).wrapping_add(1000);
        memory.write_all_at(&index.to_le_bytes(), AVAIL_IDX)?;
        Ok(before)
    }

    /// Puts the index of vring 0 back, and lets the modem's process go on.
    pub fn mend_ring(&mut self, index: [u8; 2]) -> Result<()> {
        self.memory()?.write_all_at(&index, AVAIL_IDX)?;
        self.process.signal(Signal::SIGCONT)
    }

    /// Overwrites a part of the modem's resource table, as the modem can at any time.
    pub fn write_table(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        let memory = self.memory()?;
        let at = place_of(word(&memory, RSC_TABLE_DA)?)?;
        Ok(memory.write_all_at(bytes, at + offset as u64)?)
    }

    /// Sets the length of the resource table in the control page, and returns the one that was there.
    pub fn set_table_len(&self, len: u32) -> Result<u32> {
        let memory = self.memory()?;
        let before = word(&memory, RSC_TABLE_LEN)?;
        memory.write_all_at(&len.to_le_bytes(), RSC_TABLE_LEN)?;
        Ok(before)
    }

    /// Copies the resource table to the modem's address `da` and names that place in the control page,
    /// as for firmware that has its table there. Returns the address that was there.
    pub fn move_table(&self, da: u32) -> Result<u32> {
        let memory = self.memory()?;
        let before = word(&memory, RSC_TABLE_DA)?;
        let mut table = vec![0; word(&memory, RSC_TABLE_LEN)?.try_into()?];
        memory.read_exact_at(&mut table, place_of(before)?)?;
        memory.write_all_at(&table, place_of(da)?)?;
        memory.write_all_at(&da.to_le_bytes(), RSC_TABLE_DA)?;
        Ok(before)
    }

    /// Opens the memory that the modem shares with Linux.
    fn memory(&self) -> Result<File> {
        match self.machine {
            Machine::Ivshmem => self.server.open_memory(),
            Machine::Soc => {
                let file = beside(&self.socket, ".memory");
                Ok(File::options().read(true).write(true).open(file)?)
            }
        }
    }

    /// Asks the modem to end, which must be clean, and to have reported no error of Linux.
    pub fn stop(&mut self) -> Result<()> {
        self.process.signal(Signal::SIGTERM)?;
        self.process.must_end_well(Duration::from_secs(10))?;
        let json = self
            .process
            .output
            .wait_until(0, START, "its counters", |l| l.starts_with('{'))?;
        let counters: HashMap<String, u64> =
            serde_json::from_str(&json).with_context(|| format!("the modem's counters: {json}"))?;
        for name in ["uplink_bad_length", "uplink_bad_chain", "downlink_too_long"] {
            let count = counters
                .get(name)
                .with_context(|| format!("no counter {name}: {json}"))?;
            ensure!(*count == 0, "the modem counted {name}: {json}");
        }
        Ok(())
    }

    /// Ends the server too, which must be clean.
    pub fn end(&mut self) -> Result<()> {
        if self.process.exited(Duration::ZERO).is_none() {
            self.stop()?;
        }
        self.server.signal(Signal::SIGTERM)?;
        self.server.must_end_well(Duration::from_secs(10))
    }
}

fn start_modem(
    program: &Path,
    socket: &Path,
    arguments: &[String],
    name: &str,
    dir: &Path,
) -> Result<Process> {
    let mut command = Command::new(program);
    command.arg("--socket").arg(socket);
    // Two modems assign the same linkids, which belong to a link; only the stack in C needs different
    // ones. The hostile user sends frames on those from 200 on, which must reach no other program.
    command.args(["--linkids", "1-199", "--json"]);
    command.args(arguments);
    let process = Process::start(name, command, dir)?;
    process
        .output
        .wait_for(0, "waiting", START)
        .context("caif-modem")?;
    Ok(process)
}
