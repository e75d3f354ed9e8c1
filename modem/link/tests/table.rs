// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modem's reading of resource tables, valid and invalid.

mod common;

use common::{EVENT_IDX, Host, STATUS_READY, VDEV, VRING_DA, table};
use firmware::{
    MARK_DA,
    table::{ENTRY, ResourceTable, TABLE_DA},
};
use ivshmem::memory::{DA_BASE, MIN_SIZE};
use kernel_pure::{
    ivshmem::rsc_table::{TYPE_LEN, header, vdev, vring},
    link_config::Direction,
};
use link::{Error, table::Vdev};

const FIRMWARE_END: u32 = 0x8010_0000;
/// Offsets of fields from the table's start.
const VERSION: usize = header::VERSION;
const ENTRIES: usize = header::NUM;
const TYPE: usize = ENTRY;
const DEVICE: usize = ENTRY + TYPE_LEN;
const ID: usize = DEVICE + vdev::ID;
const CONFIG_LEN: usize = DEVICE + vdev::CONFIG_LEN;
const VRING_COUNT: usize = DEVICE + vdev::NUM_OF_VRINGS;
const VRING: [usize; 2] = [DEVICE + vdev::VRINGS[0], DEVICE + vdev::VRINGS[1]];
const CONFIG: usize = DEVICE + vdev::CONFIG;

fn host() -> Host {
    Host::ready(table(64, 128, 2048, true))
}

/// Returns the text of a table's error.
#[track_caller]
fn table_error<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Table(what)) => what,
        other => panic!("not an error of the table: {other:?}"),
    }
}

/// Returns the text of the error after a word of the table was changed.
#[track_caller]
fn ready_error(offset: usize, value: u32) -> String {
    let host = host();
    let at = u64::from(TABLE_DA) + offset as u64;
    if offset % 4 == 0 {
        host.memory.store(at, value).unwrap();
    } else {
        host.memory.store(at, value as u8).unwrap();
    }
    table_error(host.find().and_then(|vdev| vdev.ready(&host.memory)))
}

#[test]
fn all_that_was_agreed_to_is_found() {
    let host = host();
    let found = host.agreed();
    let [down, up] = found.vrings;
    assert_eq!([down.da, up.da], VRING_DA.map(u64::from));
    assert_eq!((down.layout.num(), up.layout.num()), (64, 128));
    assert!(found.event_idx);
    let direction = |headroom, tailroom| Direction {
        headroom,
        tailroom,
        mtu: 2048,
    };
    assert_eq!(found.uplink, direction(32, 16));
    assert_eq!(found.downlink, direction(24, 8));
}

#[test]
fn features_that_linux_did_not_take_do_not_count() {
    let host = host();
    host.set_features(!EVENT_IDX);
    assert!(!host.agreed().event_idx);
}

#[test]
fn without_a_config_space_there_are_defaults() {
    let host = Host::ready(ResourceTable {
        config: None,
        ..table(64, 64, 2048, false)
    });
    let found = host.agreed();
    assert_eq!(found.uplink, Direction::DEFAULT);
    assert_eq!(found.downlink, Direction::DEFAULT);
}

#[test]
fn a_driver_that_is_not_ready_is_waited_for() {
    let host = Host::load(table(64, 64, 2048, true));
    let vdev = host.find().unwrap();
    assert!(vdev.ready(&host.memory).unwrap().is_none());
    // ACKNOWLEDGE and DRIVER.
    host.set_status(3);
    assert!(!vdev.is_ready(&host.memory).unwrap());
    assert!(vdev.ready(&host.memory).unwrap().is_none());
    // No vring has a place, then one.
    host.set_status(STATUS_READY);
    assert!(vdev.is_ready(&host.memory).unwrap());
    assert!(vdev.ready(&host.memory).unwrap().is_none());
    let vring_da = |index: usize| VDEV + (vdev::VRINGS[index] + vring::DA) as u64;
    host.memory.store(vring_da(0), VRING_DA[0]).unwrap();
    assert!(vdev.ready(&host.memory).unwrap().is_none());
    host.memory.store(vring_da(1), VRING_DA[1]).unwrap();
    assert!(vdev.ready(&host.memory).unwrap().is_some());
    host.set_status(0);
    assert!(vdev.ready(&host.memory).unwrap().is_none());
}

#[test]
fn firmware_of_another_modem_is_refused() {
    let host = host();
    host.memory.write(MARK_DA.into(), b"CAIFMDM2").unwrap();
    let what = table_error(host.find());
    assert!(what.contains("it is for another modem"), "{what}");
}

#[test]
fn the_table_must_be_inside_the_memory_for_firmware() {
    let host = host();
    let len = host.table_len();
    for (da, len) in [
        (0, len),
        (DA_BASE as u32, len),
        (MARK_DA - 4, len),
        (FIRMWARE_END - len + 4, len),
        (FIRMWARE_END, len),
        (TABLE_DA, FIRMWARE_END - TABLE_DA + 1),
        (TABLE_DA, u32::MAX),
        (u32::MAX, u32::MAX),
    ] {
        let what = table_error(Vdev::find(&host.memory, da, len));
        assert!(
            what.contains("not inside the memory for firmware"),
            "{what}"
        );
    }
    // At its very end there is room for it.
    let da = FIRMWARE_END - len;
    host.memory
        .write(da.into(), &host.table.to_bytes())
        .unwrap();
    Vdev::find(&host.memory, da, len).unwrap();
}

