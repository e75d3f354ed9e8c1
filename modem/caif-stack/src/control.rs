// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The control channel: which channels a host may set up, and the service behind each.

use caif_wire::frame::OVERHEAD;
use caif_wire::params::{CHTYPE_DATAGRAM, CHTYPE_DATAGRAM_LOOP};
use caif_wire::{DATAGRAM_MTU, LinkParams, Service, ServiceParams};

use crate::Config;

/// Bytes of a frame around an IP packet: length, mux, datagram header, check sequence.
const IP_OVERHEAD: usize = OVERHEAD + Service::Datagram.header_len();
/// The smallest MTU that every IPv4 host must support.
const LEAST_IP_MTU: usize = 576;

/// The service behind an accepted channel.
pub(crate) enum Grant {
    At,
    Loopback(Service),
    /// An IP stack with an MTU.
    Ip {
        connection: u32,
        mtu: usize,
    },
}

/// Decides on a link set-up. The error is the reason of a refusal.
pub(crate) fn decide(config: &Config, params: &LinkParams<'_>) -> Result<Grant, &'static str> {
    if let Some(connection) = params.service.connection()
        && config.is_refused(connection)
    {
        return Err("the connection id is configured to be refused");
    }
    match (params.service, params.chtype) {
        (ServiceParams::Vei, _) => Ok(Grant::At),
        (ServiceParams::Datagram { connection }, CHTYPE_DATAGRAM) => Ok(Grant::Ip {
            connection,
            mtu: ip_mtu(config)?,
        }),
        (ServiceParams::Datagram { .. }, CHTYPE_DATAGRAM_LOOP) => {
            Ok(Grant::Loopback(Service::Datagram))
        }
        (ServiceParams::Datagram { .. }, _) => Err("a datagram channel has type 0 or 3"),
        (ServiceParams::Video { .. }, _) => Ok(Grant::Loopback(Service::Video)),
        (ServiceParams::Debug, _) => Ok(Grant::Loopback(Service::Debug)),
        (ServiceParams::Rfm { .. }, _) => Ok(Grant::Loopback(Service::Rfm)),
        (ServiceParams::Util { .. }, _) => Ok(Grant::Loopback(Service::Util)),
        (ServiceParams::Unknown { .. }, _) => Err("services are 1 to 6"),
    }
}

fn ip_mtu(config: &Config) -> Result<usize, &'static str> {
    let mtu = config
        .max_frame
        .saturating_sub(IP_OVERHEAD)
        .min(DATAGRAM_MTU);
    if mtu < LEAST_IP_MTU {
        return Err("the link is too small for IP packets of 576 bytes");
    }
    Ok(mtu)
}
