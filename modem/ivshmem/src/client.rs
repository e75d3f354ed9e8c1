// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A peer of the server.

use crate::{Error, MEMORY, PROTOCOL_VERSION, VECTORS, message, server::ring};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, BorrowedFd, OwnedFd},
};
use std::{collections::BTreeMap, os::unix::net::UnixStream, path::Path};

/// A connection to an ivshmem server.
pub struct Client {
    socket: UnixStream,
    id: u16,
    memory: OwnedFd,
    own: Vec<OwnedFd>,
    peers: BTreeMap<u16, Vec<OwnedFd>>,
}

impl Client {
    /// Connects, and waits for the id, the memory and all vectors of this peer.
    pub fn connect(path: &Path) -> Result<Self, Error> {
        let socket =
            UnixStream::connect(path).map_err(Error::system("connect to the ivshmem server"))?;
        match expect(&socket)? {
            (PROTOCOL_VERSION, _) => {}
            (other, _) => {
                return Err(Error::Protocol(format!(
                    "version {other}, must be {PROTOCOL_VERSION}"
                )));
            }
        }
        let id = peer_id(expect(&socket)?.0)?;
        let memory = match expect(&socket)? {
            (MEMORY, Some(fd)) => fd,
            (other, _) => return Err(Error::Protocol(format!("{other} where the memory was due"))),
        };
        let mut this = Self {
            socket,
            id,
            memory,
            own: Vec::new(),
            peers: BTreeMap::new(),
        };
        while this.own.len() < VECTORS {
            let message = expect(&this.socket)?;
            this.take(message)?;
        }
        this.socket
            .set_nonblocking(true)
            .map_err(Error::system("prepare the connection"))?;
        Ok(this)
    }

    /// Returns this peer's id.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// Returns the file descriptor of the shared memory.
    pub fn memory(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }

    /// Returns the socket, which is readable when [`update`](Self::update) has something to do.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Returns the eventfd of one of this peer's vectors, which is readable when it was rung.
    pub fn vector(&self, vector: usize) -> Option<BorrowedFd<'_>> {
        self.own.get(vector).map(AsFd::as_fd)
    }

    /// Receives messages about other peers. Fails with [`Error::Closed`] if the server has closed
    /// the connection.
    pub fn update(&mut self) -> Result<(), Error> {
        while let Some(message) = message::receive(&self.socket)? {
            self.take(message)?;
        }
        Ok(())
    }

    /// Returns whether there is another peer of that id, all vectors of which were received.
    pub fn has_peer(&self, peer: u32) -> bool {
        u16::try_from(peer)
            .ok()
            .and_then(|peer| self.peers.get(&peer))
            .is_some_and(|events| events.len() >= VECTORS)
    }

    /// Rings a vector of another peer. Returns whether there is such a peer.
    pub fn ring(&self, peer: u32, vector: usize) -> Result<bool, Error> {
        let event = u16::try_from(peer)
            .ok()
            .and_then(|peer| self.peers.get(&peer))
            .and_then(|events| events.get(vector));
        match event {
            Some(event) => ring(event).map(|()| true),
            None => Ok(false),
        }
    }

    /// Returns a vector of another peer, if there is such a peer.
    pub fn bell(&self, peer: u32, vector: usize) -> Result<Option<Bell>, Error> {
        let event = u16::try_from(peer)
            .ok()
            .and_then(|peer| self.peers.get(&peer))
            .and_then(|events| events.get(vector));
        event
            .map(|event| event.try_clone().map(Bell))
            .transpose()
            .map_err(Error::system("duplicate an eventfd"))
    }

    /// Clears one of this peer's vectors. Returns whether it had been rung.
    pub fn clear(&self, vector: usize) -> Result<bool, Error> {
        let Some(event) = self.own.get(vector) else {
            return Ok(false);
        };
        // Reading could block: O_NONBLOCK is shared by all peers that have the eventfd, and QEMU
        // clears it for a moment when it receives one. Only this peer reads, so what is readable
        // stays so.
        let mut readable = [PollFd::new(event, PollFlags::IN)];
        let now = Timespec::default();
        match poll(&mut readable, Some(&now)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(false),
            Ok(_) => {}
            Err(error) => return Err(Error::system("poll an eventfd")(error)),
        }
        rustix::io::read(event, &mut [0; 8])
            .map(|_| true)
            .map_err(Error::system("read an eventfd"))
    }

    fn take(&mut self, (value, fd): (i64, Option<OwnedFd>)) -> Result<(), Error> {
        let id = peer_id(value)?;
        match fd {
            Some(fd) if id == self.id => self.own.push(fd),
            Some(fd) => self.peers.entry(id).or_default().push(fd),
            None => {
                self.peers.remove(&id);
            }
        }
        Ok(())
    }
}

/// A vector of another peer, which any thread may ring.
pub struct Bell(OwnedFd);

impl Bell {
    /// Rings the vector.
    pub fn ring(&self) -> Result<(), Error> {
        ring(&self.0)
    }
}

fn peer_id(value: i64) -> Result<u16, Error> {
    u16::try_from(value)
        .map_err(|_| Error::Protocol(format!("peer id {value}, must be from 0 to {}", u16::MAX)))
}

/// Receives a message from a socket that blocks.
fn expect(socket: &UnixStream) -> Result<(i64, Option<OwnedFd>), Error> {
    message::receive(socket)?.ok_or(Error::Closed)
}
