// SPDX-License-Identifier: GPL-2.0 OR MIT

//! TCP connections that are passed on to a program outside of the modem.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use smoltcp::socket::tcp::Socket;

use super::session::{Session, at_end};

/// The program's end of a connection. A call that would have to wait is the error `WouldBlock`; the
/// IP stack is polled when it need not wait any more.
pub trait Remote: Send {
    /// Reads what the program sends; 0 bytes if it has sent all.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Passes bytes on to the program. Returns how many it took.
    fn write(&mut self, data: &[u8]) -> io::Result<usize>;

    /// Tells the program that no more bytes follow.
    fn end(&mut self) -> io::Result<()>;
}

type Connect = dyn Fn() -> io::Result<Box<dyn Remote>> + Send + Sync;

/// A port whose connections are passed on, each to a [`Remote`] of its own.
#[derive(Clone)]
pub struct Forward {
    port: u16,
    connect: Arc<Connect>,
}

impl Forward {
    /// Creates a forward of the port; `connect` makes the other end of each connection.
    pub fn new(
        port: u16,
        connect: impl Fn() -> io::Result<Box<dyn Remote>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            port,
            connect: Arc::new(connect),
        }
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes the other end of a connection.
    pub fn connect(&self) -> io::Result<Box<dyn Remote>> {
        (self.connect)()
    }

    pub(super) fn session(&self) -> Box<dyn Session> {
        Box::new(Forwarded {
            forward: self.clone(),
            remote: None,
            ended: false,
        })
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Forward").field(&self.port).finish()
    }
}

/// A connection that is passed on.
struct Forwarded {
    forward: Forward,
    /// The other end, once the connection is there.
    remote: Option<Box<dyn Remote>>,
    /// Whether the other end was told that no more bytes follow.
    ended: bool,
}

impl Session for Forwarded {
    fn run(&mut self, socket: &mut Socket<'_>) -> bool {
        if self.remote.is_none() && !socket.may_send() {
            return false;
        }
        self.pass(socket).unwrap_or_else(|error| {
            tracing::warn!(port = self.forward.port, %error, "a connection cannot be passed on");
            socket.abort();
            true
        })
    }
}

impl Forwarded {
    /// Moves all bytes that can be moved, both ways. Returns whether there were any.
    fn pass(&mut self, socket: &mut Socket<'_>) -> io::Result<bool> {
        let remote = match &mut self.remote {
            Some(remote) => remote,
            none => none.insert(self.forward.connect()?),
        };
        let mut moved = false;
        while socket.can_recv() {
            let wrote = socket.recv(|data| {
                let wrote = waiting(remote.write(data));
                (wrote.as_ref().copied().unwrap_or(0), wrote)
            });
            match wrote {
                Ok(Ok(0)) | Err(_) => break,
                Ok(Ok(_)) => moved = true,
                Ok(Err(error)) => return Err(error),
            }
        }
        if at_end(socket) && !self.ended {
            remote.end()?;
            self.ended = true;
            moved = true;
        }
        while socket.can_send() {
            let read = socket.send(|room| match remote.read(room) {
                Ok(0) => (0, Ok(None)),
                other => {
                    let read = waiting(other);
                    (read.as_ref().copied().unwrap_or(0), read.map(Some))
                }
            });
            match read {
                Ok(Ok(Some(0))) | Err(_) => break,
                Ok(Ok(Some(_))) => moved = true,
                Ok(Ok(None)) => {
                    socket.close();
                    moved = true;
                }
                Ok(Err(error)) => return Err(error),
            }
        }
        Ok(moved)
    }
}

/// Returns 0 for what would have to wait.
fn waiting(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
