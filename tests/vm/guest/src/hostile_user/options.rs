// SPDX-License-Identifier: GPL-2.0

//! Options of sockets, with any values and lengths.

use super::{
    counts::Call,
    sockets::{Slot, Sockets},
    task::Task,
};
use crate::caif;

const SOL_CAIF: usize = caif::SOL_CAIF as usize;

/// Sets a timeout of a socket. Never interrupted, and not counted.
pub fn timeout(task: &Task, fd: usize, name: libc::c_int, ms: u64) -> Result<usize, i32> {
    let value: Vec<u8> = [ms / 1000, ms % 1000 * 1000]
        .iter()
        .flat_map(|part| part.to_ne_bytes())
        .collect();
    let at = task.arena.put(0, &value);
    let args = [fd, libc::SOL_SOCKET as usize, name as usize, at, 16];
    task.raw(libc::SYS_setsockopt, &args)
}

/// Returns address and length of a value, mostly an integer.
fn value(task: &mut Task) -> (usize, usize) {
    let mut bytes = vec![0; 320];
    task.rng.fill(&mut bytes);
    let int = match task.rng.u32(..4) {
        0 => task.rng.u32(..),
        1 => u32::MAX,
        _ => task.rng.u32(..4),
    };
    bytes[..4].copy_from_slice(&int.to_ne_bytes());
    let len = match task.rng.u32(..8) {
        0 => task.rng.usize(..300),
        1 => 16,
        2 => 0xffff_ffff,
        _ => 4,
    };
    let at = match task.chance(6) {
        true => task.bad_address(),
        false => task.arena.put(0, &bytes),
    };
    (at, len)
}

pub fn set(this: &mut Sockets<'_>, slot: Slot) {
    let task = &mut *this.task;
    let (at, len) = value(task);
    if task.rng.bool() {
        let name = task.pick(&[(4, 127), (4, 128), (1, 129), (1, 0)]);
        let level = task.pick(&[(9, SOL_CAIF), (1, 99)]);
        let args = [slot.fd, level, name, at, len];
        let _ = task.sys(Call::SetCaif, libc::SYS_setsockopt, &args);
        return;
    }
    let level = libc::SOL_SOCKET as usize;
    let (name, at, len) = match task.rng.u32(..6) {
        0 => {
            let link = task.world.link.clone();
            let names = [
                link.as_str(),
                &link,
                &link,
                &link,
                "",
                "lo",
                "caif0",
                "nope",
            ];
            let name = names[task.rng.usize(..names.len())];
            let at = task.arena.put(0, name.as_bytes());
            (libc::SO_BINDTODEVICE as usize, at, name.len())
        }
        1 => {
            let names = [libc::SO_SNDTIMEO, libc::SO_RCVTIMEO];
            let name = names[task.rng.usize(..2)];
            let ms = task.rng.u64(..50);
            let _ = timeout(task, slot.fd, name, ms);
            return;
        }
        2 => {
            let names = [libc::SO_RCVBUF, libc::SO_SNDBUF, 32, 33];
            let size = task.pick(&[(1, 0_u32), (2, 4000), (4, 200_000)]);
            let at = task.arena.put(0, &size.to_ne_bytes());
            (names[task.rng.usize(..names.len())] as usize, at, 4)
        }
        _ => (task.rng.usize(1..90), at, len),
    };
    // No options that print to the log, or that keep a socket without its link.
    if name == libc::SO_DEBUG as usize || name == libc::SO_LOCK_FILTER as usize {
        return;
    }
    let args = [slot.fd, level, name, at, len];
    let _ = task.sys(Call::Set, libc::SYS_setsockopt, &args);
}

pub fn get(this: &mut Sockets<'_>, slot: Slot) {
    let task = &mut *this.task;
    let room: u32 = match task.rng.u32(..5) {
        0 => task.rng.u32(..300),
        1 => u32::MAX,
        2 => 0,
        _ => 256,
    };
    let len = match task.chance(6) {
        true => task.bad_address(),
        false => task.arena.put(512, &room.to_ne_bytes()),
    };
    let at = match task.chance(6) {
        true => task.bad_address(),
        false => task.arena.at(1024),
    };
    let (call, level, name) = match task.rng.bool() {
        true => (Call::GetCaif, SOL_CAIF, task.rng.usize(126..131)),
        false => (Call::Get, libc::SOL_SOCKET as usize, task.rng.usize(1..90)),
    };
    let _ = task.sys(call, libc::SYS_getsockopt, &[slot.fd, level, name, at, len]);
}

/// Attaches a filter that accepts all, a part, or nothing, or an invalid one.
pub fn filter(this: &mut Sockets<'_>, slot: Slot) {
    let task = &mut *this.task;
    let level = libc::SOL_SOCKET as usize;
    if task.chance(30) {
        let args = [slot.fd, level, libc::SO_DETACH_FILTER as usize, 0, 0];
        let _ = task.sys(Call::Filter, libc::SYS_setsockopt, &args);
        return;
    }
    let count = task.rng.usize(1..4);
    let mut program = Vec::new();
    for _ in 1..count {
        // Loads, jumps and invalid instructions.
        let code = task.pick(&[(3, 0x28_u16), (3, 0x30), (2, 0x15), (1, task_code())]);
        program.extend_from_slice(&code.to_ne_bytes());
        program.extend_from_slice(&[0, 0]);
        program.extend_from_slice(&task.rng.u32(..64).to_ne_bytes());
    }
    let keep = task.pick(&[(4, u32::MAX), (1, 0), (1, 1), (1, 10)]);
    program.extend_from_slice(&6_u16.to_ne_bytes());
    program.extend_from_slice(&[0, 0]);
    program.extend_from_slice(&keep.to_ne_bytes());
    let at = match task.chance(5) {
        true => task.bad_address(),
        false => task.arena.put(1024, &program),
    };
    let mut value = count.to_ne_bytes().to_vec();
    value.extend_from_slice(&at.to_ne_bytes());
    let at = task.arena.put(0, &value);
    let args = [slot.fd, level, libc::SO_ATTACH_FILTER as usize, at, 16];
    let _ = task.sys(Call::Filter, libc::SYS_setsockopt, &args);
}

/// Returns the code of an invalid instruction.
const fn task_code() -> u16 {
    0xffff
}
