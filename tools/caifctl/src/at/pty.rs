// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A pseudo terminal in front of a channel, for programs that want a serial port.
//!
//! Programs can open and close it repeatedly. What the modem says while no program has it open is
//! discarded, as on a serial port. The channel is opened again when the modem is back; bytes that a
//! program writes meanwhile are lost, as on a serial line. A terminal in the place of a
//! serial port ends with its channel instead, as a modem that is unplugged, and there is a new one
//! when the modem is back: programs that set a modem up know by that to do so again.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt},
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify},
        termios::{FlushArg, SetArg, cfmakeraw, tcflush, tcgetattr, tcsetattr},
    },
};
use socket2::Socket;

use super::{
    Args,
    link_name::LinkName,
    serial::{Cover, Port},
};
use crate::{
    netdevs::{self, Role},
    netlink::Netlink,
    output::{complain, print},
    signals::{Signals, Waited},
};

/// Delay before the channel is opened again, if no network device changes before.
const AGAIN: Duration = Duration::from_secs(2);
const CHUNK: usize = 4096;

pub fn run(args: &Args, path: Option<&Path>) -> Result<()> {
    // The first attempt must succeed, so that its error is printed.
    let socket = args.open()?;
    let signals = Signals::new()?;
    let terminal = Terminal::new().context("cannot make a pseudo terminal")?;
    let name = path
        .map(|path| LinkName::new(path, &terminal.path))
        .transpose()?;
    let shown = path.unwrap_or(&terminal.path);
    print(&format!("{}\n", shown.display()))?;
    let mut socket = Some(socket);
    loop {
        if let Some(socket) = socket.take() {
            match connect(&terminal, &socket, &signals)? {
                Some(why) => complain(&format!("the channel is lost: {why}")),
                None => break,
            }
        }
        match reopen(args, Some(&terminal), &signals)? {
            Some(again) => socket = Some(again),
            None => break,
        }
        complain("the channel is open again");
    }
    drop(name);
    Ok(())
}

/// The same in the place of a serial port: the named one, or any without hardware.
pub fn run_as_port(args: &Args, name: Option<&str>) -> Result<()> {
    let mut socket = args.open()?;
    let signals = Signals::new()?;
    let modem = args.peer.link.as_deref().unwrap_or("caif");
    let port = Port::take(name, modem)?;
    loop {
        let terminal = Terminal::new().context("cannot make a pseudo terminal")?;
        let cover = Cover::new(&port, &terminal.path, interfaces(args)?)?;
        print(&format!("{}\n", port.node().display()))?;
        let why = connect(&terminal, &socket, &signals)?;
        drop(cover);
        let Some(why) = why else {
            break;
        };
        complain(&format!("the channel is lost: {why}"));
        match reopen(args, None, &signals)? {
            Some(again) => socket = again,
            None => break,
        }
        complain("the channel is open again");
    }
    Ok(())
}

/// Returns the interfaces that may lead to the modem: those that were made for its link, or for any.
fn interfaces(args: &Args) -> Result<Vec<String>> {
    let devs = netdevs::all(&Netlink::new()?)?;
    let link = args.peer.link.as_ref();
    let link = devs.iter().find(|dev| Some(&dev.name) == link);
    let leads = |role: &Role| match role {
        Role::Interface { lower, .. } => {
            lower.is_none() || link.is_none_or(|link| *lower == Some(link.index))
        }
        _ => false,
    };
    let names = devs.iter().filter(|dev| leads(&dev.role));
    Ok(names.map(|dev| dev.name.clone()).collect())
}

/// A pseudo terminal in raw mode.
struct Terminal {
    master: PtyMaster,
    path: PathBuf,
    opens: Opens,
}

/// How it is seen that a program opens the terminal.
enum Opens {
    /// By events.
    Seen(Inotify),
    /// Not at all, where the kernel has no such events: it stays open.
    Unseen { _kept: File },
}

/// Who uses a terminal.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    /// No program has it open.
    is_closed: bool,
    /// There are bytes that programs wrote, perhaps before they closed it.
    has_bytes: bool,
}

impl Terminal {
    fn new() -> Result<Self> {
        let master =
            posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)
                .context(
                    "/dev/ptmx: the kernel needs CONFIG_UNIX98_PTYS, and devpts on /dev/pts",
                )?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = PathBuf::from(ptsname_r(&master)?);
        // The mode stays while the master is open.
        let end = other_end(&path).with_context(|| path.display().to_string())?;
        let mut mode = tcgetattr(&end)?;
        cfmakeraw(&mut mode);
        tcsetattr(&end, SetArg::TCSANOW, &mode)?;
        let events = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC);
        let opens = match events {
            Ok(events) => {
                events.add_watch(&path, AddWatchFlags::IN_OPEN)?;
                Opens::Seen(events)
            }
            Err(_) => Opens::Unseen { _kept: end },
        };
        Ok(Self {
            master,
            path,
            opens,
        })
    }

    /// Returns who uses it. Opens after that are events.
    fn usage(&self) -> Result<Usage> {
        let Opens::Seen(events) = &self.opens else {
            return Ok(Usage::default());
        };
        while events.read_events().is_ok() {}
        let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO)?;
        let [fd] = fds;
        let state = fd.revents().unwrap_or(PollFlags::POLLHUP);
        Ok(Usage {
            is_closed: state.contains(PollFlags::POLLHUP),
            has_bytes: state.contains(PollFlags::POLLIN),
        })
    }

    /// Returns what to wait for: these events, or that a program opens it. While it is closed, its
    /// master always has an event, and is polled only to read from it.
    fn events(&self, usage: Usage, events: PollFlags) -> (BorrowedFd<'_>, PollFlags) {
        let is_read = usage.has_bytes && events.contains(PollFlags::POLLIN);
        match &self.opens {
            Opens::Seen(opens) if usage.is_closed && !is_read => (opens.as_fd(), PollFlags::POLLIN),
            _ => (self.master.as_fd(), events),
        }
    }

    /// Discards what the last program has not read.
    fn discard(&self) {
        // It may be locked for others than root; the next program flushes it, too.
        if let Ok(end) = other_end(&self.path) {
            let _ = tcflush(&end, FlushArg::TCIFLUSH);
        }
    }
}

