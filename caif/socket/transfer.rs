// SPDX-License-Identifier: GPL-2.0

//! Sending to and receiving from a socket.

use super::{
    connect::{
        settle,
        Phase, //
    },
    segments,
    CaifSocket, //
};
use crate::{
    abstractions::{
        bindings,
        compat::prelude::*,
        net::socket::{
            signal_pending,
            Call,
            Guard,
            ReceiveMessage,
            SendMessage,
            SocketState,
            Timeout, //
        },
        rcu::RcuArc, //
    },
    caif_wire::data::Service,
    channel::Channel,
    flow::Stopped,
    transmit::{
        BACK,
        FRONT, //
    }, //
};
use kernel::sync::rcu;

/// Most bytes of a stream in one payload, if the channel and the send buffer allow as much: the
/// size of one allocation.
const PIECE: usize = 8192;

/// Returns the channel of a connected socket.
fn channel(guard: &mut Guard<'_, CaifSocket>) -> Option<RcuArc<Channel>> {
    settle(guard);
    match &guard.state().phase {
        Phase::Connected { channel, .. } => Some(channel.clone()),
        _ => None,
    }
}

/// Returns the headroom and the tailroom of a payload.
pub(super) fn room_around(channel: &Channel) -> Result<(u16, u16)> {
    let guard = rcu::read_lock();
    let dev = channel.link().dev(&guard).ok_or(ENOTCONN)?;
    let (front, back) = (dev.headroom().get(), dev.tailroom().get());
    Ok((
        u16::try_from(front.saturating_add(FRONT)).unwrap_or(u16::MAX),
        u16::try_from(back.saturating_add(BACK.into())).unwrap_or(u16::MAX),
    ))
}

/// Sends a part of a message as one payload, or, on an RFM channel, all of it as one packet.
/// `Ok(false)` if the flow is off or the send buffer is full: then nothing was taken from the
/// message.
fn send_payload(
    guard: &mut Guard<'_, CaifSocket>,
    channel: &Channel,
    message: &mut SendMessage<'_>,
    len: usize,
) -> Result<bool> {
    let sent = if channel.service() == Service::Rfm {
        segments::make(guard, channel, message)
            .and_then(|segments| channel.transmit_segments(segments).map_err(of_link))
    } else {
        let (headroom, tailroom) = room_around(channel)?;
        let len = u32::try_from(len).map_err(|_| EMSGSIZE)?;
        guard
            .packet(message, headroom, len, tailroom)
            .and_then(|skb| channel.transmit(skb).map_err(of_link))
    };
    match sent {
        Err(error) if error == EAGAIN => {
            message.take_back();
            Ok(false)
        }
        result => result.map(|()| true),
    }
}

/// Returns the error of a payload that the link refused: `EIO` if its queue dropped it (ENOBUFS).
/// Elsewhere that means a lack of memory, after which the channel can be used as before.
fn of_link(error: Error) -> Error {
    if error == ENOBUFS {
        EIO
    } else {
        error
    }
}

/// Returns whether a payload can be sent.
fn can_send(guard: &Guard<'_, CaifSocket>) -> bool {
    guard.socket().is_sendable() && guard.socket().is_writeable()
}

/// Returns whether waiting for room or flow is over. The socket is told of flow-off a moment after
/// the channel: a sender that waited for the socket alone could keep its CPU from telling it, if
/// its priority is higher (PREEMPT_RT).
fn may_send(guard: &mut Guard<'_, CaifSocket>) -> bool {
    can_send(guard) && channel(guard).is_none_or(|channel| channel.check() != Err(Stopped::Off))
}

/// Returns whether waiting to send is over: the channel ended, or an error is pending.
fn cannot_send_ever(guard: &Guard<'_, CaifSocket>) -> bool {
    let socket = guard.socket();
    socket.is_shut() || socket.has_error() || socket.state() != SocketState::Connected
}

