// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The server writes the state of a modem, or of a host, that disconnected without doing so.

mod common;

use common::{Running, meet, page, rung, rung_now, start, until};
use ivshmem::{
    client::Client,
    control::{ControlPage, Field, ModemState, VECTOR},
};

/// A board, and a modem in some state.
struct Board {
    server: Running,
    host: Client,
    modem: Option<Client>,
    page: ControlPage,
}

fn board(state: ModemState) -> Board {
    let server = start();
    // So that neither id is 0, the initial value of the page's fields.
    server.settle();
    let mut host = server.connect();
    let modem = server.connect();
    meet(&mut host, &modem);
    let page = page(&host);
    page.set(Field::HostPeer, host.id().into()).unwrap();
    page.set(Field::HostState, 1).unwrap();
    page.set(Field::BootId, 4).unwrap();
    page.set(Field::ModemPeer, modem.id().into()).unwrap();
    page.set(Field::ModemState, state as u32).unwrap();
    Board {
        server,
        host,
        modem: Some(modem),
        page,
    }
}

impl Board {
    fn state(&self) -> Option<ModemState> {
        ModemState::from_raw(self.page.get(Field::ModemState).unwrap())
    }

    /// Ends the modem as a signal would: its socket closes, and its state stays as it is.
    fn kill_modem(&mut self) {
        let modem = self.modem.take().unwrap();
        let id = u32::from(modem.id());
        drop(modem);
        until(&mut self.host, "the modem to go", |host| !host.has_peer(id));
    }
}

#[test]
fn a_modem_that_dies_in_a_boot_has_crashed() {
    for before in [ModemState::Running, ModemState::Crashed] {
        let mut board = board(before);
        board.kill_modem();
        rung(&board.host, VECTOR);
        assert_eq!(board.state(), Some(ModemState::Crashed));
        assert_eq!(rung_now(&board.host), [0; 0], "vector 2 only");
        assert_eq!(board.page.get(Field::HostState).unwrap(), 1);
    }
}

#[test]
fn a_modem_that_dies_while_it_waits_is_absent() {
    let mut board = board(ModemState::Waiting);
    board.kill_modem();
    rung(&board.host, VECTOR);
    assert_eq!(board.state(), Some(ModemState::Absent));
}

#[test]
fn the_state_of_a_modem_that_ended_in_order_is_kept() {
    let mut board = board(ModemState::Absent);
    board.kill_modem();
    board.server.settle();
    assert_eq!(board.state(), Some(ModemState::Absent));
    assert_eq!(rung_now(&board.host), [0; 0]);
}

#[test]
fn a_state_that_does_not_exist_is_a_crash() {
    let mut board = board(ModemState::Running);
    board.page.set(Field::ModemState, 77).unwrap();
    board.kill_modem();
    rung(&board.host, VECTOR);
    assert_eq!(board.state(), Some(ModemState::Crashed));
}

#[test]
fn another_peer_that_goes_changes_nothing() {
    let mut board = board(ModemState::Running);
    let other = board.server.connect();
    let id = u32::from(other.id());
    meet(&mut board.host, &other);
    drop(other);
    until(&mut board.host, "it to go", |host| !host.has_peer(id));
    board.server.settle();
    assert_eq!(board.state(), Some(ModemState::Running));
    assert_eq!(board.page.get(Field::HostState).unwrap(), 1);
    assert_eq!(rung_now(&board.host), [0; 0]);
    assert_eq!(rung_now(board.modem.as_ref().unwrap()), [0; 0]);
}

#[test]
fn another_modem_may_take_its_place() {
    let mut board = board(ModemState::Running);
    let old = u32::from(board.modem.as_ref().unwrap().id());
    board.kill_modem();
    rung(&board.host, VECTOR);

    let modem = board.server.connect();
    let id = u32::from(modem.id());
    assert_ne!(id, old);
    meet(&mut board.host, &modem);
    board.page.set(Field::ModemPeer, id).unwrap();
    board
        .page
        .set(Field::ModemState, ModemState::Waiting as u32)
        .unwrap();
    assert!(board.host.ring(id, VECTOR).unwrap());
    rung(&modem, VECTOR);
    assert!(modem.ring(board.host.id().into(), 0).unwrap());
    rung(&board.host, 0);

    board
        .page
        .set(Field::ModemState, ModemState::Running as u32)
        .unwrap();
    board.modem = Some(modem);
    board.kill_modem();
    rung(&board.host, VECTOR);
    assert_eq!(board.state(), Some(ModemState::Crashed));
}

#[test]
fn without_a_board_the_state_is_set_all_the_same() {
    for host in [77, u32::MAX] {
        let mut board = board(ModemState::Running);
        board.page.set(Field::HostPeer, host).unwrap();
        board.kill_modem();
        board.server.settle();
        assert_eq!(board.state(), Some(ModemState::Crashed));
        assert_eq!(rung_now(&board.host), [0; 0]);
    }
}

#[test]
fn a_modem_is_stopped_when_its_machine_ends() {
    let board = board(ModemState::Running);
    let mut modem = board.modem.unwrap();
    let id = u32::from(board.host.id());
    drop(board.host);
    rung(&modem, VECTOR);
    until(&mut modem, "the board to go", |modem| !modem.has_peer(id));
    assert_eq!(board.page.get(Field::HostState).unwrap(), 0);
    // The modem's state is the modem's to write, not the server's.
    assert_eq!(
        board.page.get(Field::ModemState).unwrap(),
        ModemState::Running as u32
    );
}

#[test]
fn a_stopped_modem_is_left_alone_when_its_machine_ends() {
    let board = board(ModemState::Waiting);
    board.page.set(Field::HostState, 0).unwrap();
    drop(board.host);
    board.server.settle();
    assert_eq!(rung_now(&board.modem.unwrap()), [0; 0]);
}
