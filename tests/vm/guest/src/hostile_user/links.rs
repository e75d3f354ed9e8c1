// SPDX-License-Identifier: GPL-2.0

//! Actions of root on a link that is in use: down and up, other names and sizes, other namespaces,
//! and removal of the driver and the stack.

use std::{
    fs,
    os::fd::AsRawFd,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use nix::poll::PollTimeout;

use super::{
    counts::Call,
    netlink::{Message, Rtnl, index},
    sockets::{Slot, address},
    task::{Task, reap},
};
use crate::caif::AF_CAIF;
use crate::events::{self, Events};
use crate::rtnetlink::{CREATE, IFNAME, LINK, MTU, NET_NS_PID, SETLINK, TXQLEN};

const DRIVER: &str = "/sys/bus/virtio/drivers/caif_virtio";
/// Limit for a link to come back.
const PATIENCE: Duration = Duration::from_secs(60);
/// Limit for a link in the namespace to which it is moved. Then that ends, with or without it.
const SOON: Duration = Duration::from_secs(2);

/// Makes calls until the time is over. Then the link is as it was before.
pub fn run(task: &mut Task) -> Result<()> {
    let rtnl = Rtnl::new(task).map_err(|errno| anyhow!("no rtnetlink: {errno}"))?;
    let name = task.world.link.clone();
    let mtu = read(&name, "mtu")?;
    let mut left = Vec::new();
    while !task.is_over() {
        let ms = task.rng.u64(50..600);
        task.pause(ms);
        // Each action once before any is repeated.
        if left.is_empty() {
            left.extend(0..6);
            task.rng.shuffle(&mut left);
        }
        let done = match left.pop() {
            Some(0) => down_and_up(task, &rtnl, &name),
            Some(1) => change(task, &rtnl, &name, mtu),
            Some(2) => rename(task, &rtnl, &name),
            Some(3) => move_away(task, &rtnl, &name),
            Some(4) => rebind(task, &rtnl, &name),
            _ => replace_stack(task),
        };
        if let Err(error) = done {
            task.shared.fault(&format!("{name}: {error:#}"));
            break;
        }
    }
    rtnl.close(task);
    Ok(())
}

fn read(name: &str, what: &str) -> Result<u32> {
    let path = format!("/sys/class/net/{name}/{what}");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    text.trim().parse().with_context(|| path)
}

/// Waits until a condition for the links of this namespace holds.
fn until(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    // Before the first look, so that no change is missed.
    let links = [Events::links()?];
    let end = Instant::now() + limit;
    while !is_so() {
        let left = end.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "{what}: not within {limit:?}");
        events::changed(&links, PollTimeout::try_from(left)?)?;
    }
    Ok(())
}

/// Sets a link up that exists, or appears soon.
fn bring_up(task: &mut Task, rtnl: &Rtnl, name: &str) -> Result<()> {
    until(PATIENCE, "the link", || index(name) != 0)?;
    for _ in 0..100 {
        // With failing allocations it may take some attempts.
        if rtnl.set_up(task, Call::Up, name, true).is_ok() {
            return until(PATIENCE, "its carrier", || {
                read(name, "carrier").is_ok_and(|on| on == 1)
            });
        }
    }
    Err(anyhow!("cannot be set up"))
}

fn down_and_up(task: &mut Task, rtnl: &Rtnl, name: &str) -> Result<()> {
    let done = rtnl.set_up(task, Call::LinkDown, name, false);
    let ms = task.rng.u64(..100);
    task.pause(ms);
    bring_up(task, rtnl, name)?;
    done.or(Ok(()))
}

/// Changes MTU and flags, and restores the MTU.
fn change(task: &mut Task, rtnl: &Rtnl, name: &str, mtu: u32) -> Result<()> {
    let sizes = [
        0,
        1,
        12,
        68,
        100,
        109,
        128,
        300,
        1509,
        mtu,
        mtu + 1,
        u32::MAX,
    ];
    for _ in 0..3 {
        let mut message = Message::new(SETLINK, 0, index(name));
        match task.rng.u32(..4) {
            0 | 1 => message.add(MTU, &sizes[task.rng.usize(..sizes.len())].to_ne_bytes()),
            2 => message.add(TXQLEN, &task.rng.u32(..100).to_ne_bytes()),
            _ => message.add(IFNAME, b"caifu/"),
        }
        let _ = rtnl.ask(task, Call::LinkChange, &message);
        task.pause(20);
    }
    for (kind, value) in [(MTU, mtu), (TXQLEN, 1000)] {
        let mut message = Message::new(SETLINK, 0, index(name));
        message.add(kind, &value.to_ne_bytes());
        put_back(task, rtnl, &message)?;
    }
    Ok(())
}

fn put_back(task: &mut Task, rtnl: &Rtnl, message: &Message) -> Result<()> {
    for _ in 0..100 {
        if rtnl.ask(task, Call::LinkChange, message).is_ok() {
            return Ok(());
        }
    }
    Err(anyhow!("cannot be changed back"))
}

fn rename(task: &mut Task, rtnl: &Rtnl, name: &str) -> Result<()> {
    let number = index(name);
    for to in ["another0", name] {
        let mut message = Message::new(SETLINK, 0, number);
        message.add(IFNAME, to.as_bytes());
        put_back(task, rtnl, &message).context("renaming")?;
        task.pause(20);
    }
    Ok(())
}

