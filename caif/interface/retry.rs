// SPDX-License-Identifier: GPL-2.0

//! When an interface requests a channel again: at growing intervals, and when a link comes up.

use super::{
    fit,
    turns,
    Inner,
    Interface,
    State, //
};
use crate::{
    abstractions::{
        deferred::Task,
        net::{
            netdev::{
                NetId,
                Rtnl, //
            },
            unregistering::Unregistering, //
        },
        rcu::RcuArc, //
    },
    link::Link,
    links::Watcher, //
};
use kernel::sync::rcu;

/// Delay before a channel is requested again; it doubles each time, up to the limit.
pub(super) const RETRY_MS: u32 = 500;
const RETRY_LIMIT_MS: u32 = 30_000;

impl Inner {
    /// Schedules the next request, with exponential back-off.
    pub(super) fn retry_later(&mut self) {
        let ms = self.retry_ms;
        self.retry_ms = ms.saturating_mul(2).min(RETRY_LIMIT_MS);
        self.schedule(ms);
    }

    /// Schedules the next request `RETRY_MS` after the last one. Returns false, and does not, if
    /// that time has passed.
    pub(super) fn asks_later(&mut self) -> bool {
        let Some(asked_at) = &self.asked_at else {
            return false;
        };
        let left = i64::from(RETRY_MS).saturating_sub(asked_at.elapsed().as_millis());
        match u32::try_from(left) {
            Ok(ms @ 1..) => {
                self.schedule(ms);
                true
            }
            _ => false,
        }
    }

    fn schedule(&self, ms: u32) {
        if let Some(retry) = &self.retry {
            retry.schedule(ms);
        }
    }
}

impl Interface {
    /// Notes that it is in the list of [`turns`]. Returns whether it was not.
    pub(super) fn begin_turn(&self) -> bool {
        !core::mem::replace(&mut self.inner.lock().has_turn, true)
    }

    /// Notes that it is not in that list any more. Returns whether it still needs the turn: it does
    /// not if it was set down or unregistered.
    pub(super) fn end_turn(&self) -> bool {
        let mut inner = self.inner.lock();
        inner.has_turn = false;
        matches!(inner.state, State::Waiting)
    }

    /// Requests a channel, or does so later if it cannot. Does nothing if the interface was
    /// unregistered.
    pub(super) fn ask_again(self: &RcuArc<Self>, rtnl: &Rtnl<'_>) {
        let Some(dev) = self.dev.get() else { return };
        if self.ask(&dev, rtnl).is_err() {
            self.retry_if_waiting();
        }
    }

    /// Schedules the next request if the interface waits for a channel.
    fn retry_if_waiting(&self) {
        let mut inner = self.inner.lock();
        if matches!(inner.state, State::Waiting) {
            inner.retry_later();
        }
    }

    /// Returns whether the interface has a channel on a link, or requests one.
    fn is_on(&self, link: &Link) -> bool {
        if let State::Asking(Some(request)) = &self.inner.lock().state {
            return core::ptr::eq(&raw const **request.link(), link);
        }
        let guard = rcu::read_lock();
        let channel = self.channel.load(&guard);
        channel.is_some_and(|channel| core::ptr::eq(&raw const **channel.link(), link))
    }
}

/// The task that requests a channel again.
pub(super) struct Retry(pub(super) RcuArc<Interface>);

impl Retry {
    fn schedule(&self, ms: u32) {
        let inner = self.0.inner.lock();
        if matches!(inner.state, State::Waiting) {
            inner.schedule(ms);
        }
    }
}

impl Task for Retry {
    fn run(&self) {
        if turns::wait(&self.0).is_err() {
            self.0.retry_if_waiting();
        }
    }
}

impl Watcher for Retry {
    fn link_up(&self, net: NetId, index: u32) {
        let can_use = match self.0.lower {
            Some(lower) => lower == (net, index),
            None => self.0.dev.get().is_some_and(|dev| dev.net() == net),
        };
        if !can_use {
            return;
        }
        self.0.inner.lock().retry_ms = RETRY_MS;
        self.schedule(0);
    }

    fn link_resized(&self, link: &Link, rtnl: &Rtnl<'_>) {
        let Some(dev) = self.0.dev.get() else { return };
        if let (true, Ok(mtu)) = (self.0.is_on(link), link.mtu()) {
            // If the link is too small for IP the MTU stays; longer packets count as errors.
            let _ = fit(&dev, mtu, rtnl);
        }
    }

    fn link_gone(&self, net: NetId, index: u32, rtnl: &Rtnl<'_>, with: &Unregistering<'_>) {
        if self.0.lower == Some((net, index)) {
            if let Some(dev) = self.0.dev.get() {
                // Both devices may be in the same list of devices to unregister.
                dev.unlink_lowers(rtnl);
                with.add(&dev);
            }
        }
    }
}
