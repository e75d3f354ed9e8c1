// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The engine: frames from the host and the time in, frames to the host and deadlines out.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};
use std::time::{Duration, Instant};

use at_model::{Order, Report};
use caif_wire::{CONTROL_CHANNEL, Data, Fcs, Frame, LinkParams, Message, Service, ServiceParams};

use crate::at::At;
use crate::channel::{self, Bearer, Behind, Channel, Limits};
use crate::control::{self, Grant};
use crate::ip::{Forward, IpConfig, IpStack};
use crate::linkid::LinkIds;
use crate::stats::{add, count};
use crate::{Config, Stats};

/// Answers of the control channel that may wait. Further ones are dropped.
const MAX_ANSWERS: usize = 1024;
/// Set-ups that may wait for `AT*ANSWER`. Further ones are answered at once.
const MAX_LATE: usize = 16;
/// Bytes that an answer may have more than its request: linkid, length byte, appended bytes.
const ANSWER_GROWTH: usize = 257;

/// The UTIL service whose answer to a set-up repeats its parameters.
const PARAMETERS: [u8; 16] = *b"parameters\0\0\0\0\0\0";

/// The end of a modem's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The firmware crashes.
    Crash,
    /// The modem's process ends, as if it were killed.
    Die,
}

/// The protocol engine of a modem. README.md describes its services.
pub struct Engine {
    config: Config,
    linkids: LinkIds,
    at: At,
    channels: BTreeMap<u8, Channel>,
    /// Frames that are sent before all others: answers and flow control.
    answers: VecDeque<Vec<u8>>,
    /// The channel that sent last, for a round robin.
    last_sender: u8,
    /// Until when flow is off on the host's data channels.
    flow_off_until: Option<Instant>,
    frames_while_off: u64,
    /// Until when no frames are taken from the host.
    stalled_until: Option<Instant>,
    /// The last set-up that the host asked for, as it came.
    last_setup: Vec<u8>,
    /// Set-ups that wait for `AT*ANSWER`.
    late: Vec<Vec<u8>>,
    /// The end of the modem, if it has ended.
    end: Option<End>,
    /// Ports of IP channels whose connections are passed on.
    forwards: Vec<Forward>,
    /// The latest time that the driver passed.
    now: Option<Instant>,
    stats: Stats,
}

impl Engine {
    /// Creates a modem without channels.
    pub fn new(config: Config) -> Self {
        Self {
            linkids: LinkIds::new(config.linkids.clone()),
            at: At::new(&config),
            config,
            channels: BTreeMap::new(),
            answers: VecDeque::new(),
            last_sender: 0,
            flow_off_until: None,
            frames_while_off: 0,
            stalled_until: None,
            last_setup: Vec::new(),
            late: Vec::new(),
            end: None,
            forwards: Vec::new(),
            now: None,
            stats: Stats::default(),
        }
    }

    /// Passes connections to a port on, of all IP channels that are set up from now on.
    pub fn forward(&mut self, forward: Forward) {
        self.forwards.push(forward);
    }

    /// Handles a frame from the host. It starts with its length; bytes after it are ignored.
    pub fn input(&mut self, frame: &[u8], now: Instant) {
        self.now = Some(now);
        count(&mut self.stats.frames_in);
        add(&mut self.stats.bytes_in, frame.len());
        match Frame::parse(frame, Fcs::Off) {
            Err(error) => {
                tracing::debug!(%error, "bad frame");
                count(&mut self.stats.bad_frames);
            }
            Ok(frame) if frame.channel == CONTROL_CHANNEL => self.control(frame.body, now),
            Ok(frame) => self.data(frame.channel, frame.body, now),
        }
    }

