// SPDX-License-Identifier: GPL-2.0

//! Boots Linux in QEMU beside a modem process, and shows the output of the guest's script.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use harness::{klog, machine::Machine, process::Process};
use nix::sys::signal::Signal;

/// Time for a process to start or to end, on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// The guest's line with the exit status of its script.
const STATUS: &str = "init: status ";
/// The start of a line by which the guest's script asks the host for something.
const REQUEST: &str = "host: ";
/// The last line that init writes to the kernel's log.
const END: &str = "init: the end";

/// Boots Linux in QEMU beside a modem process, and shows traffic and a crash of the modem.
#[derive(Parser)]
struct Args {
    /// Let the modem capture all CAIF frames to this file, and after its crash to one of this name
    /// with .2 behind
    #[arg(long)]
    pcap: Option<PathBuf>,
    /// The script that starts QEMU
    #[arg(long, env = "CAIF_RUN_VM")]
    run_vm: PathBuf,
    /// Root file system of the machine
    #[arg(long, env = "CAIF_INITRAMFS")]
    initramfs: PathBuf,
    /// Folder with the modem's programs
    #[arg(long, env = "CAIF_MODEM_BIN")]
    modem_bin: PathBuf,
    /// The kind of machine
    #[arg(long, env = "CAIF_MACHINE", value_enum, default_value_t = Machine::Ivshmem)]
    machine: Machine,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => {
            println!("\nThe demo succeeded.");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("caif-demo-").tempdir()?;
    let dir = dir.path();
    let socket = dir.join("iv");
    let mut command = args.machine.server(&args.modem_bin, &socket);
    if args.machine == Machine::Soc {
        args.machine.boot(&mut command, &args.modem_bin, &socket)?;
    }
    let _server = start("ivshmem-server", command, dir, "listening")?;
    let mut modem = Modem::start(args, &socket, dir)?;
    eprintln!(
        "==> the modem is process {}; booting Linux in QEMU beside it",
        modem.process.pid()
    );
    let mut command = Command::new(&args.run_vm);
    command.arg(args.machine.option()).arg(&socket);
    // The kernel's log, apart from the script's output.
    let log = dir.join("kernel.log");
    command.arg("--log").arg(&log);
    command.args(["--run", "/demo.sh"]).arg(&args.initramfs);
    let status = show(Process::start("console", command, dir)?, &mut modem)?;

    println!("\n\x1b[1mThe modem's counters, since its crash\x1b[0m");
    modem.process.signal(Signal::SIGTERM)?;
    modem.process.must_end_well(SOON)?;
    // Its first line says that it waits.
    for line in modem.process.output.all().iter().skip(1) {
        println!("{line}");
    }
    let log = std::fs::read(&log).context("the machine's console")?;
    klog::check(&String::from_utf8_lossy(&log), END)?;
    match status.as_deref() {
        Some("0") => Ok(()),
        Some(status) => bail!("the demo failed inside the machine, with status {status}"),
        None => bail!("the machine ended without telling what came of the demo"),
    }
}

/// The modem, which can be made to crash.
struct Modem<'a> {
    process: Process,
    args: &'a Args,
    socket: &'a Path,
    dir: &'a Path,
}

impl<'a> Modem<'a> {
    fn start(args: &'a Args, socket: &'a Path, dir: &'a Path) -> Result<Self> {
        Ok(Self {
            process: start_modem(args, socket, dir, args.pcap.as_deref())?,
            args,
            socket,
            dir,
        })
    }

    /// Handles a request of the guest's script.
    fn request(&mut self, what: &str) -> Result<()> {
        match what {
            "kill the modem" => {
                self.process.kill()?;
                println!("==> the modem's process {} is killed", self.process.pid());
            }
            "start the modem" => {
                let pcap = self.args.pcap.as_ref().map(|path| {
                    let mut path = path.clone().into_os_string();
                    path.push(".2");
                    PathBuf::from(path)
                });
                self.process = start_modem(self.args, self.socket, self.dir, pcap.as_deref())?;
                println!("==> the modem is process {} now", self.process.pid());
            }
            _ => bail!("the guest asks for what nobody knows: {what}"),
        }
        Ok(())
    }
}

fn start_modem(args: &Args, socket: &Path, dir: &Path, pcap: Option<&Path>) -> Result<Process> {
    let mut command = Command::new(args.modem_bin.join("caif-modem"));
    command.arg("--socket").arg(socket);
    if let Some(path) = pcap {
        command.arg("--pcap").arg(path);
    }
    start("caif-modem", command, dir, "waiting")
}

/// Starts a process, and waits for the line with which it begins.
fn start(name: &str, command: Command, dir: &Path, ready: &str) -> Result<Process> {
    let process = Process::start_apart(name, command, dir)?;
    let waited = process.output.wait_for(0, ready, SOON);
    waited.with_context(|| {
        let log = std::fs::read_to_string(Process::error_log(name, dir)).unwrap_or_default();
        format!("{name} did not start: {log}")
    })?;
    Ok(process)
}

/// Prints the machine's output until its end. Returns the status that its init prints.
fn show(mut machine: Process, modem: &mut Modem<'_>) -> Result<Option<String>> {
    let mut status = None;
    let mut at = 0;
    while let Some(line) = machine.output.line(at) {
        at += 1;
        if let Some(text) = line.strip_prefix(STATUS) {
            status = Some(text.to_owned());
        } else if let Some(what) = line.trim_end().strip_prefix(REQUEST) {
            modem.request(what)?;
        } else {
            println!("{line}");
        }
    }
    let ended = machine.exited(SOON).context("QEMU does not end")?;
    ensure!(ended.success(), "QEMU ended by {ended}");
    Ok(status)
}
