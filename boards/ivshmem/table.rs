// SPDX-License-Identifier: GPL-2.0

//! Checks that the resource table of a firmware describes the board's one virtio device.
//!
//! remoteproc marks a processor as running even if it could not set up its vrings, and does not
//! release them afterwards. So a table with vrings that cannot be set up is refused here.
//!
//! The modem has its own reader of resource tables. The two share no code, so that a fuzz target
//! can compare their answers for the same table.

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

// A carveout has room for every ring that the layout allows.
const _: () = match Layout::new(MAX_NUM, 65536) {
    Ok(largest) => assert!(largest.size() <= VRING_LEN),
    Err(_) => panic!(),
};
