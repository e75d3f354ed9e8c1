// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The network that a modem is in, and its SIM.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::contexts::{Addresses, Ipv4Link, Kind};
use crate::messages::Message;
use crate::pool::Pool;
use crate::scenario::Script;

/// Which addresses a context gets.
#[derive(Debug, Clone)]
pub enum Addressing {
    /// The addresses follow from the connection id: `10.9.(id mod 256).1` for the modem and the
    /// address after it for the host, unless the map has the modem's address and the length of its
    /// prefix. IPv4 only. Two contexts can have the same.
    ByConnection(BTreeMap<u32, (Ipv4Addr, u8)>),
    /// A block of a pool, which no other context has at that time.
    Pool(Pool),
}

/// The network that a modem is in, and its SIM: what it finds when it is switched on.
#[derive(Debug, Clone)]
pub struct Network {
    /// Which addresses contexts get.
    pub addressing: Addressing,
    /// Servers of DNS that contexts are told.
    pub dns: [Ipv4Addr; 2],
    /// The same for IPv6.
    pub dns6: [Ipv6Addr; 2],
    /// The time from switching the radio on to registration.
    pub registration_time: Duration,
    /// Mobile country and network code.
    pub operator: String,
    /// The operator's name.
    pub operator_name: String,
    /// The subscriber's identity.
    pub imsi: String,
    /// The PIN that the SIM asks for; `None` if it asks for none.
    pub pin: Option<String>,
    /// Strength of the signal as +CSQ has it: 0 to 31, or 99 if it is not known.
    pub signal: u8,
    /// Messages that wait on the SIM.
    pub(crate) messages: Vec<Message>,
    /// The actions of the scenario, with their triggers.
    pub(crate) script: Script,
}

impl Network {
    /// Returns the network whose contexts have the addresses of their connection ids. The modem
    /// is registered as soon as it is on.
    pub fn by_connection(addresses: BTreeMap<u32, (Ipv4Addr, u8)>) -> Self {
        Self {
            addressing: Addressing::ByConnection(addresses),
            registration_time: Duration::ZERO,
            ..Self::default()
        }
    }

    /// Returns the addresses for a context, and the block of the pool that they are of.
    pub(crate) fn allocate(
        &mut self,
        kind: Kind,
        connection: u32,
    ) -> Option<(Addresses, Option<u16>)> {
        match &mut self.addressing {
            Addressing::ByConnection(addresses) => {
                if !kind.has_ipv4() {
                    return None;
                }
                let [low, ..] = connection.to_le_bytes();
                let (modem, prefix) = addresses
                    .get(&connection)
                    .copied()
                    .unwrap_or((Ipv4Addr::new(10, 9, low, 1), 24));
                let ipv4 = Ipv4Link {
                    modem,
                    host: Ipv4Addr::from_bits(modem.to_bits().wrapping_add(1)),
                    prefix: prefix.min(32),
                };
                let addresses = Addresses {
                    ipv4: Some(ipv4),
                    ipv6: None,
                    dns: vec![modem.into(), modem.into()],
                };
                Some((addresses, None))
            }
            Addressing::Pool(pool) => {
                let block = pool.allocate()?;
                let mut addresses = Addresses::default();
                if kind.has_ipv4() {
                    addresses.ipv4 = Some(pool.ipv4(block));
                    addresses.dns.extend(self.dns.map(std::net::IpAddr::from));
                }
                if kind.has_ipv6() {
                    addresses.ipv6 = Some(pool.ipv6(block));
                    addresses.dns.extend(self.dns6.map(std::net::IpAddr::from));
                }
                Some((addresses, Some(block)))
            }
        }
    }

    /// Returns the strength of the signal in bars, 0 to 5, as +CIND shows it.
    pub(crate) fn bars(&self) -> u8 {
        match self.signal {
            0..=1 | 32.. => 0,
            2..=8 => 1,
            9..=14 => 2,
            15..=19 => 3,
            20..=25 => 4,
            26..=31 => 5,
        }
    }

    /// Gives a block of the pool back.
    pub(crate) fn release(&mut self, block: Option<u16>) {
        if let (Addressing::Pool(pool), Some(block)) = (&mut self.addressing, block) {
            pool.release(block);
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        let base6 = Ipv6Addr::new(0xfd00, 0x64, 0, 0, 0, 0, 0, 0);
        Self {
            addressing: Addressing::Pool(Pool::new(Ipv4Addr::new(10, 64, 0, 0), base6, 64)),
            dns: [Ipv4Addr::new(10, 65, 0, 1), Ipv4Addr::new(10, 65, 0, 2)],
            dns6: [1, 2].map(|n| Ipv6Addr::new(0xfd00, 0x65, 0, 0, 0, 0, 0, n)),
            registration_time: Duration::from_millis(100),
            operator: "00101".to_owned(),
            operator_name: "Test".to_owned(),
            imsi: "001010123456789".to_owned(),
            pin: None,
            signal: 23,
            messages: Vec::new(),
            script: Script::default(),
        }
    }
}
