// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The server: tells peers of each other, and keeps the memory when they leave.

use crate::{
    Error, MEMORY, PROTOCOL_VERSION, VECTORS,
    control::{self, ControlPage, Field, ModemState},
    loader,
    mailbox::{self, Mailbox},
    memory::{self, SharedMemory},
    message,
};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    fd::{AsFd, BorrowedFd, OwnedFd},
};
use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Read},
    os::unix::{
        fs::FileTypeExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};
use tracing::{info, warn};

/// A peer: its socket, and an eventfd for each of its vectors.
struct Peer {
    socket: UnixStream,
    events: Vec<OwnedFd>,
}

/// An ivshmem server for one modem's board.
pub struct Server {
    path: PathBuf,
    listener: UnixListener,
    memory: OwnedFd,
    page: ControlPage,
    peers: BTreeMap<u16, Peer>,
    next_id: u16,
    vectors: usize,
    /// In the place of QEMU's device, in the same-SoC machine.
    mailbox: Option<Mailbox>,
}

impl Server {
    /// Creates the memory and listens at `path`. A socket left there by a server that has ended is
    /// replaced.
    pub fn bind(path: &Path, size: u64, vectors: usize) -> Result<Self, Error> {
        Self::with_memory(path, memory::create(size)?, vectors)
    }

