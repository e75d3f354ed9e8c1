// SPDX-License-Identifier: GPL-2.0

//! Calls on sockets of AF_CAIF.

use anyhow::Result;

use super::{
    counts::Call,
    messages, options,
    task::{Task, reap},
};
use crate::caif::AF_CAIF;

const SLOTS: usize = 8;
/// Limit for an immediate answer of the modem.
const SOON_MS: u64 = 400;

/// A socket.
#[derive(Clone, Copy)]
pub struct Slot {
    pub fd: usize,
    pub protocol: usize,
}

/// A task with some sockets.
pub struct Sockets<'a> {
    pub task: &'a mut Task,
    slots: [Option<Slot>; SLOTS],
    epoll: Option<usize>,
}

type Step = fn(&mut Sockets<'_>, Slot);

/// The actions on a socket, and their frequencies.
const STEPS: &[(u32, Step)] = &[
    (10, |this, slot| this.connect(slot)),
    (14, messages::send),
    (14, messages::receive),
    (8, options::set),
    (5, options::get),
    (2, options::filter),
    (4, |this, slot| this.never(slot)),
    (4, |this, slot| this.poll(slot)),
    (3, |this, slot| this.control(slot)),
    (3, |this, slot| this.dup(slot)),
    (8, |this, slot| this.close(slot)),
    (2, |this, slot| this.fork(slot)),
    (2, |this, slot| this.pass(slot)),
    (2, messages::splice),
];

/// Makes calls until the time is over.
pub fn run(task: &mut Task) -> Result<()> {
    let mut this = Sockets {
        task,
        slots: [None; SLOTS],
        epoll: None,
    };
    let mut steps = 0_u32;
    while !this.task.is_over() {
        if steps.is_multiple_of(64) {
            this.task.set_alarms();
        }
        steps = steps.wrapping_add(1);
        this.be_quiet();
        this.step();
    }
    this.close_all();
    Ok(())
}

impl Sockets<'_> {
    fn step(&mut self) {
        if self.task.chance(6) {
            return self.dialogue();
        }
        if self.task.chance(1) {
            return self.nobody();
        }
        let index = self.task.rng.usize(..SLOTS);
        match self.slots[index] {
            Some(slot) => self.task.pick(STEPS)(self, slot),
            None => self.slots[index] = self.open(),
        }
    }

    /// Closes all sockets as long as another task requests that.
    fn be_quiet(&mut self) {
        if self.task.is_hushed() {
            self.close_all();
            self.task.wait_hushed();
        }
    }

    fn close_all(&mut self) {
        let fds = self.slots.iter_mut().filter_map(Option::take);
        let fds: Vec<_> = fds.map(|slot| slot.fd).chain(self.epoll.take()).collect();
        for fd in fds {
            let _ = self.task.sys(Call::Close, libc::SYS_close, &[fd]);
        }
    }

    /// Makes a socket, mostly of a valid kind, and mostly connects it.
    fn open(&mut self) -> Option<Slot> {
        let task = &mut *self.task;
        let (kind, protocol) = if task.chance(90) {
            let kind = if task.rng.bool() { 1 } else { 5 };
            (
                kind,
                task.pick(&[(4, 0), (3, 1), (3, 2), (4, 3), (1, 4), (2, 5)]),
            )
        } else {
            let kinds = [0, 1, 2, 3, 4, 5, 6, 10, 15];
            let kind = kinds[task.rng.usize(..kinds.len())];
            (kind, task.rng.usize(..9).wrapping_sub(1))
        };
        let flags = if task.chance(30) {
            libc::SOCK_NONBLOCK
        } else {
            0
        } as usize;
        let made = task.sys(
            Call::Socket,
            libc::SYS_socket,
            &[AF_CAIF.into(), kind | flags, protocol],
        );
        let slot = Slot {
            fd: made.ok()?,
            protocol,
        };
        if task.chance(80) {
            task.connect_well(slot);
        }
        Some(slot)
    }

    fn connect(&mut self, slot: Slot) {
        let task = &mut *self.task;
        if task.chance(60) {
            return task.connect_well(slot);
        }
        let mut address = address(slot.protocol, task.rng.u32(1..8)).to_vec();
        let mut len = address.len();
        match task.rng.u32(..7) {
            0 => address[4..8].copy_from_slice(&0xdead_u32.to_ne_bytes()),
            1 => address[..2].copy_from_slice(&task.rng.u16(..50).to_ne_bytes()),
            2 => len = task.rng.usize(..24),
            3 => len = task.rng.usize(25..200),
            4 => len = task.rng.usize(..).wrapping_neg(),
            5 => address[2..]
                .iter_mut()
                .for_each(|byte| *byte = task.rng.u8(..)),
            _ => {}
        }
        let at = if task.chance(10) {
            task.bad_address()
        } else {
            task.arena.put(0, &address)
        };
        let args = [slot.fd, at, len];
        let _ = task.sys(Call::ConnectWild, libc::SYS_connect, &args);
    }

    /// Calls that no socket of the family supports.
    fn never(&mut self, slot: Slot) {
        let task = &mut *self.task;
        let at = task.arena.put(0, &address(slot.protocol, 1));
        let len = task.arena.put(256, &24_u32.to_ne_bytes());
        let request = [
            libc::TIOCOUTQ as usize,
            libc::FIONREAD as usize,
            0x8933,
            0x8914,
            task.rng.usize(..0x1_0000),
        ];
        let (number, args) = match task.rng.u32(..9) {
            0 => (libc::SYS_bind, [slot.fd, at, 24, 0]),
            1 => (libc::SYS_listen, [slot.fd, 1, 0, 0]),
            2 => (libc::SYS_accept4, [slot.fd, at, len, 0]),
            3 => (libc::SYS_shutdown, [slot.fd, task.rng.usize(..3), 0, 0]),
            4 => (libc::SYS_getsockname, [slot.fd, at, len, 0]),
            5 => (libc::SYS_getpeername, [slot.fd, at, len, 0]),
            6 => (libc::SYS_socketpair, [AF_CAIF.into(), 1, 0, at]),
            7 => {
                let request = request[task.rng.usize(..2)];
                (libc::SYS_ioctl, [slot.fd, request, at, 0])
            }
            _ => (libc::SYS_lseek, [slot.fd, 0, 0, 0]),
        };
        if let Ok(value) = task.sys(Call::Never, number, &args) {
            task.shared
                .fault(&format!("system call {number} succeeded, {value}"));
        }
        // Some that exist for every socket succeed.
        let request = request[task.rng.usize(2..request.len())];
        // Not FIOSETOWN and SIOCSPGRP, which could name any process.
        if matches!(request, 0x8901 | 0x8902) {
            return;
        }
        let args = [slot.fd, request, task.arena.at(512)];
        let _ = task.sys(Call::Control, libc::SYS_ioctl, &args);
    }

    fn poll(&mut self, slot: Slot) {
        let task = &mut *self.task;
        let events = task.rng.u16(..);
        if task.rng.bool() {
            let mut polled = (slot.fd as u32).to_ne_bytes().to_vec();
            polled.extend_from_slice(&events.to_ne_bytes());
            polled.extend_from_slice(&[0, 0]);
            let at = task.arena.put(0, &polled);
            let ms = task.rng.u64(..3);
            let limit = limit(task, ms);
            let _ = task.sys(Call::Poll, libc::SYS_ppoll, &[at, 1, limit, 0, 8]);
            return;
        }
        let Some(epoll) = self.epoll else {
            self.epoll = task.sys(Call::Poll, libc::SYS_epoll_create1, &[0]).ok();
            return;
        };
        let bits = [1_u32, 4, 8, 1 << 31, 1 << 30, 1 << 28, 0x2000];
        let events = (0..3).fold(0, |all, _| all | bits[task.rng.usize(..bits.len())]);
        let mut event = events.to_ne_bytes().to_vec();
        event.extend_from_slice(&[0; 8]);
        let at = task.arena.put(0, &event);
        let op = task.rng.usize(1..4);
        let _ = task.sys(Call::Poll, libc::SYS_epoll_ctl, &[epoll, op, slot.fd, at]);
        let at = task.arena.at(64);
        let args = [epoll, at, 8, 0, 0, 8];
        let _ = task.sys(Call::Poll, libc::SYS_epoll_pwait, &args);
        if task.chance(5) {
            let _ = task.sys(Call::Close, libc::SYS_close, &[epoll]);
            self.epoll = None;
        }
    }

    fn control(&mut self, slot: Slot) {
        let task = &mut *self.task;
        let own = std::process::id() as usize;
        let (command, value) = match task.rng.u32(..5) {
            0 => (libc::F_SETFL, libc::O_NONBLOCK as usize),
            1 | 2 => (libc::F_SETFL, 0),
            3 => (libc::F_SETFL, libc::O_ASYNC as usize),
            _ => (libc::F_SETOWN, own),
        };
        let args = [slot.fd, command as usize, value];
        let _ = task.sys(Call::Control, libc::SYS_fcntl, &args);
    }

    fn dup(&mut self, slot: Slot) {
        let index = self.task.rng.usize(..SLOTS);
        let args = match self.slots[index] {
            // Closes the other one.
            Some(other) if other.fd != slot.fd => [slot.fd, other.fd, 0],
            Some(_) => return,
            None => {
                let fd = self.task.sys(Call::Dup, libc::SYS_dup, &[slot.fd]);
                self.slots[index] = fd.ok().map(|fd| Slot { fd, ..slot });
                return;
            }
        };
        if let Ok(fd) = self.task.sys(Call::Dup, libc::SYS_dup3, &args) {
            self.slots[index] = Some(Slot { fd, ..slot });
        }
    }

    fn close(&mut self, slot: Slot) {
        let _ = self.task.sys(Call::Close, libc::SYS_close, &[slot.fd]);
        for place in &mut self.slots {
            if place.is_some_and(|other| other.fd == slot.fd) {
                *place = None;
            }
        }
    }

    /// Uses the same sockets in another process, which ends by itself or is killed.
    fn fork(&mut self, _slot: Slot) {
        let slots = self.slots;
        let steps = self.task.rng.u32(1..30);
        let child = self.task.spawn(|task| {
            let mut this = Sockets {
                task,
                slots,
                epoll: None,
            };
            this.task.set_alarms();
            for _ in 0..steps {
                let index = this.task.rng.usize(..SLOTS);
                match this.slots[index] {
                    // No child of the child.
                    Some(slot) => this.task.pick(&STEPS[..11])(&mut this, slot),
                    None => this.slots[index] = this.open(),
                }
            }
        });
        let Ok(child) = child else { return };
        self.task.shared.count(Call::Fork, 0);
        for _ in 0..self.task.rng.u32(..30) {
            let index = self.task.rng.usize(..SLOTS);
            if let Some(slot) = self.slots[index] {
                self.task.pick(&STEPS[..11])(self, slot);
            }
        }
        if self.task.chance(30) {
            let _ = nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL);
        }
        reap(child);
    }

    /// Sends a socket over a UNIX socket that is not read.
    fn pass(&mut self, slot: Slot) {
        let task = &mut *self.task;
        let at = task.arena.at(0);
        if task.raw(libc::SYS_socketpair, &[1, 1, 0, at]).is_err() {
            return;
        }
        let pair = task.arena.get(0, 8);
        let fd = |at: usize| {
            let bytes = pair[at..].first_chunk().copied().unwrap_or_default();
            u32::from_ne_bytes(bytes) as usize
        };
        let mut control = 20_u64.to_ne_bytes().to_vec();
        control.extend_from_slice(&libc::SOL_SOCKET.to_ne_bytes());
        control.extend_from_slice(&libc::SCM_RIGHTS.to_ne_bytes());
        control.extend_from_slice(&(slot.fd as u32).to_ne_bytes());
        control.extend_from_slice(&[0; 4]);
        let control = (task.arena.put(1024, &control), 24);
        let header = messages::header(task, (0, 0), (task.arena.at(2048), 1), control, &[1]);
        let _ = task.sys(Call::Pass, libc::SYS_sendmsg, &[fd(0), header, 0x4040]);
        for at in [0, 4] {
            let _ = task.raw(libc::SYS_close, &[fd(at)]);
        }
    }

    /// Makes a socket as a user without capabilities, which must fail.
    fn nobody(&mut self) {
        let child = self.task.spawn(|task| {
            let nobody = [65534, 65534, 65534];
            let _ = task.raw(libc::SYS_setresuid, &nobody);
            let args = [AF_CAIF.into(), task.rng.usize(1..6), task.rng.usize(..7)];
            let made = task.sys(Call::Nobody, libc::SYS_socket, &args);
            if made.is_ok() {
                task.shared.fault("nobody makes a socket");
            }
        });
        if let Ok(child) = child {
            reap(child);
        }
    }

    /// Opens a channel of its own, and checks that payloads come back unchanged.
    fn dialogue(&mut self) {
        let task = &mut *self.task;
        let kind = if task.rng.bool() { 1 } else { 5 };
        let protocol = task.pick(&[(1, 2_usize), (1, 3)]);
        let args = [AF_CAIF.into(), kind, protocol];
        let Ok(fd) = task.sys(Call::Socket, libc::SYS_socket, &args) else {
            return;
        };
        let _ = options::timeout(task, fd, libc::SO_SNDTIMEO, 1000);
        let slot = Slot { fd, protocol };
        if task.connect_well_at(slot).is_ok() {
            let errno = task.echo(slot, kind == 1).err().unwrap_or(0);
            task.shared.count(Call::Dialogue, errno);
        }
        let _ = task.sys(Call::Close, libc::SYS_close, &[fd]);
    }
}

