// SPDX-License-Identifier: GPL-2.0

//! Congestion of links: a modem returns slots more slowly than they are needed. Then the channels
//! of the link are stopped, so that packets wait in the queues of interfaces and sockets, which
//! account for them, and a link whose queue is a plain one drops none. Packets of an interface
//! whose queue has no discipline are dropped.
//!
//! No event reports that a device sends again, so it is polled while channels are stopped.

use crate::{
    abstractions::{
        deferred::{
            Deferred,
            Task, //
        },
        net::netdev::Netdev, //
    },
    channel::Channel,
    flow::Side,
    link::Link,
    policy, //
};
use kernel::{
    prelude::*,
    sync::{
        rcu,
        Arc, //
    }, //
};

/// The first and the longest interval at which the device is polled.
const FIRST_MS: u32 = 2;
const LAST_MS: u32 = 32;

/// The congestion of a link. Channels are told with its lock held, so that each ends in the present
/// state.
pub(crate) struct Pressure {
    is_congested: bool,
    wait_ms: u32,
    /// Segments of packets that are being sent.
    reserved: u32,
    /// The segments of the largest packet for which there was no room.
    refused: u32,
    /// `None` once the link is gone.
    look: Option<Deferred<Look>>,
}

impl Pressure {
    pub(crate) const fn new() -> Self {
        Self {
            is_congested: false,
            wait_ms: FIRST_MS,
            reserved: 0,
            refused: 0,
            look: None,
        }
    }

    /// Replaces the task that polls the device. Returns the old one.
    pub(crate) fn set_task(&mut self, look: Option<Deferred<Look>>) -> Option<Deferred<Look>> {
        core::mem::replace(&mut self.look, look)
    }

    /// Schedules the next look, with exponential back-off.
    fn look_later(&mut self) {
        if let Some(look) = &self.look {
            look.schedule(self.wait_ms);
        }
        self.wait_ms = self.wait_ms.saturating_mul(2).min(LAST_MS);
    }
}

/// Room in the queue of a link's device.
pub(crate) struct Reservation<'a> {
    link: &'a Link,
    segments: u32,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut pressure = self.link.pressure().lock();
        pressure.reserved = pressure.reserved.saturating_sub(self.segments);
    }
}

/// The task that polls a link's device.
pub(crate) struct Look(pub(crate) Arc<Link>);

impl Task for Look {
    fn run(&self) {
        self.0.look();
    }
}

impl Link {
    /// Stops the link's channels if its device does not keep up. Must be called after each
    /// transmission.
    #[inline]
    pub(crate) fn sent(&self, dev: &Netdev) {
        if let Some(backlog) = dev.backlog() {
            self.press(backlog, dev.tx_queue_len());
        }
    }

    #[cold]
    fn press(&self, backlog: u32, limit: u32) {
        let mut pressure = self.pressure().lock();
        if policy::is_congested(false, Some(backlog), limit) {
            self.begin(&mut pressure);
        }
    }

    /// Stops the channels until the device sends again.
    fn begin(&self, pressure: &mut Pressure) {
        if pressure.is_congested {
            return;
        }
        pressure.is_congested = true;
        pressure.wait_ms = FIRST_MS;
        self.tell_channels(false, pressure);
        pressure.look_later();
    }

    /// Reserves room in the device's queue for the segments of a packet. `EAGAIN` if there is not
    /// enough now, and then the channels are stopped; `EMSGSIZE` if there never is.
    ///
    /// Packets of other kinds do not ask, and are few before channels are stopped.
    pub(crate) fn reserve(&self, segments: usize, dev: &Netdev) -> Result<Reservation<'_>> {
        let segments = u32::try_from(segments).map_err(|_| EMSGSIZE)?;
        let mut pressure = self.pressure().lock();
        let all = pressure.reserved.saturating_add(segments);
        let limit = dev.queue_limit();
        // What is being sent may be in the backlog already: then it counts twice.
        match policy::room_for_segments(all, dev.backlog(), limit) {
            Ok(()) => {
                pressure.reserved = all;
                Ok(Reservation {
                    link: self,
                    segments,
                })
            }
            Err(_) if segments <= limit => {
                pressure.refused = pressure.refused.max(segments);
                self.begin(&mut pressure);
                Err(EAGAIN)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Restarts the link's channels if its device sends again, and has room for what was refused.
    fn look(&self) {
        let guard = rcu::read_lock();
        let dev = self.dev(&guard).filter(|_| self.works());
        let mut pressure = self.pressure().lock();
        let backlog = dev.and_then(Netdev::backlog);
        let is_full = dev.is_some_and(|dev| {
            // The queue may have become shorter since the packet was refused.
            let limit = dev.queue_limit();
            policy::room_for_segments(pressure.refused.min(limit), backlog, limit).is_err()
        });
        if is_full || policy::is_congested(true, backlog, dev.map_or(0, Netdev::tx_queue_len)) {
            return pressure.look_later();
        }
        pressure.is_congested = false;
        pressure.refused = 0;
        self.tell_channels(true, &mut pressure);
    }

    /// Sets the flow of the link's side on all its channels, with the lock held.
    fn tell_channels(&self, on: bool, _locked: &mut Pressure) {
        let guard = rcu::read_lock();
        for id in u8::MIN..=u8::MAX {
            if let Some(channel) = self.channel(id, &guard) {
                channel.set_flow(Side::Link, on);
            }
        }
    }

    /// Stops a channel that was added to the table, if the link is congested. A task that changes
    /// all channels either finds this one, or released the lock before.
    pub(crate) fn tell_pressure(&self, channel: &Channel) {
        let pressure = self.pressure().lock();
        if pressure.is_congested {
            channel.set_flow(Side::Link, false);
        }
    }
}
