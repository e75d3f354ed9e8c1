// SPDX-License-Identifier: GPL-2.0

//! Links whose devices do not keep up: a modem returns slots later than they are needed. Then no
//! channel of the link sends, so that packets wait where somebody accounts for them, and none is
//! lost behind the stack.
//!
//! Nobody says when a device goes on. So long as channels are stopped, it is looked at.

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
use kernel::sync::{
    rcu,
    Arc, //
};

/// When to look at the device: first, and at last, if it stays as it is.
const FIRST_MS: u32 = 2;
const LAST_MS: u32 = 32;

/// Whether a link's channels may send, as far as the link is concerned. Channels are told with its
/// lock held, so that the last that each is told is right.
pub(crate) struct Pressure {
    is_congested: bool,
    wait_ms: u32,
    /// `None` once the link is gone.
    look: Option<Deferred<Look>>,
}

impl Pressure {
    pub(crate) const fn new() -> Self {
        Self {
            is_congested: false,
            wait_ms: FIRST_MS,
            look: None,
        }
    }

    /// Sets the task that looks at the device, or takes it.
    pub(crate) fn set_task(&mut self, look: Option<Deferred<Look>>) -> Option<Deferred<Look>> {
        core::mem::replace(&mut self.look, look)
    }

    /// Lets the device be looked at soon, or later the longer it stays as it is.
    fn look_later(&mut self) {
        if let Some(look) = &self.look {
            look.schedule(self.wait_ms);
        }
        self.wait_ms = self.wait_ms.saturating_mul(2).min(LAST_MS);
    }
}

/// Looks whether a link's device goes on.
pub(crate) struct Look(pub(crate) Arc<Link>);

impl Task for Look {
    fn run(&self) {
        self.0.look();
    }
}

impl Link {
    /// Stops the link's channels if its device does not keep up. For who sent something on it.
    #[inline]
    pub(crate) fn sent(&self, dev: &Netdev) {
        if let Some(backlog) = dev.backlog() {
            self.press(backlog, dev.tx_queue_len());
        }
    }

    #[cold]
    fn press(&self, backlog: u32, limit: u32) {
        let mut pressure = self.pressure().lock();
        if pressure.is_congested || !policy::is_congested(false, Some(backlog), limit) {
            return;
        }
        pressure.is_congested = true;
        pressure.wait_ms = FIRST_MS;
        self.tell_channels(false);
        pressure.look_later();
    }

    /// Lets the link's channels go on if its device does.
    fn look(&self) {
        let guard = rcu::read_lock();
        let dev = self.dev(&guard).filter(|_| self.works());
        let mut pressure = self.pressure().lock();
        let backlog = dev.and_then(Netdev::backlog);
        if policy::is_congested(true, backlog, dev.map_or(0, Netdev::tx_queue_len)) {
            return pressure.look_later();
        }
        pressure.is_congested = false;
        self.tell_channels(true);
    }

    /// With the lock held.
    fn tell_channels(&self, on: bool) {
        let guard = rcu::read_lock();
        for id in u8::MIN..=u8::MAX {
            if let Some(channel) = self.channel(id, &guard) {
                channel.set_flow(Side::Link, on);
            }
        }
    }

    /// Tells a channel that was added to the table. Whoever tells all of them either finds it, or
    /// is done before.
    pub(crate) fn tell_pressure(&self, channel: &Channel) {
        let pressure = self.pressure().lock();
        if pressure.is_congested {
            channel.set_flow(Side::Link, false);
        }
    }
}
