// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A boot loader: starts the modem before Linux does.

use crate::{
    Error,
    control::{ControlPage, Field, host_state},
    memory::SharedMemory,
};
use firmware::elf::{PHDR, PT_LOAD, SHDR, TABLE};

/// Loads firmware, a 32-bit little-endian ELF file, and asks the modem to run it, in boot 1.
pub fn boot(memory: &SharedMemory, page: &ControlPage, image: &[u8]) -> Result<(), Error> {
    let wrong = |what: &str| Error::Memory(format!("the firmware {what}"));
    if !image.starts_with(b"\x7fELF\x01\x01") {
        return Err(wrong("is not a 32-bit little-endian ELF file"));
    }
    let file = File(image);
    let segments = file.headers(28, 44, PHDR);
    for segment in segments.ok_or_else(|| wrong("has no program headers"))? {
        if segment.word(0) != Some(PT_LOAD) {
            continue;
        }
        let (da, bytes) = segment
            .word(12)
            .zip(file.part(segment.word(4), segment.word(16)))
            .ok_or_else(|| wrong("is truncated"))?;
        memory.write(da.into(), bytes.0)?;
    }
    let (da, len) = file
        .table()
        .ok_or_else(|| wrong(&format!("has no section {TABLE}")))?;
    page.set(Field::RscTableDa, da)?;
    page.set(Field::RscTableLen, len)?;
    page.set(Field::BootId, 1)?;
    page.set(Field::HostState, host_state::RUN)
}

/// A file, or a part of one.
#[derive(Clone, Copy)]
struct File<'a>(&'a [u8]);

impl<'a> File<'a> {
    fn half(self, offset: usize) -> Option<u16> {
        let bytes = self.0.get(offset..)?.first_chunk()?;
        Some(u16::from_le_bytes(*bytes))
    }

    fn word(self, offset: usize) -> Option<u32> {
        let bytes = self.0.get(offset..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }

    /// The part with these two: its offset and its length.
    fn part(self, offset: Option<u32>, len: Option<u32>) -> Option<Self> {
        let from = self.0.get(offset? as usize..)?;
        from.get(..len? as usize).map(Self)
    }

    /// The headers whose offset and number are at these places of the ELF header.
    fn headers(self, offset: usize, count: usize, size: usize) -> Option<Vec<Self>> {
        let len = usize::from(self.half(count)?) * size;
        let headers = self.part(self.word(offset), u32::try_from(len).ok())?;
        Some(headers.0.chunks_exact(size).map(Self).collect())
    }

    /// Device address and length of the resource table.
    fn table(self) -> Option<(u32, u32)> {
        let sections = self.headers(32, 48, SHDR)?;
        let names = sections.get(usize::from(self.half(50)?))?.word(16)? as usize;
        let is_table = |section: &&Self| {
            let name = section.word(0).map(|name| names + name as usize);
            name.and_then(|at| self.0.get(at..))
                .and_then(|name| name.strip_prefix(TABLE.as_bytes()))
                .is_some_and(|rest| rest.starts_with(b"\0"))
        };
        let table = sections.iter().find(is_table)?;
        table.word(12).zip(table.word(20))
    }
}
