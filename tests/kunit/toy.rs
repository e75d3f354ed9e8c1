// SPDX-License-Identifier: GPL-2.0

//! A family of sockets for tests of the abstraction: a socket sends to itself, and the test is its
//! peer.

use crate::{
    abstractions::{
        bindings,
        net::socket::{
            signal_pending,
            Association,
            Call,
            Created,
            Guard,
            OptionSink,
            OptionSource,
            Proto,
            ReceiveMessage,
            SendMessage,
            Socket,
            SocketOps,
            SocketState,
            Timeout, //
        }, //
    },
    scope::Point,
    toy_peer::LAST, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// The number of a family without code in the kernel.
pub(crate) const FAMILY: c_int = bindings::AF_ASH as c_int;

/// Number of sockets whose private part was not dropped.
static LIVE: Atomic<i32> = Atomic::new(0);

/// Returns the number of sockets in memory.
pub(crate) fn live() -> i32 {
    LIVE.load(Relaxed)
}

/// The shared part.
pub(crate) struct Toy(());

impl Drop for Toy {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Full);
    }
}

/// The behaviour of connect(), by a byte of the address.
pub(crate) const AT_ONCE: u8 = 0;
pub(crate) const LATER: u8 = 1;

/// Reached when a call is about to wait: what wakes the socket from then on wakes the call.
pub(crate) static WAITS: Point = Point::unused();

/// Waits like [`Guard::wait`].
fn wait(guard: &mut Guard<'_, Toy>, timeout: &mut Timeout, ready: impl FnOnce() -> bool) {
    guard.wait(timeout, |_| {
        WAITS.run();
        ready()
    });
}

static PROTO: Proto<Toy> = Proto::new();

impl SocketOps for Toy {
    type OwnerModule = crate::LocalModule;
    type State = Option<Arc<Association<Toy>>>;

    const FAMILY: c_int = FAMILY;
    const NAME: &'static CStr = c"CAIF-KUNIT-a-name-that-is-cut-to-what-there-is-room-for";

    fn proto() -> &'static Proto<Self> {
        &PROTO
    }

    fn create(kind: c_int, _protocol: c_int) -> Result<Created<Self>> {
        if kind as u32 != bindings::sock_type_SOCK_SEQPACKET {
            return Err(ESOCKTNOSUPPORT);
        }
        LIVE.fetch_add(1, Full);
        Ok(Created {
            ops: Self(()),
            state: None,
            priority: 0,
        })
    }

    fn release(guard: &mut Guard<'_, Self>) {
        *guard.state() = None;
    }

    fn connect(call: &mut Call<'_, Self>, address: &[u8], nonblock: bool) -> Result {
        let mut timeout = call.send_timeout(nonblock);
        let socket = call.socket();
        let mut guard = call.lock();
        let association = Arc::new(guard.associate(), GFP_KERNEL)?;
        *guard.state() = Some(association.clone());
        *LAST.lock() = Some(association.clone());
        if address.get(2) == Some(&AT_ONCE) {
            association.established(true);
        }
        while socket.state() == SocketState::Connecting {
            if timeout.is_over() {
                return Err(if nonblock { EINPROGRESS } else { ETIMEDOUT });
            }
            if signal_pending() {
                return Err(timeout.interrupted());
            }
            wait(&mut guard, &mut timeout, || {
                socket.state() != SocketState::Connecting
            });
        }
        socket.take_error()
    }

    fn send(call: &mut Call<'_, Self>, message: &mut SendMessage<'_>) -> Result<usize> {
        let mut guard = call.lock();
        let association = guard.state().clone().ok_or(ENOTCONN)?;
        let len = u32::try_from(message.len())?;
        let packet = guard.packet(message, 16, len, 2)?;
        association.deliver(packet);
        Ok(message.len())
    }

    /// Receives a stream with `MSG_WAITALL`, otherwise one packet.
    fn receive(call: &mut Call<'_, Self>, message: &mut ReceiveMessage<'_>) -> Result<usize> {
        let flags = message.flags();
        let mut timeout = call.receive_timeout(flags & bindings::MSG_DONTWAIT != 0);
        let socket = call.socket();
        let mut guard = call.lock();
        loop {
            socket.take_error()?;
            if let Some(len) = guard.first_len() {
                let room = message.len();
                let copied = guard.copy_first(message, room)?;
                if usize::try_from(len)? > copied {
                    message.set_truncated();
                }
                if flags & bindings::MSG_WAITALL != 0 {
                    guard.consume(copied);
                } else if flags & bindings::MSG_PEEK == 0 {
                    guard.drop_first();
                }
                return Ok(copied);
            }
            if socket.is_shut() {
                return Ok(0);
            }
            if timeout.is_over() {
                return Err(EAGAIN);
            }
            wait(&mut guard, &mut timeout, || {
                socket.has_packets() || socket.has_error() || socket.is_shut()
            });
        }
    }

    fn poll(socket: &Socket<Self>) -> u32 {
        let mut events = 0;
        if socket.has_packets() {
            events |= bindings::HELPER_EPOLLIN;
        }
        if socket.is_sendable() && socket.is_writeable() {
            events |= bindings::HELPER_EPOLLOUT;
        }
        if socket.is_shut() {
            events |= bindings::HELPER_EPOLLHUP;
        }
        if socket.has_error() {
            events |= bindings::HELPER_EPOLLERR;
        }
        events
    }

    fn set_option(
        _call: &mut Call<'_, Self>,
        _level: c_int,
        _name: c_int,
        value: &OptionSource,
    ) -> Result {
        let mut bytes = [0; 4];
        value.read(&mut bytes)?;
        if bytes == [1, 2, 3, 4] {
            Ok(())
        } else {
            Err(EINVAL)
        }
    }

    fn get_option(
        _call: &mut Call<'_, Self>,
        _level: c_int,
        _name: c_int,
        value: &mut OptionSink<'_>,
    ) -> Result {
        value.write(&[1, 2, 3, 4])
    }
}
