// SPDX-License-Identifier: GPL-2.0

//! Addresses of AF_CAIF (`struct sockaddr_caif`), and the link parameters that they stand for.

use super::Protocol;
use crate::{
    abstractions::{
        bindings,
        compat::prelude::*, //
    },
    caif_wire::params::{
        LinkParams,
        ServiceParams,
        CHTYPE_DATAGRAM,
        CHTYPE_DATAGRAM_LOOP, //
    },
    policy, //
};

/// `sizeof(struct sockaddr_caif)`.
const SIZE: usize = 24;
/// Offset of its union.
const UNION: usize = 4;

/// Returns an error unless the address is of the family AF_CAIF.
pub(super) fn check_family(address: &[u8]) -> Result {
    let family = address.first_chunk().ok_or(EINVAL)?;
    if u32::from(u16::from_ne_bytes(*family)) != bindings::AF_CAIF {
        return Err(EAFNOSUPPORT);
    }
    Ok(())
}

/// Returns the parameters of the channel to request. The link sets its own number.
pub(super) fn link_params<'a>(
    protocol: Protocol,
    address: &'a [u8],
    parameters: &'a [u8],
    priority: u32,
) -> Result<LinkParams<'a>> {
    let address: &'a [u8; SIZE] = address.try_into().map_err(|_| EINVAL)?;
    let (_, union) = address.split_first_chunk::<UNION>().ok_or(EINVAL)?;
    let (first, rest) = union.split_first_chunk::<4>().ok_or(EINVAL)?;
    let connection = u32::from_ne_bytes(*first);
    let [type_, service, ..] = *first;
    let (chtype, endpoint, service) = match protocol {
        Protocol::At => (type_ & 3, type_ >> 2 & 3, ServiceParams::Vei),
        Protocol::Datagram => (CHTYPE_DATAGRAM, 0, ServiceParams::Datagram { connection }),
        Protocol::DatagramLoop => (
            CHTYPE_DATAGRAM_LOOP,
            0,
            ServiceParams::Datagram { connection },
        ),
        Protocol::Util => {
            let name = *union.first_chunk().ok_or(EINVAL)?;
            let params = match u8::try_from(parameters.len()) {
                Ok(_) => parameters,
                Err(_) => return Err(EINVAL),
            };
            let util = ServiceParams::Util {
                fifo_kb: 0,
                fifo_bufs: 0,
                name,
                params,
            };
            (0, 0, util)
        }
        Protocol::Rfm => {
            let end = rest.iter().position(|byte| *byte == 0);
            // A NUL follows the name on the wire, for which a name of full length has no room.
            let volume = rest.get(..end.ok_or(EINVAL)?).ok_or(EINVAL)?;
            (0, 0, ServiceParams::Rfm { connection, volume })
        }
        Protocol::Debug if type_ < 16 && service < 4 => (type_, service, ServiceParams::Debug),
        Protocol::Debug => return Err(EINVAL),
    };
    Ok(LinkParams {
        chtype,
        priority: policy::wire_priority(priority),
        phyid: 0,
        endpoint,
        service,
    })
}
