// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Contexts (PDP contexts, EPS bearers): their definitions, and those that are active.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::failure::{Cme, Failure};
use crate::network::Network;

/// The largest context identifier.
pub(crate) const MAX_CID: u8 = 16;
/// The longest name of an access point.
pub(crate) const MAX_APN: usize = 63;

/// The IP versions of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ipv4,
    Ipv6,
    Both,
}

impl Kind {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        match text.to_ascii_uppercase().as_str() {
            "IP" => Ok(Self::Ipv4),
            "IPV6" => Ok(Self::Ipv6),
            "IPV4V6" => Ok(Self::Both),
            _ => Err(Cme::BadParameters.into()),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "IP",
            Self::Ipv6 => "IPV6",
            Self::Both => "IPV4V6",
        }
    }

    pub(crate) fn has_ipv4(self) -> bool {
        self != Self::Ipv6
    }

    pub(crate) fn has_ipv6(self) -> bool {
        self != Self::Ipv4
    }
}

/// The IPv4 addresses at the two ends of an active context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv4Link {
    /// The modem's, which is the host's gateway.
    pub modem: Ipv4Addr,
    /// The host's.
    pub host: Ipv4Addr,
    /// Length of the prefix of both.
    pub prefix: u8,
}

impl Ipv4Link {
    /// Returns the netmask.
    pub(crate) fn mask(&self) -> Ipv4Addr {
        let host_bits = 32_u32.saturating_sub(self.prefix.into());
        Ipv4Addr::from_bits(u32::MAX.checked_shl(host_bits).unwrap_or(0))
    }
}

/// The IPv6 addresses at the two ends of an active context, of one /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv6Link {
    /// The modem's.
    pub modem: Ipv6Addr,
    /// The one that the host is told. It may use any other of the /64.
    pub host: Ipv6Addr,
}

/// The addresses of the two ends of an active context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Of IPv4.
    pub ipv4: Option<Ipv4Link>,
    /// Of IPv6.
    pub ipv6: Option<Ipv6Link>,
    /// Servers of DNS, which the modem is itself.
    pub dns: Vec<IpAddr>,
}

/// An active context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Active {
    /// The connection id of the channel that carries it.
    pub(crate) connection: u32,
    pub(crate) addresses: Addresses,
    block: Option<u16>,
}

/// A context that is defined.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) kind: Kind,
    pub(crate) apn: String,
    pub(crate) active: Option<Active>,
}

impl Context {
    /// Returns the address of the host as +CGDCONT and +CGEV show it.
    pub(crate) fn address(&self) -> String {
        let addresses = self.active.as_ref().map(|active| &active.addresses);
        let ipv4 = addresses.and_then(|addresses| addresses.ipv4);
        let ipv6 = addresses.and_then(|addresses| addresses.ipv6);
        match (self.kind, ipv4, ipv6) {
            (_, Some(link), _) => link.host.to_string(),
            (_, None, Some(link)) => dotted(link.host),
            (Kind::Ipv6, None, None) => dotted(Ipv6Addr::UNSPECIFIED),
            (_, None, None) => "0.0.0.0".to_owned(),
        }
    }
}

/// Writes an IPv6 address as sixteen decimal numbers: TS 27.007, +CGPADDR.
pub(crate) fn dotted(address: Ipv6Addr) -> String {
    address.octets().map(|octet| octet.to_string()).join(".")
}

/// All contexts of a modem.
#[derive(Debug, Default)]
pub(crate) struct Contexts(BTreeMap<u8, Context>);

