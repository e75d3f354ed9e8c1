// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A 32-bit little-endian ELF file in which each segment is also a section.

/// The first bytes of the firmware in memory.
pub const MARK: [u8; 8] = *b"CAIFMDM1";

// The kernel's `abstractions/remoteproc/elf.rs` has the same numbers, but its licence is not that
// of this file. `tests/host/tests/firmware.rs` lets it check what is written here.
const EHDR: usize = 52;
/// Bytes of a program header.
pub const PHDR: usize = 32;
/// Bytes of a section header.
pub const SHDR: usize = 40;
/// `p_type` of a segment that is loaded.
pub const PT_LOAD: u32 = 1;
/// Name of the section that holds the resource table.
pub const TABLE: &str = ".resource_table";
const ALIGN: usize = 16;

/// A segment, which is also a section.
pub struct Segment {
    /// Name of its section.
    pub name: &'static str,
    /// Device address.
    pub da: u32,
    /// Content.
    pub bytes: Vec<u8>,
}

/// Returns the file: header, program headers, content, names, section headers.
pub fn write(machine: u16, segments: &[Segment]) -> Vec<u8> {
    let aligned = |at: usize| at.next_multiple_of(ALIGN);
    let mut at = aligned(EHDR + PHDR * segments.len());
    let mut offsets = Vec::new();
    for segment in segments {
        offsets.push(at);
        at = aligned(at + segment.bytes.len());
    }
    let names_at = at;
    // The empty name comes first; each ends with a zero.
    let mut names = vec![0];
    let mut name_offsets = Vec::new();
    for name in segments
        .iter()
        .map(|segment| segment.name)
        .chain([".shstrtab"])
    {
        name_offsets.push(names.len());
        names.extend(name.as_bytes());
        names.push(0);
    }
    let sections_at = aligned(names_at + names.len());
    // The null section, one for each segment, the names.
    let sections = segments.len() + 2;

    let mut out = Vec::new();
    out.extend(b"\x7fELF");
    // 32 bits, little-endian, version 1, no particular system.
    out.extend([1, 1, 1, 0]);
    out.extend([0; 8]);
    half(&mut out, &[2, machine]);
    word(
        &mut out,
        &[1, segments.first().map_or(0, |segment| segment.da as usize)],
    );
    word(&mut out, &[EHDR, sections_at, 0]);
    half(
        &mut out,
        &[
            EHDR as u16,
            PHDR as u16,
            segments.len() as u16,
            SHDR as u16,
            sections as u16,
            (sections - 1) as u16,
        ],
    );
    for (segment, offset) in segments.iter().zip(&offsets) {
        let (da, len) = (segment.da as usize, segment.bytes.len());
        // Readable and writable.
        let kind = PT_LOAD as usize;
        word(&mut out, &[kind, *offset, da, da, len, len, 6, ALIGN]);
    }
    for (segment, offset) in segments.iter().zip(&offsets) {
        out.resize(*offset, 0);
        out.extend(&segment.bytes);
    }
    out.resize(names_at, 0);
    out.extend(&names);
    out.resize(sections_at, 0);
    out.extend([0; SHDR]);
    for ((segment, offset), name) in segments.iter().zip(&offsets).zip(&name_offsets) {
        // SHT_PROGBITS, allocated and writable.
        let (da, len) = (segment.da as usize, segment.bytes.len());
        word(&mut out, &[*name, 1, 3, da, *offset, len, 0, 0, ALIGN, 0]);
    }
    // SHT_STRTAB.
    let name = name_offsets.last().copied().unwrap_or(0);
    word(
        &mut out,
        &[name, 3, 0, 0, names_at, names.len(), 0, 0, 1, 0],
    );
    out
}

fn half(out: &mut Vec<u8>, values: &[u16]) {
    for value in values {
        out.extend(value.to_le_bytes());
    }
}

fn word(out: &mut Vec<u8>, values: &[usize]) {
    for value in values {
        out.extend((*value as u32).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use crate::{Firmware, MARK_DA, table::TABLE_DA};
    use object::{
        Endianness, elf,
        read::elf::{FileHeader, ProgramHeader, SectionHeader},
    };

    #[test]
    fn a_library_reads_the_same_segments_and_table() {
        let firmware = Firmware::default();
        let bytes = firmware.to_bytes();
        let header = elf::FileHeader32::<Endianness>::parse(&*bytes).unwrap();
        let endian = header.endian().unwrap();
        assert_eq!(header.e_machine(endian), crate::MACHINE);

        let segments = header.program_headers(endian, &*bytes).unwrap();
        let loaded: Vec<_> = segments
            .iter()
            .map(|segment| {
                (
                    segment.p_paddr(endian),
                    segment.data(endian, &*bytes).unwrap(),
                )
            })
            .collect();
        let table = firmware.table.unwrap().to_bytes();
        assert_eq!(
            loaded,
            [(MARK_DA, &super::MARK[..]), (TABLE_DA, &table[..])]
        );

        let sections = header.sections(endian, &*bytes).unwrap();
        let (_, section) = sections
            .section_by_name(endian, b".resource_table")
            .unwrap();
        assert_eq!(section.sh_addr(endian), TABLE_DA);
        assert_eq!(section.data(endian, &*bytes).unwrap(), table);
    }

    #[test]
    fn without_a_table_there_is_no_such_section() {
        let firmware = Firmware {
            table: None,
            ..Firmware::default()
        };
        let bytes = firmware.to_bytes();
        let header = elf::FileHeader32::<Endianness>::parse(&*bytes).unwrap();
        let endian = header.endian().unwrap();
        let sections = header.sections(endian, &*bytes).unwrap();
        assert!(
            sections
                .section_by_name(endian, b".resource_table")
                .is_none()
        );
        assert!(sections.section_by_name(endian, b".mark").is_some());
    }
}
