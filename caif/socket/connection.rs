// SPDX-License-Identifier: GPL-2.0

//! A socket's attempt to get a channel, and the channel if it succeeds.

use super::CaifSocket;
use crate::{
    abstractions::{
        bh_lock::{
            new_bh_lock,
            BhLock, //
        },
        compat::prelude::*,
        deferred::{
            new_deferred,
            Deferred,
            Task, //
        },
        net::{
            netdev::NetId,
            skbuff::SkBuff,
            socket::{
                Association,
                Delivery, //
            }, //
        },
        rcu::RcuArc, //
    },
    channel::{
        Channel,
        Client,
        Owner,
        Shutdown, //
    },
    flow::Stopped, //
};
use core::{
    mem,
    ops::Deref, //
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    sync::Arc, //
};

/// Delay before a flow message that failed is sent again.
const RETRY_MS: u32 = 50;

/// The modem's answer.
enum Answer {
    /// No answer yet.
    Awaited,
    /// The modem refused.
    Refused(Error),
    /// The modem granted a channel.
    Channel(RcuArc<Channel>),
    /// The socket has dropped the connection.
    Abandoned,
}

struct Inner {
    answer: Answer,
    /// Whether the socket was told that the channel ended.
    is_shut: bool,
    /// The parameters that the modem's service returned, and their length.
    appended: [u8; 255],
    appended_len: usize,
}

/// The flow state that the modem should have, by the fill level of the socket's receive buffer, and
/// the one that it was sent last. One task sends at a time, so that the last message has the
/// present state.
struct Pressure {
    wants_off: bool,
    told_off: bool,
    is_busy: bool,
    again: bool,
    /// `None` once the connection ended.
    retry: Option<Deferred<Retry>>,
}

/// The socket's side of a channel.
#[pin_data]
pub(super) struct Connection {
    association: Association<CaifSocket>,
    #[pin]
    inner: BhLock<Inner>,
    #[pin]
    pressure: BhLock<Pressure>,
}

/// The task that sends a flow message again after a failure.
struct Retry(Arc<Connection>);

impl Task for Retry {
    fn run(&self) {
        self.0.balance();
    }
}

