// SPDX-License-Identifier: GPL-2.0

//! Waits for events: runs a command until it succeeds, woken by the changes of what it looks at, waits
//! for a process to end, and for a service to be ready.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::PathBuf,
    process::{self, Command},
};

use anyhow::{Context, Result, ensure};
use nix::poll::PollTimeout;

use crate::events::{self, Events};

#[derive(clap::Args)]
pub struct Args {
    /// Command of the shell. It must not change what it is woken by
    command: String,
    /// After each change of links, addresses and routes
    #[arg(long)]
    net: bool,
    /// After each device that comes, goes or changes
    #[arg(long)]
    devices: bool,
    /// After each change of this file, or of another one in its folder; neither need exist
    #[arg(long = "file")]
    files: Vec<PathBuf>,
}

/// Runs the command now and after each change, until it succeeds. Whoever calls this has a limit.
pub fn run(args: &Args) -> Result<()> {
    // Before the command runs first, so that no change is missed.
    let mut all = Vec::new();
    if args.net {
        all.push(Events::net()?);
    }
    if args.devices {
        all.push(Events::devices()?);
    }
    if !args.files.is_empty() {
        all.push(Events::files()?);
    }
    ensure!(!all.is_empty(), "want what to wait for");
    loop {
        for events in &all {
            args.files.iter().try_for_each(|file| events.watch(file))?;
        }
        let status = Command::new("/bin/sh")
            .args(["-c", &args.command])
            .status()
            .context("cannot run /bin/sh")?;
        if status.success() {
            return Ok(());
        }
        events::changed(&all, PollTimeout::NONE)?;
    }
}

#[derive(clap::Args)]
pub struct ExitArgs {
    /// Number of the process
    pid: u32,
}

/// Waits until a process has ended.
pub fn wait_exit(args: &ExitArgs) -> Result<()> {
    if let Some(end) = events::end_of(args.pid)? {
        events::readable(&[end], PollTimeout::NONE)?;
    }
    Ok(())
}

#[derive(clap::Args)]
pub struct ReadyArgs {
    /// Command of the shell that starts the service in the background
    command: String,
}

/// Starts a service, and waits until it says that it is ready, as services of systemd do.
pub fn wait_ready(args: &ReadyArgs) -> Result<()> {
    let path = format!("/tmp/notify-{}", process::id());
    let socket = UnixDatagram::bind(&path).with_context(|| path.clone())?;
    // The service may have another user by then.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777))?;
    let status = Command::new("/bin/sh")
        .args(["-c", &args.command])
        .env("NOTIFY_SOCKET", &path)
        .status()
        .context("cannot run /bin/sh")?;
    ensure!(status.success(), "the service was not started: {status}");
    let mut buffer = [0; 4096];
    loop {
        let len = socket.recv(&mut buffer)?;
        let mut lines = buffer.get(..len).unwrap_or_default().split(|b| *b == b'\n');
        if lines.any(|line| line == b"READY=1") {
            fs::remove_file(&path)?;
            return Ok(());
        }
    }
}
