// SPDX-License-Identifier: GPL-2.0

//! Checks that an ELF file is firmware for the board's modem.
//!
//! remoteproc's ELF loader trusts a file further than its own check goes: it reads program headers
//! and names of sections without looking where the file ends, and at a recovery it checks nothing.
//! So all that it reads is checked here, before each use of a file.

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

/// The first bytes of a 32-bit little-endian file: magic, `EI_CLASS` and `EI_DATA`.
const IDENT: [u8; 6] = *b"\x7fELF\x01\x01";
/// Bytes of the ELF header.
const ELF_HEADER: u64 = 52;
/// `p_type` of a segment that is loaded.
const PT_LOAD: u32 = 1;
/// Bytes of a program header.
const PROGRAM_HEADER: usize = 32;
/// Bytes of a section header.
const SECTION_HEADER: usize = 40;
/// Name of the section that holds the resource table, with its end.
const TABLE: &[u8] = b".resource_table\0";

/// Why an image is not firmware for the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is no ELF file, or not a 32-bit little-endian one.
    Ident,
    /// It is for another machine.
    Machine(u16),
    /// A part of it ends at this byte, while it has only so many.
    Truncated(&'static str, u64, usize),
    /// It has no segment to load.
    NoSegment,
    /// A segment has more bytes in the file than in memory.
    Segment(u32, u32),
    /// A segment or the resource table is outside of the memory for firmware.
    Outside(u32, u32),
    /// The section that has the names does not exist.
    NoNames(u16, u16),
    /// It has no resource table.
    NoTable,
    /// The resource table is of another version.
    TableVersion(u32),
    /// An entry of the resource table is beyond the table's end.
    TableTruncated,
    /// Reserved bytes of the resource table are not 0.
    TableReserved,
    /// The resource table describes something else than one CAIF link.
    TableEntries,
    /// The link has another number of vrings.
    Vrings(u8),
    /// A vring asks for a fixed device address.
    VringAddress(u32),
    /// A vring has a geometry that is not allowed.
    Vring(LayoutError),
    /// The resource table is not the one in use, from this byte on.
    TableDiffers(usize),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, room) = FIRMWARE;
        match self {
            Self::Ident => write!(f, "is not a 32-bit little-endian ELF file"),
            Self::Machine(machine) => write!(
                f,
                "is for machine {machine:#06x}, while the modem's is {MACHINE:#06x}"
            ),
            Self::Truncated(part, end, len) => write!(
                f,
                "is truncated: {part} up to byte {end}, while it has {len} bytes"
            ),
            Self::NoSegment => write!(f, "has nothing to load"),
            Self::Segment(in_file, in_memory) => write!(
                f,
                "has a segment of {in_file:#x} bytes, allowed are {in_memory:#x} as in memory"
            ),
            Self::Outside(da, len) => write!(
                f,
                "has {len:#x} bytes at {da:#x}, while {room:#x} bytes at {:#x} are for firmware",
                DA_BASE as usize + offset
            ),
            Self::NoNames(index, count) => write!(
                f,
                "has its names in section {index}, allowed is one of its {count} sections"
            ),
            Self::NoTable => write!(f, "has no section .resource_table"),
            Self::TableVersion(version) => {
                write!(f, "has a resource table of version {version}, allowed is 1")
            }
            Self::TableTruncated => write!(f, "has a truncated resource table"),
            Self::TableReserved => write!(
                f,
                "has a resource table with reserved bytes that are not 0, allowed is 0"
            ),
            Self::TableEntries => write!(
                f,
                "has a resource table of something else than one CAIF device"
            ),
            Self::Vrings(vrings) => write!(f, "has {vrings} vrings, allowed are 2"),
            Self::VringAddress(da) => {
                write!(f, "has a vring at {da:#x}, allowed is 0xffffffff for any")
            }
            Self::Vring(e) => write!(f, "has a vring with {e}"),
            Self::TableDiffers(at) => write!(
                f,
                "has another resource table from byte {at} on, a recovery needs the one in use"
            ),
        }
    }
}

/// Returns the 16 bits at `offset`, if they are inside of `bytes`.
fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes))
}

/// Returns the 32 bits at `offset`, if they are inside of `bytes`.
pub(super) fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

