// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A data channel: the service behind it and the frames that wait for the host.

use std::collections::VecDeque;
use std::time::Instant;

use caif_wire::frame::OVERHEAD;
use caif_wire::{Data, Fcs, Service};

use crate::ip::IpStack;
use crate::stats::{Stats, count};

/// The largest piece of an AT answer in one frame.
const AT_PIECE: usize = 1024;

/// The payload by which a host asks the modem to close a UTIL channel.
const SHUTDOWN: &[u8] = b"shutdown";

/// The service behind a channel.
pub(crate) enum Behind {
    At,
    Loopback,
    Ip(Bearer),
}

/// The service behind an IP channel.
pub(crate) struct Bearer {
    pub(crate) connection: u32,
    pub(crate) mtu: usize,
    /// `None` while the context of the connection is not active.
    pub(crate) stack: Option<Box<IpStack>>,
}

/// Limits of a channel: length of frames, and frames that may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) queue: usize,
    pub(crate) max_frame: usize,
}

/// A channel that is set up.
pub(crate) struct Channel {
    linkid: u8,
    service: Service,
    behind: Behind,
    queue: VecDeque<Vec<u8>>,
    limits: Limits,
    /// The host sent flow off.
    held: bool,
    /// The modem has closed the channel; the host's LINK_DESTROY is still to come.
    closed: bool,
}

impl Channel {
    pub(crate) fn new(linkid: u8, service: Service, behind: Behind, limits: Limits) -> Self {
        Self {
            linkid,
            service,
            behind,
            queue: VecDeque::new(),
            limits,
            held: false,
            closed: false,
        }
    }

    /// Returns whether `AT*FLOW` applies to this channel.
    pub(crate) fn obeys_flow(&self) -> bool {
        matches!(self.service, Service::Datagram | Service::Util) && !self.closed
    }