/// Opens the side of programs.
fn other_end(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open(path)
}

/// Bytes in transit from one side to the other. No more are read before they are written, so that a
/// slow reader stops the other side.
#[derive(Default)]
struct Pipe(Vec<u8>);

impl Pipe {
    /// Returns the events to wait for: a side is read only if there is nothing to write to the
    /// other.
    fn wants(&self) -> (PollFlags, PollFlags) {
        match self.0.is_empty() {
            true => (PollFlags::POLLIN, PollFlags::empty()),
            false => (PollFlags::empty(), PollFlags::POLLOUT),
        }
    }

    /// Reads or writes what is possible without waiting. End of file is an error.
    fn step(&mut self, mut from: impl Read, mut to: impl Write) -> io::Result<()> {
        if self.0.is_empty() {
            let mut buffer = [0; CHUNK];
            let len = match from.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => len,
                Err(error) if is_not_now(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
            self.0.extend(buffer.iter().take(len));
        }
        match to.write(&self.0) {
            Ok(len) => drop(self.0.drain(..len.min(self.0.len()))),
            Err(error) if is_not_now(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Returns whether a packet cannot be sent now, for which the stack in C has `ETIMEDOUT`.
fn is_not_now(error: &io::Error) -> bool {
    crate::caif::is_late(error)
}

/// Passes bytes both ways. Returns why the channel ended, or `None` if the program is to end.
fn connect(terminal: &Terminal, socket: &Socket, signals: &Signals) -> Result<Option<io::Error>> {
    socket.set_nonblocking(true)?;
    let (mut up, mut down) = (Pipe::default(), Pipe::default());
    let mut was_closed = false;
    loop {
        let usage = terminal.usage()?;
        if usage.is_closed {
            up.0.clear();
            if !was_closed {
                terminal.discard();
            }
        }
        was_closed = usage.is_closed;
        let (from_socket, to_terminal) = up.wants();
        let (from_terminal, to_socket) = down.wants();
        let fds: [(BorrowedFd<'_>, PollFlags); 2] = [
            (socket.as_fd(), from_socket | to_socket),
            terminal.events(usage, from_terminal | to_terminal),
        ];
        let ready = match signals.wait(&fds, None)? {
            Waited::Ready(ready) => ready,
            _ => return Ok(None),
        };
        let moved = if usage.is_closed {
            up.step(socket, io::sink())
        } else {
            up.step(socket, Master(&terminal.master))
        };
        let moved = moved.and_then(|()| down.step(Master(&terminal.master), socket));
        if let Err(error) = moved {
            return Ok(Some(match error.kind() {
                ErrorKind::UnexpectedEof => io::Error::other("the modem closed it"),
                _ => error,
            }));
        }
        // No program reads the received bytes, and no more will come.
        let gone = PollFlags::POLLHUP | PollFlags::POLLERR;
        if !up.0.is_empty() && ready.first().is_some_and(|ready| ready.intersects(gone)) {
            return Ok(Some(ErrorKind::ConnectionReset.into()));
        }
    }
}

/// The master's side of a pseudo terminal, by reference.
struct Master<'a>(&'a PtyMaster);

impl Read for Master<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match nix::unistd::read(self.0, buffer) {
            // No program has it open.
            Err(Errno::EIO) => Err(ErrorKind::WouldBlock.into()),
            result => Ok(result?),
        }
    }
}

impl Write for Master<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(nix::unistd::write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens the channel again, as soon as possible. Returns `None` if the program is to end.
fn reopen(args: &Args, terminal: Option<&Terminal>, signals: &Signals) -> Result<Option<Socket>> {
    // Subscribed before the first attempt, so that no change is missed.
    let events = Netlink::events()?;
    loop {
        if let Ok(socket) = args.open() {
            return Ok(Some(socket));
        }
        let end = std::time::Instant::now() + AGAIN;
        loop {
            let mut fds = vec![(events.as_fd(), PollFlags::POLLIN)];
            if let Some(terminal) = terminal {
                fds.push(terminal.events(terminal.usage()?, PollFlags::POLLIN));
            }
            let left = end.saturating_duration_since(std::time::Instant::now());
            match signals.wait(&fds, Some(left))? {
                Waited::End => return Ok(None),
                Waited::TimeOut => break,
                Waited::Ready(ready) => {
                    // Bytes that programs write now are lost.
                    if let Some(terminal) = terminal {
                        let mut buffer = [0; CHUNK];
                        while matches!(Master(&terminal.master).read(&mut buffer), Ok(1..)) {}
                    }
                    if ready.first().is_some_and(|ready| !ready.is_empty()) {
                        events.drain();
                        break;
                    }
                }
            }
        }
    }
}
