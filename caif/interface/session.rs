// SPDX-License-Identifier: GPL-2.0

//! A channel of an interface, from the request for it to its end.

use super::{
    Interface,
    State,
    RETRY_MS, //
};
use crate::{
    abstractions::{
        bindings,
        net::{
            netdev::{
                NetId,
                Outcome, //
            },
            skbuff::SkBuff, //
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
use kernel::{
    prelude::*,
    sync::rcu, //
};

const IPV4: u16 = bindings::ETH_P_IP as u16;
const IPV6: u16 = bindings::ETH_P_IPV6 as u16;

/// An attempt of an interface to get a channel, and the channel if it succeeds.
pub(super) struct Session {
    interface: RcuArc<Interface>,
    /// Calls for a session that is not the interface's last one have no effect.
    number: u64,
}

impl Session {
    pub(super) fn new(interface: RcuArc<Interface>, number: u64) -> Self {
        Self { interface, number }
    }
}

impl Client for Session {
    fn receive(&self, mut skb: SkBuff) {
        let guard = rcu::read_lock();
        let Some(dev) = self.interface.dev.load(&guard) else {
            return;
        };
        let protocol = match skb.head(1) {
            Some([first]) if first >> 4 == 4 => IPV4,
            Some([first]) if first >> 4 == 6 => IPV6,
            _ => return dev.count_rx_fault(Outcome::Error),
        };
        dev.count_rx(skb.len());
        dev.receive(skb, protocol);
    }

    fn flow(&self, on: bool) {
        let mut inner = self.interface.inner.lock();
        if inner.session != self.number || matches!(inner.state, State::Down) {
            return;
        }
        self.interface.set_queue(on, &mut inner);
    }

    fn outcome(&self, result: Result<RcuArc<Channel>>, _appended: &[u8]) {
        let mut inner = self.interface.inner.lock();
        let is_current = inner.session == self.number && matches!(inner.state, State::Asking(_));
        let mut request = None;
        match result {
            Ok(channel) if !is_current => {
                drop(inner);
                return channel.close();
            }
            Ok(channel) if channel.check() != Err(Stopped::Closed) => {
                let is_on = channel.check().is_ok();
                // The slot is empty in this state.
                self.interface.channel.publish(channel);
                request = Some(core::mem::replace(&mut inner.state, State::Connected));
                inner.retry_ms = RETRY_MS;
                self.interface.set_carrier(true, &mut inner);
                self.interface.set_queue(is_on, &mut inner);
            }
            // `shutdown()` was first.
            Ok(_) => {
                request = Some(core::mem::replace(&mut inner.state, State::Waiting));
                inner.retry_later();
            }
            Err(error) if is_current && inner.opening => {
                request = Some(core::mem::replace(&mut inner.state, State::Failed(error)));
            }
            Err(_) if is_current => {
                request = Some(core::mem::replace(&mut inner.state, State::Waiting));
                inner.retry_later();
            }
            Err(_) => {}
        }
        drop(inner);
        // Takes the lock of the link.
        drop(request);
        self.interface.answered.notify_all();
    }

    fn shutdown(&self, _why: Shutdown) {
        let mut inner = self.interface.inner.lock();
        if inner.session != self.number || !matches!(inner.state, State::Connected) {
            return;
        }
        let channel = self.interface.channel.take();
        inner.state = State::Waiting;
        self.interface.set_carrier(false, &mut inner);
        inner.retry_later();
        drop(inner);
        drop(channel);
    }

    fn owner(&self, net: NetId) -> Owner {
        let guard = rcu::read_lock();
        match self.interface.dev.load(&guard) {
            Some(dev) if dev.net() == net => Owner::Interface(dev.name()),
            _ => Owner::Unknown,
        }
    }

    // IP drops what it has no room for.
    fn takes(&self) -> bool {
        true
    }
}
