// SPDX-License-Identifier: GPL-2.0

//! Checks that the resource table of a firmware describes the board's one virtio device.
//!
//! remoteproc marks a processor as running even if it could not set up its vrings, and does not
//! release them afterwards. So a table with vrings that cannot be set up is refused here.
//!
//! The modem has its own reader of resource tables. The two share no code, so that a fuzz target
//! can compare their answers for the same table.

use core::ops::Range;

use super::{
    firmware::Unfit,
    map::VRING_LEN, //
};
use crate::{
    elf::word,
    vring_layout::{
        Layout,
        MAX_NUM, //
    }, //
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

/// The bytes of the entry that Linux writes while the firmware is in use: the negotiated features,
/// the status, and the place and the notify id of each vring.
const BY_LINUX: [Range<usize>; 6] = [16..20, 24..25, 28..32, 40..44, 48..52, 60..64];

/// Checks a resource table.
pub fn check(table: &[u8]) -> Result<(), Unfit> {
    let word = |bytes, offset| word(bytes, offset).ok_or(Unfit::TableTruncated);
    let version = word(table, 0)?;
    if version != VERSION {
        return Err(Unfit::TableVersion(version));
    }
    let count = word(table, 4)?;
    let reserved = word(table, 8)? | word(table, 12)?;
    let offset = word(table, 16)? as usize;
    let entry = table.get(offset..).ok_or(Unfit::TableTruncated)?;
    if count != 1 || word(entry, 0)? != RSC_VDEV || word(entry, 4)? != CAIF {
        return Err(Unfit::TableEntries);
    }
    let [_, vrings, reserved_of_entry @ ..] = word(entry, 24)?.to_le_bytes();
    if vrings != VRINGS {
        return Err(Unfit::Vrings(vrings));
    }
    if reserved != 0 || reserved_of_entry != [0; 2] {
        return Err(Unfit::TableReserved);
    }
    let vrings = entry.get(VDEV..).ok_or(Unfit::TableTruncated)?;
    let (vrings, config) = vrings
        .split_at_checked(VRING * usize::from(VRINGS))
        .ok_or(Unfit::TableTruncated)?;
    if word(entry, 20)? as usize > config.len() {
        return Err(Unfit::TableTruncated);
    }
    vrings.chunks_exact(VRING).try_for_each(check_vring)
}

/// Checks the description of a vring.
fn check_vring(vring: &[u8]) -> Result<(), Unfit> {
    let word = |offset| word(vring, offset).ok_or(Unfit::TableTruncated);
    let da = word(0)?;
    if da != ANY {
        return Err(Unfit::VringAddress(da));
    }
    Layout::new(word(8)?, word(4)?).map_err(Unfit::Vring)?;
    Ok(())
}

/// Checks that a table is the one in use, except for the bytes that Linux writes.
///
/// A recovery keeps the vrings and Linux's table, so that firmware with another table would meet
/// rings and a config that it does not expect.
pub fn check_same(table: &[u8], in_use: &[u8]) -> Result<(), Unfit> {
    let entry = word(in_use, 16).ok_or(Unfit::TableDiffers(0))? as usize;
    let by_linux = |at: usize| {
        at.checked_sub(entry)
            .is_some_and(|at| BY_LINUX.iter().any(|range| range.contains(&at)))
    };
    let differs = |(at, (a, b)): (usize, (&u8, &u8))| a != b && !by_linux(at);
    let common = table.len().min(in_use.len());
    match table.iter().zip(in_use).enumerate().position(differs) {
        Some(at) => Err(Unfit::TableDiffers(at)),
        None if table.len() != in_use.len() => Err(Unfit::TableDiffers(common)),
        None => Ok(()),
    }
}

// A carveout has room for every ring that the layout allows.
const _: () = match Layout::new(MAX_NUM, 65536) {
    Ok(largest) => assert!(largest.size() <= VRING_LEN),
    Err(_) => panic!(),
};
