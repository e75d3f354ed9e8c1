// SPDX-License-Identifier: GPL-2.0

//! Whether the resource table of a firmware describes the board's one virtio device.
//!
//! remoteproc calls a processor running whose vrings it could not set up, and never lets go of
//! them, so that a table with such vrings must not get that far.
//!
//! The modem has a reader of its own, for what remoteproc makes of the table. They share no code,
//! since a fuzz target asks both of the same table.

use super::{
    firmware::{
        word,
        Unfit, //
    },
    map::VRING_LEN, //
};
use crate::vring_layout::{
    Layout,
    MAX_NUM, //
};

/// `ver` of the table.
const VERSION: u32 = 1;
/// Type of an entry that describes a virtio device.
const RSC_VDEV: u32 = 3;
/// Virtio id of a CAIF link.
const CAIF: u32 = 12;
/// Number of vrings of a CAIF link.
const VRINGS: u8 = 2;
/// Bytes of an entry in front of its vrings, with its type.
const VDEV: usize = 28;
/// Bytes of a vring's description.
const VRING: usize = 20;
/// `da` of a vring whose place Linux chooses.
const ANY: u32 = u32::MAX;

/// Checks a resource table.
pub fn check(table: &[u8]) -> Result<(), Unfit> {
    let version = word(table, 0)?;
    if version != VERSION {
        return Err(Unfit::TableVersion(version));
    }
    let count = word(table, 4)?;
    let offset = word(table, 16)? as usize;
    let entry = table.get(offset..).ok_or(Unfit::Truncated)?;
    if count != 1 || word(entry, 0)? != RSC_VDEV || word(entry, 4)? != CAIF {
        return Err(Unfit::TableEntries);
    }
    let [_, vrings, ..] = word(entry, 24)?.to_le_bytes();
    if vrings != VRINGS {
        return Err(Unfit::Vrings(vrings));
    }
    let vrings = entry.get(VDEV..).ok_or(Unfit::Truncated)?;
    let vrings = vrings
        .get(..VRING * usize::from(VRINGS))
        .ok_or(Unfit::Truncated)?;
    vrings.chunks_exact(VRING).try_for_each(check_vring)
}

/// Checks the description of a vring.
fn check_vring(vring: &[u8]) -> Result<(), Unfit> {
    let da = word(vring, 0)?;
    if da != ANY {
        return Err(Unfit::VringAddress(da));
    }
    Layout::new(word(vring, 8)?, word(vring, 4)?).map_err(Unfit::Vring)?;
    Ok(())
}

/// Any ring that the layout allows has room in its carveout.
const _: () = match Layout::new(MAX_NUM, 65536) {
    Ok(largest) => assert!(largest.size() <= VRING_LEN),
    Err(_) => panic!(),
};
