// SPDX-License-Identifier: GPL-2.0

//! A user with a network namespace, and a tun as the link to a hostile modem of its own. If the
//! kernel has user namespaces, the user is root only in one of these in half of the runs: then it
//! can have interfaces, but no sockets.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{
    counts::Call,
    netlink::{Message, Rtnl, index},
    options::timeout,
    packets,
    sockets::Slot,
    task::{Task, reap},
};
use crate::caif::AF_CAIF;
use crate::rtnetlink::{CREATE, DELLINK, IFNAME, LINK, MTU, SETLINK};

const TUNSETIFF: usize = 0x4004_54ca;
const TUNSETLINK: usize = 0x4004_54cd;
const ARPHRD_CAIF: usize = 822;
/// More than the links that a namespace can have.
const TUNS: usize = 9;
/// The bytes in front of a frame: no flags, and `ETH_P_CAIF`.
const IN_FRONT: [u8; 4] = [0, 0, 0, 0xf7];
/// Offset of frames in the arena.
const FRAME: usize = 1 << 17;

/// Makes calls until the time is over.
pub fn run(task: &mut Task) -> Result<()> {
    let exists = std::fs::exists("/dev/net/tun")?;
    ensure!(exists, "no tun: load its module");
    while !task.is_over() {
        let child = task.spawn(|task| {
            let _ = live(task);
        })?;
        reap(child);
    }
    Ok(())
}

/// Runs in one namespace until it ends.
fn live(task: &mut Task) -> Result<(), i32> {
    let mut is_root = true;
    if task.rng.bool() {
        let flags = libc::CLONE_NEWUSER as usize;
        is_root = task
            .sys(Call::UserNamespace, libc::SYS_unshare, &[flags])
            .is_err();
    }
    let flags = libc::CLONE_NEWNET as usize;
    task.sys(Call::Namespace, libc::SYS_unshare, &[flags])?;
    let mut tuns = Vec::new();
    let count = if task.chance(20) { TUNS } else { 1 };
    for number in 0..count {
        let made = make(task, &format!("tun{number}"));
        task.shared.count(Call::Tun, made.err().unwrap_or(0));
        tuns.extend(made);
    }
    let &tun = tuns.first().ok_or(libc::ENODEV)?;
    let end = Instant::now() + Duration::from_millis(task.rng.u64(500..4000));
    let user = task
        .spawn(|task| use_it(task, tun, is_root, end))
        .map_err(|_| libc::EAGAIN)?;
    be_modem(task, tun, end);
    // In half of the runs the links are removed before their users.
    if task.rng.bool() {
        for tun in tuns {
            let _ = task.raw(libc::SYS_close, &[tun]);
        }
    }
    reap(user);
    Ok(())
}

/// Makes a tun of the type of links, and sets it up.
fn make(task: &mut Task, name: &str) -> Result<usize, i32> {
    let path = task.arena.put(0, b"/dev/net/tun\0");
    let flags = (libc::O_RDWR | libc::O_NONBLOCK) as usize;
    let tun = task.raw(libc::SYS_openat, &[libc::AT_FDCWD as usize, path, flags])?;
    let mut request = name.as_bytes().to_vec();
    request.resize(16, 0);
    request.extend_from_slice(&(libc::IFF_TUN as u16).to_ne_bytes());
    request.resize(40, 0);
    let at = task.arena.put(0, &request);
    task.raw(libc::SYS_ioctl, &[tun, TUNSETIFF, at])?;
    task.raw(libc::SYS_ioctl, &[tun, TUNSETLINK, ARPHRD_CAIF])?;
    let rtnl = Rtnl::new(task)?;
    rtnl.set_up(task, Call::Up, name, true)?;
    rtnl.close(task);
    Ok(tun)
}

/// Answers like a modem, or a hostile one.
fn be_modem(task: &mut Task, tun: usize, end: Instant) {
    let mut next = 0_u8;
    while Instant::now() < end && !task.is_over() {
        let args = [tun, task.arena.at(FRAME), 4096];
        let mut frames = Vec::new();
        match task.raw(libc::SYS_read, &args) {
            Ok(len) => frames.extend(answers(task, &task.arena.get(FRAME, len), &mut next)),
            Err(libc::EAGAIN) => task.pause(2),
            // The tun is down.
            Err(_) => task.pause(20),
        }
        if task.chance(10) {
            frames.push(unasked(task));
        }
        for frame in frames {
            let mut bytes = IN_FRONT.to_vec();
            bytes.extend_from_slice(&frame);
            let at = task.arena.put(FRAME, &bytes);
            let _ = task.sys(Call::TunFrame, libc::SYS_write, &[tun, at, bytes.len()]);
        }
    }
}

fn frame(channel: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len() + 3).unwrap_or(u16::MAX);
    let mut frame = len.to_le_bytes().to_vec();
    frame.push(channel);
    frame.extend_from_slice(body);
    frame.extend_from_slice(&[0, 0]);
    frame
}

