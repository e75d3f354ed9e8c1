// SPDX-License-Identifier: GPL-2.0

//! Runs a command beside the processes that the machine of bench/end-to-end talks to.

use std::{
    ffi::OsString,
    fs,
    net::TcpListener,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use harness::process::{Process, end_with_us};

/// Starts iperf3's server, the board's server, the modem and the peer of virtio-net, runs a command
/// once they are ready, and ends them with it. The exit status is the command's.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The folder with their programs
    #[arg(long)]
    programs: PathBuf,
    /// The folder with iperf3, which bench/iperf3 makes
    #[arg(long)]
    iperf3: PathBuf,
    /// The folder for the sockets iv, peer and device, and for the logs
    #[arg(long)]
    work: PathBuf,
    /// An argument of the board's server
    #[arg(long, allow_hyphen_values = true)]
    server: Vec<String>,
    /// The command
    #[arg(last = true, required = true)]
    line: Vec<OsString>,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let in_work = |name| args.work.join(name);
    // iperf3 ends if somebody has taken the port since.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let forward = format!("5201=127.0.0.1:{port}");

    let mut iperf3 = Command::new(loader(&args.iperf3)?);
    iperf3
        .arg("--library-path")
        .arg(&args.iperf3)
        .arg(args.iperf3.join("iperf3"));
    iperf3.args(["--server", "--bind", "127.0.0.1", "--forceflush", "--port"]);
    iperf3.arg(port.to_string());
    let mut server = Command::new(args.programs.join("ivshmem-server"));
    server.arg("--socket").arg(in_work("iv")).args(&args.server);
    let mut modem = Command::new(args.programs.join("caif-modem"));
    modem.arg("--socket").arg(in_work("iv"));
    modem.args(["--log", "warn", "--forward", &forward]);
    let mut peer = Command::new(args.programs.join("ether-peer"));
    peer.arg("--socket").arg(in_work("peer"));
    peer.arg("--device").arg(in_work("device"));
    peer.args(["--forward", &forward]);
    // They are killed when this is dropped.
    let _peers = [
        start(&args.work, "iperf3", "-----", iperf3)?,
        start(&args.work, "server", "listening", server)?,
        start(&args.work, "modem", "waiting", modem)?,
        start(&args.work, "peer", "waiting", peer)?,
    ];

    let (program, arguments) = args.line.split_first().context("there is no command")?;
    let mut command = Command::new(program);
    command.args(arguments);
    end_with_us(&mut command);
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(ExitCode::from(code.unwrap_or(1).try_into().unwrap_or(1)))
}

/// Starts a process and waits for the line that its output begins with.
fn start(work: &Path, name: &str, ready: &str, command: Command) -> Result<Process> {
    let process = Process::start_apart(name, command, work)?;
    let line = process.output.line(0).unwrap_or_default();
    if !line.starts_with(ready) {
        let errors = fs::read_to_string(Process::error_log(name, work)).unwrap_or_default();
        bail!("{name} did not start: {line}\n{errors}");
    }
    Ok(process)
}

/// Returns the loader of the libraries in a folder.
fn loader(folder: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(b"ld-linux-")
        {
            return Ok(entry.path());
        }
    }
    bail!("{} has no loader", folder.display())
}
