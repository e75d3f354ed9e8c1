// SPDX-License-Identifier: GPL-2.0

//! The kinds of machines, which differ in what connects Linux to its modem.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;

use crate::link::BOARD;

/// A kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Machine {
    /// The modem is behind QEMU's ivshmem-doorbell
    Ivshmem,
    /// The modem is in the SoC and runs before Linux does
    Soc,
}

impl Machine {
    /// The module with the driver of the remote processor.
    pub fn board(self) -> &'static str {
        match self {
            Self::Ivshmem => BOARD,
            Self::Soc => "soc_rproc",
        }
    }

    /// How the machine's script is told of the server's socket.
    pub fn option(self) -> &'static str {
        match self {
            Self::Ivshmem => "--ivshmem",
            Self::Soc => "--soc",
        }
    }

    /// The command that starts the server, which listens at `socket`.
    pub fn server(self, programs: &Path, socket: &Path) -> Command {
        let mut command = Command::new(programs.join("ivshmem-server"));
        command.arg("--socket").arg(socket);
        command.args(["--size", "16M", "--vectors", "4"]);
        if self == Self::Soc {
            command.arg("--soc");
        }
        command
    }

    /// Lets the server be the boot loader of the same-SoC machine, so that the modem runs before
    /// Linux does.
    pub fn boot(self, server: &mut Command, programs: &Path, socket: &Path) -> Result<()> {
        if self != Self::Soc {
            bail!("only Linux boots the modem of this machine");
        }
        let firmware = beside(socket, ".elf");
        let made = Command::new(programs.join("caif-firmware"))
            .arg("--output")
            .arg(&firmware)
            .status()?;
        ensure!(made.success(), "caif-firmware ended by {made}");
        server.arg("--boot").arg(firmware);
        Ok(())
    }
}

/// A file beside the server's socket.
pub fn beside(socket: &Path, extension: &str) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(extension);
    name.into()
}