/// Returns the answer to a frame of the stack.
fn answers(task: &mut Task, bytes: &[u8], next: &mut u8) -> Vec<Vec<u8>> {
    let Some(([_, _, _, _, _, _, channel], rest)) = bytes.split_first_chunk::<7>() else {
        return Vec::new();
    };
    let Some((body, _)) = rest.split_last_chunk::<2>() else {
        return Vec::new();
    };
    let mut answers = Vec::new();
    match (channel, body) {
        // LINK_SETUP.
        (0, [0, params @ ..]) => {
            *next = next.wrapping_add(1).max(1);
            let mut answer = vec![0x20];
            answer.extend_from_slice(params);
            answer.push(*next);
            if params.first().is_some_and(|service| service & 0xf == 6) {
                answer.push(0);
            }
            match task.rng.u32(..12) {
                0 => answer[0] = 0x30,
                1 => answer.truncate(task.rng.usize(1..answer.len())),
                2 => {
                    let at = task.rng.usize(..answer.len());
                    answer[at] = task.rng.u8(..);
                }
                3 => *next = next.wrapping_sub(1),
                4 => answers.push(frame(0, &answer)),
                5 => return answers,
                _ => {}
            }
            answers.push(frame(0, &answer));
        }
        // LINK_DESTROY and ENUM.
        (0, [command, rest @ ..]) => {
            let mut answer = vec![command | 0x20];
            answer.extend_from_slice(rest);
            answers.push(frame(0, &answer));
        }
        // A loop.
        _ => answers.push(frame(*channel, body)),
    }
    answers
}

/// Returns an unsolicited frame: for any channel, or one that ends, stops or floods a channel.
fn unasked(task: &mut Task) -> Vec<u8> {
    let channel = task.rng.u8(..12);
    match task.rng.u32(..6) {
        0 => frame(channel, &[0x81]),
        1 => frame(channel, &[0x80]),
        2 => frame(channel, &[0x82]),
        3 => {
            let mut frame = packets::frame(task);
            let at = task.rng.usize(..2);
            frame[at] = task.rng.u8(..);
            frame
        }
        4 => {
            let body: Vec<u8> = (0..task.rng.usize(..1490))
                .map(|_| task.rng.u8(..))
                .collect();
            frame(channel, &body)
        }
        _ => (0..task.rng.usize(..60)).map(|_| task.rng.u8(..)).collect(),
    }
}

/// Uses interfaces and sockets over the tun, and changes it meanwhile.
fn use_it(task: &mut Task, tun: usize, is_root: bool, end: Instant) {
    task.set_alarms();
    let Ok(rtnl) = Rtnl::new(task) else { return };
    while Instant::now() < end && !task.is_over() {
        match task.rng.u32(..24) {
            0..4 => {
                let mut message = Message::caif("caifv", &[], CREATE);
                if task.rng.bool() {
                    message.add(LINK, &index("tun0").to_ne_bytes());
                }
                let _ = rtnl.ask(task, Call::Newlink, &message);
            }
            4..9 => interface(task, &rtnl),
            9 => {
                let _ = rtnl.set_up(task, Call::Down, "caifv", false);
            }
            10 | 11 => {
                let mut message = Message::new(DELLINK, 0, 0);
                message.add(IFNAME, b"caifv");
                let _ = rtnl.ask(task, Call::Dellink, &message);
            }
            12 => {
                let mut message = Message::new(SETLINK, 0, index("tun0"));
                message.add(MTU, &task.rng.u32(68..2000).to_ne_bytes());
                let _ = rtnl.ask(task, Call::Setlink, &message);
            }
            13 => {
                let _ = rtnl.set_up(task, Call::Down, "tun0", false);
                if task.rng.bool() {
                    let kinds = [1, ARPHRD_CAIF, 65534];
                    let kind = kinds[task.rng.usize(..kinds.len())];
                    let _ = task.raw(libc::SYS_ioctl, &[tun, TUNSETLINK, kind]);
                    let _ = task.raw(libc::SYS_ioctl, &[tun, TUNSETLINK, ARPHRD_CAIF]);
                }
                let _ = rtnl.set_up(task, Call::Up, "tun0", true);
            }
            _ => socket(task, is_root),
        }
    }
    rtnl.close(task);
}

/// Sets the interface up, and sends packets.
fn interface(task: &mut Task, rtnl: &Rtnl) {
    let up = rtnl.set_up(task, Call::Up, "caifv", true);
    if up.is_ok() {
        let is_on = rtnl.carrier(task, "caifv");
        let errno = if is_on { 0 } else { libc::ENOLINK };
        task.shared.count(Call::TunUp, errno);
    }
    let message = Message::address(index("caifv"), [10, 7, 7, 2], [10, 7, 7, 1]);
    let _ = rtnl.ask(task, Call::Setlink, &message);
    if let Ok(socket) = std::net::UdpSocket::bind("0.0.0.0:0") {
        for _ in 0..4 {
            let _ = socket.send_to(&[7; 100], "10.7.7.1:7");
        }
    }
}

/// Opens a channel, which only root of the initial user namespace may.
fn socket(task: &mut Task, is_root: bool) {
    let kind = if task.rng.bool() { 1 } else { 5 };
    let protocol = task.pick(&[(1, 0_usize), (1, 1), (1, 2), (1, 3), (1, 5)]);
    let args = [AF_CAIF.into(), kind, protocol];
    let made = task.sys(Call::Socket, libc::SYS_socket, &args);
    if !is_root {
        if !matches!(made, Err(libc::EPERM | libc::ENOMEM | libc::ENFILE)) {
            let what = format!("root of a namespace makes a socket: {made:?}");
            task.shared.fault(&what);
        }
        return;
    }
    let Ok(fd) = made else { return };
    let _ = timeout(task, fd, libc::SO_SNDTIMEO, 300);
    let result = task.connect_well_at(Slot { fd, protocol });
    task.shared
        .count(Call::TunConnect, result.err().unwrap_or(0));
    for _ in 0..task.rng.u32(..6) {
        let flags = (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as usize;
        let (at, len) = (task.arena.at(FRAME), task.rng.usize(..1600));
        let (call, number) = match task.rng.bool() {
            true => (Call::Send, libc::SYS_sendto),
            false => (Call::Receive, libc::SYS_recvfrom),
        };
        let _ = task.sys(call, number, &[fd, at, len, flags, 0, 0]);
    }
    let _ = task.sys(Call::Close, libc::SYS_close, &[fd]);
}
