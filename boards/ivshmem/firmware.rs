// SPDX-License-Identifier: GPL-2.0

//! Checks that an ELF file is firmware for the board's modem.
//!
//! remoteproc has checked the ELF header before. The checks here refuse firmware of another
//! machine, and segments or a resource table that do not fit the board, before anything is loaded.

use core::fmt;

use super::{
    map::{
        self,
        DA_BASE,
        FIRMWARE,
        MACHINE, //
    },
    table, //
};
use crate::vring_layout::LayoutError;

/// `EI_CLASS` of a 32-bit file.
const CLASS_32: u8 = 1;
/// `p_type` of a segment that is loaded.
const PT_LOAD: u32 = 1;
/// Bytes of a program header.
const PROGRAM_HEADER: usize = 32;
/// Bytes of a section header.
const SECTION_HEADER: usize = 40;
/// Name of the section that holds the resource table.
const TABLE: &[u8] = b".resource_table";

/// Why an image is not firmware for the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is not a 32-bit file.
    Class,
    /// It is for another machine.
    Machine(u16),
    /// A header, a section or a name is beyond the end of the file.
    Truncated,
    /// It has no segment to load.
    NoSegment,
    /// A segment or the resource table is outside of the memory for firmware.
    Outside(u32, u32),
    /// It has no resource table.
    NoTable,
    /// The resource table is of another version.
    TableVersion(u32),
    /// An entry of the resource table is beyond the table's end.
    TableTruncated,
    /// The resource table describes something else than one CAIF link.
    TableEntries,
    /// The link has another number of vrings.
    Vrings(u8),
    /// A vring asks for a fixed device address.
    VringAddress(u32),
    /// A vring has a geometry that is not allowed.
    Vring(LayoutError),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, room) = FIRMWARE;
        match self {
            Self::Class => f.write_str("is not a 32-bit ELF file"),
            Self::Machine(machine) => write!(
                f,
                "is for machine {machine:#06x}, while the modem's is {MACHINE:#06x}"
            ),
            Self::Truncated => f.write_str("is truncated"),
            Self::NoSegment => f.write_str("has nothing to load"),
            Self::Outside(da, len) => write!(
                f,
                "has {len:#x} bytes at {da:#x}, while {room:#x} bytes at {:#x} are for firmware",
                DA_BASE as usize + offset
            ),
            Self::NoTable => f.write_str("has no section .resource_table"),
            Self::TableVersion(version) => {
                write!(f, "has a resource table of version {version}, allowed is 1")
            }
            Self::TableTruncated => f.write_str("has a truncated resource table"),
            Self::TableEntries => {
                f.write_str("has a resource table of something else than one CAIF device")
            }
            Self::Vrings(vrings) => write!(f, "has {vrings} vrings, allowed are 2"),
            Self::VringAddress(da) => {
                write!(f, "has a vring at {da:#x}, allowed is 0xffffffff for any")
            }
            Self::Vring(e) => write!(f, "has a vring with {e}"),
        }
    }
}

/// Returns the `N` bytes at `offset`.
fn bytes<const N: usize>(image: &[u8], offset: usize) -> Result<[u8; N], Unfit> {
    image
        .get(offset..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .ok_or(Unfit::Truncated)
}

/// Returns the 16 bits at `offset`.
fn half(image: &[u8], offset: usize) -> Result<u16, Unfit> {
    bytes(image, offset).map(u16::from_le_bytes)
}

/// Returns the 32 bits at `offset`.
pub(super) fn word(image: &[u8], offset: usize) -> Result<u32, Unfit> {
    bytes(image, offset).map(u32::from_le_bytes)
}

/// Returns the part of `len` bytes at `offset`.
fn part(image: &[u8], offset: u32, len: usize) -> Result<&[u8], Unfit> {
    image
        .get(offset as usize..)
        .and_then(|rest| rest.get(..len))
        .ok_or(Unfit::Truncated)
}

/// Returns the entries of a table of program or section headers.
fn headers(
    image: &[u8],
    offset: u32,
    count: u16,
    size: usize,
) -> Result<core::slice::ChunksExact<'_, u8>, Unfit> {
    Ok(part(image, offset, usize::from(count) * size)?.chunks_exact(size))
}

/// Checks that a range of device addresses is inside the memory for firmware.
fn inside(da: u32, len: u32) -> Result<(), Unfit> {
    if map::is_firmware(da, len) {
        Ok(())
    } else {
        Err(Unfit::Outside(da, len))
    }
}

/// Checks that an ELF file is firmware for the modem.
pub fn check(image: &[u8]) -> Result<(), Unfit> {
    let [class] = bytes(image, 4)?;
    if class != CLASS_32 {
        return Err(Unfit::Class);
    }
    let machine = half(image, 18)?;
    if machine != MACHINE {
        return Err(Unfit::Machine(machine));
    }

    let mut loads = 0u32;
    for header in headers(image, word(image, 28)?, half(image, 44)?, PROGRAM_HEADER)? {
        let len = word(header, 20)?;
        if word(header, 0)? == PT_LOAD && len != 0 {
            inside(word(header, 12)?, len)?;
            loads += 1;
        }
    }
    if loads == 0 {
        return Err(Unfit::NoSegment);
    }

    // remoteproc's own search for the table assumes that each name ends inside of the file.
    let mut table = None;
    let sections = headers(image, word(image, 32)?, half(image, 48)?, SECTION_HEADER)?;
    let names = sections.clone().nth(half(image, 50)?.into());
    let names = word(names.ok_or(Unfit::Truncated)?, 16)? as usize;
    for header in sections {
        let name = names
            .checked_add(word(header, 0)? as usize)
            .and_then(|start| image.get(start..))
            .ok_or(Unfit::Truncated)?;
        let end = name.iter().position(|&c| c == 0).ok_or(Unfit::Truncated)?;
        if name.get(..end) == Some(TABLE) {
            table = table.or(Some(header));
        }
    }
    let table = table.ok_or(Unfit::NoTable)?;
    let len = word(table, 20)?;
    inside(word(table, 12)?, len)?;
    let table = part(image, word(table, 16)?, len as usize)?;
    // What is read from here on is inside the file, so `Truncated` is about the table's own end.
    table::check(table).map_err(|unfit| match unfit {
        Unfit::Truncated => Unfit::TableTruncated,
        unfit => unfit,
    })
}
