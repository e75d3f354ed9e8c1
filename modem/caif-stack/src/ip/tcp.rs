// SPDX-License-Identifier: GPL-2.0 OR MIT

//! TCP ports: on each one socket listens and the others are connections.

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Duration;

use super::forward::Forward;
use super::session::{Echo, Session, Sink, Source};

/// Sockets of a port, the listening one among them.
const SOCKETS: usize = 8;
const BUFFER: usize = 32 * 1024;
/// A connection whose peer does not answer for this long is dropped.
const TIMEOUT: Duration = Duration::from_secs(60);
const KEEP_ALIVE: Duration = Duration::from_secs(20);

pub(crate) struct TcpServices {
    ports: Vec<Port>,
}

impl TcpServices {
    pub(crate) fn new() -> Self {
        Self {
            ports: vec![
                Port::new(7, || Box::new(Echo)),
                Port::new(9, || Box::new(Sink::default())),
                Port::new(19, || Box::new(Source::default())),
            ],
        }
    }

    /// Passes connections to a port on, unless a service has it.
    pub(crate) fn forward(&mut self, forward: Forward) {
        let number = forward.port();
        if self.ports.iter().all(|port| port.number != number) {
            self.ports
                .push(Port::new(number, move || forward.session()));
        }
    }

    /// Serves all connections. Returns whether anything was done.
    pub(crate) fn run(&mut self, sockets: &mut SocketSet<'static>) -> bool {
        self.ports
            .iter_mut()
            .fold(false, |done, port| port.run(sockets) | done)
    }
}

struct Connection {
    handle: SocketHandle,
    session: Box<dyn Session>,
}

struct Port {
    number: u16,
    session: Box<dyn Fn() -> Box<dyn Session> + Send>,
    connections: Vec<Connection>,
}

impl Port {
    fn new(number: u16, session: impl Fn() -> Box<dyn Session> + Send + 'static) -> Self {
        Self {
            number,
            session: Box::new(session),
            connections: Vec::new(),
        }
    }

    fn run(&mut self, sockets: &mut SocketSet<'static>) -> bool {
        let mut done = false;
        self.connections.retain_mut(|connection| {
            let socket = sockets.get_mut::<Socket<'_>>(connection.handle);
            let open = socket.is_open();
            if open {
                done |= connection.session.run(socket);
            } else {
                sockets.remove(connection.handle);
            }
            open
        });
        done | self.listen(sockets)
    }

    /// Adds a listening socket if there is none. Returns whether it did.
    fn listen(&mut self, sockets: &mut SocketSet<'static>) -> bool {
        let state = |connection: &Connection| sockets.get::<Socket<'_>>(connection.handle).state();
        if self.connections.iter().any(|c| state(c) == State::Listen) {
            return false;
        }
        if self.connections.len() >= SOCKETS {
            // A connection in TIME-WAIT is dropped in favour of a new one.
            let Some(done) = self
                .connections
                .iter()
                .position(|c| state(c) == State::TimeWait)
            else {
                return false;
            };
            sockets.remove(self.connections.swap_remove(done).handle);
        }
        let buffer = || SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_timeout(Some(TIMEOUT));
        socket.set_keep_alive(Some(KEEP_ALIVE));
        socket.set_nagle_enabled(false);
        // A new socket can always listen on a port that is not 0.
        let _ = socket.listen(self.number);
        self.connections.push(Connection {
            handle: sockets.add(socket),
            session: (self.session)(),
        });
        true
    }
}
