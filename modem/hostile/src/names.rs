// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The names in the catalogue's expressions.

use crate::{
    link::{Link, field},
    stack,
};
use ivshmem::{
    control::{FIRMWARE, FIRMWARE_SIZE, HEAP, POOL, VRING_SIZE, VRINGS},
    memory::DA_BASE,
};
use kernel_pure::ivshmem::rsc_table::vdev;

/// Fields of a vring, after `rx.` or `tx.`.
const RING: [&str; 11] = [
    "num",
    "desc",
    "avail_flags",
    "avail_idx",
    "avail_ring",
    "used_event",
    "used_flags",
    "used_idx",
    "used_ring",
    "avail_event",
    "end",
];
/// Names whose values change while the link is up.
const LINK: [&str; 12] = [
    "num", "headroom", "tailroom", "room", "mru", "heap_end", "table", "status", "config",
    "rx.idx", "tx.idx", "buf",
];

/// Returns whether a name has a value once a link is up.
pub fn is_known(name: &str) -> bool {
    let ring = |prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|field| RING.contains(&field))
    };
    fixed(name).is_some()
        || LINK.contains(&name)
        || ring("rx.")
        || ring("tx.")
        || taken(name).is_some()
        || name == "n"
        || channel(name).is_some()
}

/// Parses the name of a channel in `id.a`, or in `len.a` for the length of the answer to its request.
fn channel(name: &str) -> Option<(bool, &str)> {
    match name.strip_prefix("id.") {
        Some(socket) => Some((true, socket)),
        None => Some((false, name.strip_prefix("len.")?)),
    }
}

/// Parses the number of a taken frame in `taken0`, or in `slot0` for its buffer.
fn taken(name: &str) -> Option<(bool, usize)> {
    let (id, place) = match name.strip_prefix("taken") {
        Some(place) => (true, place),
        None => (false, name.strip_prefix("slot")?),
    };
    Some((id, place.parse().ok()?))
}

/// Returns the value of a name that is the same on each link.
pub fn fixed(name: &str) -> Option<u64> {
    Some(match name {
        "page" => DA_BASE,
        "firmware" | "window_start" => FIRMWARE,
        "firmware_end" => FIRMWARE + FIRMWARE_SIZE,
        "vring0" => VRINGS[0],
        "vring0_end" => VRINGS[0] + VRING_SIZE,
        "vring1" => VRINGS[1],
        "vring1_end" => VRINGS[1] + VRING_SIZE,
        "tx_pool" => POOL,
        "tx_pool_end" | "heap" => HEAP,
        "good" => stack::GOOD.into(),
        _ => return None,
    })
}

/// Returns the value of a name on a link.
pub fn value(link: &Link, name: &str) -> Option<u64> {
    if let Some(value) = fixed(name) {
        return Some(value);
    }
    if let Some((id, place)) = taken(name) {
        let (head, addr) = *link.tx.taken.get(place)?;
        return Some(if id { head.into() } else { addr });
    }
    if let Some((id, socket)) = channel(name) {
        let stack = link.stack.as_ref()?;
        return Some(if id {
            stack.id(socket)?.into()
        } else {
            // Command, parameters and link id.
            stack.channels.get(socket)?.params.len() as u64 + 2
        });
    }
    let config = link.downlink();
    Some(match name {
        "num" => link.rx.fields().num().into(),
        "headroom" => config.headroom.into(),
        "tailroom" => config.tailroom.into(),
        "room" => config.room().into(),
        "mru" => config.mtu.into(),
        "heap_end" => DA_BASE + link.memory().size(),
        "buf" => link.buffer(0),
        // The entry of the device, behind its type; its status; its config space.
        "table" => link.vdev(),
        "status" => link.vdev() + vdev::STATUS as u64,
        "config" => link.vdev() + vdev::CONFIG as u64,
        "rx.idx" => link.rx.next_avail().into(),
        "tx.idx" => link.tx.ring.next_used().into(),
        _ => match name.split_once('.')? {
            ("rx", name) => field(link.vring(0)?, name)?,
            ("tx", name) => field(link.vring(1)?, name)?,
            _ => return None,
        },
    })
}