    /// The same for the same-SoC machine: the memory is a new file at `path` with `.memory` behind,
    /// and the mailbox is at `path` with `.mailbox` behind.
    pub fn bind_soc(path: &Path, size: u64, vectors: usize) -> Result<Self, Error> {
        let beside = |extension: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(extension);
            PathBuf::from(name)
        };
        let memory = memory::create_at(&beside(".memory"), size)?;
        let mut server = Self::with_memory(path, memory, vectors)?;
        server.mailbox = Some(Mailbox::bind(&beside(".mailbox"))?);
        Ok(server)
    }

    fn with_memory(path: &Path, memory: OwnedFd, vectors: usize) -> Result<Self, Error> {
        if !(VECTORS..=64).contains(&vectors) {
            return Err(Error::Protocol(format!(
                "{vectors} vectors, must be from {VECTORS} to 64"
            )));
        }
        let page = ControlPage::create(SharedMemory::map(&memory)?)?;
        let is_socket =
            fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
        if is_socket && UnixStream::connect(path).is_err() {
            fs::remove_file(path).map_err(Error::system("remove the old socket"))?;
        }
        let listener = UnixListener::bind(path).map_err(Error::system("listen at the socket"))?;
        listener
            .set_nonblocking(true)
            .map_err(Error::system("prepare the socket"))?;
        Ok(Self {
            path: path.to_owned(),
            listener,
            memory,
            page,
            peers: BTreeMap::new(),
            next_id: 0,
            vectors,
            mailbox: None,
        })
    }

    /// Starts the modem with that firmware file, in the place of Linux. Before any peer is here.
    pub fn boot(&self, firmware: &Path) -> Result<(), Error> {
        let image = fs::read(firmware).map_err(Error::system("read the firmware"))?;
        loader::boot(&SharedMemory::map(&self.memory)?, &self.page, &image)
    }

    /// Serves until `stop` is readable.
    pub fn run(&mut self, stop: BorrowedFd<'_>) -> Result<(), Error> {
        loop {
            let ids: Vec<u16> = self.peers.keys().copied().collect();
            let mut fds = vec![
                PollFd::from_borrowed_fd(stop, PollFlags::IN),
                PollFd::new(&self.listener, PollFlags::IN),
            ];
            fds.extend(
                self.peers
                    .values()
                    .map(|peer| PollFd::new(&peer.socket, PollFlags::IN)),
            );
            fds.extend(self.mailbox.iter().flat_map(Mailbox::fds));
            match poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::system("wait for peers")(error)),
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(fds);
            if ready.first() == Some(&true) {
                return Ok(());
            }
            for (id, _) in ids
                .iter()
                .zip(ready.iter().skip(2))
                .filter(|(_, ready)| **ready)
            {
                if self.has_left(*id) {
                    self.remove(*id);
                }
            }
            if ready.get(1) == Some(&true) {
                self.accept();
            }
            self.serve_mailbox()?;
        }
    }

    /// Moves the doorbells of the mailbox, if there is one.
    fn serve_mailbox(&mut self) -> Result<(), Error> {
        let Some(mailbox) = &mut self.mailbox else {
            return Ok(());
        };
        let received = mailbox.serve()?;
        let modem = self.page.get(Field::ModemPeer)?;
        (0..VECTORS)
            .filter(|vector| received.rung & (1 << vector) != 0)
            .try_for_each(|vector| self.ring(modem, vector))?;
        if received.left {
            self.end_host(mailbox::PEER)?;
        }
        Ok(())
    }

    /// Rings a vector of a peer, if there is such a peer.
    fn ring(&self, peer: u32, vector: usize) -> Result<(), Error> {
        let Ok(peer) = u16::try_from(peer) else {
            return Ok(());
        };
        let events = match (&self.mailbox, self.peers.get(&peer)) {
            (Some(mailbox), _) if peer == mailbox::PEER => mailbox.events(),
            (_, Some(peer)) => &peer.events,
            (_, None) => &[],
        };
        events.get(vector).map_or(Ok(()), ring)
    }

    /// Returns whether a peer whose socket is ready has left. Peers send nothing.
    fn has_left(&mut self, id: u16) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else {
            return false;
        };
        match peer.socket.read(&mut [0; 64]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    fn accept(&mut self) {
        let socket = match self.listener.accept() {
            Ok((socket, _)) => socket,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => {
                warn!("accept: {error}");
                return;
            }
        };
        match self.introduce(socket) {
            Ok(id) => info!("peer {id} joined"),
            Err(error) => warn!("a peer could not be introduced: {error}"),
        }
    }

    /// Returns whether there is a peer of that id.
    fn is_taken(&self, id: u16) -> bool {
        self.peers.contains_key(&id) || (self.mailbox.is_some() && id == mailbox::PEER)
    }

    /// Sends a new peer its id, the memory and all vectors, and the others its vectors.
    fn introduce(&mut self, socket: UnixStream) -> Result<u16, Error> {
        socket
            .set_nonblocking(true)
            .map_err(Error::system("prepare a peer's socket"))?;
        let id = (0..=u16::MAX)
            .map(|offset| self.next_id.wrapping_add(offset))
            .find(|id| !self.is_taken(*id))
            .ok_or_else(|| Error::Protocol("no peer id is free".into()))?;
        let events = (0..self.vectors)
            .map(|_| eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::system("make an eventfd"))?;

        message::send(&socket, PROTOCOL_VERSION, None)?;
        message::send(&socket, id.into(), None)?;
        message::send(&socket, MEMORY, Some(self.memory.as_fd()))?;
        for event in self.mailbox.iter().flat_map(Mailbox::events) {
            message::send(&socket, mailbox::PEER.into(), Some(event.as_fd()))?;
        }
        for (other, peer) in &self.peers {
            for event in &peer.events {
                message::send(&socket, (*other).into(), Some(event.as_fd()))?;
            }
        }
        for event in &events {
            message::send(&socket, id.into(), Some(event.as_fd()))?;
        }
        self.next_id = id.wrapping_add(1);
        let fds = events
            .iter()
            .map(|event| event.try_clone())
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::system("duplicate an eventfd"))?;
        // It is added first, so that it hears of peers that are removed during this.
        self.peers.insert(id, Peer { socket, events });
        self.tell_others(id, |socket| {
            fds.iter()
                .try_for_each(|event| message::send(socket, id.into(), Some(event.as_fd())))
        });
        Ok(id)
    }

    /// Sends a message about a peer to all others, and removes those that do not receive it.
    fn tell_others(&mut self, about: u16, send: impl Fn(&UnixStream) -> Result<(), Error>) {
        let deaf: Vec<u16> = self
            .peers
            .iter()
            .filter(|(id, peer)| **id != about && send(&peer.socket).is_err())
            .map(|(id, _)| *id)
            .collect();
        for id in deaf {
            warn!("peer {id} does not take messages");
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u16) {
        if self.peers.remove(&id).is_none() {
            return;
        }
        info!("peer {id} left");
        self.tell_others(id, |socket| message::send(socket, id.into(), None));
        if let Err(error) = self.end_modem(id).and_then(|()| self.end_host(id)) {
            warn!("peer {id}: {error}");
        }
    }

    /// If the peer was the modem and did not set its state to "absent", sets the state for it:
    /// "crashed" if it was running, "absent" if it was waiting.
    fn end_modem(&self, id: u16) -> Result<(), Error> {
        if self.page.get(Field::ModemPeer)? != u32::from(id) {
            return Ok(());
        }
        let state = match ModemState::from_raw(self.page.get(Field::ModemState)?) {
            Some(ModemState::Absent) => return Ok(()),
            Some(ModemState::Waiting) => ModemState::Absent,
            _ => ModemState::Crashed,
        };
        info!("the modem died: {state:?}");
        self.page.set(Field::ModemState, state as u32)?;
        let host = self.page.get(Field::HostPeer)?;
        self.ring(host, control::VECTOR)
    }
}

impl Server {
    /// If the peer was the board, whose machine has ended, stops the modem in its place.
    fn end_host(&self, id: u16) -> Result<(), Error> {
        let running = self.page.get(Field::HostState)? != control::host_state::STOP;
        if !running || self.page.get(Field::HostPeer)? != u32::from(id) {
            return Ok(());
        }
        info!("the host is gone");
        self.page.set(Field::HostState, control::host_state::STOP)?;
        let modem = self.page.get(Field::ModemPeer)?;
        self.ring(modem, control::VECTOR)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Signals an eventfd. An overflow is no error: the eventfd is signalled already.
pub(crate) fn ring(event: &OwnedFd) -> Result<(), Error> {
    match rustix::io::write(event, &1u64.to_ne_bytes()) {
        Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
        Err(error) => Err(Error::system("ring a peer")(error)),
    }
}
