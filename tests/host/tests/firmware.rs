// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The test board's check of firmware files: for a file that passes, remoteproc's ELF loader reads
//! nothing beyond the file and writes nothing beyond the memory for firmware.

use firmware::{table::ResourceTable, Firmware, MACHINE};
use kernel_pure::{
    elf,
    ivshmem::{
        firmware::{check, Unfit},
        map,
        table::check_same,
    },
};

/// Offset of the second program header, that of the resource table's segment.
const SECOND: usize = 52 + 32;

fn good() -> Vec<u8> {
    Firmware::default().to_bytes()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Reads as the loader does, and panics where that would leave the file or the memory.
fn load(file: &[u8]) {
    let read = |at: u64, len: u64| {
        let end = at + len;
        assert!(end <= file.len() as u64, "{at}..{end} of {}", file.len());
        &file[at as usize..end as usize]
    };
    let header = read(0, 52);
    assert_eq!(half(header, 18), MACHINE);
    for i in 0..u64::from(half(header, 44)) {
        let segment = read(u64::from(word(header, 28)) + i * 32, 32);
        let (from, da) = (word(segment, 4), u64::from(word(segment, 12)));
        let (in_file, in_memory) = (word(segment, 16), word(segment, 20));
        if word(segment, 0) == 1 && in_memory != 0 {
            assert!(in_file <= in_memory);
            read(from.into(), in_file.into());
            let start = u64::from(map::DA_BASE) + map::FIRMWARE.0 as u64;
            let end = start + map::FIRMWARE.1 as u64;
            assert!(da >= start && da + u64::from(in_memory) <= end);
        }
    }
    let section = |i: u16| read(u64::from(word(header, 32)) + u64::from(i) * 40, 40);
    let names = u64::from(word(section(half(header, 50)), 16));
    for i in 0..half(header, 48) {
        let name = names + u64::from(word(section(i), 0));
        let mut same = (0u64..).zip(b".resource_table\0");
        if same.all(|(at, byte)| read(name + at, 1) == [*byte]) {
            let table = read(word(section(i), 16).into(), word(section(i), 20).into());
            let entry = &table[word(table, 16) as usize..];
            assert_eq!((word(table, 0), word(table, 4)), (1, 1));
            assert_eq!(table[8..16], [0; 8]);
            assert_eq!((entry[25], &entry[26..28]), (2, &[0; 2][..]));
            assert!(28 + 40 + word(entry, 20) as usize <= entry.len());
            return;
        }
    }
    panic!("no table");
}

/// Checks a file and the result. Returns whether it passed.
fn passes(file: &[u8]) -> bool {
    match check(file) {
        Ok(_) => {
            load(file);
            true
        }
        Err(unfit) => {
            assert!(!unfit.to_string().is_empty());
            false
        }
    }
}

#[test]
fn a_good_file_passes() {
    let file = good();
    let checked = check(&file).expect("it is right");
    assert_eq!(checked.table(), ResourceTable::default().to_bytes());
    assert!(passes(&file));
}

#[test]
fn a_check_is_that_of_one_file() {
    let (file, other) = (good(), good());
    let checked = check(&file).expect("it is right");
    assert!(checked.is_of(&file));
    assert!(!checked.is_of(&other));
    assert!(!checked.is_of(&file[..file.len() - 1]));
}

#[test]
fn no_truncation_passes() {
    let file = good();
    for len in 0..file.len() {
        assert!(!passes(&file[..len]), "{len} bytes");
    }
}

#[test]
fn any_byte_may_change() {
    let good = good();
    let mut passed = 0;
    for at in 0..good.len() {
        for value in 0..=255 {
            let mut file = good.clone();
            file[at] = value;
            passed += u32::from(passes(&file));
        }
    }
    assert!(passed > 10_000, "only {passed} files passed");
}

#[test]
fn random_fields_and_bytes() {
    let good = good();
    let mut random = fastrand::Rng::with_seed(1);
    let mut passed = 0;
    for _ in 0..200_000 {
        let mut file = good.clone();
        for _ in 0..random.usize(1..4) {
            // Words near to a bound.
            let near = [0, 52, good.len() as u32, u32::MAX, map::DA_BASE + 0x10_0000];
            let value = match random.u8(0..3) {
                0 => random.u32(..),
                1 => random.u32(0..good.len() as u32 + 64),
                _ => {
                    let bound = near[random.usize(0..near.len())];
                    bound.wrapping_add(random.u32(0..65)).wrapping_sub(32)
                }
            };
            let at = random.usize(0..(good.len() - 4) / 2) * 2;
            put(&mut file, at, value);
        }
        if random.u8(0..8) == 0 {
            file.truncate(random.usize(0..file.len()));
        }
        passed += u32::from(passes(&file));
    }
    assert!(passed > 1_000, "only {passed} files passed");
    for _ in 0..50_000 {
        let mut file: Vec<u8> = (0..random.usize(0..400)).map(|_| random.u8(..)).collect();
        if random.bool() && file.len() >= 20 {
            file[..20].copy_from_slice(&good[..20]);
        }
        assert!(!passes(&file));
    }
}

#[test]
fn bounds_are_exact() {
    let good = good();
    let (segment, len) = (word(&good, SECOND + 4), word(&good, SECOND + 16));
    // A segment up to the end of the file, and one byte further.
    let most = good.len() as u32 - segment;
    for (in_file, right) in [(most, true), (most + 1, false)] {
        let mut file = good.clone();
        put(&mut file, SECOND + 16, in_file);
        put(&mut file, SECOND + 20, in_file);
        let end = u64::from(segment) + u64::from(in_file);
        let truncated = elf::ElfError::Truncated("a segment", end, good.len()).into();
        assert_eq!(check(&file).err(), (!right).then_some(truncated));
    }
    // As many bytes in memory as in the file, and one less.
    let mut file = good.clone();
    put(&mut file, SECOND + 20, len - 1);
    let unfit = elf::ElfError::Segment(len, len - 1);
    assert_eq!(check(&file), Err(unfit.into()));
    // Up to the end of the memory for firmware, and one byte further.
    let end = map::DA_BASE + (map::FIRMWARE.0 + map::FIRMWARE.1) as u32;
    for (da, right) in [(end - len, true), (end - len + 1, false)] {
        let mut file = good.clone();
        put(&mut file, SECOND + 12, da);
        let outside = Unfit::Outside(da, len);
        assert_eq!(check(&file).err(), (!right).then_some(outside));
    }
    // The last header of a section, and the one behind it, for the names.
    let sections = half(&good, 48);
    let mut file = good.clone();
    file[50..52].copy_from_slice(&sections.to_le_bytes());
    let unfit = elf::ElfError::NoNames(sections, sections);
    assert_eq!(check(&file), Err(unfit.into()));
    // A name that ends with the file, and one that only begins there. The loader compares names
    // byte by byte.
    for (tail, right) in [
        (&b".resource_table\0"[..], true),
        (b".resource_tabl", false),
        (b"", false),
    ] {
        let mut file = good.clone();
        let names = word(
            &file,
            word(&file, 32) as usize + usize::from(sections - 1) * 40 + 16,
        );
        let first = word(&file, 32) as usize + 40;
        put(&mut file, first, good.len() as u32 - names);
        file.extend(tail);
        // The first section is that of the mark, whose bytes are no table.
        match check(&file) {
            Err(Unfit::Elf(elf::ElfError::Truncated("a name of a section", ..))) => assert!(!right),
            Err(Unfit::TableVersion(_) | Unfit::TableTruncated) => assert!(right),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_table_is_in_the_memory_for_it_if_each_byte_is() {
    let offset = |da, len| map::offset_in(map::RSC_TABLE, da, len);
    assert_eq!(offset(0x800f_0000, 0x1_0000), Some(0));
    assert_eq!(offset(0x800f_fff0, 16), Some(0xfff0));
    assert_eq!(offset(0x8010_0000, 0), Some(0x1_0000));
    for (da, len) in [
        (0, 0),
        (0x8001_1000, 120),
        (0x800e_ffff, 2),
        (0x800f_0000, 0x1_0001),
        (0x800f_ffff, 2),
        (0x8010_0000, 1),
        (u32::MAX, u32::MAX),
    ] {
        assert_eq!(offset(da, len), None, "{da:#x}, {len:#x}");
    }
}

#[test]
fn each_fault_is_named() {
    let patched = |at: usize, bytes: &[u8]| {
        let mut file = good();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        check(&file).map_err(|unfit| unfit.to_string()).err()
    };
    for (at, bytes, text) in [
        (0, &b"\x7fELG"[..], "is not a 32-bit little-endian ELF file"),
        (4, &[2], "is not a 32-bit little-endian ELF file"),
        (5, &[2], "is not a 32-bit little-endian ELF file"),
        (
            18,
            &[62, 0],
            "is for machine 0x003e, while the modem's is 0xca1f",
        ),
        (
            28,
            &[0, 0, 0, 0x10],
            "is truncated: program headers up to byte 268435520",
        ),
        (
            32,
            &[0, 0, 0, 0x10],
            "is truncated: section headers up to byte 268435616",
        ),
        (44, &[0, 0], "has nothing to load"),
        (44, &[255, 255], "is truncated: program headers"),
        (48, &[255, 255], "is truncated: section headers"),
        (
            48,
            &[0, 0],
            "has its names in section 3, allowed is one of its 0 sections",
        ),
    ] {
        let error = patched(at, bytes).expect("it is refused");
        assert!(error.starts_with(text), "{error}");
    }
}

#[test]
fn a_recovery_needs_the_table_in_use() {
    let table = ResourceTable::default().to_bytes();
    assert_eq!(check_same(&table, &table), Ok(()));
    // Fields that Linux writes: features, status, place and notify id of both vrings.
    let mut in_use = table.clone();
    let by_linux = [36..40, 44..45, 48..52, 60..64, 68..72, 80..84];
    for at in by_linux.iter().cloned().flatten() {
        in_use[at] ^= 0xff;
    }
    assert_eq!(check_same(&table, &in_use), Ok(()));
    // Everything else.
    for at in (0..table.len()).filter(|at| !by_linux.iter().any(|range| range.contains(at))) {
        let mut other = table.clone();
        other[at] ^= 1;
        assert_eq!(check_same(&other, &in_use), Err(Unfit::TableDiffers(at)));
    }
    let shorter = &table[..table.len() - 1];
    let differs = Err(Unfit::TableDiffers(shorter.len()));
    assert_eq!(check_same(shorter, &in_use), differs);
    assert_eq!(check_same(&in_use, shorter), differs);
}