    /// Handles the body of a frame. Returns the bytes for the AT interpreter.
    pub(crate) fn input<'a>(
        &mut self,
        body: &'a [u8],
        now: Instant,
        stats: &mut Stats,
    ) -> Option<&'a [u8]> {
        match Data::parse(self.service, body) {
            Err(error) => {
                tracing::debug!(linkid = self.linkid, %error, "bad frame on a data channel");
                count(&mut stats.bad_data);
            }
            Ok(_) if self.closed => count(&mut stats.unknown_channel),
            Ok(Data::FlowOn) => {
                self.held = false;
                count(&mut stats.host_flow_on);
            }
            Ok(Data::FlowOff) => {
                self.held = true;
                count(&mut stats.host_flow_off);
            }
            // Only a modem sends a remote shutdown. Pins have no effect here.
            Ok(Data::RemoteShutdown) => count(&mut stats.bad_data),
            Ok(Data::SetPin(_)) => {}
            Ok(data @ (Data::Payload(_) | Data::Segment { .. })) => {
                return self.payload(data, now, stats);
            }
        }
        None
    }

    fn payload<'a>(&mut self, data: Data<'a>, now: Instant, stats: &mut Stats) -> Option<&'a [u8]> {
        match (&mut self.behind, data) {
            (Behind::Ip(bearer), Data::Payload(packet)) => {
                count(&mut stats.ip_in);
                match &mut bearer.stack {
                    Some(stack) => {
                        if !stack.receive(packet, now) {
                            count(&mut stats.queue_drops);
                        }
                    }
                    None => count(&mut stats.no_context),
                }
            }
            (Behind::At, _) if self.queue.len() >= self.limits.queue => {
                count(&mut stats.queue_drops)
            }
            (Behind::At, Data::Payload(bytes)) => return Some(bytes),
            (Behind::Loopback, Data::Payload(SHUTDOWN)) if self.service == Service::Util => {
                self.shut_down(stats);
            }
            (Behind::Loopback, data) => self.push(data, stats),
            // The codec parses no frame of an AT or IP channel as a segment.
            (Behind::At | Behind::Ip(_), _) => count(&mut stats.bad_data),
        }
        None
    }

    /// Returns the service.
    pub(crate) fn service(&self) -> Service {
        self.service
    }

    /// Ends the channel if it is one of UTIL, the only service that the modem can end.
    pub(crate) fn shut_down(&mut self, stats: &mut Stats) {
        if self.service == Service::Util && !self.closed {
            // It goes behind the frames that wait, since the host closes the channel at it.
            self.enqueue(Data::RemoteShutdown, stats);
            self.closed = true;
        }
    }

    /// Queues text of the AT interpreter.
    pub(crate) fn say(&mut self, text: &[u8], stats: &mut Stats) {
        for piece in text.chunks(AT_PIECE) {
            self.push(Data::Payload(piece), stats);
        }
    }

    /// Returns whether this is an AT channel.
    pub(crate) fn is_at(&self) -> bool {
        matches!(self.behind, Behind::At)
    }

    /// Returns what an IP channel leads to, if it is one of this connection id.
    pub(crate) fn bearer(&mut self, connection: u32) -> Option<&mut Bearer> {
        match &mut self.behind {
            Behind::Ip(bearer) if bearer.connection == connection => Some(bearer),
            _ => None,
        }
    }

    /// Returns whether as many frames wait for the host as may.
    pub(crate) fn has_no_room(&self) -> bool {
        self.queue.len() >= self.limits.queue
    }

    /// Queues a frame if there is room for it.
    fn push(&mut self, data: Data<'_>, stats: &mut Stats) {
        if !self.has_no_room() {
            self.enqueue(data, stats);
        } else {
            count(&mut stats.queue_drops);
        }
    }

    fn enqueue(&mut self, data: Data<'_>, stats: &mut Stats) {
        if let Some(frame) = self.frame(data, stats) {
            self.queue.push_back(frame);
        }
    }

    /// Builds a frame on this channel, unless it is too long for the link.
    pub(crate) fn frame(&self, data: Data<'_>, stats: &mut Stats) -> Option<Vec<u8>> {
        let (header, payload) = data.parts(self.service).ok()?;
        build(self.linkid, &[header, payload], self.limits, stats)
    }

    /// Returns the next frame for the host.
    pub(crate) fn output(&mut self, now: Instant, stats: &mut Stats) -> Option<Vec<u8>> {
        // A closed channel ignores flow off: otherwise the remote shutdown might never be sent.
        if self.held && !self.closed {
            return None;
        }
        let Behind::Ip(bearer) = &mut self.behind else {
            return self.queue.pop_front();
        };
        let packet = bearer.stack.as_mut()?.send(now)?;
        count(&mut stats.ip_out);
        self.frame(Data::Payload(&packet), stats)
    }

    /// Returns the number of frames that wait for the host.
    pub(crate) fn waiting(&self) -> usize {
        match &self.behind {
            Behind::Ip(bearer) => bearer.stack.as_ref().map_or(0, |stack| stack.waiting()),
            Behind::At | Behind::Loopback => self.queue.len(),
        }
    }

    /// Runs the service. Returns the deadline of the next call.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Instant> {
        match &mut self.behind {
            Behind::Ip(bearer) => bearer.stack.as_mut()?.poll(now),
            Behind::At | Behind::Loopback => None,
        }
    }
}

/// Builds a frame, unless it is too long for the link.
pub(crate) fn build(
    channel: u8,
    body: &[&[u8]],
    limits: Limits,
    stats: &mut Stats,
) -> Option<Vec<u8>> {
    let len = body
        .iter()
        .fold(OVERHEAD, |sum, piece| sum.saturating_add(piece.len()));
    let mut frame = vec![0; len.min(limits.max_frame)];
    match caif_wire::frame::build(channel, body, Fcs::Off, &mut frame) {
        Ok(_) => Some(frame),
        Err(error) => {
            tracing::debug!(channel, %error, "frame is too long for the link");
            count(&mut stats.too_long);
            None
        }
    }
}
