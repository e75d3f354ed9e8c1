// SPDX-License-Identifier: GPL-2.0

//! Checks that an ELF file is firmware for the board's modem.
//!
//! A file is checked before each use, since at a recovery remoteproc checks nothing.

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
use crate::{
    elf::{
        self,
        Checked, //
    },
    vring_layout::LayoutError, //
};

/// The reason why an image is not firmware for the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The ELF loader cannot read the file.
    Elf(elf::ElfError),
    /// The file is for another machine.
    Machine(u16),
    /// A segment or the resource table is outside of the memory for firmware.
    Outside(u32, u32),
    /// The resource table is of another version.
    TableVersion(u32),
    /// An entry of the resource table is beyond the table's end.
    TableTruncated,
    /// Reserved bytes of the resource table are not 0.
    TableReserved,
    /// The resource table describes something other than one CAIF link.
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

impl From<elf::ElfError> for Unfit {
    fn from(error: elf::ElfError) -> Self {
        Self::Elf(error)
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, room) = FIRMWARE;
        match self {
            Self::Elf(error) => error.fmt(f),
            Self::Machine(machine) => write!(
                f,
                "is for machine {machine:#06x}, while the modem's is {MACHINE:#06x}"
            ),
            Self::Outside(da, len) => write!(
                f,
                "has {len:#x} bytes at {da:#x}, while {room:#x} bytes at {:#x} are for firmware",
                DA_BASE as usize + offset
            ),
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

/// The board's modem, as the processor that a file must be for.
struct ModemProcessor;

impl elf::Processor for ModemProcessor {
    type Unfit = Unfit;

    fn check_machine(&self, machine: u16) -> Result<(), Unfit> {
        if machine == MACHINE {
            Ok(())
        } else {
            Err(Unfit::Machine(machine))
        }
    }

    fn check_range(&self, da: u32, len: u32) -> Result<(), Unfit> {
        if map::is_firmware(da, len) {
            Ok(())
        } else {
            Err(Unfit::Outside(da, len))
        }
    }
}

/// Checks that an ELF file is firmware for the modem.
pub fn check(image: &[u8]) -> Result<Checked<'_>, Unfit> {
    let checked = elf::check(&ModemProcessor, image)?;
    table::check(checked.table())?;
    Ok(checked)
}
