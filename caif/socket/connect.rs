// SPDX-License-Identifier: GPL-2.0

//! connect(): how a socket gets its channel.

use super::{
    address,
    connection::{
        Connection,
        Owned, //
    },
    CaifSocket, //
};
use crate::{
    abstractions::{
        compat::{
            parameter,
            prelude::*, //
        },
        net::{
            netdev::NetId,
            socket::{
                signal_pending,
                Association,
                Call,
                Guard, //
            }, //
        },
        rcu::RcuArc, //
    },
    channel::Channel,
    link::Request,
    links::Links,
    policy::{
        self,
        Choice,
        Connect,
        Progress, //
    }, //
};
use core::mem;

/// Returns the time that the modem has to answer, in milliseconds. `SO_SNDTIMEO` does not change
/// it.
fn answer_ms() -> u32 {
    parameter(&crate::module_parameters::connect_timeout_ms).max(1)
}

/// State of a socket.
pub(super) enum Phase {
    /// The socket has no channel.
    Unconnected,
    /// The socket requested a channel.
    Connecting {
        /// Dropping it cancels the request.
        request: Request,
        connection: Owned,
    },
    /// The socket has a channel, which the modem may have closed.
    Connected {
        channel: RcuArc<Channel>,
        connection: Owned,
    },
}

/// Result of [`settle`].
pub(super) enum Settled {
    /// The socket requested no channel.
    Idle,
    /// The socket waits for the answer.
    Pending,
    /// The modem has granted the channel.
    Established,
    /// The modem has refused the channel.
    Refused(Error),
    /// The socket had the channel before.
    Connected,
}

/// Applies the modem's answer to the socket, if there is one.
pub(super) fn settle(guard: &mut Guard<'_, CaifSocket>) -> Settled {
    let phase = &mut guard.state().phase;
    match mem::replace(phase, Phase::Unconnected) {
        Phase::Unconnected => Settled::Idle,
        Phase::Connecting {
            request,
            connection,
        } => match connection.answer() {
            None => {
                *phase = Phase::Connecting {
                    request,
                    connection,
                };
                Settled::Pending
            }
            Some(Ok(channel)) => {
                *phase = Phase::Connected {
                    channel,
                    connection,
                };
                Settled::Established
            }
            Some(Err(error)) => Settled::Refused(error),
        },
        connected => {
            *phase = connected;
            Settled::Connected
        }
    }
}

/// Connects a socket.
pub(super) fn connect(call: &mut Call<'_, CaifSocket>, address: &[u8], nonblock: bool) -> Result {
    address::check_family(address)?;
    let mut timeout = call.send_timeout(false);
    let mut guard = call.lock();
    let progress = match settle(&mut guard) {
        Settled::Idle => Progress::Idle,
        Settled::Pending => Progress::Asked,
        Settled::Refused(_) => Progress::Refused,
        Settled::Established => Progress::Answered,
        Settled::Connected if guard.socket().is_shut() => Progress::Lost,
        Settled::Connected => Progress::Connected,
    };
    if policy::connect(progress, nonblock)? == Connect::Ask {
        guard.state().phase = Phase::Unconnected;
        let association = guard.associate();
        if let Err(error) = ask(&mut guard, association, address) {
            guard.dissociate();
            return Err(error);
        }
        if nonblock {
            return Err(EINPROGRESS);
        }
    }
    loop {
        match settle(&mut guard) {
            Settled::Pending => {}
            Settled::Established | Settled::Connected => return Ok(()),
            Settled::Refused(error) => {
                // This call returns the error.
                let _ = guard.socket().take_error();
                return Err(error);
            }
            // Another call on the socket returned the error.
            Settled::Idle => return Err(ECONNREFUSED),
        }
        if timeout.is_over() {
            return Err(ETIMEDOUT);
        }
        if signal_pending() {
            return Err(ERESTARTSYS);
        }
        guard.wait(&mut timeout, |guard| match &guard.state().phase {
            Phase::Connecting { connection, .. } => connection.is_answered(),
            _ => true,
        });
    }
}

/// Requests a channel.
fn ask(
    guard: &mut Guard<'_, CaifSocket>,
    association: Association<CaifSocket>,
    address: &[u8],
) -> Result {
    let socket = guard.socket();
    let state = guard.state();
    let params = address::link_params(
        socket.ops().protocol,
        address,
        state.options.parameters(),
        socket.priority(),
    )?;
    let preference = state.options.link()?;
    let choice = match socket.bound_interface() {
        Some(index) => Choice::Bound(index),
        None => Choice::Prefer(preference),
    };
    let net = NetId::new(socket.net().as_ptr());
    let connection = Connection::start(association)?;
    let links = Links::get()?;
    let request = links.connect(net, choice, &params, answer_ms(), connection.client())?;
    state.phase = Phase::Connecting {
        request,
        connection,
    };
    Ok(())
}
