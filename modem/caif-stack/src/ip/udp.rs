// SPDX-License-Identifier: GPL-2.0 OR MIT

//! UDP echo on port 7.

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};

const PORT: u16 = 7;
const PACKETS: usize = 32;
const BYTES: usize = 64 * 1024;

pub(crate) struct UdpEcho {
    handle: SocketHandle,
}

impl UdpEcho {
    pub(crate) fn new(sockets: &mut SocketSet<'static>) -> Self {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; PACKETS], vec![0; BYTES]);
        let mut socket = Socket::new(buffer(), buffer());
        // A new socket can always be bound to a port that is not 0.
        let _ = socket.bind(PORT);
        Self {
            handle: sockets.add(socket),
        }
    }

    /// Answers all received datagrams. Returns whether there were any.
    pub(crate) fn run(&mut self, sockets: &mut SocketSet<'static>) -> bool {
        let socket = sockets.get_mut::<Socket<'_>>(self.handle);
        let mut answered = false;
        while socket.can_recv() && socket.can_send() {
            let Ok((payload, from)) = socket.recv() else {
                break;
            };
            let payload = payload.to_vec();
            // An answer that does not fit is dropped, as UDP allows.
            let _ = socket.send_slice(&payload, from);
            answered = true;
        }
        answered
    }
}
