// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The hostile modem as a program.

#![forbid(unsafe_code)]

use anyhow::Context;
use clap::{Parser, Subcommand};
use hostile::{
    catalogue::{self, Flavour},
    execute::Executor,
    firmware_file::FirmwareFile,
    modem::Modem,
    protocol::{Request, Response},
};
use ivshmem::board::Board;
use std::{
    io::{BufRead, BufReader, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    path::{Path, PathBuf},
};
use tracing_subscriber::EnvFilter;

/// A modem with single faults, to test Linux against.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a modem that executes the steps of a harness
    Run {
        /// Socket of the ivshmem server
        #[arg(long)]
        socket: PathBuf,
        /// Socket on which the harness listens, for lines of JSON
        #[arg(long)]
        control: PathBuf,
    },
    /// Write the firmware files that the catalogue needs
    Firmware {
        /// Folder of the catalogue
        #[arg(long)]
        catalogue: PathBuf,
        /// Folder to write to
        #[arg(long)]
        out: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Run { socket, control } => run(&socket, &control),
        Command::Firmware { catalogue, out } => write_firmware(&catalogue, &out),
    }
}

fn run(socket: &Path, control: &Path) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().or_else(|_| EnvFilter::try_new("info"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let stream = UnixStream::connect(control)
        .with_context(|| format!("no harness at {}", control.display()))?;
    let board = Board::connect(socket)
        .with_context(|| format!("cannot join the board at {}", socket.display()))?;
    let mut executor = Executor::new(Modem::new(board)?);
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        // The harness waits for the answer to a request before the next one.
        executor.modem().idle(stream.as_fd())?;
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return executor.modem().leave();
        }
        let request = serde_json::from_str(&line).with_context(|| line.clone())?;
        let response = serve(&mut executor, request)
            .unwrap_or_else(|error| Response::Failed(format!("{error:#}")));
        let mut line = serde_json::to_string(&response)?;
        line.push('\n');
        (&stream).write_all(line.as_bytes())?;
    }
}

fn serve(executor: &mut Executor, request: Request) -> anyhow::Result<Response> {
    Ok(match request {
        Request::Step(step) => {
            executor.execute(&step)?;
            Response::Done
        }
        Request::State => {
            let (boot, links) = executor.modem().state();
            Response::State(boot, links)
        }
        Request::WaitLink(boot, links) => {
            executor.wait_link(boot, links)?;
            Response::Done
        }
        Request::Report(mark) => Response::Counters(executor.report(mark)?),
    })
}

fn write_firmware(folder: &Path, out: &Path) -> anyhow::Result<()> {
    let write = |name: &str, file: &FirmwareFile| {
        let path = out.join(format!("{name}.elf"));
        let bytes = file.to_bytes().with_context(|| name.to_owned())?;
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
        anyhow::Ok(())
    };
    write(Flavour::EventIdx.firmware(), &FirmwareFile::default())?;
    let flags = FirmwareFile {
        features: 0,
        ..FirmwareFile::default()
    };
    write(Flavour::Flags.firmware(), &flags)?;
    for case in catalogue::load(folder)? {
        if let Some(file) = &case.firmware {
            write(&case.name, file)?;
        }
    }
    Ok(())
}
