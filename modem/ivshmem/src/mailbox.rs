// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The mailbox of the same-SoC machine, in the place of QEMU's ivshmem device.
//!
//! For the other peers Linux is a peer like any other. What they ring it by goes to the machine's
//! serial port as a byte, each bit of which is a vector, and what comes from there rings the modem.
//!
//! Source: `Documentation/board-soc.md`.

use crate::{Error, VECTORS};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd},
    fd::OwnedFd,
};
use std::{
    fs,
    io::{ErrorKind, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
};
use tracing::{info, warn};

/// The peer id of the mailbox.
pub const PEER: u16 = 0;

/// A mailbox.
pub struct Mailbox {
    path: PathBuf,
    listener: UnixListener,
    /// The machine's serial port.
    machine: Option<UnixStream>,
    /// The vectors by which Linux is rung.
    events: Vec<OwnedFd>,
    /// Vectors that were not sent yet, as bits.
    unsent: u8,
}

/// The doorbells received from the machine.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The vectors that Linux rang, as bits.
    pub rung: u8,
    /// Whether the machine has ended.
    pub left: bool,
}

impl Mailbox {
    /// Listens at `path` for a machine.
    pub fn bind(path: &Path) -> Result<Self, Error> {
        let listener = UnixListener::bind(path).map_err(Error::system("listen at the mailbox"))?;
        listener
            .set_nonblocking(true)
            .map_err(Error::system("prepare the mailbox"))?;
        let events = (0..VECTORS)
            .map(|_| eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::system("make an eventfd"))?;
        Ok(Self {
            path: path.to_owned(),
            listener,
            machine: None,
            events,
            unsent: 0,
        })
    }

    /// Returns the vectors by which Linux is rung.
    pub fn events(&self) -> &[OwnedFd] {
        &self.events
    }

    /// Returns what to wait for until [`serve`](Self::serve) has something to do.
    pub fn fds(&self) -> Vec<PollFd<'_>> {
        let mut fds: Vec<_> = self
            .events
            .iter()
            .map(|event| PollFd::new(event, PollFlags::IN))
            .collect();
        match &self.machine {
            Some(machine) if self.unsent != 0 => {
                fds.push(PollFd::new(machine, PollFlags::IN | PollFlags::OUT));
            }
            Some(machine) => fds.push(PollFd::new(machine, PollFlags::IN)),
            None => fds.push(PollFd::new(&self.listener, PollFlags::IN)),
        }
        fds
    }

    /// Moves doorbells both ways, as far as that is possible now.
    pub fn serve(&mut self) -> Result<Received, Error> {
        for (vector, event) in self.events.iter().enumerate() {
            match rustix::io::read(event, &mut [0; 8]) {
                Ok(_) => self.unsent |= 1 << vector,
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::system("read an eventfd")(error)),
            }
        }
        if self.machine.is_none() {
            self.accept();
        }
        let received = self.receive();
        self.send();
        if received.left {
            info!("the machine left the mailbox");
            self.machine = None;
        }
        Ok(received)
    }

    fn accept(&mut self) {
        match self.listener.accept() {
            Ok((machine, _)) => match machine.set_nonblocking(true) {
                Ok(()) => {
                    info!("a machine has the mailbox");
                    self.machine = Some(machine);
                }
                Err(error) => warn!("prepare the machine's connection: {error}"),
            },
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => warn!("accept: {error}"),
        }
    }

    fn receive(&mut self) -> Received {
        let mut received = Received::default();
        let Some(machine) = &mut self.machine else {
            return received;
        };
        let mut bytes = [0; 64];
        match machine.read(&mut bytes) {
            Ok(0) => received.left = true,
            Ok(len) => {
                received.rung = bytes.iter().take(len).fold(0, |all, byte| all | byte);
            }
            Err(error) => {
                let later = [ErrorKind::WouldBlock, ErrorKind::Interrupted];
                received.left = !later.contains(&error.kind());
            }
        }
        received
    }

    /// Without a machine nobody hears the rings: Linux looks at all when it comes up.
    fn send(&mut self) {
        let sent = match &mut self.machine {
            Some(machine) if self.unsent != 0 => machine.write(&[self.unsent]),
            _ => Ok(1),
        };
        // If the machine has left, the next read finds that.
        if let Ok(1) = sent {
            self.unsent = 0;
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
