// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modem behind the AT channels.

use std::collections::BTreeMap;
use std::time::Instant;

use at_model::{Addresses, Modem, Network, Order, Report};

use crate::Config;

/// The state that the AT channels share.
pub(crate) enum At {
    /// No state: each channel has a modem of its own, and every connection id is served.
    Nothing {
        network: Box<Network>,
        modems: BTreeMap<u8, Modem>,
    },
    /// A modem in a network, which serves the connection ids of its active contexts.
    Modem(Box<Modem>),
}

impl At {
    pub(crate) fn new(config: &Config) -> Self {
        if let Some(network) = &config.network {
            return Self::Modem(Box::new(Modem::new(network.clone())));
        }
        let addresses = config
            .addresses
            .iter()
            .map(|(id, net)| (*id, (net.address, net.prefix)));
        Self::Nothing {
            network: Box::new(Network::by_connection(addresses.collect())),
            modems: BTreeMap::new(),
        }
    }

    /// Returns whether only the connection ids of active contexts are served.
    pub(crate) fn is_strict(&self) -> bool {
        matches!(self, Self::Modem(_))
    }

    /// Returns the addresses of the context that is active on a connection id.
    pub(crate) fn bearer(&self, connection: u32) -> Option<&Addresses> {
        match self {
            Self::Nothing { .. } => None,
            Self::Modem(modem) => modem.bearer(connection),
        }
    }

    pub(crate) fn open(&mut self, linkid: u8, now: Instant) {
        if let Self::Nothing { network, modems } = self {
            modems.insert(linkid, Modem::new(Network::clone(network)));
        }
        if let Some(modem) = self.modem(linkid) {
            modem.open(linkid, now);
        }
    }

    pub(crate) fn close(&mut self, linkid: u8) {
        match self {
            Self::Nothing { modems, .. } => drop(modems.remove(&linkid)),
            Self::Modem(modem) => modem.close(linkid),
        }
    }

    pub(crate) fn reset(&mut self) {
        match self {
            Self::Nothing { modems, .. } => modems.clear(),
            Self::Modem(modem) => modem.reset(),
        }
    }

    /// Handles bytes from a channel. Returns the orders that they result in.
    pub(crate) fn input(
        &mut self,
        linkid: u8,
        bytes: &[u8],
        report: Report<'_>,
        now: Instant,
    ) -> Vec<Order> {
        let Some(modem) = self.modem(linkid) else {
            return Vec::new();
        };
        modem.input(linkid, bytes, report, now);
        modem.orders()
    }

    /// Removes and returns the text for a channel.
    pub(crate) fn output(&mut self, linkid: u8) -> Vec<u8> {
        self.modem(linkid)
            .map(|modem| modem.output(linkid))
            .unwrap_or_default()
    }

    /// Does the work that is due. Returns the deadline of the next call, and orders for the modem.
    pub(crate) fn poll(&mut self, now: Instant) -> (Option<Instant>, Vec<Order>) {
        match self {
            // Nothing happens to such a modem but what its only channel asks for.
            Self::Nothing { .. } => (None, Vec::new()),
            Self::Modem(modem) => {
                let deadline = modem.poll(now);
                (deadline, modem.orders())
            }
        }
    }

    fn modem(&mut self, linkid: u8) -> Option<&mut Modem> {
        match self {
            Self::Nothing { modems, .. } => modems.get_mut(&linkid),
            Self::Modem(modem) => Some(modem),
        }
    }
}
