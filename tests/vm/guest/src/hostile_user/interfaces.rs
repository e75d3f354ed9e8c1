// SPDX-License-Identifier: GPL-2.0

//! Interfaces of kind `caif`, made, changed, moved and deleted by valid and invalid messages of
//! rtnetlink.

use std::{fs, net::UdpSocket, time::Duration};

use anyhow::{Result, anyhow};

use super::{
    counts::Call,
    netlink::{Message, Rtnl, index},
    task::Task,
};
use crate::rtnetlink::{
    CAIF_IPV4_CONNID, CAIF_LOOPBACK, CREATE, DELLINK, DUMP, GETLINK, IFNAME, LINK, MASTER, MTU,
    NET_NS_PID, NEWLINK, NUM_TX_QUEUES, SETLINK, TXQLEN, push,
};

/// Interfaces of a task.
const COUNT: u32 = 4;

/// A task with some interfaces.
pub struct Interfaces<'a> {
    task: &'a mut Task,
    rtnl: Rtnl,
    /// The number of the task, for names and connection ids.
    number: u32,
}

type Step = fn(&mut Interfaces<'_>, u32);

const STEPS: &[(u32, Step)] = &[
    (8, |this, which| this.create(which)),
    (8, |this, which| this.create_wild(which)),
    (6, |this, which| this.cut(which)),
    (8, |this, which| this.up(which)),
    (5, |this, which| this.datagram(which)),
    (3, |this, which| this.down(which)),
    (5, |this, which| this.change(which)),
    (4, |this, which| this.set(which)),
    (4, |this, which| this.get(which)),
    (2, |this, which| this.give_away(which)),
    (5, |this, which| this.delete(which)),
    (4, |this, _| this.list()),
];

/// Makes calls until the time is over. Then deletes the remaining interfaces.
pub fn run(task: &mut Task, number: u32) -> Result<()> {
    let rtnl = Rtnl::new(task).map_err(|errno| anyhow!("no rtnetlink: {errno}"))?;
    let mut this = Interfaces { task, rtnl, number };
    while !this.task.is_over() {
        let which = this.task.rng.u32(..COUNT);
        this.task.pick(STEPS)(&mut this, which);
    }
    this.task.without_faults();
    for which in 0..COUNT {
        this.delete(which);
    }
    this.rtnl.close(this.task);
    Ok(())
}

impl Interfaces<'_> {
    fn name(&self, which: u32) -> String {
        format!("caifu{}{which}", self.number)
    }

    fn connection(&self, which: u32) -> u32 {
        16 + self.number * COUNT + which
    }

    /// Returns the attributes of an interface that the modem has a channel for.
    fn data(&self, which: u32, loops: bool) -> Vec<u8> {
        let mut data = Vec::new();
        push(
            &mut data,
            CAIF_IPV4_CONNID,
            &self.connection(which).to_ne_bytes(),
        );
        push(&mut data, CAIF_LOOPBACK, &[u8::from(loops)]);
        data
    }

    fn create(&mut self, which: u32) {
        let mut message = Message::caif(&self.name(which), &self.data(which, false), CREATE);
        if self.task.chance(40) {
            let link = index(&self.task.world.link);
            message.add(LINK, &link.to_ne_bytes());
        }
        // More than the links have, and once in a while more than are allowed.
        if self.task.chance(20) {
            let queues = self.task.pick(&[(5, 64_u32), (1, 65), (1, 4096)]);
            message.add(NUM_TX_QUEUES, &queues.to_ne_bytes());
        }
        let _ = self.rtnl.ask(self.task, Call::Newlink, &message);
    }

    /// Reads the list of channels, of which the module may go meanwhile.
    fn list(&mut self) {
        let path = self.task.arena.put(0, b"/proc/net/caif\0");
        let args = [libc::AT_FDCWD as usize, path, 0];
        let Ok(file) = self.task.sys(Call::List, libc::SYS_openat, &args) else {
            return;
        };
        let args = [file, self.task.arena.at(64), 4000];
        let _ = self.task.sys(Call::ListRead, libc::SYS_read, &args);
        let _ = self.task.raw(libc::SYS_close, &[file]);
    }

    /// Makes an interface of attributes that need not fit each other.
    fn create_wild(&mut self, which: u32) {
        let name = self.name(which);
        let task = &mut *self.task;
        let mut data = Vec::new();
        for _ in 0..task.rng.u32(..5) {
            let len = task.pick(&[
                (6, 4_usize),
                (2, 1),
                (1, 0),
                (1, 2),
                (1, 3),
                (1, 8),
                (1, 100),
            ]);
            let kind = task.rng.u16(..7);
            let value: Vec<u8> = (0..len).map(|_| task.rng.u8(..)).collect();
            push(&mut data, kind, &value);
        }
        let flags = task.pick(&[(5, CREATE), (2, 0x400), (1, 0x100), (1, 0)]);
        let mut message = Message::caif(&name, &data, flags);
        for _ in 0..task.rng.u32(..4) {
            let lower = [
                index(&task.world.link),
                index("lo"),
                index("caif0"),
                index(&name),
                0,
                9999,
                -1,
            ];
            let lower = lower[task.rng.usize(..lower.len())];
            match task.rng.u32(..8) {
                0..4 => message.add(LINK, &lower.to_ne_bytes()),
                4 => message.add(MTU, &task.rng.u32(..3000).to_ne_bytes()),
                5 => message.add(TXQLEN, &task.rng.u32(..10).to_ne_bytes()),
                6 => message.add(MASTER, &lower.to_ne_bytes()),
                _ => {
                    let kind = task.rng.u16(..60);
                    let len = task.rng.usize(..12);
                    // No namespace, from which the link would not come back.
                    if !matches!(kind, 19 | 28) {
                        message.add(kind, &vec![task.rng.u8(..); len]);
                    }
                }
            }
        }
        let _ = self.rtnl.ask(self.task, Call::NewlinkWild, &message);
    }

    /// Makes an interface by a message that is truncated, or has some changed bytes.
    fn cut(&mut self, which: u32) {
        let mut message = Message::caif(&self.name(which), &self.data(which, true), CREATE);
        message.add(LINK, &index(&self.task.world.link).to_ne_bytes());
        let all = message.bytes.len();
        if self.task.rng.bool() {
            message.bytes.truncate(self.task.rng.usize(16..all));
        } else {
            // After the flags, which request an answer.
            for _ in 0..self.task.rng.u32(1..4) {
                let at = self.task.rng.usize(32..all);
                message.bytes[at] = self.task.rng.u8(..);
            }
        }
        let _ = self.rtnl.ask(self.task, Call::NewlinkWild, &message);
    }

    fn up(&mut self, which: u32) {
        let name = self.name(which);
        if index(&name) == 0 {
            return self.create(which);
        }
        if self.rtnl.set_up(self.task, Call::Up, &name, true).is_ok() {
            let is_on = self.rtnl.carrier(self.task, &name);
            let errno = if is_on { 0 } else { libc::ENOLINK };
            self.task.shared.count(Call::Carrier, errno);
        }
    }

    fn down(&mut self, which: u32) {
        let name = self.name(which);
        let _ = self.rtnl.set_up(self.task, Call::Down, &name, false);
    }

    /// Sends a datagram to the modem, which sends it back.
    fn datagram(&mut self, which: u32) {
        let net = self.connection(which) as u8;
        let (own, peer) = ([10, 9, net, 2], [10, 9, net, 1]);
        let message = Message::address(index(&self.name(which)), own, peer);
        let _ = self.rtnl.ask(self.task, Call::Setlink, &message);
        let Ok(socket) = UdpSocket::bind("0.0.0.0:0") else {
            return;
        };
        let text = [net; 200];
        let len = self.task.rng.usize(1..text.len());
        let _ = socket.set_read_timeout(Some(Duration::from_millis(300)));
        if socket
            .send_to(&text[..len], (std::net::Ipv4Addr::from(peer), 7))
            .is_err()
        {
            return;
        }
        let mut room = [0; 300];
        let errno = match socket.recv(&mut room) {
            Ok(got) if room[..got] == text[..len] => 0,
            Ok(got) => {
                self.task
                    .shared
                    .fault(&format!("{len} bytes sent, {got} came back, or others"));
                return;
            }
            Err(error) => error.raw_os_error().unwrap_or(0),
        };
        self.task.shared.count(Call::Datagram, errno);
    }

    fn change(&mut self, which: u32) {
        let index = index(&self.name(which));
        let mut data = self.data(which, false);
        if self.task.chance(30) {
            let at = self.task.rng.usize(..data.len());
            data[at] = self.task.rng.u8(..);
        }
        let mut message = Message::new(NEWLINK, 0, index);
        message.add_info(b"caif", &data);
        let _ = self.rtnl.ask(self.task, Call::Changelink, &message);
    }

    /// Changes properties that every interface has.
    fn set(&mut self, which: u32) {
        let name = self.name(which);
        let task = &mut *self.task;
        let kind = task.pick(&[(5, SETLINK), (1, NEWLINK)]);
        let mut message = Message::new(kind, 0, index(&name));
        match task.rng.u32(..6) {
            0 => message.add(MTU, &task.rng.u32(..2000).to_ne_bytes()),
            1 => message.add(TXQLEN, &task.rng.u32(..100).to_ne_bytes()),
            2 => message.add(IFNAME, name.as_bytes()),
            3 => message.add(MASTER, &index(&task.world.link).to_ne_bytes()),
            4 => message.add(1, &vec![task.rng.u8(..); task.rng.usize(..8)]),
            _ => message.add(LINK, &index("lo").to_ne_bytes()),
        }
        let _ = self.rtnl.ask(self.task, Call::Setlink, &message);
    }

    fn get(&mut self, which: u32) {
        let message = match self.task.rng.bool() {
            true => Message::new(GETLINK, DUMP, 0),
            false => Message::new(GETLINK, 0, index(&self.name(which))),
        };
        let _ = self.rtnl.ask(self.task, Call::Getlink, &message);
        let _ = fs::read_to_string(format!(
            "/sys/class/net/{}/statistics/rx_bytes",
            self.name(which)
        ));
    }

    /// Moves an interface to the namespace of a process that is about to end, or of none.
    fn give_away(&mut self, which: u32) {
        let (arena, deadline) = (self.task.arena.at(0), self.task.rng.u64(20..200));
        let _ = self.task.raw(libc::SYS_pipe2, &[arena, 0]);
        let pipe = self.task.arena.get(0, 8);
        let end = |at: usize| {
            u32::from_ne_bytes(pipe[at..].first_chunk().copied().unwrap_or_default()) as usize
        };
        let child = self.task.spawn(|task| {
            let flags = libc::CLONE_NEWNET as usize;
            let _ = task.sys(Call::Namespace, libc::SYS_unshare, &[flags]);
            let _ = task.raw(libc::SYS_write, &[end(4), task.arena.at(0), 1]);
            task.pause(deadline);
        });
        let Ok(child) = child else { return };
        let _ = self.task.raw(libc::SYS_close, &[end(4)]);
        let _ = self
            .task
            .raw(libc::SYS_read, &[end(0), self.task.arena.at(64), 1]);
        let _ = self.task.raw(libc::SYS_close, &[end(0)]);
        let mut message = Message::new(SETLINK, 0, index(&self.name(which)));
        message.add(NET_NS_PID, &child.as_raw().to_ne_bytes());
        let _ = self.rtnl.ask(self.task, Call::Move, &message);
        super::task::reap(child);
    }

    fn delete(&mut self, which: u32) {
        let name = self.name(which);
        let index = index(&name);
        let mut message = Message::new(DELLINK, 0, index);
        if index == 0 || self.task.rng.bool() {
            message = Message::new(DELLINK, 0, 0);
            message.add(IFNAME, name.as_bytes());
        }
        let _ = self.rtnl.ask(self.task, Call::Dellink, &message);
    }
}
