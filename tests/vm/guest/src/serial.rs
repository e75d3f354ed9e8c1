// SPDX-License-Identifier: GPL-2.0

//! Uses a terminal as programs use a serial port, with the calls that those make.

#![expect(unsafe_code, reason = "ioctls that no crate wraps")]

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write, stdin},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::termios::{
        ControlFlags, FlushArg, SetArg, Termios, cfmakeraw, tcflush, tcgetattr, tcsetattr,
    },
};

#[derive(clap::Args)]
pub struct Args {
    /// The port
    path: PathBuf,
    /// The command that is sent, each time
    #[arg(long, default_value = "AT+CSQ")]
    command: String,
    /// What its answer must contain
    #[arg(long, default_value = "+CSQ: 23,99")]
    answer: String,
    /// Keep the port open after the answer, until a line of standard input, and send the command then
    /// until it is answered
    #[arg(long)]
    hold: bool,
    /// Keep the port open after the answer, until it is hung up
    #[arg(long)]
    hangup: bool,
}

/// Limit for an answer, and for all together.
const ANSWER: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(60);

nix::ioctl_none_bad!(exclusive, libc::TIOCEXCL);
nix::ioctl_read_bad!(modem_lines, libc::TIOCMGET, libc::c_int);

pub fn run(args: &Args) -> Result<()> {
    let mut port = open(&args.path)?;
    match says(&mut port, &args.command, ANSWER)? {
        Some(answer) if answer.contains(&args.answer) => println!("answered"),
        other => bail!("{} is answered by {other:?}", args.command),
    }
    if args.hold {
        stdin().read_line(&mut String::new())?;
        let end = Instant::now() + LIMIT;
        // Bytes that were written before the modem was back are lost, and so may be an answer.
        while says(&mut port, &args.command, Duration::from_secs(1))?
            .is_none_or(|answer| !answer.contains(&args.answer))
        {
            ensure!(Instant::now() < end, "not answered after the crash");
        }
        println!("answered again");
    }
    if args.hangup {
        let limit = PollTimeout::try_from(LIMIT)?;
        let mut fds = [PollFd::new(
            std::os::fd::AsFd::as_fd(&port),
            PollFlags::empty(),
        )];
        poll(&mut fds, limit)?;
        let [fd] = fds;
        let events = fd.revents().unwrap_or(PollFlags::empty());
        ensure!(
            events.contains(PollFlags::POLLHUP),
            "not hung up: {events:?}"
        );
        println!("hung up");
    }
    Ok(())
}

/// Opens and sets up the port.
fn open(path: &PathBuf) -> Result<File> {
    let port = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    // SAFETY: The descriptor is open; the call has no argument.
    unsafe { exclusive(port.as_raw_fd()) }.context("TIOCEXCL")?;
    let mut mode = tcgetattr(&port).context("tcgetattr")?;
    cfmakeraw(&mut mode);
    mode.control_flags
        .insert(ControlFlags::CLOCAL | ControlFlags::CREAD);
    mode.control_flags.remove(ControlFlags::CRTSCTS);
    // The library's functions for speeds are not in a static C library.
    let mut mode = libc::termios::from(mode);
    mode.c_cflag = mode.c_cflag & !libc::CBAUD | libc::B115200;
    tcsetattr(&port, SetArg::TCSADRAIN, &Termios::from(mode)).context("tcsetattr")?;
    let flags = libc::termios::from(tcgetattr(&port)?).c_cflag;
    ensure!(
        flags & libc::CBAUD == libc::B115200,
        "the flags are {flags:o}"
    );
    let mut lines = 0;
    // SAFETY: The descriptor is open, and the integer is valid for writes.
    let state = unsafe { modem_lines(port.as_raw_fd(), &mut lines) };
    // A program must go on without the lines of a port.
    ensure!(
        matches!(state, Err(Errno::ENOTTY | Errno::EINVAL)),
        "TIOCMGET: {state:?}"
    );
    tcflush(&port, FlushArg::TCIOFLUSH).context("tcflush")?;
    Ok(port)
}

/// Sends a command. Returns what comes up to the result, or `None` if that does not come in time.
fn says(port: &mut File, command: &str, limit: Duration) -> Result<Option<String>> {
    port.write_all(format!("{command}\r").as_bytes())
        .context("write")?;
    let end = Instant::now() + limit;
    let mut said = String::new();
    while !["\r\nOK\r\n", "ERROR\r\n"]
        .iter()
        .any(|last| said.ends_with(last))
    {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let mut fds = [PollFd::new(
            std::os::fd::AsFd::as_fd(port),
            PollFlags::POLLIN,
        )];
        if poll(&mut fds, PollTimeout::try_from(left)?)? == 0 {
            return Ok(None);
        }
        let mut buffer = [0; 512];
        let len = port.read(&mut buffer).context("read")?;
        ensure!(len > 0, "the port is hung up after {said:?}");
        said.push_str(&String::from_utf8_lossy(
            buffer.get(..len).unwrap_or_default(),
        ));
    }
    Ok(Some(said))
}