    /// Does the work that is due. Returns the deadline of the next call; `None` if there is nothing
    /// to do before a frame comes from the host or is taken by [`output`](Self::output). Both can
    /// change the deadline, so call this after them and before waiting.
    pub fn poll(&mut self, now: Instant) -> Option<Instant> {
        self.now = Some(now);
        if self.flow_off_until.is_some_and(|until| until <= now) {
            self.flow_off_until = None;
            self.flow(Data::FlowOn);
        }
        if self.stalled_until.is_some_and(|until| until <= now) {
            self.stalled_until = None;
        }
        let (at, orders) = self.at.poll(now);
        self.obey(orders, now);
        self.deliver();
        self.channels
            .values_mut()
            .filter_map(|channel| channel.poll(now))
            .chain(at)
            .chain(self.flow_off_until)
            .chain(self.stalled_until)
            .min()
    }

    /// Returns whether `AT*STALL` forbids to take frames from the host now.
    pub fn is_stalled(&self, now: Instant) -> bool {
        self.stalled_until.is_some_and(|until| now < until)
    }

    /// Returns the next frame for the host. Call it only while the link has room for one: frames
    /// that are not taken wait, and TCP connections stall instead of losing segments.
    pub fn output(&mut self) -> Option<Vec<u8>> {
        let frame = match self.answers.pop_front() {
            Some(answer) => answer,
            None => self.next_of_channels()?,
        };
        count(&mut self.stats.frames_out);
        add(&mut self.stats.bytes_out, frame.len());
        Some(frame)
    }

    /// Drops all channels and all frames that wait, for when the link goes down.
    pub fn reset(&mut self) {
        self.channels.clear();
        self.at.reset();
        self.answers.clear();
        self.flow_off_until = None;
        self.frames_while_off = 0;
        self.late.clear();
        self.stalled_until = None;
        self.last_setup.clear();
        self.end = None;
        count(&mut self.stats.resets);
    }

    /// Returns how the modem's life has ended, if a scenario or a test has ended it. A
    /// [`reset`](Self::reset) begins another one.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Sets the largest length of frames to the host, which the link's configuration gives.
    /// Channels that are already set up keep their limit.
    pub fn set_max_frame(&mut self, len: usize) {
        self.config.max_frame = len;
    }

