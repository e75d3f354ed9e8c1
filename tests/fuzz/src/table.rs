// SPDX-License-Identifier: GPL-2.0

//! Both readers of the resource table, and the board's reader of the firmware file around it.
//!
//! The board checks a file before remoteproc uses it, the modem checks the table in memory that
//! remoteproc has filled in. Each must accept only valid tables, and the modem must find its device
//! in every table that the board accepts.

use firmware::{MARK, MARK_DA};
use ivshmem::control;
use ivshmem::memory::{create, SharedMemory, DA_BASE, MIN_SIZE};
use kernel_pure::ivshmem as board;
use link::table::{Table, Vdev};
use object::read::elf::ElfFile32;
use object::{LittleEndian, Object, ObjectSection};

use crate::input::Input;

/// Place of the table in the modem's memory.
const TABLE_DA: u32 = firmware::table::TABLE_DA;
/// Longest table, which does not reach into the memory's other parts.
const TABLE_MAX: usize = 4096;

std::thread_local! {
    static MEMORY: SharedMemory = {
        let fd = create(MIN_SIZE).expect("memory must be there");
        SharedMemory::map(fd).expect("memory must be mappable")
    };
}

/// Checks a table, or a firmware file.
pub fn fuzz(input: &[u8]) {
    let mut input = Input::new(input);
    match input.u8() % 4 {
        0 => image(input.rest()),
        1 => {
            let (da, len, mark) = (input.u32(), input.u32(), input.u8());
            // The result is checked there.
            let _ = with_table(input.rest(), mark, |memory| find(memory, da, len));
        }
        _ => table(input.rest()),
    }
}

/// Runs `f` with the modem's memory, which has a table behind a mark; the mark is valid for `mark`
/// 0.
fn with_table<T>(bytes: &[u8], mark: u8, f: impl FnOnce(&SharedMemory) -> T) -> T {
    MEMORY.with(|memory| {
        let bytes = &bytes[..bytes.len().min(TABLE_MAX)];
        let write = |da: u32, bytes: &[u8]| {
            let written = memory.write(da.into(), bytes);
            written.expect("it is inside the memory");
        };
        write(MARK_DA, &MARK.map(|byte| byte ^ mark));
        write(TABLE_DA, bytes);
        let result = f(memory);
        write(TABLE_DA, &vec![0; bytes.len()]);
        result
    })
}

/// Compares both readers on the same table.
fn table(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(TABLE_MAX)];
    let board = board::table::check(bytes);
    assert_eq!(
        board::table::check_same(bytes, bytes).is_ok(),
        bytes.len() >= 20
    );
    let len = bytes.len() as u32;
    let modem = with_table(bytes, 0, |memory| find(memory, TABLE_DA, len));
    let Ok(()) = board else {
        assert!(board.is_err_and(|unfit| !unfit.to_string().is_empty()));
        return;
    };
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
    let entry = word(16) as usize;
    assert_eq!((word(0), word(4)), (1, 1), "version and entries");
    assert_eq!((word(entry), word(entry + 4)), (3, 12), "one CAIF device");
    assert_eq!(bytes[entry + 25], 2, "vrings");
    for vring in [entry + 28, entry + 48] {
        assert_eq!(word(vring), u32::MAX, "Linux chooses the place");
        let (align, num) = (word(vring + 4), word(vring + 8));
        assert!(num.is_power_of_two() && num <= 32768);
        assert!(align.is_power_of_two() && (4..=65536).contains(&align));
    }
    // The modem loads whole words.
    if entry % 4 == 0 {
        let found = modem.unwrap_or_else(|error| panic!("the modem finds nothing: {error}"));
        assert!(found.is_none(), "a vring without a place is in use");
    }
}

/// Returns the modem's result for a table, after checking that it is sound.
fn find(memory: &SharedMemory, da: u32, len: u32) -> Result<Option<Table>, link::Error> {
    let vdev = Vdev::find(memory, da, len).inspect_err(speaks)?;
    let found = vdev.ready(memory).inspect_err(speaks)?;
    let driver_ready = vdev.is_ready(memory).expect("the status was read before");
    assert!(driver_ready || found.is_none());
    if let Some(table) = &found {
        for vring in &table.vrings {
            let end = vring.da + vring.layout.size() as u64;
            assert!(vring.da >= DA_BASE && end <= DA_BASE + memory.size());
            assert_eq!(vring.da % 16, 0);
        }
        for direction in [&table.uplink, &table.downlink] {
            assert!(direction.mtu > direction.room());
        }
    }
    Ok(found)
}

/// Checks that an error says what was wrong.
fn speaks(error: &link::Error) {
    assert!(!error.to_string().is_empty());
}

/// Compares the board's reader of a file with that of a library.
fn image(bytes: &[u8]) {
    match board::firmware::check(bytes) {
        Err(unfit) => assert!(!unfit.to_string().is_empty()),
        Ok(found) => {
            // The library may refuse more than the board, such as the size of the table of names,
            // which the kernel does not check either. And it skips the first section, which must be
            // the null section.
            let Ok(elf) = ElfFile32::<LittleEndian>::parse(bytes) else {
                return;
            };
            let first = elf.elf_header().e_shoff.get(LittleEndian) as usize;
            if bytes[first..first + 40].iter().any(|byte| *byte != 0) {
                return;
            }
            let names: Result<Vec<_>, _> = elf.sections().map(|s| s.name_bytes()).collect();
            let Ok(names) = names else {
                return;
            };
            let place = names.iter().position(|name| *name == b".resource_table");
            let table = place.and_then(|place| elf.sections().nth(place));
            let table = table.expect("a file without a table was accepted");
            let (start, end) = (table.address(), table.address() + table.size());
            let range = control::FIRMWARE..=control::FIRMWARE + control::FIRMWARE_SIZE;
            assert!(range.contains(&start) && range.contains(&end));
            // Like the kernel, whatever the type of the section.
            let header = table.elf_section_header();
            let start = header.sh_offset.get(LittleEndian) as usize;
            let table = &bytes[start..start + table.size() as usize];
            assert_eq!(table, found.table());
        }
    }
}
