// SPDX-License-Identifier: GPL-2.0

//! AF_CAIF: sockets, each with one channel of a modem while it is connected.
//!
//! `Documentation/caif-stack.md` describes the interface to programs; the numbers are those of
//! `caif/uapi/caif_socket.h`.

mod address;
mod connect;
mod connection;
mod options;
mod segments;
mod transfer;

use self::{
    connect::Phase,
    options::Options, //
};
use crate::{
    abstractions::{
        bindings,
        compat::prelude::*,
        net::socket::{
            capable,
            Call,
            Created,
            Guard,
            OptionSink,
            OptionSource,
            Proto,
            ReceiveMessage,
            SendMessage,
            Socket,
            SocketOps, //
        }, //
    },
    policy::{
        self,
        SocketType, //
    }, //
};

/// `CAIFPROTO_*`.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Protocol {
    At,
    Datagram,
    DatagramLoop,
    Util,
    Rfm,
    Debug,
}

impl Protocol {
    fn from_raw(protocol: c_int) -> Option<Self> {
        Some(match protocol {
            0 => Self::At,
            1 => Self::Datagram,
            2 => Self::DatagramLoop,
            3 => Self::Util,
            4 => Self::Rfm,
            5 => Self::Debug,
            _ => return None,
        })
    }

    /// Returns the initial priority of sockets.
    fn priority(self) -> u32 {
        match self {
            Self::At => bindings::TC_PRIO_CONTROL,
            Self::Rfm => bindings::TC_PRIO_INTERACTIVE_BULK,
            _ => bindings::TC_PRIO_BESTEFFORT,
        }
    }
}

/// The part of a socket that never changes.
pub(crate) struct CaifSocket {
    protocol: Protocol,
    is_stream: bool,
}

/// The state that the socket's lock protects.
pub(crate) struct State {
    options: Options,
    phase: Phase,
}

static PROTO: Proto<CaifSocket> = Proto::new();

impl SocketOps for CaifSocket {
    type OwnerModule = crate::LocalModule;
    type State = State;

    const FAMILY: c_int = bindings::AF_CAIF as c_int;
    const NAME: &'static CStr = c"CAIF";

    fn proto() -> &'static Proto<Self> {
        &PROTO
    }

    fn create(kind: c_int, protocol: c_int) -> Result<Created<Self>> {
        let is_capable = capable(bindings::CAP_SYS_ADMIN) || capable(bindings::CAP_NET_ADMIN);
        let is_stream = policy::socket(is_capable, kind, protocol)? == SocketType::Stream;
        let protocol = Protocol::from_raw(protocol).ok_or(EPROTONOSUPPORT)?;
        Ok(Created {
            ops: Self {
                protocol,
                is_stream,
            },
            state: State {
                options: Options::new(),
                phase: Phase::Unconnected,
            },
            priority: protocol.priority(),
        })
    }

    fn release(guard: &mut Guard<'_, Self>) {
        // This closes the channel.
        guard.state().phase = Phase::Unconnected;
    }

    fn connect(call: &mut Call<'_, Self>, address: &[u8], nonblock: bool) -> Result {
        connect::connect(call, address, nonblock)
    }

    fn send(call: &mut Call<'_, Self>, message: &mut SendMessage<'_>) -> Result<usize> {
        if call.socket().ops().is_stream {
            transfer::send_stream(call, message)
        } else {
            transfer::send_packet(call, message)
        }
    }

    fn receive(call: &mut Call<'_, Self>, message: &mut ReceiveMessage<'_>) -> Result<usize> {
        if call.socket().ops().is_stream {
            transfer::receive_stream(call, message)
        } else {
            transfer::receive_packet(call, message)
        }
    }

    fn poll(socket: &Socket<Self>) -> u32 {
        let mut events = 0;
        if socket.has_error() {
            events |= bindings::HELPER_EPOLLERR;
        }
        let is_shut = socket.is_shut();
        if is_shut {
            events |= bindings::HELPER_EPOLLHUP | bindings::HELPER_EPOLLRDHUP;
        }
        if is_shut || socket.has_packets() {
            events |= bindings::HELPER_EPOLLIN | bindings::HELPER_EPOLLRDNORM;
        }
        if socket.is_sendable() && socket.is_writeable() {
            events |= bindings::HELPER_EPOLLOUT
                | bindings::HELPER_EPOLLWRNORM
                | bindings::HELPER_EPOLLWRBAND;
        }
        events
    }

    fn set_option(
        call: &mut Call<'_, Self>,
        level: c_int,
        name: c_int,
        value: &OptionSource,
    ) -> Result {
        options::set(call, level, name, value)
    }

    fn get_option(
        call: &mut Call<'_, Self>,
        level: c_int,
        name: c_int,
        value: &mut OptionSink<'_>,
    ) -> Result {
        options::get(call, level, name, value)
    }
}