/// Moves the link to a namespace, in which a socket and an interface use it, and ends the namespace
/// with all of them. The link comes back by itself.
fn move_away(task: &mut Task, rtnl: &Rtnl, name: &str) -> Result<()> {
    task.raw(libc::SYS_pipe2, &[task.arena.at(0), 0])
        .map_err(|errno| anyhow!("no pipe: {errno}"))?;
    let pipe = task.arena.get(0, 8);
    let end = |at: usize| {
        let bytes = pipe[at..].first_chunk().copied().unwrap_or_default();
        u32::from_ne_bytes(bytes) as usize
    };
    let child = task.spawn(|task| {
        let flags = libc::CLONE_NEWNET as usize;
        let there = task.sys(Call::Namespace, libc::SYS_unshare, &[flags]);
        let _ = task.raw(libc::SYS_write, &[end(4), task.arena.at(64), 1]);
        if there.is_ok() {
            let _ = live_elsewhere(task);
        }
    })?;
    let _ = task.raw(libc::SYS_close, &[end(4)]);
    let _ = task.raw(libc::SYS_read, &[end(0), task.arena.at(64), 1]);
    let _ = task.raw(libc::SYS_close, &[end(0)]);
    let mut message = Message::new(SETLINK, 0, index(name));
    message.add(NET_NS_PID, &child.as_raw().to_ne_bytes());
    let _ = rtnl.ask(task, Call::LinkMove, &message);
    reap(child);
    bring_up(task, rtnl, name).context("after another namespace")
}

/// The process in the namespace to which the link is moved. It ends with all its objects.
fn live_elsewhere(task: &mut Task) -> Option<()> {
    let name = task.world.link.clone();
    let _ = until(SOON, "the link", || index(&name) != 0);
    let rtnl = Rtnl::new(task).ok()?;
    rtnl.set_up(task, Call::Up, &name, true).ok()?;
    let _ = until(SOON, "its carrier", || rtnl.carrier(task, &name));
    let args = [AF_CAIF.into(), 1, 0];
    let fd = task.sys(Call::Socket, libc::SYS_socket, &args).ok()?;
    let _ = super::options::timeout(task, fd, libc::SO_SNDTIMEO, 2000);
    let slot = Slot { fd, protocol: 0 };
    let address = address(slot.protocol, 1);
    let at = task.arena.put(0, &address);
    let args = [fd, at, address.len()];
    let _ = task.sys(Call::NamespaceConnect, libc::SYS_connect, &args);
    let mut message = Message::caif("caifn", &[], CREATE);
    if task.rng.bool() {
        message.add(LINK, &index(&name).to_ne_bytes());
    }
    let _ = rtnl.ask(task, Call::Newlink, &message);
    if task.rng.bool() {
        let _ = rtnl.set_up(task, Call::Up, "caifn", true);
    }
    let ms = task.rng.u64(..50);
    task.pause(ms);
    Some(())
}

/// Unbinds the driver, and binds it again.
fn rebind(task: &mut Task, rtnl: &Rtnl, name: &str) -> Result<()> {
    let devices = fs::read_dir(DRIVER)?;
    let device = devices
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| {
            name.strip_prefix("virtio")
                .is_some_and(|n| n.parse::<u32>().is_ok())
        })
        .context("no device")?;
    let ends = fs::write(Path::new(DRIVER).join("unbind"), &device);
    let errno = ends.as_ref().map_err(errno).err().unwrap_or(0);
    task.shared.count(Call::LinkRebind, errno);
    ends?;
    fs::write(Path::new(DRIVER).join("bind"), &device).context("binding")?;
    bring_up(task, rtnl, name).context("after the driver was bound again")
}

fn errno(error: &std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(i32::MAX)
}

/// Removes the stack, under interfaces and links, and loads it again.
fn replace_stack(task: &mut Task) -> Result<()> {
    let Some(module) = task.world.module.clone() else {
        return Ok(());
    };
    // Sockets keep the module.
    let _ = task.sys(
        Call::ModuleRemove,
        libc::SYS_delete_module,
        &[task.arena.put(0, b"caif\0"), 0x800],
    );
    task.hush(true);
    let mut removed = Err(libc::EBUSY);
    for _ in 0..300 {
        task.pause(10);
        let at = task.arena.put(0, b"caif\0");
        removed = task.raw(libc::SYS_delete_module, &[at, 0x800]);
        if removed.is_ok() {
            break;
        }
    }
    task.shared
        .count(Call::ModuleRemove, removed.err().unwrap_or(0));
    let ms = task.rng.u64(..200);
    task.pause(ms);
    let loaded = load(task, &module);
    task.hush(false);
    loaded
}

/// Loads the stack, unless another process did.
fn load(task: &mut Task, module: &str) -> Result<()> {
    let file = fs::File::open(module).with_context(|| module.to_owned())?;
    for _ in 0..100 {
        let at = task.arena.put(0, &[0]);
        let args = [file.as_raw_fd() as usize, at, 0];
        // A socket or an interface that somebody makes meanwhile has the kernel load it, too.
        let errno = match task.faulty(libc::SYS_finit_module, &args) {
            Ok(_) | Err(libc::EEXIST) => 0,
            Err(errno) => errno,
        };
        task.shared.count(Call::ModuleLoad, errno);
        if errno == 0 {
            return Ok(());
        }
        task.pause(10);
    }
    Err(anyhow!("the stack cannot be loaded"))
}