    /// Returns the counters, which a reset does not clear.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        add(&mut stats.channels, self.channels.len());
        add(&mut stats.waiting, self.answers.len());
        for channel in self.channels.values() {
            add(&mut stats.waiting, channel.waiting());
        }
        stats
    }

    fn limits(&self) -> Limits {
        Limits {
            queue: self.config.channel_queue,
            max_frame: self.config.max_frame,
        }
    }

    /// Returns the service of the channel with a link id, if there is one.
    pub fn service(&self, linkid: u8) -> Option<Service> {
        self.channels.get(&linkid).map(Channel::service)
    }

    fn next_of_channels(&mut self) -> Option<Vec<u8>> {
        // No time was passed yet, so no frame came from the host and there is no channel.
        let now = self.now?;
        let last = self.last_sender;
        let Self {
            channels, stats, ..
        } = self;
        let after: Vec<u8> = channels
            .range((Excluded(last), Unbounded))
            .chain(channels.range(..=last))
            .map(|(linkid, _)| *linkid)
            .collect();
        let (linkid, frame) = after.into_iter().find_map(|linkid| {
            let frame = channels.get_mut(&linkid)?.output(now, stats)?;
            Some((linkid, frame))
        })?;
        self.last_sender = linkid;
        Some(frame)
    }

    fn data(&mut self, linkid: u8, body: &[u8], now: Instant) {
        let report = Report {
            off: self.flow_off_until.is_some(),
            frames: self.frames_while_off,
            setup: &self.last_setup,
            channels: self.channels.len(),
        };
        let Some(channel) = self.channels.get_mut(&linkid) else {
            tracing::debug!(linkid, "frame on a channel that is not set up");
            count(&mut self.stats.unknown_channel);
            return;
        };
        if report.off && channel.obeys_flow() {
            count(&mut self.stats.frames_while_off);
            count(&mut self.frames_while_off);
        }
        if let Some(bytes) = channel.input(body, now, &mut self.stats) {
            let orders = self.at.input(linkid, bytes, report, now);
            let text = self.at.output(linkid);
            channel.say(&text, &mut self.stats);
            self.obey(orders, now);
            self.deliver();
        }
    }

    /// Carries out the orders of the AT interpreter.
    fn obey(&mut self, orders: Vec<Order>, now: Instant) {
        for order in orders {
            match order {
                Order::FlowOff(time) => self.hold_off(time, now),
                Order::Answer => {
                    for body in std::mem::take(&mut self.late) {
                        if let Ok(Message::Setup(params)) = Message::parse(&body) {
                            self.answer_set_up(&params, body.len(), now);
                        }
                    }
                }
                Order::Shutdown => {
                    for channel in self.channels.values_mut() {
                        channel.shut_down(&mut self.stats);
                    }
                }
                Order::Stall(time) => self.stalled_until = now.checked_add(time),
                Order::Bearer(connection) => self.follow(connection, now),
                Order::Crash => self.end = Some(End::Crash),
                Order::Die => self.end = Some(End::Die),
            }
        }
    }

    /// Gives the channels of a connection id the IP stack that its context has now.
    fn follow(&mut self, connection: u32, now: Instant) {
        let config = self.ip_config(connection);
        for channel in self.channels.values_mut() {
            if let Some(bearer) = channel.bearer(connection) {
                let mtu = bearer.mtu;
                bearer.stack = config.as_ref().map(|config| {
                    let config = IpConfig {
                        mtu,
                        ..config.clone()
                    };
                    let mut stack = IpStack::new(&config, now);
                    self.forwards.iter().for_each(|f| stack.forward(f));
                    Box::new(stack)
                });
            }
        }
    }

    /// Queues what the AT interpreter says unasked, as far as there is room.
    fn deliver(&mut self) {
        for (linkid, channel) in &mut self.channels {
            if channel.is_at() && !channel.has_no_room() {
                channel.say(&self.at.output(*linkid), &mut self.stats);
            }
        }
    }

    /// Returns what the IP stack on a connection id is to have; `None` if there is no context.
    fn ip_config(&self, connection: u32) -> Option<IpConfig> {
        let mut config = IpConfig {
            // Each stack gets a seed of its own, which follows from the configured one.
            seed: crate::pattern::word(self.config.seed, self.stats.setups),
            queue: self.config.channel_queue,
            ..IpConfig::default()
        };
        if !self.at.is_strict() {
            let net = self.config.address(connection);
            config.addresses.push((net.address.into(), net.prefix));
            return Some(config);
        }
        let addresses = self.at.bearer(connection)?;
        if let Some(link) = addresses.ipv4 {
            config.addresses.push((link.modem.into(), link.prefix));
        }
        if let Some(link) = addresses.ipv6 {
            config.addresses.push((link.modem.into(), 64));
            config.advertised = Some(link.modem);
        }
        config.dns.clone_from(&addresses.dns);
        Some(config)
    }

    fn hold_off(&mut self, time: Duration, now: Instant) {
        // No flow off is sent without room for the flow on that must follow.
        if self.answers.len() >= MAX_ANSWERS {
            count(&mut self.stats.queue_drops);
            return;
        }
        self.flow_off_until = now.checked_add(time);
        self.frames_while_off = 0;
        self.flow(Data::FlowOff);
    }

    /// Sends flow on or off on every channel that `AT*FLOW` applies to.
    fn flow(&mut self, flow: Data<'_>) {
        let Self {
            channels,
            answers,
            stats,
            ..
        } = self;
        for channel in channels.values().filter(|channel| channel.obeys_flow()) {
            if let Some(frame) = channel.frame(flow, stats) {
                answers.push_back(frame);
                count(match flow {
                    Data::FlowOn => &mut stats.modem_flow_on,
                    _ => &mut stats.modem_flow_off,
                });
            }
        }
    }

    fn control(&mut self, body: &[u8], now: Instant) {
        match Message::parse(body) {
            Err(error) => {
                tracing::debug!(%error, "bad message on the control channel");
                count(&mut self.stats.bad_control);
            }
            Ok(Message::Setup(params)) => {
                self.last_setup = body.to_vec();
                self.set_up(&params, body.len(), now);
            }
            Ok(Message::Destroy { linkid }) => {
                if self.channels.remove(&linkid).is_some() {
                    self.at.close(linkid);
                    tracing::info!(linkid, "channel destroyed");
                    count(&mut self.stats.destroys);
                }
                self.answer(&Message::Destroyed { linkid }, body.len());
            }
            Ok(Message::Enum { phyid }) => {
                self.answer(&Message::Enumerated { phyid }, body.len());
            }
            Ok(message) => {
                tracing::debug!(?message, "ignored on the control channel");
                count(&mut self.stats.ignored_control);
            }
        }
    }

    fn set_up(&mut self, params: &LinkParams<'_>, len: usize, now: Instant) {
        let connection = params.service.connection();
        if connection.is_some_and(|id| self.config.is_silent(id)) {
            tracing::info!(?params, "set-up not answered");
            count(&mut self.stats.ignored_control);
            return;
        }
        if connection.is_some_and(|id| self.config.is_late(id)) && self.late.len() < MAX_LATE {
            tracing::info!(?params, "set-up to be answered later");
            let mut body = vec![0; len];
            if Message::Setup(*params).build(&mut body).is_ok() {
                self.late.push(body);
            }
            return;
        }
        self.answer_set_up(params, len, now);
    }

    fn answer_set_up(&mut self, params: &LinkParams<'_>, len: usize, now: Instant) {
        match self.open(params, now) {
            Ok(linkid) => {
                tracing::info!(linkid, ?params, "channel set up");
                count(&mut self.stats.setups);
                let appended = self.config.util_appended.clone();
                let appended = match params.service {
                    ServiceParams::Util { name, params, .. } if name == PARAMETERS => params,
                    _ => appended.get(..255).unwrap_or(&appended),
                };
                let done = Message::SetupDone {
                    params: *params,
                    linkid,
                    appended,
                };
                self.answer(&done, len);
            }
            Err(why) => {
                tracing::info!(why, ?params, "channel refused");
                count(&mut self.stats.refusals);
                self.answer(&Message::SetupRefused(*params), len);
            }
        }
    }

    fn open(&mut self, params: &LinkParams<'_>, now: Instant) -> Result<u8, &'static str> {
        let grant = control::decide(&self.config, params)?;
        let (service, behind) = match grant {
            Grant::At => (Service::Vei, Behind::At),
            Grant::Loopback(service) => (service, Behind::Loopback),
            Grant::Ip { connection, mtu } => {
                let mut config = self
                    .ip_config(connection)
                    .ok_or("no context is active on the connection id")?;
                config.mtu = mtu;
                let mut stack = IpStack::new(&config, now);
                self.forwards.iter().for_each(|f| stack.forward(f));
                let bearer = Bearer {
                    connection,
                    mtu,
                    stack: Some(Box::new(stack)),
                };
                (Service::Datagram, Behind::Ip(bearer))
            }
        };
        let channels = &self.channels;
        let linkid = self
            .linkids
            .allocate(|id| channels.contains_key(&id))
            .ok_or("no linkid is free")?;
        if matches!(behind, Behind::At) {
            self.at.open(linkid, now);
        }
        let channel = Channel::new(linkid, service, behind, self.limits());
        self.channels.insert(linkid, channel);
        Ok(linkid)
    }

    /// Queues an answer to a request of `len` bytes.
    fn answer(&mut self, message: &Message<'_>, len: usize) {
        if self.answers.len() >= MAX_ANSWERS {
            count(&mut self.stats.queue_drops);
            return;
        }
        let mut body = vec![0; len.saturating_add(ANSWER_GROWTH)];
        let built = match message.build(&mut body) {
            Ok(len) => body.get(..len),
            Err(error) => {
                tracing::warn!(%error, "an answer cannot be built");
                None
            }
        };
        if let Some(body) = built
            && let Some(frame) =
                channel::build(CONTROL_CHANNEL, &[body], self.limits(), &mut self.stats)
        {
            self.answers.push_back(frame);
        }
    }
}