#[test]
fn a_table_that_ends_early_is_refused() {
    let host = host();
    for len in 0..host.table_len() {
        let found = Vdev::find(&host.memory, TABLE_DA, len);
        let what = table_error(found.and_then(|vdev| vdev.ready(&host.memory)));
        assert!(
            what.contains("ends before its byte") || what.contains("no room"),
            "{len} bytes: {what}"
        );
    }
}

#[test]
fn a_table_at_an_odd_place_is_refused() {
    let host = host();
    let bytes = host.table.to_bytes();
    for da in [TABLE_DA + 1, TABLE_DA + 2, TABLE_DA + 3] {
        host.memory.write(da.into(), &bytes).unwrap();
        let what = table_error(Vdev::find(&host.memory, da, host.table_len()));
        assert!(what.contains("multiple of 4"), "{what}");
    }
}

#[test]
fn a_table_without_the_device_is_refused() {
    assert!(ready_error(VERSION, 2).contains("version 2, must be 1"));
    assert!(ready_error(ENTRIES, 0).contains("no CAIF device among 0 entries"));
    // A carveout, and a network card.
    assert!(ready_error(TYPE, 0).contains("no CAIF device among 1 entries"));
    assert!(ready_error(ID, 1).contains("no CAIF device among 1 entries"));
    // More entries than there is room for, after none that is the device.
    let host = host();
    let at = u64::from(TABLE_DA);
    host.memory.store(at + ENTRIES as u64, u32::MAX).unwrap();
    host.memory.store(at + ID as u64, 1u32).unwrap();
    table_error(host.find());
}

#[test]
fn an_entry_must_be_in_the_table() {
    for offset in [120, 1 << 20, u32::MAX - 3] {
        let what = ready_error(header::OFFSETS, offset);
        assert!(what.contains("ends before its byte"), "{offset}: {what}");
    }
    assert!(ready_error(header::OFFSETS, 21).contains("multiple of 4"));
}

#[test]
fn the_device_must_be_as_the_board_has_it() {
    for count in [0, 1, 3, 255] {
        let what = ready_error(VRING_COUNT, count);
        assert!(
            what.contains(&format!("{count} vrings, must be 2")),
            "{what}"
        );
    }
    for len in [1, 16, 31, 33, u32::MAX] {
        let what = ready_error(CONFIG_LEN, len);
        let expected = format!("config space of {len} bytes, must be 0 or 32");
        assert!(what.contains(&expected), "{what}");
    }
}

#[test]
fn a_vring_must_have_a_possible_geometry() {
    for (index, at) in VRING.into_iter().enumerate() {
        for num in [0, 3, 65536, u32::MAX] {
            let what = ready_error(at + vring::NUM, num);
            let expected = format!("vring {index}: {num} descriptors, must be a power of two");
            assert!(what.contains(&expected), "{what}");
        }
        for align in [0, 2, 48, 131072, u32::MAX] {
            let what = ready_error(at + vring::ALIGN, align);
            let expected = format!("vring {index}: alignment of {align} bytes, must be");
            assert!(what.contains(&expected), "{what}");
        }
    }
}

#[test]
fn a_vring_must_be_inside_the_memory() {
    let end = (DA_BASE + MIN_SIZE) as u32;
    for (index, at) in VRING.into_iter().enumerate() {
        for da in [0, DA_BASE as u32 - 16, end - 16, end, u32::MAX - 15] {
            let what = ready_error(at + vring::DA, da);
            let expected = format!("vring {index} at {da:#x} is not inside the shared memory");
            assert!(what.contains(&expected), "{what}");
        }
        let what = ready_error(at + vring::DA, VRING_DA[index] + 8);
        assert!(what.contains("must be a multiple of 16"), "{what}");
    }
}

#[test]
fn a_config_must_leave_room_for_a_frame() {
    for (mtu, good) in [(0, false), (48, false), (49, true), (u32::MAX, true)] {
        let direction = Direction {
            headroom: 32,
            tailroom: 16,
            mtu,
        };
        for uplink in [true, false] {
            let mut table = table(64, 64, 2048, true);
            let config = table.config.as_mut().unwrap();
            if uplink {
                config.uplink = direction;
            } else {
                config.downlink = direction;
            }
            let host = Host::ready(table);
            let ready = host.find().unwrap().ready(&host.memory);
            if good {
                assert!(ready.unwrap().is_some());
            } else {
                let what = table_error(ready);
                assert!(
                    what.contains(&format!("an mtu of {mtu} has no room")),
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn only_the_config_space_of_the_device_is_read() {
    // The same table without its last bytes, while what follows it in memory looks like them.
    let host = host();
    let short = CONFIG as u32;
    let found = Vdev::find(&host.memory, TABLE_DA, short).unwrap();
    let what = table_error(found.ready(&host.memory));
    assert!(what.contains("no room for its config space"), "{what}");
    host.memory
        .store(u64::from(TABLE_DA) + CONFIG_LEN as u64, 0u32)
        .unwrap();
    let ready = found.ready(&host.memory).unwrap().unwrap();
    assert_eq!(ready.uplink, Direction::DEFAULT);
}
