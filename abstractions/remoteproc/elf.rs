// SPDX-License-Identifier: GPL-2.0

//! Checks of ELF files, so that remoteproc's ELF loader reads nothing beyond the end of one.
//!
//! The loader's own check is not complete: it reads program headers and section names without
//! regard to the end of the file, and at a recovery it checks nothing. So all that it reads is
//! checked here. Further requirements of a processor are checked by its driver.

use core::fmt;

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
/// Name of the section that holds the resource table, with its NUL.
const TABLE: &[u8] = b".resource_table\0";

/// The reason why the ELF loader cannot read an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElfError {
    /// The file is not ELF, or not 32-bit little-endian.
    Ident,
    /// This part of the file ends at this byte, but the file has only so many.
    Truncated(&'static str, u64, usize),
    /// The file has no segment to load.
    NoSegment,
    /// A segment has more bytes in the file than in memory: both numbers.
    Segment(u32, u32),
    /// The section with the names does not exist: its index, and the number of sections.
    NoNames(u16, u16),
    /// The file has no resource table.
    NoTable,
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ident => write!(f, "is not a 32-bit little-endian ELF file"),
            Self::Truncated(part, end, len) => write!(
                f,
                "is truncated: {part} up to byte {end}, while it has {len} bytes"
            ),
            Self::NoSegment => write!(f, "has nothing to load"),
            Self::Segment(in_file, in_memory) => write!(
                f,
                "has a segment of {in_file:#x} bytes, allowed are {in_memory:#x} as in memory"
            ),
            Self::NoNames(index, count) => write!(
                f,
                "has its names in section {index}, allowed is one of its {count} sections"
            ),
            Self::NoTable => write!(f, "has no section .resource_table"),
        }
    }
}

/// An image of which the ELF loader reads nothing beyond the end.
///
/// # Invariants
///
/// [`check`] created it from `image`, in which `table` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked<'a> {
    image: &'a [u8],
    table: &'a [u8],
}

impl<'a> Checked<'a> {
    /// Returns the resource table.
    pub fn table(&self) -> &'a [u8] {
        self.table
    }

    /// Returns whether it was created from this very image, and not from another one of equal
    /// bytes.
    pub fn is_of(&self, image: &[u8]) -> bool {
        core::ptr::eq(self.image, image)
    }
}

/// A processor's requirements of a file.
pub trait Processor {
    /// The reason why a file is refused.
    type Unfit: From<ElfError>;

    /// Checks the machine that the file is for.
    fn check_machine(&self, machine: u16) -> Result<(), Self::Unfit>;

    /// Checks that a range of device addresses may be loaded to.
    fn check_range(&self, da: u32, len: u32) -> Result<(), Self::Unfit>;
}

/// Returns the 16 bits at `offset`, if they are inside of `bytes`.
fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes))
}

/// Returns the 32 bits at `offset`, if they are inside of `bytes`.
pub fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

/// Returns the `len` bytes at `offset`, which are the part `name` of the file.
fn part<'a>(
    image: &'a [u8],
    name: &'static str,
    offset: u32,
    len: u64,
) -> Result<&'a [u8], ElfError> {
    let end = u64::from(offset).saturating_add(len);
    let truncated = ElfError::Truncated(name, end, image.len());
    let end = usize::try_from(end).map_err(|_| truncated)?;
    image.get(offset as usize..end).ok_or(truncated)
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
    /// Reads the header. `None` if `header` is too short.
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

/// Checks that the ELF loader reads nothing beyond the end of an image, and that the image is for
/// the processor.
pub fn check<'a, P: Processor>(processor: &P, image: &'a [u8]) -> Result<Checked<'a>, P::Unfit> {
    if !image.starts_with(&IDENT) {
        return Err(ElfError::Ident.into());
    }
    let truncated = ElfError::Truncated("ELF header", ELF_HEADER, image.len());
    let header = part(image, "ELF header", 0, ELF_HEADER)?;
    let header = Header::read(header).ok_or(truncated)?;
    processor.check_machine(header.machine)?;
    check_segments(processor, image, &header)?;
    let table = find_table(processor, image, &header)?;
    // INVARIANT: The parts that the loader reads are inside of the image, as was just checked.
    Ok(Checked { image, table })
}

/// Checks the segments that are loaded.
fn check_segments<P: Processor>(processor: &P, image: &[u8], elf: &Header) -> Result<(), P::Unfit> {
    let name = "program headers";
    let len = u64::from(elf.program_count) * PROGRAM_HEADER as u64;
    let headers = part(image, name, elf.program_headers, len)?;
    let truncated = ElfError::Truncated(name, len, image.len());
    let mut loads = false;
    for header in headers.chunks_exact(PROGRAM_HEADER) {
        let word = |offset| word(header, offset).ok_or(truncated);
        let (in_file, in_memory) = (word(16)?, word(20)?);
        if word(0)? != PT_LOAD || in_memory == 0 {
            continue;
        }
        processor.check_range(word(12)?, in_memory)?;
        if in_file > in_memory {
            return Err(ElfError::Segment(in_file, in_memory).into());
        }
        part(image, "a segment", word(4)?, in_file.into())?;
        loads = true;
    }
    if loads {
        Ok(())
    } else {
        Err(ElfError::NoSegment.into())
    }
}

/// Finds the resource table in the same way as remoteproc, which takes the first section of that
/// name, and reads names up to the first difference.
fn find_table<'a, P: Processor>(
    processor: &P,
    image: &'a [u8],
    elf: &Header,
) -> Result<&'a [u8], P::Unfit> {
    let name = "section headers";
    let len = u64::from(elf.section_count) * SECTION_HEADER as u64;
    let headers = part(image, name, elf.section_headers, len)?;
    let truncated = ElfError::Truncated(name, len, image.len());
    let sections = headers.chunks_exact(SECTION_HEADER);
    let names = sections.clone().nth(elf.names.into());
    let names = names.ok_or(ElfError::NoNames(elf.names, elf.section_count))?;
    let names = u64::from(word(names, 16).ok_or(truncated)?);
    for header in sections {
        let word = |offset| word(header, offset).ok_or(truncated);
        let start = names + u64::from(word(0)?);
        let name = usize::try_from(start).ok();
        let name = name.and_then(|start| image.get(start..)).unwrap_or(&[]);
        if name.len() < TABLE.len() && TABLE.starts_with(name) {
            let end = start.max(image.len() as u64) + 1;
            return Err(ElfError::Truncated("a name of a section", end, image.len()).into());
        }
        if name.starts_with(TABLE) {
            let (da, len) = (word(12)?, word(20)?);
            processor.check_range(da, len)?;
            return Ok(part(image, "resource table", word(16)?, len.into())?);
        }
    }
    Err(ElfError::NoTable.into())
}
