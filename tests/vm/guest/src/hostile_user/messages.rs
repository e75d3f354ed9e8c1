// SPDX-License-Identifier: GPL-2.0

//! Sending and receiving, by all calls.

use super::{
    counts::Call,
    sockets::{Slot, Sockets},
    task::{ROOM, Task},
};

/// Offset of the data in the arena.
const DATA: usize = 1 << 16;
const LENGTHS: &[usize] = &[
    0, 1, 2, 7, 64, 512, 1490, 1497, 1500, 1501, 4000, 8192, 70_000,
];

/// Writes a header of a message (`struct msghdr`) with the data that it refers to, and returns its
/// address.
pub fn header(
    task: &Task,
    name: (usize, usize),
    data: (usize, usize),
    control: (usize, usize),
    bytes: &[u8],
) -> usize {
    task.arena.put(2048, bytes);
    let iov: Vec<u8> = [data.0, data.1]
        .iter()
        .flat_map(|part| part.to_ne_bytes())
        .collect();
    let iov = task.arena.put(3072, &iov);
    raw_header(task, name, (iov, 1), control)
}

fn raw_header(
    task: &Task,
    name: (usize, usize),
    iov: (usize, usize),
    control: (usize, usize),
) -> usize {
    let words = [
        name.0,
        name.1 & 0xffff_ffff,
        iov.0,
        iov.1,
        control.0,
        control.1,
        0,
    ];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    task.arena.put(3584, &bytes)
}

/// Writes a header with any number of parts, of any lengths, and with addresses that may be bad.
fn wild_header(task: &mut Task) -> usize {
    let count = task.pick(&[
        (1, 0_usize),
        (6, 1),
        (3, 2),
        (3, 3),
        (2, 8),
        (1, 64),
        (1, 1025),
    ]);
    let mut iov = Vec::new();
    for _ in 0..count.min(64) {
        let (at, len) = place(task);
        iov.extend_from_slice(&at.to_ne_bytes());
        iov.extend_from_slice(&len.to_ne_bytes());
    }
    let iov = match task.chance(3) {
        true => task.bad_address(),
        false => task.arena.put(1024, &iov),
    };
    let name = match task.rng.u32(..10) {
        0 => (task.arena.at(0), task.rng.usize(..200)),
        1 => (task.bad_address(), 24),
        _ => (0, 0),
    };
    let control = match task.rng.u32(..10) {
        0 => (task.arena.at(DATA), task.rng.usize(..64)),
        1 => (task.bad_address(), task.rng.usize(..64)),
        _ => (0, 0),
    };
    raw_header(task, name, (iov, count), control)
}

/// Returns address and length of some memory.
fn place(task: &mut Task) -> (usize, usize) {
    let len = LENGTHS[task.rng.usize(..LENGTHS.len())];
    if task.chance(8) {
        return (task.bad_address(), len);
    }
    let at = DATA + task.rng.usize(..ROOM - DATA - len);
    (task.arena.at(at), len)
}

/// Returns flags, mostly valid ones, so that calls get as far as possible.
fn flags(task: &mut Task) -> usize {
    let usual = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    match task.rng.u32(..10) {
        0 => task.rng.u32(..) as usize,
        1 => 1 << task.rng.u32(..31),
        2 => libc::MSG_PEEK as usize | usual as usize,
        3 => (libc::MSG_TRUNC | usual) as usize,
        // Waits, until a signal comes.
        4 => 0,
        5 => libc::MSG_WAITALL as usize,
        _ => usual as usize,
    }
}

