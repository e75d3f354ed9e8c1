// SPDX-License-Identifier: GPL-2.0

//! Packet sockets: taps, and frames that no other sender makes.

use std::fs;

use anyhow::Result;

use super::{counts::Call, netlink::index, task::Task};

const SOL_PACKET: usize = 263;
const ETH_P_CAIF: u16 = libc::ETH_P_CAIF as u16;
const ETH_P_ALL: u16 = libc::ETH_P_ALL as u16;
const ETH_P_IP: u16 = libc::ETH_P_IP as u16;
const SLOTS: usize = 4;

/// Makes calls until the time is over.
pub fn run(task: &mut Task) -> Result<()> {
    let mut slots: [Option<(usize, String)>; SLOTS] = Default::default();
    let mut steps = 0_u32;
    while !task.is_over() {
        if steps.is_multiple_of(64) {
            task.set_alarms();
        }
        steps = steps.wrapping_add(1);
        let at = task.rng.usize(..SLOTS);
        let Some((fd, name)) = slots[at].take() else {
            slots[at] = open(task);
            continue;
        };
        match task.rng.u32(..20) {
            0..9 => send(task, fd, &name),
            9..17 => receive(task, fd),
            17 | 18 => option(task, fd),
            _ => {
                let _ = task.sys(Call::Close, libc::SYS_close, &[fd]);
                continue;
            }
        }
        slots[at] = Some((fd, name));
    }
    Ok(())
}

/// Opens a socket on the link, mostly, or on an interface above it.
fn open(task: &mut Task) -> Option<(usize, String)> {
    let above: Vec<_> = fs::read_dir("/sys/class/net")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("caif"))
        .collect();
    let name = match above.is_empty() || task.chance(60) {
        true => task.world.link.clone(),
        false => above[task.rng.usize(..above.len())].clone(),
    };
    let kind = if task.rng.bool() {
        libc::SOCK_RAW
    } else {
        libc::SOCK_DGRAM
    };
    let protocol = task.pick(&[(3, ETH_P_ALL), (3, ETH_P_CAIF), (1, ETH_P_IP), (1, 0)]);
    let protocol = protocol.to_be();
    let args = [libc::AF_PACKET as usize, kind as usize, protocol.into()];
    let fd = task.sys(Call::PacketSocket, libc::SYS_socket, &args).ok()?;
    let at = address(task, &name, protocol);
    let _ = task.raw(libc::SYS_bind, &[fd, at, 20]);
    Some((fd, name))
}

fn address(task: &Task, name: &str, protocol: u16) -> usize {
    let mut address = (libc::AF_PACKET as u16).to_ne_bytes().to_vec();
    address.extend_from_slice(&protocol.to_ne_bytes());
    address.extend_from_slice(&index(name).to_ne_bytes());
    address.resize(20, 0);
    task.arena.put(0, &address)
}

fn send(task: &mut Task, fd: usize, name: &str) {
    let is_link = *name == task.world.link;
    let frame = if is_link { frame(task) } else { packet(task) };
    let protocol = match (is_link, task.rng.u32(..4)) {
        (true, _) => ETH_P_CAIF,
        (false, 0) => task.rng.u16(..),
        (false, _) => ETH_P_IP,
    };
    let at = task.arena.put(4096, &frame);
    let to = address(task, name, protocol.to_be());
    let flags = libc::MSG_DONTWAIT as usize;
    let args = [fd, at, frame.len(), flags, to, 20];
    let _ = task.sys(Call::PacketSend, libc::SYS_sendto, &args);
}

/// Returns a frame with a valid length that ends no channel of another program.
pub fn frame(task: &mut Task) -> Vec<u8> {
    let body: Vec<u8> = match task.rng.u32(..4) {
        // An unsolicited channel: LINK_SETUP of a loop. Its answer is for no request.
        0 => {
            let connection = task.rng.u32(1..8).to_le_bytes();
            let mut body = vec![0, 0x34, 0xfa, 0];
            body.extend_from_slice(&connection);
            body
        }
        // ENUM, and an invalid message.
        1 => vec![3, 1],
        2 => (0..task.rng.usize(..40))
            .map(|_| task.rng.u8(4..))
            .collect(),
        _ => (0..task.rng.usize(..1400))
            .map(|_| task.rng.u8(..))
            .collect(),
    };
    // Channels that the modem of the tests never assigns, and the control channel.
    let channel = match body.first() {
        Some(0 | 3) => 0,
        _ => task.rng.u8(200..),
    };
    let len = u16::try_from(body.len() + 3).unwrap_or(u16::MAX);
    let mut frame = len.to_le_bytes().to_vec();
    frame.push(channel);
    frame.extend_from_slice(&body);
    frame.extend_from_slice(&[0, 0]);
    frame
}

/// Returns a packet for an interface, which may be IPv4.
fn packet(task: &mut Task) -> Vec<u8> {
    let len = task.pick(&[
        (1, 0_usize),
        (1, 1),
        (2, 19),
        (2, 20),
        (6, 60),
        (3, 1500),
        (1, 1504),
        (1, 3000),
    ]);
    let mut packet: Vec<u8> = (0..len).map(|_| task.rng.u8(..)).collect();
    if let Some(first) = packet.first_mut() {
        *first = 0x45;
    }
    packet
}

fn receive(task: &mut Task, fd: usize) {
    let flags = libc::MSG_DONTWAIT as usize;
    let args = [fd, task.arena.at(8192), 2000, flags, 0, 0];
    let _ = task.sys(Call::PacketReceive, libc::SYS_recvfrom, &args);
}

/// Sets an option: PACKET_AUXDATA, PACKET_QDISC_BYPASS, PACKET_VNET_HDR and the like, or a filter.
fn option(task: &mut Task, fd: usize) {
    // No options that request memory of any size.
    let name = task.pick(&[(1, 8_usize), (1, 9), (2, 15), (3, 20), (1, 18), (1, 23)]);
    let at = task.arena.put(0, &task.rng.u32(..2).to_ne_bytes());
    let _ = task.sys(
        Call::Set,
        libc::SYS_setsockopt,
        &[fd, SOL_PACKET, name, at, 4],
    );
}