impl Contexts {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, &Context)> {
        self.0.iter().map(|(cid, context)| (*cid, context))
    }

    pub(crate) fn get(&self, cid: u8) -> Option<&Context> {
        self.0.get(&cid)
    }

    /// Defines a context, or defines it anew.
    pub(crate) fn define(&mut self, cid: u8, kind: Kind, apn: &str) -> Result<(), Failure> {
        let plain = |c: char| c.is_ascii_graphic() && c != '"' && c != ',';
        if !(1..=MAX_CID).contains(&cid) || apn.len() > MAX_APN || !apn.chars().all(plain) {
            return Err(Cme::BadParameters.into());
        }
        if let Some(context) = self.0.get(&cid)
            && context.active.is_some()
        {
            // The same definition again changes nothing.
            let same = context.kind == kind && context.apn == apn;
            return same.then_some(()).ok_or(Cme::NotAllowed.into());
        }
        let context = Context {
            kind,
            apn: apn.to_owned(),
            active: None,
        };
        self.0.insert(cid, context);
        Ok(())
    }

    /// Forgets a definition.
    pub(crate) fn remove(&mut self, cid: u8) -> Result<(), Failure> {
        match self.0.get(&cid) {
            Some(context) if context.active.is_some() => Err(Cme::NotAllowed.into()),
            _ if !(1..=MAX_CID).contains(&cid) => Err(Cme::BadParameters.into()),
            _ => {
                self.0.remove(&cid);
                Ok(())
            }
        }
    }

    /// Returns the active context on a connection id.
    pub(crate) fn on_connection(&self, connection: u32) -> Option<(u8, &Active)> {
        self.iter()
            .filter_map(|(cid, context)| Some((cid, context.active.as_ref()?)))
            .find(|(_, active)| active.connection == connection)
    }

    /// Activates a context on a connection id. Returns whether it was not active there before.
    pub(crate) fn activate(
        &mut self,
        cid: u8,
        connection: u32,
        network: &mut Network,
    ) -> Result<bool, Failure> {
        let holder = self.on_connection(connection).map(|(cid, _)| cid);
        let context = self.0.get_mut(&cid).ok_or(Cme::BadParameters)?;
        match (&context.active, holder) {
            // It remains active, as TS 27.007 says of +CGACT.
            (Some(active), _) if active.connection == connection => return Ok(false),
            (Some(_), _) | (None, Some(_)) => return Err(Cme::NotAllowed.into()),
            (None, None) => {}
        }
        let (addresses, block) = network
            .allocate(context.kind, connection)
            .ok_or(Cme::NoResources)?;
        context.active = Some(Active {
            connection,
            addresses,
            block,
        });
        Ok(true)
    }

    /// Deactivates a context. Returns what it was, if it was active.
    pub(crate) fn deactivate(&mut self, cid: u8, network: &mut Network) -> Option<Active> {
        let active = self.0.get_mut(&cid)?.active.take()?;
        network.release(active.block);
        Some(active)
    }

    /// Returns the contexts that are active.
    pub(crate) fn active(&self) -> Vec<u8> {
        self.iter()
            .filter(|(_, context)| context.active.is_some())
            .map(|(cid, _)| cid)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Addressing, Pool};

    #[test]
    fn masks() {
        let mask = |prefix| {
            let link = Ipv4Link {
                modem: Ipv4Addr::UNSPECIFIED,
                host: Ipv4Addr::UNSPECIFIED,
                prefix,
            };
            link.mask().to_string()
        };
        assert_eq!(mask(28), "255.255.255.240");
        assert_eq!(mask(0), "0.0.0.0");
        assert_eq!(mask(32), "255.255.255.255");
        assert_eq!(mask(99), "255.255.255.255");
    }

    #[test]
    fn two_contexts_share_neither_connection_nor_address() {
        let mut network = Network {
            addressing: Addressing::Pool(Pool::new([10, 0, 0, 0].into(), Ipv6Addr::LOCALHOST, 2)),
            ..Network::default()
        };
        let mut contexts = Contexts::default();
        for cid in 1..=3 {
            contexts.define(cid, Kind::Both, "net").unwrap();
        }
        assert_eq!(contexts.activate(1, 7, &mut network), Ok(true));
        assert_eq!(contexts.activate(1, 7, &mut network), Ok(false));
        let not_allowed = Err(Cme::NotAllowed.into());
        assert_eq!(contexts.activate(1, 8, &mut network), not_allowed);
        assert_eq!(contexts.activate(2, 7, &mut network), not_allowed);
        assert_eq!(contexts.activate(2, 8, &mut network), Ok(true));
        let none_left = Err(Cme::NoResources.into());
        assert_eq!(contexts.activate(3, 9, &mut network), none_left);
        let first = contexts.deactivate(1, &mut network).unwrap();
        assert_eq!(contexts.deactivate(1, &mut network), None);
        assert_eq!(contexts.activate(3, 7, &mut network), Ok(true));
        let (cid, third) = contexts.on_connection(7).unwrap();
        assert_eq!((cid, &third.addresses), (3, &first.addresses));
        assert_eq!(contexts.active(), [2, 3]);
    }
}