impl Connection {
    /// Creates the client for a channel that is about to be requested.
    pub(super) fn start(association: Association<CaifSocket>) -> Result<Owned> {
        let this = Arc::pin_init(
            pin_init!(Self {
                association,
                inner <- new_bh_lock!(
                    Inner {
                        answer: Answer::Awaited,
                        is_shut: false,
                        appended: [0; 255],
                        appended_len: 0,
                    },
                    c"caif_socket_connection"
                ),
                pressure <- new_bh_lock!(
                    Pressure {
                        wants_off: false,
                        told_off: false,
                        is_busy: false,
                        again: false,
                        retry: None,
                    },
                    c"caif_socket_pressure"
                ),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        let owned = Owned(this);
        let retry = new_deferred!(Retry(owned.0.clone()), c"caif_socket_retry")?;
        owned.pressure.lock().retry = Some(retry);
        Ok(owned)
    }

    /// Returns the modem's answer, or `None` if there is none yet.
    pub(super) fn answer(&self) -> Option<Result<RcuArc<Channel>>> {
        match &self.inner.lock().answer {
            Answer::Awaited => None,
            Answer::Refused(error) => Some(Err(*error)),
            Answer::Channel(channel) => Some(Ok(channel.clone())),
            Answer::Abandoned => Some(Err(ENOTCONN)),
        }
    }

    /// Returns whether the modem answered.
    pub(super) fn is_answered(&self) -> bool {
        !matches!(self.inner.lock().answer, Answer::Awaited)
    }

    /// Returns the parameters that the modem's service returned.
    pub(super) fn appended(&self) -> Result<KVec<u8>> {
        let mut copy = KVec::with_capacity(255, GFP_KERNEL)?;
        let inner = self.inner.lock();
        let appended = inner.appended.get(..inner.appended_len).unwrap_or(&[]);
        for byte in appended {
            copy.push_within_capacity(*byte).map_err(|_| ENOMEM)?;
        }
        Ok(copy)
    }

    /// Sends flow-off once the receive buffer is full, and flow-on once three quarters of it are
    /// free again. Any context with interrupts enabled.
    pub(super) fn balance(&self) {
        let channel = match &self.inner.lock().answer {
            Answer::Channel(channel) if channel.check() != Err(Stopped::Closed) => channel.clone(),
            _ => return,
        };
        let mut pressure = self.pressure.lock();
        pressure.again = true;
        if pressure.is_busy {
            return;
        }
        while mem::take(&mut pressure.again) {
            let socket = self.association.socket();
            let (used, limit) = (socket.received_memory(), socket.receive_buffer());
            if used >= limit {
                pressure.wants_off = true;
            } else if used <= limit / 4 {
                pressure.wants_off = false;
            }
            let off = pressure.wants_off;
            if off == pressure.told_off {
                continue;
            }
            pressure.is_busy = true;
            drop(pressure);
            let told = channel.send_flow(!off);
            pressure = self.pressure.lock();
            pressure.is_busy = false;
            match told {
                Ok(()) => pressure.told_off = off,
                Err(_) => {
                    if let Some(retry) = &pressure.retry {
                        retry.schedule(RETRY_MS);
                    }
                    return;
                }
            }
        }
    }

    /// Tells the socket that the channel ended, once.
    fn hang_up(&self, inner: &mut Inner) {
        if !mem::replace(&mut inner.is_shut, true) {
            self.association.hung_up(ECONNRESET);
        }
    }
}

impl Client for Connection {
    fn receive(&self, skb: SkBuff) {
        // A stream has no empty payloads: recv() would return 0, which means its end.
        if skb.len() == 0 && self.association.socket().ops().is_stream {
            return;
        }
        match self.association.deliver(skb) {
            Delivery::Full | Delivery::Overrun => self.balance(),
            Delivery::Queued | Delivery::Unwanted | Delivery::Stale => {}
        }
    }

    fn flow(&self, on: bool) {
        let inner = self.inner.lock();
        // Before there is a channel, outcome() checks its flow.
        if matches!(inner.answer, Answer::Channel(_)) {
            self.association.set_sendable(on);
        }
    }

    fn outcome(&self, result: Result<RcuArc<Channel>>, appended: &[u8]) {
        let mut inner = self.inner.lock();
        match (&inner.answer, result) {
            (Answer::Awaited, Ok(channel)) => {
                let len = appended.len().min(inner.appended.len());
                if let Some((to, from)) = inner.appended.get_mut(..len).zip(appended.get(..len)) {
                    to.copy_from_slice(from);
                    inner.appended_len = len;
                }
                // The socket is told the state of this moment. A later change calls `flow()` or
                // `shutdown()`, which wait for this lock.
                let check = channel.check();
                inner.answer = Answer::Channel(channel);
                self.association.established(check != Err(Stopped::Off));
                if check == Err(Stopped::Closed) {
                    self.hang_up(&mut inner);
                }
            }
            (Answer::Awaited, Err(error)) => {
                inner.answer = Answer::Refused(error);
                self.association.refused(error);
            }
            (_, Ok(channel)) => {
                drop(inner);
                channel.close();
            }
            (_, Err(_)) => {}
        }
    }

    fn shutdown(&self, _why: Shutdown) {
        let mut inner = self.inner.lock();
        // Before there is a channel, outcome() checks whether it ended.
        if matches!(inner.answer, Answer::Channel(_)) {
            self.hang_up(&mut inner);
        }
    }

    // A socket is of the namespace of its link.
    fn owner(&self, _net: NetId) -> Owner {
        let inode = self.association.socket().inode();
        inode.map_or(Owner::Unknown, Owner::Socket)
    }

    fn takes(&self) -> bool {
        !self.pressure.lock().told_off
    }
}

/// The socket's reference to a connection. Dropping it ends the connection: process context, may
/// sleep.
pub(super) struct Owned(Arc<Connection>);

impl Owned {
    /// Returns the connection as the client of a channel.
    pub(super) fn client(&self) -> Arc<Connection> {
        self.0.clone()
    }
}

impl Deref for Owned {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let answer = mem::replace(&mut self.inner.lock().answer, Answer::Abandoned);
        let retry = self.pressure.lock().retry.take();
        // Waits for the task.
        drop(retry);
        if let Answer::Channel(channel) = answer {
            channel.close();
        }
    }
}