/// Returns the `len` bytes at `offset`, which are that part of the file.
fn part<'a>(image: &'a [u8], name: &'static str, offset: u32, len: u64) -> Result<&'a [u8], Unfit> {
    let end = u64::from(offset).saturating_add(len);
    let truncated = Unfit::Truncated(name, end, image.len());
    let end = usize::try_from(end).map_err(|_| truncated)?;
    image.get(offset as usize..end).ok_or(truncated)
}

/// Checks that a range of device addresses is inside the memory for firmware.
fn inside(da: u32, len: u32) -> Result<(), Unfit> {
    if map::is_firmware(da, len) {
        Ok(())
    } else {
        Err(Unfit::Outside(da, len))
    }
}

/// The fields of the ELF header.
struct Header {
    machine: u16,
    program_headers: u32,
    program_count: u16,
    section_headers: u32,
    section_count: u16,
    names: u16,
}

impl Header {
    /// Reads the header, which is known to be inside the file.
    fn read(header: &[u8]) -> Option<Self> {
        Some(Self {
            machine: half(header, 18)?,
            program_headers: word(header, 28)?,
            program_count: half(header, 44)?,
            section_headers: word(header, 32)?,
            section_count: half(header, 48)?,
            names: half(header, 50)?,
        })
    }
}

/// Checks that an ELF file is firmware for the modem. Returns its resource table.
pub fn check(image: &[u8]) -> Result<&[u8], Unfit> {
    if !image.starts_with(&IDENT) {
        return Err(Unfit::Ident);
    }
    let truncated = Unfit::Truncated("ELF header", ELF_HEADER, image.len());
    let header = part(image, "ELF header", 0, ELF_HEADER)?;
    let header = Header::read(header).ok_or(truncated)?;
    if header.machine != MACHINE {
        return Err(Unfit::Machine(header.machine));
    }
    check_segments(image, &header)?;
    let table = find_table(image, &header)?;
    table::check(table)?;
    Ok(table)
}

/// Checks the segments that are loaded.
fn check_segments(image: &[u8], elf: &Header) -> Result<(), Unfit> {
    let name = "program headers";
    let len = u64::from(elf.program_count) * PROGRAM_HEADER as u64;
    let headers = part(image, name, elf.program_headers, len)?;
    let truncated = Unfit::Truncated(name, len, image.len());
    let mut loads = false;
    for header in headers.chunks_exact(PROGRAM_HEADER) {
        let word = |offset| word(header, offset).ok_or(truncated);
        let (in_file, in_memory) = (word(16)?, word(20)?);
        if word(0)? != PT_LOAD || in_memory == 0 {
            continue;
        }
        inside(word(12)?, in_memory)?;
        if in_file > in_memory {
            return Err(Unfit::Segment(in_file, in_memory));
        }
        part(image, "a segment", word(4)?, in_file.into())?;
        loads = true;
    }
    if loads {
        Ok(())
    } else {
        Err(Unfit::NoSegment)
    }
}

/// Finds the resource table as remoteproc does, which takes the first section of that name, and
/// reads names until they differ from it.
fn find_table<'a>(image: &'a [u8], elf: &Header) -> Result<&'a [u8], Unfit> {
    let name = "section headers";
    let len = u64::from(elf.section_count) * SECTION_HEADER as u64;
    let headers = part(image, name, elf.section_headers, len)?;
    let truncated = Unfit::Truncated(name, len, image.len());
    let sections = headers.chunks_exact(SECTION_HEADER);
    let names = sections.clone().nth(elf.names.into());
    let names = names.ok_or(Unfit::NoNames(elf.names, elf.section_count))?;
    let names = u64::from(word(names, 16).ok_or(truncated)?);
    for header in sections {
        let word = |offset| word(header, offset).ok_or(truncated);
        let start = names + u64::from(word(0)?);
        let name = usize::try_from(start).ok();
        let name = name.and_then(|start| image.get(start..)).unwrap_or(&[]);
        if name.len() < TABLE.len() && TABLE.starts_with(name) {
            let end = start.max(image.len() as u64) + 1;
            return Err(Unfit::Truncated("a name of a section", end, image.len()));
        }
        if name.starts_with(TABLE) {
            let (da, len) = (word(12)?, word(20)?);
            inside(da, len)?;
            return part(image, "resource table", word(16)?, len.into());
        }
    }
    Err(Unfit::NoTable)
}