/// Sends one packet.
pub(super) fn send_packet(
    call: &mut Call<'_, CaifSocket>,
    message: &mut SendMessage<'_>,
) -> Result<usize> {
    let socket = call.socket();
    let flags = message.flags();
    let mut timeout = call.send_timeout(flags & bindings::MSG_DONTWAIT != 0);
    let mut guard = call.lock();
    socket.take_error()?;
    if flags & bindings::MSG_OOB != 0 || message.has_address() {
        return Err(EOPNOTSUPP);
    }
    loop {
        if can_send(&guard) {
            if socket.is_shut() {
                return Err(EPIPE);
            }
            let channel = channel(&mut guard).ok_or(EPIPE)?;
            let is_rfm = channel.service() == Service::Rfm;
            if !is_rfm && message.len() > usize::try_from(channel.maxframe())? {
                return Err(EMSGSIZE);
            }
            if send_payload(&mut guard, &channel, message, message.len())? {
                return Ok(message.len());
            }
        }
        socket.take_error()?;
        // Nothing to wait for.
        if socket.is_shut() || socket.state() == SocketState::Closed {
            return Err(EPIPE);
        }
        if timeout.is_over() {
            return Err(EAGAIN);
        }
        if signal_pending() {
            return Err(ERESTARTSYS);
        }
        if socket.state() != SocketState::Connected {
            return Err(EPIPE);
        }
        guard.wait(&mut timeout, |guard| {
            may_send(guard) || cannot_send_ever(guard)
        });
    }
}

/// Sends bytes, in pieces of any size; on an RFM channel as one packet.
pub(super) fn send_stream(
    call: &mut Call<'_, CaifSocket>,
    message: &mut SendMessage<'_>,
) -> Result<usize> {
    let flags = message.flags();
    if flags & bindings::MSG_OOB != 0 || message.has_address() {
        return Err(EOPNOTSUPP);
    }
    let mut timeout = call.send_timeout(flags & bindings::MSG_DONTWAIT != 0);
    let mut guard = call.lock();
    let mut sent = 0;
    let result = loop {
        match send_piece(&mut guard, message, sent) {
            Ok(None) => break Ok(()),
            Ok(Some(0)) => {}
            Ok(Some(len)) => {
                sent = sent.saturating_add(len);
                continue;
            }
            Err(error) => break Err(error),
        }
        if timeout.is_over() {
            break Err(EAGAIN);
        }
        if signal_pending() {
            break Err(timeout.interrupted());
        }
        guard.wait(&mut timeout, |guard| {
            may_send(guard) || cannot_send_ever(guard)
        });
    };
    drop(guard);
    match result {
        Err(error) if sent == 0 => {
            if error == EPIPE && flags & bindings::MSG_NOSIGNAL == 0 {
                call.send_sigpipe();
            }
            Err(error)
        }
        _ => Ok(sent),
    }
}

/// Sends the next piece of a stream. Returns its length, 0 if nothing can be sent now, or `None` at
/// the end. `EPIPE` if nothing can be sent any more.
fn send_piece(
    guard: &mut Guard<'_, CaifSocket>,
    message: &mut SendMessage<'_>,
    sent: usize,
) -> Result<Option<usize>> {
    let socket = guard.socket();
    if socket.is_shut() {
        return Err(EPIPE);
    }
    let rest = message.len().saturating_sub(sent);
    if rest == 0 {
        return Ok(None);
    }
    let channel = channel(guard).ok_or(EPIPE)?;
    if !can_send(guard) {
        return Ok(Some(0));
    }
    let len = if channel.service() == Service::Rfm {
        rest
    } else {
        rest.min(usize::try_from(channel.maxframe())?)
            .min((socket.send_buffer() / 2).saturating_sub(64).max(1))
            .min(PIECE)
    };
    match send_payload(guard, &channel, message, len) {
        Ok(true) => Ok(Some(len)),
        Ok(false) => Ok(Some(0)),
        Err(error) if [EFAULT, ENOMEM, ENOBUFS, EMSGSIZE, EPROTO].contains(&error) => Err(error),
        Err(_) => Err(EPIPE),
    }
}

