// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The daemon on a bus of its own, with a kernel that is not Linux, and a client that does as oFono
//! does.

mod daemon;
mod ofono;
mod program;
mod world;

use std::{process, time::Instant};

use async_io::block_on;
use caif_modeminit::{
    bus::{Bus, MANAGER, NAME},
    daemon::Sweeping,
    modems::{Link, Modems, Snapshot},
};
use futures_lite::future;
use zbus::{Connection, connection::Builder};

use crate::{
    daemon::PrivateBus,
    ofono::{FakeOfono, Known},
    world::World,
};

/// Returns the kernel of a modem that is ready.
fn ready(state: &mut world::KernelState) {
    state.is("running");
    state.add_link("cfvrt0");
}

fn known(interface: &str, state: &str) -> Known {
    Known {
        serial: "remoteproc0".to_owned(),
        interface: interface.to_owned(),
        state: state.to_owned(),
    }
}

#[test]
fn ofono_follows_a_modem_through_a_crash_and_a_stop() {
    let mut world = World::new(ready);
    let mut ofono = FakeOfono::new(&world.bus.address);
    ofono.until_state("ready");
    assert_eq!(ofono.modem(), &known("cfvrt0", "ready"));

    world.change(|state| state.is("crashed"));
    assert_eq!(ofono.until_state("dumping"), ["dumping"]);
    let asked = ofono.asked;
    // Between the two halves of the recovery. There is no event when it runs again.
    world.change(|state| {
        state.links.clear();
        state.is("offline");
    });
    world.change(|state| state.add_link("cfvrt0"));
    assert_eq!(ofono.until_state("booting"), ["booting"]);
    world.silently(|state| state.is("running"));
    assert_eq!(ofono.until_state("ready"), ["ready"]);

    world.change(|state| state.links.clear());
    assert_eq!(ofono.until_state("booting"), ["booting"]);
    world.silently(|state| state.is("offline"));
    assert_eq!(ofono.until_state("off"), ["off"]);
    world.change(ready);
    assert_eq!(
        ofono.until_state("ready").last().map(String::as_str),
        Some("ready")
    );
    // The modem and its interface were the same all the time.
    assert_eq!(ofono.asked, asked);
    world.end().expect("a clean end");
    ofono.until(|ofono| ofono.modems.is_empty());
}

#[test]
fn ofono_asks_again_when_a_modem_or_a_name_is_new() {
    let mut world = World::new(|_| {});
    let mut ofono = FakeOfono::new(&world.bus.address);
    ofono.until(|ofono| ofono.asked > 0);
    assert!(ofono.modems.is_empty());
    world.change(ready);
    ofono.until_state("ready");
    assert_eq!(ofono.modem(), &known("cfvrt0", "ready"));
    world.change(|state| "modem".clone_into(&mut state.links[0].name));
    ofono.until(|ofono| ofono.modems.values().any(|one| one.interface == "modem"));
    assert_eq!(ofono.modem(), &known("modem", "ready"));
    world.end().expect("a clean end");
}

#[test]
fn a_call_of_somebody_else_hides_no_modem_from_ofono() {
    let bus_daemon = PrivateBus::new();
    let modem = |name: &str| {
        let link = Link {
            index: 2,
            name: name.to_owned(),
            up: true,
            carrier: true,
            processor: "remoteproc0".to_owned(),
            device: "rproc-virtio.0.auto".to_owned(),
        };
        let snapshot = Snapshot {
            links: vec![link],
            ..Snapshot::default()
        };
        let mut modems = Modems::default();
        modems.observe(&snapshot, Instant::now());
        modems
    };
    let test = async {
        let address = bus_daemon.address.as_str();
        let bus = Bus::connect(Some(address)).await.expect("the bus");
        let client = || async {
            let connect = Builder::address(address).expect("an address").build();
            connect.await.expect("the bus")
        };
        let (ofono, other) = (client().await, client().await);
        let ask = async |connection: &Connection| {
            let manager = Some("com.stericsson.modeminit.Manager");
            connection
                .call_method(Some(NAME), MANAGER, manager, "GetModems", &())
                .await
                .expect("an answer");
        };
        let answers = async {
            loop {
                bus.connection().executor().tick().await;
            }
        };
        let asks = async {
            bus.show(modem("cfvrt0").all()).await.expect("the bus");
            bus.take_name().await.expect("the name");
            ask(&ofono).await;
            assert!(!bus.is_outdated());
            bus.show(modem("cfvrt1").all()).await.expect("the bus");
            ask(&other).await;
            assert!(bus.is_outdated());
        };
        future::or(asks, answers).await;
    };
    block_on(test);
}

#[test]
fn a_processor_that_goes_is_off() {
    let mut world = World::new(ready);
    let mut ofono = FakeOfono::new(&world.bus.address);
    ofono.until_state("ready");
    world.change(|state| {
        state.links.clear();
        state.processors.clear();
    });
    assert_eq!(ofono.until_state("off"), ["off"]);
    world.change(ready);
    ofono.until_state("ready");
    world.end().expect("a clean end");
}

