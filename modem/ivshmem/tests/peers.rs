// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Peers share memory and interrupts, and know of each other.

mod common;

use common::{SIZE, TIMEOUT, meet, memory, page, rung, rung_now, start, start_in, until};
use ivshmem::{
    Error, MEMORY, PROTOCOL_VERSION, VECTORS,
    client::Client,
    control::{ControlPage, Field, MAGIC, VERSION},
    memory::{DA_BASE, SharedMemory},
    message,
    server::Server,
};
use rustix::{fd::AsFd, fs::OFlags};
use std::{
    io::Write,
    os::unix::net::{UnixListener, UnixStream},
    sync::mpsc,
    thread,
};

#[test]
fn peers_have_ids_of_their_own_and_share_the_memory() {
    let server = start();
    let (a, b) = (server.connect(), server.connect());
    assert_ne!(a.id(), b.id());
    let (ours, theirs) = (memory(&a), memory(&b));
    assert_eq!((ours.size(), theirs.size()), (SIZE, SIZE));
    let last = DA_BASE + SIZE - 8;
    ours.store(last, 0x1122_3344_5566_7788_u64).unwrap();
    assert_eq!(theirs.load::<u64>(last).unwrap(), 0x1122_3344_5566_7788);
    let page = page(&b);
    assert_eq!(page.get(Field::Magic).unwrap(), MAGIC);
    assert_eq!(page.get(Field::Version).unwrap(), VERSION);
    for field in [Field::HostState, Field::BootId, Field::ModemState] {
        assert_eq!(page.get(field).unwrap(), 0, "{field:?}");
    }
}

#[test]
fn a_page_that_no_server_made_is_refused() {
    let fd = ivshmem::memory::create(SIZE).unwrap();
    let memory = SharedMemory::map(&fd).unwrap();
    let refused = ControlPage::open(memory).err().unwrap().to_string();
    assert!(refused.contains("must be 0x46494143 and 1"), "{refused}");
}

#[test]
fn doorbells_ring_both_ways() {
    let server = start();
    let mut a = server.connect();
    let b = server.connect();
    meet(&mut a, &b);
    for vector in 0..VECTORS {
        for (from, to) in [(&a, &b), (&b, &a)] {
            // Two rings before the vector is cleared count once.
            assert!(from.ring(to.id().into(), vector).unwrap());
            assert!(from.ring(to.id().into(), vector).unwrap());
            rung(to, vector);
            assert_eq!(rung_now(to), [0; 0], "vector {vector} only, and once");
            assert_eq!(rung_now(from), [0; 0]);
        }
    }
}

/// QEMU clears the flag of all eventfds that it receives, and sets it again a little later.
#[test]
fn clearing_does_not_block_on_an_eventfd_made_blocking() {
    let server = start();
    let a = server.connect();
    rustix::fs::fcntl_setfl(a.vector(0).unwrap(), OFlags::RDWR).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(a.clear(0)));
    let cleared = receiver.recv_timeout(TIMEOUT);
    assert!(!cleared.expect("it waits").unwrap());
}

#[test]
fn only_what_is_there_can_be_rung() {
    let server = start();
    let mut a = server.connect();
    let b = server.connect();
    meet(&mut a, &b);
    for (peer, vector) in [
        (u32::from(b.id()), VECTORS),
        (u32::from(b.id()), usize::MAX),
        (u32::from(b.id()) + 1, 0),
        (u32::from(b.id()) + 65536, 0),
        (u32::MAX, 0),
    ] {
        assert!(!a.ring(peer, vector).unwrap(), "{peer} {vector}");
    }
    assert!(!a.clear(VECTORS).unwrap());
    assert_eq!(rung_now(&b), [0; 0]);
}

#[test]
fn peers_see_others_come_and_go() {
    let server = start();
    let (mut a, mut b) = (server.connect(), server.connect());
    assert!(b.has_peer(a.id().into()), "who comes knows who is there");
    let c = server.connect();
    let id = u32::from(c.id());
    for client in [&mut a, &mut b] {
        meet(client, &c);
        assert!(client.ring(id, 1).unwrap());
    }
    rung(&c, 1);
    drop(c);
    for client in [&mut a, &mut b] {
        until(client, "a peer to go", |client| !client.has_peer(id));
        assert!(!client.ring(id, 1).unwrap());
    }
    // The other two are not disturbed.
    assert!(a.ring(b.id().into(), 3).unwrap());
    rung(&b, 3);

    let d = server.connect();
    assert_ne!(u32::from(d.id()), id, "an id is not used again at once");
    assert!(!d.has_peer(id));
}

