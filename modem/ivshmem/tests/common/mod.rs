// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A server in a thread, and functions that wait for its effects.

#![allow(dead_code, reason = "each test uses a part of it")]

use ivshmem::{
    Error, VECTORS, client::Client, control::ControlPage, memory::SharedMemory, server::Server,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, BorrowedFd},
};
use std::{
    os::unix::net::UnixStream,
    path::PathBuf,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Time limit of each wait, far longer than a busy machine takes.
pub const TIMEOUT: Duration = Duration::from_secs(30);
pub const SIZE: u64 = 16 << 20;

/// A running server.
pub struct Running {
    pub dir: TempDir,
    pub path: PathBuf,
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

/// Starts a server in a folder of its own.
pub fn start() -> Running {
    start_in(tempfile::tempdir().unwrap())
}

/// Starts a server in a folder.
pub fn start_in(dir: TempDir) -> Running {
    let path = dir.path().join("iv");
    let server = Server::bind(&path, SIZE, VECTORS).unwrap();
    run(server, dir)
}

/// Runs a server that listens at "iv" in a folder.
pub fn run(mut server: Server, dir: TempDir) -> Running {
    let path = dir.path().join("iv");
    let (stop, stopped) = UnixStream::pair().unwrap();
    let thread = std::thread::spawn(move || server.run(stopped.as_fd()));
    Running {
        dir,
        path,
        stop: Some(stop),
        thread: Some(thread),
    }
}

impl Running {
    pub fn connect(&self) -> Client {
        Client::connect(&self.path).unwrap()
    }

    /// Waits until the server has processed everything before this call: it accepts a new peer
    /// last.
    pub fn settle(&self) {
        drop(self.connect());
    }

    /// Ends the server.
    pub fn stop(&mut self) {
        // Dropping this end makes the server's end of the pair readable.
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Returns the shared memory of a peer.
pub fn memory(client: &Client) -> SharedMemory {
    SharedMemory::map(client.memory()).unwrap()
}

/// Returns the control page of a peer.
pub fn page(client: &Client) -> ControlPage {
    ControlPage::open(memory(client)).unwrap()
}

/// Waits until a descriptor is readable.
#[track_caller]
fn readable(fd: BorrowedFd<'_>, deadline: Instant, what: &str) {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    let count = poll(&mut fds, Some(&Timespec::try_from(left).unwrap())).unwrap();
    assert_eq!(count, 1, "waited in vain for {what}");
}

/// Waits until a peer has received what makes `is` true.
#[track_caller]
pub fn until(client: &mut Client, what: &str, is: impl Fn(&Client) -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    client.update().unwrap();
    while !is(client) {
        readable(client.socket(), deadline, what);
        client.update().unwrap();
    }
}

/// Waits until a peer knows another one.
#[track_caller]
pub fn meet(client: &mut Client, other: &Client) {
    until(client, "a peer to come", |client| {
        client.has_peer(other.id().into())
    });
}

/// Waits until a peer's vector is rung, and clears it.
#[track_caller]
pub fn rung(client: &Client, vector: usize) {
    let event = client.vector(vector).unwrap();
    readable(event, Instant::now() + TIMEOUT, "a doorbell");
    assert!(client.clear(vector).unwrap());
}

/// Returns which vectors of a peer are rung, and clears them.
pub fn rung_now(client: &Client) -> Vec<usize> {
    (0..VECTORS)
        .filter(|vector| client.clear(*vector).unwrap())
        .collect()
}
