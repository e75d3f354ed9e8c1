// SPDX-License-Identifier: GPL-2.0

//! Checks that the resource table of a firmware describes the board's one virtio device.
//!
//! remoteproc marks a processor as running even if it could not set up its vrings, and does not
//! release them afterwards. So a table with vrings that cannot be set up is refused here.
//!
//! The modem has its own reader of resource tables. The two share the layout and no code, so that
//! a fuzz target can compare their answers for the same table.

use core::ops::Range;

use super::{
    firmware::Unfit,
    map::VRING_LEN,
    rsc_table::{
        header,
        vdev,
        vring,
        ADDR_ANY,
        RSC_VDEV,
        TYPE_LEN,
        VERSION,
        VIRTIO_ID_CAIF, //
    }, //
};
use crate::{
    elf::word,
    vring_layout::{
        Layout,
        MAX_NUM, //
    }, //
};

/// Number of vrings of a CAIF link.
const VRINGS: u8 = vdev::VRINGS.len() as u8;

/// The bytes of the device's entry that Linux writes while the firmware is in use: the negotiated
/// features, the status, and the place and the notify id of each vring.
const BY_LINUX: [Range<usize>; 6] = [
    word_at(vdev::GFEATURES),
    vdev::STATUS..vdev::STATUS + 1,
    word_at(vdev::VRINGS[0] + vring::DA),
    word_at(vdev::VRINGS[0] + vring::NOTIFYID),
    word_at(vdev::VRINGS[1] + vring::DA),
    word_at(vdev::VRINGS[1] + vring::NOTIFYID),
];

/// Returns the bytes of the word at an offset.
const fn word_at(at: usize) -> Range<usize> {
    at..at + 4
}

/// Checks a resource table.
pub fn check(table: &[u8]) -> Result<(), Unfit> {
    let word = |bytes, offset| word(bytes, offset).ok_or(Unfit::TableTruncated);
    let version = word(table, header::VERSION)?;
    if version != VERSION {
        return Err(Unfit::TableVersion(version));
    }
    let count = word(table, header::NUM)?;
    let [first, second] = header::RESERVED;
    let reserved = word(table, first)? | word(table, second)?;
    let offset = word(table, header::OFFSETS)? as usize;
    let typed = table.get(offset..).ok_or(Unfit::TableTruncated)?;
    let entry = typed.get(TYPE_LEN..).unwrap_or_default();
    if count != 1 || word(typed, 0)? != RSC_VDEV || word(entry, vdev::ID)? != VIRTIO_ID_CAIF {
        return Err(Unfit::TableEntries);
    }
    let [_, vrings, reserved_of_entry @ ..] = word(entry, vdev::STATUS)?.to_le_bytes();
    if vrings != VRINGS {
        return Err(Unfit::Vrings(vrings));
    }
    if reserved != 0 || reserved_of_entry != [0; 2] {
        return Err(Unfit::TableReserved);
    }
    let config = entry.get(vdev::CONFIG..).ok_or(Unfit::TableTruncated)?;
    if word(entry, vdev::CONFIG_LEN)? as usize > config.len() {
        return Err(Unfit::TableTruncated);
    }
    vdev::VRINGS
        .iter()
        .try_for_each(|at| check_vring(entry.get(*at..).unwrap_or_default()))
}

/// Checks the description of a vring.
fn check_vring(vring: &[u8]) -> Result<(), Unfit> {
    let word = |offset| word(vring, offset).ok_or(Unfit::TableTruncated);
    let da = word(vring::DA)?;
    if da != ADDR_ANY {
        return Err(Unfit::VringAddress(da));
    }
    Layout::new(word(vring::NUM)?, word(vring::ALIGN)?).map_err(Unfit::Vring)?;
    Ok(())
}

/// Checks that a table is the one in use, except for the bytes that Linux writes.
///
/// A recovery keeps the vrings and Linux's table, so that firmware with another table would meet
/// rings and a config that it does not expect.
pub fn check_same(table: &[u8], in_use: &[u8]) -> Result<(), Unfit> {
    let entry = word(in_use, header::OFFSETS).ok_or(Unfit::TableDiffers(0))? as usize;
    let by_linux = |at: usize| {
        at.checked_sub(entry)
            .and_then(|at| at.checked_sub(TYPE_LEN))
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
