// SPDX-License-Identifier: GPL-2.0

//! Making a socket, unsupported calls, options and addresses.

use std::mem::MaybeUninit;

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Args, channel, fails, now, open};
use crate::caif::{
    AF_CAIF, LINK_SELECT, REQ_PARAM, RSP_PARAM, SOL_CAIF, Service, become_nobody, get_option,
    ioctl, raw_address, set_option,
};

pub fn creation(_args: &Args) -> Result<()> {
    let family = Domain::from(i32::from(AF_CAIF));
    let make = move |kind, protocol| Socket::new(family, kind, Some(Protocol::from(protocol)));
    for kind in [Type::DGRAM, Type::RAW] {
        fails(make(kind, 0), libc::ESOCKTNOSUPPORT, "socket type")?;
        // The type is checked first.
        fails(make(kind, 77), libc::ESOCKTNOSUPPORT, "socket type")?;
    }
    for protocol in [-1, 6, 77] {
        fails(
            make(Type::STREAM, protocol),
            libc::EPROTONOSUPPORT,
            "protocol",
        )?;
    }
    for protocol in [0, 1, 2, 3, 4, 5] {
        for kind in [Type::SEQPACKET, Type::STREAM] {
            let socket = make(kind, protocol)?;
            ensure!(socket.r#type()? == kind, "another type");
            let priority = get_option(&socket, libc::SOL_SOCKET, libc::SO_PRIORITY, 4)?;
            let wanted = match protocol {
                0 => 7_i32,
                4 => 4,
                _ => 0,
            };
            ensure!(
                priority == wanted.to_ne_bytes(),
                "priority {priority:?} of protocol {protocol}"
            );
        }
    }
    let held = (make(Type::STREAM, 0)?, make(Type::SEQPACKET, 3)?);
    let count = counted()?;
    ensure!(count >= 2, "{count} sockets are counted of {held:?}");
    // Without the capability nothing else is checked.
    let task = std::thread::spawn(move || -> Result<()> {
        become_nobody()?;
        fails(make(Type::STREAM, 0), libc::EPERM, "no capability")?;
        fails(make(Type::DGRAM, 77), libc::EPERM, "no capability")
    });
    task.join().expect("the task of nobody")
}

/// Returns the kernel's count of sockets of the family in this namespace.
fn counted() -> Result<i64> {
    let protocols = std::fs::read_to_string("/proc/net/protocols")?;
    let fields = protocols
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let count = fields
        .filter_map(|fields| (*fields.first()? == "CAIF").then(|| fields.get(2).copied())?)
        .next()
        .context("/proc/net/protocols has no sockets of CAIF")?;
    Ok(count.parse()?)
}

pub fn unsupported(_args: &Args) -> Result<()> {
    let at = channel(Service::At, false);
    for socket in [at.socket()?, open(Service::At, true)?] {
        fails(socket.bind(&at.address()?), libc::EOPNOTSUPP, "bind")?;
        fails(socket.listen(1), libc::EOPNOTSUPP, "listen")?;
        fails(socket.accept(), libc::EOPNOTSUPP, "accept")?;
        fails(
            socket.shutdown(std::net::Shutdown::Both),
            libc::EOPNOTSUPP,
            "shutdown",
        )?;
        fails(socket.local_addr(), libc::EOPNOTSUPP, "getsockname")?;
        fails(socket.peer_addr(), libc::EOPNOTSUPP, "getpeername")?;
        for request in [libc::TIOCOUTQ, libc::FIONREAD, 0x8933] {
            fails(ioctl(&socket, request), libc::EOPNOTSUPP, "ioctl")?;
        }
        fails(
            socket.send_with_flags(b"x", libc::MSG_OOB),
            libc::EOPNOTSUPP,
            "send of urgent data",
        )?;
        fails(
            socket.recv_with_flags(&mut [MaybeUninit::uninit()], libc::MSG_OOB),
            libc::EOPNOTSUPP,
            "receiving urgent data",
        )?;
        fails(
            socket.send_to(b"x", &at.address()?),
            libc::EOPNOTSUPP,
            "send to an address",
        )?;
    }
    let pair = Socket::pair(
        Domain::from(i32::from(AF_CAIF)),
        Type::STREAM,
        Some(Protocol::from(0)),
    );
    fails(pair, libc::EOPNOTSUPP, "socketpair")
}

pub fn options(_args: &Args) -> Result<()> {
    let at = channel(Service::At, false).socket()?;
    let util = channel(Service::Util, false).socket()?;
    let set = |socket, level, name, value: &[u8]| set_option(socket, level, name, value);
    for socket in [&at, &util] {
        set(socket, SOL_CAIF, LINK_SELECT, &0_i32.to_ne_bytes())?;
        // Any number is accepted; connecting fails.
        set(socket, SOL_CAIF, LINK_SELECT, &(-5_i32).to_ne_bytes())?;
        set(socket, SOL_CAIF, LINK_SELECT, &[1, 0, 0, 0, 9, 9])?;
        fails(
            set(socket, SOL_CAIF, LINK_SELECT, &[1, 0, 0]),
            libc::EINVAL,
            "three bytes",
        )?;
        for (level, name) in [(SOL_CAIF, 126), (SOL_CAIF, RSP_PARAM), (99, LINK_SELECT)] {
            fails(
                set(socket, level, name, &[0; 4]),
                libc::ENOPROTOOPT,
                "unknown option",
            )?;
        }
        for name in [LINK_SELECT, REQ_PARAM, 126] {
            fails(
                get_option(socket, SOL_CAIF, name, 4),
                libc::EOPNOTSUPP,
                "getsockopt",
            )?;
        }
    }
    fails(
        set(&at, SOL_CAIF, REQ_PARAM, b"x"),
        libc::ENOPROTOOPT,
        "parameters of an AT channel",
    )?;
    set(&util, SOL_CAIF, REQ_PARAM, &[])?;
    set(&util, SOL_CAIF, REQ_PARAM, &[7; 256])?;
    fails(
        set(&util, SOL_CAIF, REQ_PARAM, &[7; 257]),
        libc::EINVAL,
        "257 bytes of parameters",
    )?;
    fails(
        get_option(&util, SOL_CAIF, RSP_PARAM, 10),
        libc::ENOTCONN,
        "answer before there is one",
    )?;
    // Once the socket is connected nothing can be set.
    let at = open(Service::At, false)?;
    fails(
        set(&at, SOL_CAIF, LINK_SELECT, &[0; 4]),
        libc::ENOPROTOOPT,
        "option of a connected socket",
    )
}

pub fn bad_addresses(_args: &Args) -> Result<()> {
    let socket = channel(Service::At, false).socket()?;
    let good = 37_u16.to_ne_bytes();
    fails(
        socket.connect(&raw_address(&good[..1])),
        libc::EINVAL,
        "one byte",
    )?;
    for family in [0_u16, 1, 36, 38, 0xffff] {
        let mut bytes = [0; 24];
        bytes[..2].copy_from_slice(&family.to_ne_bytes());
        fails(
            socket.connect(&raw_address(&bytes)),
            libc::EAFNOSUPPORT,
            "another family",
        )?;
    }
    for len in [2, 4, 23, 25, 128] {
        let mut bytes = vec![0; len];
        bytes[..2].copy_from_slice(&good);
        fails(
            socket.connect(&raw_address(&bytes)),
            libc::EINVAL,
            "another length",
        )?;
    }
    let debug = channel(Service::Debug, false).socket()?;
    for (kind, service) in [(16, 1), (0, 4), (255, 255)] {
        let mut bytes = [0; 24];
        bytes[..2].copy_from_slice(&good);
        bytes[4] = kind;
        bytes[5] = service;
        fails(
            debug.connect(&raw_address(&bytes)),
            libc::EINVAL,
            "traces that do not fit",
        )?;
    }
    // A volume whose name leaves no room for a NUL.
    let mut rfm = channel(Service::Rfm, false);
    rfm.name = "sixteen letters!".to_owned();
    fails(
        rfm.socket()?.connect(&rfm.address()?),
        libc::EINVAL,
        "name of a volume",
    )?;
    let at = channel(Service::At, false);
    set_option(&socket, SOL_CAIF, LINK_SELECT, &2_i32.to_ne_bytes())?;
    fails(socket.connect(&at.address()?), libc::EINVAL, "kind of link")?;
    set_option(&socket, SOL_CAIF, LINK_SELECT, &0_i32.to_ne_bytes())?;
    socket.bind_device(Some(b"lo"))?;
    fails(socket.connect(&at.address()?), libc::ENODEV, "no link")?;
    // Nothing is left.
    ensure!(now(&socket)? == 0, "events of a fresh socket");
    socket.bind_device(None)?;
    socket.connect(&at.address()?)?;
    Ok(())
}