#[test]
fn what_ofono_leaves_behind_is_deleted() {
    let mut world = World::new(ready);
    let mut ofono = FakeOfono::new(&world.bus.address);
    ofono.until_state("ready");
    let of_user = world.change(|state| state.make(1));
    for round in 0..3 {
        let mut old = world.change(|state| {
            (0..4)
                .map(|_| state.make(process::id()))
                .collect::<Vec<_>>()
        });
        ofono.set_online(true);
        // One carries a context.
        world.change(|state| state.interfaces.last_mut().expect("one").up = true);
        // The user makes another while oFono is online.
        let kept = world.change(|state| state.make(1));
        // oFono's answer is true, so that nothing goes yet.
        ofono.set_online(true);
        ofono.set_online(false);
        let last = old.pop().expect("four");
        world.until(|state| old.iter().all(|name| !state.names().contains(name)));
        let names = world.silently(|state| state.names());
        assert!(
            names.contains(&last) && names.contains(&kept),
            "round {round}: {names:?}"
        );
        world.change(|state| state.interfaces.iter_mut().for_each(|one| one.up = false));
        world.until(|state| !state.names().contains(&last));
    }
    assert_eq!(world.silently(|state| state.names()).len(), 4);
    // oFono is killed with a context up. The kernel's event comes after that of the bus.
    world.silently(|state| {
        state.make(process::id());
        state.interfaces.last_mut().expect("one").up = true;
    });
    drop(ofono);
    world.until(|state| state.names().len() == 4);
    assert!(world.silently(|state| state.names()).contains(&of_user));
    world.end().expect("a clean end");
}

#[test]
fn ofono_that_is_online_keeps_its_interfaces() {
    let mut world = World::new(ready);
    let mut ofono = FakeOfono::new(&world.bus.address);
    ofono.until_state("ready");
    let names: Vec<_> = world.change(|state| (0..4).map(|_| state.make(process::id())).collect());
    // It is asked again only after its first answer was used.
    for often in [1, 2] {
        ofono.set_online(true);
        ofono.until_asked(often);
    }
    world.change(|state| state.is("crashed"));
    ofono.until_state("dumping");
    assert_eq!(world.silently(|state| state.names()), names);
    world.end().expect("a clean end");
}

#[test]
fn nothing_is_deleted_if_it_is_not_to() {
    let off = Sweeping {
        off: true,
        ..Sweeping::default()
    };
    let mut world = World::on(PrivateBus::new(), off, ready);
    let mut ofono = FakeOfono::new(&world.bus.address);
    ofono.until_state("ready");
    world.change(|state| state.make(process::id()));
    ofono.set_online(false);
    drop(ofono);
    // A new one is told a new state: the daemon has seen the other's end by then.
    let mut ofono = FakeOfono::new(&world.bus.address);
    ofono.until_state("ready");
    world.change(|state| state.is("crashed"));
    ofono.until_state("dumping");
    assert_eq!(world.silently(|state| state.names()).len(), 1);
    world.end().expect("a clean end");
}

#[test]
fn what_was_seen_before_a_restart_is_deleted_after_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("made");
    let sweeping = Sweeping {
        off: false,
        file: Some(file.clone()),
    };
    let mut world = World::on(PrivateBus::new(), sweeping.clone(), ready);
    let mut ofono = FakeOfono::new(&world.bus.address);
    ofono.until_state("ready");
    ofono.set_online(true);
    let left = world.change(|state| state.make(process::id()));
    let of_user = world.change(|state| state.make(1));
    // The state is told after what was made was seen.
    world.change(|state| state.is("crashed"));
    ofono.until_state("dumping");
    let (bus, state) = world.restart();
    let text = std::fs::read_to_string(&file).expect("the file");
    assert!(text.contains(&left) && !text.contains(&of_user), "{text}");
    // It goes offline while nobody looks.
    ofono.set_online(false);
    let world = World::on(bus, sweeping, |new| *new = state);
    world.until(|state| state.names() == [of_user.clone()]);
    world.end().expect("a clean end");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), "");
}

#[test]
fn wrong_calls_are_refused_and_change_nothing() {
    let world = World::new(ready);
    let mut ofono = FakeOfono::new(&world.bus.address);
    ofono.until_state("ready");
    let call = |path: &str, interface: &str, method: &str| {
        let name = Some(caif_modeminit::bus::NAME);
        async_io::block_on(ofono.connection.call_method(
            name,
            path,
            Some(interface),
            method,
            &("x", 1_u32),
        ))
    };
    let manager = "com.stericsson.modeminit.Manager";
    let modem = "com.stericsson.modeminit.Modem";
    for (path, interface, method) in [
        ("/", manager, "NoSuchMethod"),
        ("/", modem, "GetModems"),
        ("/nowhere", manager, "GetModems"),
        (
            "/com/stericsson/modeminit/remoteproc0",
            modem,
            "PropertyChanged",
        ),
        (
            "/com/stericsson/modeminit/remoteproc0",
            "org.freedesktop.DBus.Properties",
            "Set",
        ),
    ] {
        let answer = call(path, interface, method);
        assert!(answer.is_err(), "{path} {interface} {method}");
    }
    world.end().expect("a clean end");
}

#[test]
fn it_ends_with_the_bus() {
    let mut world = World::new(ready);
    let mut ofono = FakeOfono::new(&world.bus.address);
    ofono.until_state("ready");
    world.bus.stop();
    assert_eq!(world.ended(), "the bus is gone");
}

#[test]
fn a_kernel_that_does_not_let_it_is_an_error() {
    let world = World::new(|state| {
        ready(state);
        state.refuses = Some(1);
    });
    assert_eq!(
        world.ended(),
        "setting cfvrt0 up takes CAP_NET_ADMIN: run this as root"
    );
    // What the link itself refuses is not the daemon's end.
    let world = World::new(|state| {
        ready(state);
        state.refuses = Some(5);
    });
    let mut ofono = FakeOfono::new(&world.bus.address);
    ofono.until_state("booting");
    world.end().expect("a clean end");
}