#[test]
fn peers_notice_when_the_server_goes() {
    let mut server = start();
    let mut a = server.connect();
    server.stop();
    assert!(matches!(a.update(), Err(Error::Closed)));
    assert!(!server.path.exists(), "its socket goes with it");
}

#[test]
fn a_peer_that_does_not_receive_is_removed() {
    let server = start();
    let mut watcher = server.connect();
    let deaf = UnixStream::connect(&server.path).unwrap();
    until(&mut watcher, "the deaf one to come", |client| {
        client.has_peer(1)
    });
    // Each connection is announced to all peers, until the deaf one's socket is full.
    for round in 0.. {
        assert!(round < 2000, "the deaf one was never given up");
        let client = server.connect();
        meet(&mut watcher, &client);
        if !watcher.has_peer(1) {
            // The deaf one may have been removed when this one connected; this one must not know
            // it.
            let mut client = client;
            until(&mut client, "the deaf one to go", |client| {
                !client.has_peer(1)
            });
            break;
        }
        drop(client);
    }
    drop(deaf);
    let other = server.connect();
    meet(&mut watcher, &other);
    assert!(watcher.ring(other.id().into(), 0).unwrap());
    rung(&other, 0);
}

#[test]
fn the_socket_of_a_dead_server_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(dir.path().join("iv")).unwrap());
    assert!(dir.path().join("iv").exists());
    let server = start_in(dir);
    assert_eq!(server.connect().id(), 0);
}

#[test]
fn a_second_server_is_refused() {
    let server = start();
    let mut a = server.connect();
    let refused = Server::bind(&server.path, SIZE, VECTORS).err().unwrap();
    assert!(refused.to_string().contains("in use"), "{refused}");
    // The first one is not disturbed.
    let b = server.connect();
    meet(&mut a, &b);
    assert!(b.ring(a.id().into(), 0).unwrap());
    rung(&a, 0);
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("iv");
    std::fs::write(&path, "precious").unwrap();
    assert!(Server::bind(&path, SIZE, VECTORS).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_server_must_have_a_possible_size_and_vectors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("iv");
    for size in [0, 4096, 8 << 20, 17 << 20, 24 << 20, 1 << 31, u64::MAX] {
        let refused = Server::bind(&path, size, VECTORS).err().unwrap();
        let expected = format!("{size} bytes, must be a power of two from 16777216 to 1073741824");
        assert!(refused.to_string().contains(&expected), "{refused}");
    }
    for vectors in [0, 3, 65] {
        let refused = Server::bind(&path, SIZE, vectors).err().unwrap();
        let expected = format!("{vectors} vectors, must be from 4 to 64");
        assert!(refused.to_string().contains(&expected), "{refused}");
    }
    assert!(!path.exists());
}

/// Returns the error of a client whose server does `serve`.
fn refused(serve: impl FnOnce(&mut UnixStream)) -> Error {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("iv");
    let listener = UnixListener::bind(&path).unwrap();
    // The connection is made before it is accepted; a thread keeps the client waiting.
    std::thread::scope(|scope| {
        let client = scope.spawn(|| Client::connect(&path).err().unwrap());
        let (mut socket, _) = listener.accept().unwrap();
        serve(&mut socket);
        drop(socket);
        client.join().unwrap()
    })
}

#[test]
fn a_client_takes_no_other_protocol() {
    let memory = ivshmem::memory::create(SIZE).unwrap();
    let say = |values: &[i64]| {
        refused(|socket| {
            for value in values {
                // The client may have gone already.
                let _ = message::send(&*socket, *value, None);
            }
        })
        .to_string()
    };
    assert!(say(&[1]).contains("version 1, must be 0"));
    assert!(say(&[PROTOCOL_VERSION, -5]).contains("peer id -5, must be from 0 to 65535"));
    assert!(say(&[PROTOCOL_VERSION, 65536]).contains("peer id 65536"));
    assert!(say(&[PROTOCOL_VERSION, 7, MEMORY]).contains("where the memory was due"));
    assert!(matches!(refused(|_| {}), Error::Closed));
    let closed = refused(|socket| {
        for (value, fd) in [
            (PROTOCOL_VERSION, None),
            (7, None),
            (MEMORY, Some(memory.as_fd())),
        ] {
            message::send(&*socket, value, fd).unwrap();
        }
    });
    assert!(matches!(closed, Error::Closed), "{closed}");
    let short = refused(|socket| socket.write_all(b"HTTP").unwrap());
    assert!(
        short.to_string().contains("message of 4 bytes, not 8"),
        "{short}"
    );
}
