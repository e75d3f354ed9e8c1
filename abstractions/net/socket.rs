// SPDX-License-Identifier: GPL-2.0

//! Families of sockets with connections.
//!
//! A family implements [`SocketOps`]. Its part of a socket lies behind the socket's `struct sock`,
//! in a [`Socket`], and is complete before anything else can refer to the socket. One part of it is
//! shared; the other, the [`State`](SocketOps::State), is reached through a [`Guard`] of the
//! socket's lock only. Only system calls get a [`Call`], which is needed for a guard and for
//! waiting. What arrives from the network does so in softirq context, where a system call may hold
//! the lock: it acts on the socket through an [`Association`], which has no effect after the socket
//! began another one.
//!
//! C header: [`include/net/sock.h`](srctree/include/net/sock.h)

mod association;
mod callbacks;
mod family;
mod guard;
mod message;
mod option;
mod sock;

pub(crate) use self::{
    association::{
        Association,
        Delivery, //
    },
    family::{
        Proto,
        WithSockets, //
    },
    guard::{
        signal_pending,
        Call,
        Guard,
        Timeout, //
    },
    message::{
        ReceiveMessage,
        SendMessage, //
    },
    option::{
        OptionSink, //
        OptionSource,
    },
    sock::{
        Socket,
        SocketState, //
    }, //
};

use crate::abstractions::bindings;
use kernel::{
    prelude::*,
    ModuleMetadata, //
};

/// The parts and settings of a new socket.
pub(crate) struct Created<P: SocketOps> {
    /// The shared part.
    pub(crate) ops: P,
    /// The part under the socket's lock.
    pub(crate) state: P::State,
    /// Initial `SO_PRIORITY`.
    pub(crate) priority: u32,
}

/// A family of sockets, and the shared part of each of its sockets.
///
/// It and the state are dropped with the last reference to a socket, in softirq context: dropping
/// them must not sleep. Work that sleeps belongs in [`release`](Self::release).
pub(crate) trait SocketOps: Send + Sync + Sized + 'static {
    /// The module that the functions belong to.
    type OwnerModule: ModuleMetadata;
    /// The part of a socket that its lock protects.
    type State: Send;

    /// `AF_*`.
    const FAMILY: c_int;
    /// The name in `/proc/net/protocols`.
    const NAME: &'static CStr;

    /// Returns the static item that holds the kernel's data of the family.
    fn proto() -> &'static Proto<Self>;

    /// Creates the parts of a socket, or refuses to. `kind` is `SOCK_*`.
    fn create(kind: c_int, protocol: c_int) -> Result<Created<Self>>;

    /// Ends the socket's work after its file was closed. Runs once, and no call comes after it.
    fn release(guard: &mut Guard<'_, Self>);

    /// Connects the socket to an address, of any length. Does not wait if `nonblock` is set.
    fn connect(call: &mut Call<'_, Self>, address: &[u8], nonblock: bool) -> Result;

    /// Sends the message. Returns the number of bytes that were sent.
    fn send(call: &mut Call<'_, Self>, message: &mut SendMessage<'_>) -> Result<usize>;

    /// Receives into the message. Returns what the system call returns.
    fn receive(call: &mut Call<'_, Self>, message: &mut ReceiveMessage<'_>) -> Result<usize>;

    /// Returns the events that are pending, `EPOLL*`. Takes no lock of the socket.
    fn poll(socket: &Socket<Self>) -> u32;

    /// Sets an option of a level other than `SOL_SOCKET`.
    fn set_option(
        call: &mut Call<'_, Self>,
        level: c_int,
        name: c_int,
        value: &OptionSource,
    ) -> Result;

    /// Gets an option of a level other than `SOL_SOCKET`.
    fn get_option(
        call: &mut Call<'_, Self>,
        level: c_int,
        name: c_int,
        value: &mut OptionSink<'_>,
    ) -> Result;
}

/// Returns whether the current task has a capability in the initial user namespace.
pub(crate) fn capable(capability: u32) -> bool {
    let Ok(capability) = c_int::try_from(capability) else {
        return false;
    };
    // The function calls BUG() for a number that is not a capability.
    if !(0..=bindings::CAP_LAST_CAP as c_int).contains(&capability) {
        return false;
    }
    // SAFETY: The number is that of a capability.
    unsafe { bindings::capable(capability) }
}