impl Task {
    /// Connects a socket to a service of the modem, perhaps with a timeout.
    fn connect_well(&mut self, slot: Slot) {
        if self.chance(50) {
            let ms = self.rng.u64(1..500);
            let _ = options::timeout(self, slot.fd, libc::SO_SNDTIMEO, ms);
        }
        let _ = self.connect_well_at(slot);
    }

    /// Connects a socket to a service of the modem, without setting a timeout.
    pub fn connect_well_at(&mut self, slot: Slot) -> Result<usize, i32> {
        let address = address(slot.protocol, self.rng.u32(1..8));
        let at = self.arena.put(0, &address);
        self.sys(
            Call::Connect,
            libc::SYS_connect,
            &[slot.fd, at, address.len()],
        )
    }

    /// Sends a payload through a loop, and compares it. A stream may take a part of it only, after
    /// a link's MTU became smaller, and gives the parts one by one.
    fn echo(&mut self, slot: Slot, is_stream: bool) -> Result<(), i32> {
        let len = self.rng.usize(1..1400);
        // Not the command that ends a channel.
        let sent: Vec<u8> = (0..len).map(|_| self.rng.u8(128..)).collect();
        let at = self.arena.put(4096, &sent);
        let args = [slot.fd, at, len, libc::MSG_NOSIGNAL as usize, 0, 0];
        let taken = self.sys(Call::Send, libc::SYS_sendto, &args)?;
        if taken != len && !(is_stream && (1..len).contains(&taken)) {
            self.shared.fault(&format!("{taken} of {len} bytes sent"));
        }
        let mut polled = (slot.fd as u32).to_ne_bytes().to_vec();
        polled.extend_from_slice(&[1, 0, 0, 0]);
        let poll = self.arena.put(0, &polled);
        // Signals interrupt it.
        for _ in 0..8 {
            let limit = limit(self, SOON_MS);
            match self.raw(libc::SYS_ppoll, &[poll, 1, limit, 0, 8]) {
                Err(libc::EINTR) => {}
                Ok(0) => return Err(libc::ETIME),
                _ => break,
            }
        }
        let at = self.arena.at(8192);
        let args = [slot.fd, at, 4096, libc::MSG_DONTWAIT as usize, 0, 0];
        let got = self.sys(Call::Receive, libc::SYS_recvfrom, &args)?;
        let wanted = if is_stream { got.min(taken) } else { taken };
        let came = self.arena.get(8192, got);
        if got != wanted || sent.get(..got) != Some(&came[..]) {
            let same = sent.iter().zip(&came).take_while(|(a, b)| a == b).count();
            let kind = if is_stream { "stream" } else { "seqpacket" };
            let head = came.get(..got.min(24)).unwrap_or(&came);
            let what = format!(
                "{kind} of protocol {}: {taken} bytes sent, {got} came back, the same up to {same}: {head:02x?}",
                slot.protocol
            );
            self.shared.fault(&what);
        }
        Ok(())
    }
}

/// Writes a timeout, and returns its address.
fn limit(task: &Task, ms: u64) -> usize {
    let value: Vec<u8> = [ms / 1000, ms % 1000 * 1_000_000]
        .iter()
        .flat_map(|part| part.to_ne_bytes())
        .collect();
    task.arena.put(128, &value)
}

/// Returns the address of a service that the modem has.
pub fn address(protocol: usize, connection: u32) -> [u8; 24] {
    let mut address = [0; 24];
    address[..2].copy_from_slice(&AF_CAIF.to_ne_bytes());
    match protocol {
        0 => address[4] = 2,
        3 => address[4..8].copy_from_slice(b"loop"),
        5 => address[4..6].copy_from_slice(&[1, 1]),
        _ => address[4..8].copy_from_slice(&connection.to_ne_bytes()),
    }
    address
}
