// SPDX-License-Identifier: GPL-2.0

//! Runs the commands that the harness on the host sends over a serial port.
//!
//! A request is one line of JSON, `{"id":1,"cmd":"ls","timeout":10}`, and so is its answer,
//! `{"id":1,"status":0,"out":"..."}`. Each command runs in a thread and a process group of its
//! own, so that traffic can run while other commands pull its link away; answers come in the
//! order the commands end. The first line the agent writes is `{"ready":true}`.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read, Seek, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    poll::PollTimeout,
    sys::{
        memfd::{MFdFlags, memfd_create},
        signal::{Signal, killpg},
        termios::{self, SetArg},
    },
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use crate::events;

#[derive(clap::Args)]
pub struct Args {
    /// The serial port, for example /dev/ttyS1
    port: PathBuf,
}

#[derive(Deserialize)]
struct Request {
    id: u64,
    cmd: String,
    /// Seconds after which the command and its children are killed.
    timeout: u64,
}

#[derive(Serialize)]
struct Answer {
    id: u64,
    /// The exit status; 128 plus the signal, as a shell has it; 124 after the time ran out.
    status: i32,
    /// Standard output and standard error, in the order they were written.
    out: String,
}

const TIMED_OUT: i32 = 124;

pub fn run(args: &Args) -> Result<()> {
    let port = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&args.port)
        .with_context(|| format!("cannot open {}", args.port.display()))?;
    let mut mode = termios::tcgetattr(&port).context("not a serial port")?;
    termios::cfmakeraw(&mut mode);
    termios::tcsetattr(&port, SetArg::TCSANOW, &mode)?;

    let writer = Arc::new(Mutex::new(port.try_clone()?));
    send(&writer, &serde_json::json!({ "ready": true }))?;
    for line in BufReader::new(port).lines() {
        let line = line?;
        let request: Request = match serde_json::from_str(&line) {
            Ok(request) => request,
            Err(error) => {
                eprintln!("agent: not a request: {line:?}: {error}");
                continue;
            }
        };
        let writer = Arc::clone(&writer);
        thread::spawn(move || {
            let (status, out) =
                execute(&request).unwrap_or_else(|e| (127, format!("agent: {e:#}")));
            let answer = Answer {
                id: request.id,
                status,
                out,
            };
            if let Err(error) = send(&writer, &answer) {
                eprintln!("agent: cannot answer: {error:#}");
            }
        });
    }
    Ok(())
}

fn send(port: &Mutex<File>, message: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut port = port.lock().map_err(|_| anyhow::anyhow!("a writer died"))?;
    port.write_all(&line)?;
    Ok(())
}

fn execute(request: &Request) -> Result<(i32, String)> {
    // A file in memory instead of a pipe, which processes left in the background would keep open.
    let mut out = File::from(memfd_create(c"output", MFdFlags::MFD_CLOEXEC)?);
    let mut child = Command::new("/bin/sh")
        .args(["-c", &request.cmd])
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out.try_clone()?)
        .process_group(0)
        .spawn()
        .context("cannot run /bin/sh")?;
    let status = match wait(&child, Duration::from_secs(request.timeout))? {
        true => exit_status(child.wait()?),
        false => {
            // ESRCH means that the command has just ended.
            let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
            child.wait()?;
            TIMED_OUT
        }
    };
    let mut bytes = Vec::new();
    out.rewind()?;
    out.read_to_end(&mut bytes)?;
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}

/// Returns whether the child ended within the time.
fn wait(child: &Child, limit: Duration) -> Result<bool> {
    let Some(end) = events::end_of(child.id()).context("pidfd_open")? else {
        return Ok(true);
    };
    events::readable(
        &[end],
        PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX),
    )
}

fn exit_status(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