/// Sends flow-on if the receive buffer has room again.
fn balance(guard: &mut Guard<'_, CaifSocket>) {
    if let Phase::Connected { connection, .. } = &guard.state().phase {
        connection.balance();
    }
}

/// Returns whether there is a payload to receive, or an end to report.
fn may_receive(guard: &Guard<'_, CaifSocket>) -> bool {
    let socket = guard.socket();
    socket.has_packets() || cannot_send_ever(guard)
}

/// Begins to receive. Returns the timeout and the lock.
fn begin_to_receive<'c>(
    call: &'c mut Call<'_, CaifSocket>,
    flags: u32,
) -> Result<(Timeout, Guard<'c, CaifSocket>)> {
    if flags & bindings::MSG_OOB != 0 {
        return Err(EOPNOTSUPP);
    }
    let timeout = call.receive_timeout(flags & bindings::MSG_DONTWAIT != 0);
    let mut guard = call.lock();
    settle(&mut guard);
    Ok((timeout, guard))
}

/// Receives one packet.
pub(super) fn receive_packet(
    call: &mut Call<'_, CaifSocket>,
    message: &mut ReceiveMessage<'_>,
) -> Result<usize> {
    let socket = call.socket();
    let flags = message.flags();
    let (mut timeout, mut guard) = begin_to_receive(call, flags)?;
    loop {
        socket.take_error()?;
        if let Some(len) = guard.first_len() {
            let len = usize::try_from(len)?;
            let copied = guard.copy_first(message, message.len());
            if len > message.len() {
                message.set_truncated();
            }
            if flags & bindings::MSG_PEEK == 0 {
                guard.drop_first();
                balance(&mut guard);
            }
            let copied = copied?;
            return Ok(if flags & bindings::MSG_TRUNC != 0 {
                len
            } else {
                copied
            });
        }
        if socket.is_shut() {
            return Ok(0);
        }
        if timeout.is_over() {
            return Err(EAGAIN);
        }
        if socket.state() != SocketState::Connected {
            return Err(ENOTCONN);
        }
        if signal_pending() {
            return Err(timeout.interrupted());
        }
        guard.wait(&mut timeout, |guard| may_receive(guard));
    }
}

/// Receives bytes, from several payloads if needed.
pub(super) fn receive_stream(
    call: &mut Call<'_, CaifSocket>,
    message: &mut ReceiveMessage<'_>,
) -> Result<usize> {
    let socket = call.socket();
    let flags = message.flags();
    let target = call.receive_target(flags & bindings::MSG_WAITALL != 0, message.len());
    let (mut timeout, mut guard) = begin_to_receive(call, flags)?;
    if socket.state() == SocketState::Connecting {
        return Err(EAGAIN);
    }
    let mut received: usize = 0;
    let error = loop {
        let room = message.len().saturating_sub(received);
        if room == 0 {
            break EAGAIN;
        }
        if guard.first_len().is_some() {
            let copied = match guard.copy_first(message, room) {
                Ok(copied) => copied,
                Err(error) => break error,
            };
            received = received.saturating_add(copied);
            if flags & bindings::MSG_PEEK != 0 {
                return Ok(received);
            }
            guard.consume(copied);
            balance(&mut guard);
            continue;
        }
        if received >= target {
            break EAGAIN;
        }
        if received == 0 {
            socket.take_error()?;
        } else if socket.has_error() {
            // The error is left for the next call.
            break EAGAIN;
        }
        if socket.is_shut() {
            break ECONNRESET;
        }
        if socket.state() != SocketState::Connected {
            break EPIPE;
        }
        if timeout.is_over() {
            break EAGAIN;
        }
        if signal_pending() {
            break timeout.interrupted();
        }
        guard.wait(&mut timeout, |guard| may_receive(guard));
    };
    if received > 0 || message.len() == 0 {
        return Ok(received);
    }
    Err(error)
}