pub fn send(this: &mut Sockets<'_>, slot: Slot) {
    let task = &mut *this.task;
    if task.chance(50) {
        let text: &[u8] = match slot.protocol {
            0 => b"AT\r",
            _ => b"some bytes that may come back",
        };
        let at = task.arena.put(DATA, text);
        let flags = (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as usize;
        let args = [slot.fd, at, text.len(), flags, 0, 0];
        let _ = task.sys(Call::Send, libc::SYS_sendto, &args);
        return;
    }
    let flags = flags(task);
    let (number, args) = match task.rng.u32(..5) {
        0 => {
            let (at, len) = place(task);
            (libc::SYS_sendto, [slot.fd, at, len, flags, 0, 0])
        }
        1 => (
            libc::SYS_sendmsg,
            [slot.fd, wild_header(task), flags, 0, 0, 0],
        ),
        2 => {
            let (at, len) = place(task);
            (libc::SYS_write, [slot.fd, at, len, 0, 0, 0])
        }
        3 => {
            wild_header(task);
            let iov = [slot.fd, task.arena.at(1024), task.rng.usize(..5), 0, 0, 0];
            (libc::SYS_writev, iov)
        }
        _ => (libc::SYS_sendmmsg, [slot.fd, headers(task), 2, flags, 0, 0]),
    };
    let _ = task.sys(Call::SendWild, number, &args);
}

pub fn receive(this: &mut Sockets<'_>, slot: Slot) {
    let task = &mut *this.task;
    if task.chance(50) {
        let flags = libc::MSG_DONTWAIT as usize;
        let args = [slot.fd, task.arena.at(DATA), 4096, flags, 0, 0];
        let _ = task.sys(Call::Receive, libc::SYS_recvfrom, &args);
        return;
    }
    let flags = flags(task);
    let (number, args) = match task.rng.u32(..5) {
        0 => {
            let (at, len) = place(task);
            let name = task.arena.at(256);
            let room = match task.rng.bool() {
                true => task.arena.put(0, &24_u32.to_ne_bytes()),
                false => task.bad_address(),
            };
            (libc::SYS_recvfrom, [slot.fd, at, len, flags, name, room])
        }
        1 => (
            libc::SYS_recvmsg,
            [slot.fd, wild_header(task), flags, 0, 0, 0],
        ),
        2 => {
            let (at, len) = place(task);
            (libc::SYS_read, [slot.fd, at, len, 0, 0, 0])
        }
        3 => {
            wild_header(task);
            let iov = [slot.fd, task.arena.at(1024), task.rng.usize(..5), 0, 0, 0];
            (libc::SYS_readv, iov)
        }
        // With a timeout, which is checked between messages.
        _ => {
            let headers = headers(task);
            let limit = task.arena.put(512, &[0; 16]);
            (libc::SYS_recvmmsg, [slot.fd, headers, 2, flags, limit, 0])
        }
    };
    let _ = task.sys(Call::ReceiveWild, number, &args);
}

/// Writes two headers, each with room for its result.
fn headers(task: &mut Task) -> usize {
    let at = wild_header(task);
    let header = task.arena.get(at - task.arena.at(0), 56);
    for offset in [3712, 3776] {
        task.arena.put(offset, &header);
    }
    task.arena.at(3712)
}

/// Moves data between the socket and a pipe.
pub fn splice(this: &mut Sockets<'_>, slot: Slot) {
    let task = &mut *this.task;
    let flags = libc::O_NONBLOCK as usize;
    if task
        .raw(libc::SYS_pipe2, &[task.arena.at(0), flags])
        .is_err()
    {
        return;
    }
    let pair = task.arena.get(0, 8);
    let end = |at: usize| {
        let bytes = pair[at..].first_chunk().copied().unwrap_or_default();
        u32::from_ne_bytes(bytes) as usize
    };
    let len = task.rng.usize(1..9000);
    let data = task.arena.at(DATA);
    let _ = task.raw(libc::SYS_write, &[end(4), data, len]);
    let flags = libc::SPLICE_F_NONBLOCK as usize | task.rng.usize(..16);
    let args = match task.rng.bool() {
        true => [end(0), 0, slot.fd, 0, len, flags],
        false => [slot.fd, 0, end(4), 0, len, flags],
    };
    let _ = task.sys(Call::Splice, libc::SYS_splice, &args);
    for at in [0, 4] {
        let _ = task.raw(libc::SYS_close, &[end(at)]);
    }
}
