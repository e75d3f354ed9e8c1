// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The server as mailbox and boot loader of the same-SoC machine.

mod common;

use common::{Running, SIZE, TIMEOUT, page, run, rung, rung_now};
use firmware::{Firmware, MARK, MARK_DA, table::TABLE_DA};
use ivshmem::{
    VECTORS,
    client::Client,
    control::{ControlPage, Field, ModemState, VECTOR, host_state},
    mailbox::PEER,
    server::Server,
};
use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
};

/// A machine, and a modem that runs.
struct Soc {
    server: Running,
    machine: UnixStream,
    modem: Client,
    page: ControlPage,
}

fn soc() -> Soc {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bind_soc(&dir.path().join("iv"), SIZE, VECTORS).unwrap();
    let server = run(server, dir);
    let machine = UnixStream::connect(server.dir.path().join("iv.mailbox")).unwrap();
    machine.set_read_timeout(Some(TIMEOUT)).unwrap();
    let modem = server.connect();
    let page = page(&modem);
    page.set(Field::HostState, host_state::RUN).unwrap();
    page.set(Field::ModemPeer, modem.id().into()).unwrap();
    page.set(Field::ModemState, ModemState::Running as u32)
        .unwrap();
    Soc {
        server,
        machine,
        modem,
        page,
    }
}

impl Soc {
    /// Returns the doorbells that the next byte rings.
    fn heard(&mut self) -> u8 {
        let mut byte = [0];
        self.machine.read_exact(&mut byte).unwrap();
        byte[0]
    }
}

#[test]
fn linux_is_the_peer_0_of_a_modem() {
    let soc = soc();
    assert_ne!(soc.modem.id(), PEER);
    assert!(soc.modem.has_peer(PEER.into()));
    assert!(!soc.modem.has_peer(u32::from(soc.modem.id()) + 1));
}

#[test]
fn each_doorbell_of_the_modem_is_a_bit() {
    let mut soc = soc();
    for vector in [0, 1, VECTOR] {
        assert!(soc.modem.ring(PEER.into(), vector).unwrap());
        assert_eq!(soc.heard(), 1 << vector);
    }
}

#[test]
fn each_bit_of_linux_is_a_doorbell() {
    let mut soc = soc();
    for vector in [0, 1, VECTOR] {
        soc.machine.write_all(&[1 << vector]).unwrap();
        rung(&soc.modem, vector);
    }
    soc.machine.write_all(&[0b101, 0b010]).unwrap();
    for vector in [0, 1, VECTOR] {
        rung(&soc.modem, vector);
    }
    assert_eq!(rung_now(&soc.modem), [0; 0]);
}

#[test]
fn a_doorbell_that_is_rung_often_is_heard_at_the_end() {
    let mut soc = soc();
    // More than the socket has room for.
    for _ in 0..100_000 {
        assert!(soc.modem.ring(PEER.into(), 0).unwrap());
    }
    assert!(soc.modem.ring(PEER.into(), 1).unwrap());
    while soc.heard() & 0b10 == 0 {}
}

#[test]
fn a_modem_that_dies_is_told_to_linux() {
    let mut soc = soc();
    let other = soc.server.connect();
    drop(std::mem::replace(&mut soc.modem, other));
    assert_eq!(soc.heard(), 1 << VECTOR);
    let state = soc.page.get(Field::ModemState).unwrap();
    assert_eq!(ModemState::from_raw(state), Some(ModemState::Crashed));
}

#[test]
fn the_modem_is_stopped_when_the_machine_ends() {
    let mut soc = soc();
    let (machine, _) = UnixStream::pair().unwrap();
    drop(std::mem::replace(&mut soc.machine, machine));
    rung(&soc.modem, VECTOR);
    assert_eq!(soc.page.get(Field::HostState).unwrap(), host_state::STOP);
    // Another machine takes its place.
    soc.machine = UnixStream::connect(soc.server.dir.path().join("iv.mailbox")).unwrap();
    soc.machine.write_all(&[1]).unwrap();
    rung(&soc.modem, 0);
}

#[test]
fn the_memory_is_a_file() {
    let soc = soc();
    let path = soc.server.dir.path().join("iv.memory");
    assert_eq!(fs::metadata(&path).unwrap().len(), SIZE);
    let magic = fs::read(&path).unwrap();
    assert!(magic.starts_with(b"CAIF"));
    // It is not taken over from another server.
    let again = Server::bind_soc(&soc.server.dir.path().join("iv"), SIZE, VECTORS);
    assert!(again.is_err());
}

/// Starts a server that boots this firmware.
fn boot(image: &[u8]) -> Result<Running, ivshmem::Error> {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::bind_soc(&dir.path().join("iv"), SIZE, VECTORS)?;
    let file = dir.path().join("firmware.elf");
    fs::write(&file, image).unwrap();
    server.boot(&file)?;
    Ok(run(server, dir))
}

#[test]
fn firmware_is_loaded_and_wanted() {
    let firmware = Firmware::default();
    let server = boot(&firmware.to_bytes()).unwrap();
    let modem = server.connect();
    let page = page(&modem);
    let table = firmware.table.unwrap().to_bytes();
    for (field, want) in [
        (Field::HostState, host_state::RUN),
        (Field::BootId, 1),
        (Field::HostPeer, PEER.into()),
        (Field::RscTableDa, TABLE_DA),
        (Field::RscTableLen, u32::try_from(table.len()).unwrap()),
    ] {
        assert_eq!(page.get(field).unwrap(), want, "{field:?}");
    }
    let memory = common::memory(&modem);
    let mut mark = [0; MARK.len()];
    memory.read(MARK_DA.into(), &mut mark).unwrap();
    assert_eq!(mark, MARK);
    let mut loaded = vec![0; table.len()];
    memory.read(TABLE_DA.into(), &mut loaded).unwrap();
    assert_eq!(loaded, table);
}

#[test]
fn other_files_are_refused() {
    let whole = Firmware::default().to_bytes();
    for len in 0..whole.len() {
        assert!(boot(&whole[..len]).is_err(), "cut to {len} bytes");
    }
    let without_table = Firmware {
        table: None,
        ..Firmware::default()
    };
    let refused = boot(&without_table.to_bytes()).err().unwrap().to_string();
    assert!(refused.contains("no section .resource_table"), "{refused}");
}
