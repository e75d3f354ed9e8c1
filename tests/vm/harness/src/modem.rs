// SPDX-License-Identifier: GPL-2.0

//! A modem of the bench: the ivshmem server with the memory, and the modem process itself.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::{config::Config, process::Process};

/// The first process of a modem prints its readiness at once, even on a busy machine.
const START: Duration = Duration::from_secs(20);

pub struct Modem {
    pub socket: PathBuf,
    pub server: Process,
    pub process: Process,
    program: PathBuf,
    dir: PathBuf,
    name: String,
}

impl Modem {
    /// Starts the server and, once that listens, the modem.
    pub fn start(config: &Config, dir: &Path, logs: &Path, index: usize) -> Result<Self> {
        let socket = dir.join(format!("iv{index}"));
        let mut command = Command::new(config.modem_bin.join("ivshmem-server"));
        command.arg("--socket").arg(&socket);
        command.args(["--size", "16M", "--vectors", "4"]);
        let server = Process::start(&format!("ivshmem-server{index}"), command, logs)?;
        server.output.wait_for(0, "listening", START).context("ivshmem-server")?;
        let program = config.modem_bin.join("caif-modem");
        let name = format!("caif-modem{index}");
        let process = start_modem(&program, &socket, &name, logs)?;
        Ok(Self { socket, server, process, program, dir: logs.to_owned(), name })
    }

    /// Kills the modem as a crash would, without a chance to say anything.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts the modem again after its end.
    pub fn restart(&mut self) -> Result<()> {
        self.process = start_modem(&self.program, &self.socket, &self.name, &self.dir)?;
        Ok(())
    }

    /// Asks the modem to end, which must be clean.
    pub fn stop(&mut self) -> Result<()> {
        self.process.signal(Signal::SIGTERM)?;
        self.process.must_end_well(Duration::from_secs(10))
    }
}

fn start_modem(program: &Path, socket: &Path, name: &str, dir: &Path) -> Result<Process> {
    let mut command = Command::new(program);
    command.arg("--socket").arg(socket);
    Process::start(name, command, dir)
}
