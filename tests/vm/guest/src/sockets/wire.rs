// SPDX-License-Identifier: GPL-2.0

//! Requests to the modem, byte by byte, and its answers.

use anyhow::{Context, Result, ensure};
use socket2::Socket;

use super::{Args, channel, command, events, fails, open};
use crate::caif::{
    Channel, LINK_SELECT, REQ_PARAM, RSP_PARAM, SOL_CAIF, Service, get_option, raw_address,
    set_option,
};

/// Returns the body of the last LINK_SETUP that the modem got, in hexadecimal, but for the number
/// of the link, which is the device's.
fn last_setup(at: &mut Socket) -> Result<String> {
    let text = command(at, "AT*SETUP?")?;
    let (_, hex) = text.split_once("*SETUP: ").context("no set-up")?;
    let hex = hex.split_once('\r').context("no end of it")?.0;
    let link = u8::from_str_radix(hex.get(4..6).context("too short")?, 16)?;
    ensure!(link & 7 != 0, "the link has number 0: {hex}");
    Ok(format!("{}{:02x}{}", &hex[..4], link & !7, &hex[6..]))
}

/// Returns the LINK_SETUP for an address with these bytes after the family.
fn asked(at: &mut Socket, service: Service, address: &[u8]) -> Result<String> {
    let mut bytes = [0; 24];
    bytes[..2].copy_from_slice(&37_u16.to_ne_bytes());
    bytes[4..4 + address.len()].copy_from_slice(address);
    let socket = channel(service, false).socket()?;
    socket
        .connect(&raw_address(&bytes))
        .with_context(|| format!("{service:?} at {address:?}"))?;
    last_setup(at)
}

pub fn requests(_args: &Args) -> Result<()> {
    let mut at = open(Service::At, false)?;
    let name = b"sixteen letters!";
    let util = format!("0006f80000000000{}00", hex(name));
    for (service, address, want) in [
        // The low bits of the type, and those above them, which are the endpoint.
        (Service::At, &[2][..], "0021c800"),
        (Service::At, &[0], "0001c800"),
        (Service::At, &[0x0d], "0011c803"),
        (Service::Datagram, &[1, 2, 3, 4], "0004f80001020304"),
        (Service::DatagramLoop, &[9], "0034f80009000000"),
        (Service::Util, name, &util),
        (
            Service::Rfm,
            &[5, 0, 0, 1, b'C', b':'],
            "0005e00005000001433a00",
        ),
        (Service::Debug, &[1, 2], "0013f802"),
        (Service::Debug, &[15, 3], "00f3f803"),
    ] {
        let got = asked(&mut at, service, address)?;
        ensure!(got == want, "{service:?} at {address:?}: {got}, not {want}");
    }
    // SO_PRIORITY: 1 is the lowest here, 31 on the wire.
    for (priority, want) in [
        (0, 0x1f),
        (1, 0x1f),
        (4, 0x1c),
        (15, 0x11),
        (20, 0x0c),
        (31, 1),
        (32, 1),
        (i32::MAX, 1),
    ] {
        let debug = channel(Service::Debug, true);
        let socket = debug.socket()?;
        set_option(
            &socket,
            libc::SOL_SOCKET,
            libc::SO_PRIORITY,
            &i32::to_ne_bytes(priority),
        )?;
        socket.connect(&debug.address()?)?;
        let (got, want) = (last_setup(&mut at)?, format!("0013{:02x}01", want << 3));
        ensure!(got == want, "priority {priority}: {got}, not {want}");
    }
    Ok(())
}

/// Parameters for a service are sent, and its answer can be read.
pub fn parameters(_args: &Args) -> Result<()> {
    let mut at = open(Service::At, false)?;
    let util = Channel {
        name: "parameters".to_owned(),
        ..channel(Service::Util, false)
    };
    let answer = |socket: &Socket, room| get_option(socket, SOL_CAIF, RSP_PARAM, room);
    for len in [0, 1, 100, 255] {
        let socket = util.socket()?;
        let value: Vec<u8> = (0..len).map(|i| i as u8 ^ 0x5a).collect();
        // The last one that is set counts.
        set_option(&socket, SOL_CAIF, REQ_PARAM, b"something else")?;
        set_option(&socket, SOL_CAIF, REQ_PARAM, &value)?;
        set_option(&socket, SOL_CAIF, LINK_SELECT, &0_i32.to_ne_bytes())?;
        fails(answer(&socket, 300), libc::ENOTCONN, "answer before")?;
        socket.set_nonblocking(true)?;
        fails(
            socket.connect(&util.address()?),
            libc::EINPROGRESS,
            "first call",
        )?;
        events(&socket, libc::POLLOUT)?;
        // connect() was not called again.
        let got = answer(&socket, 300)?;
        ensure!(got == value, "{got:?} of {len} bytes");
        let want = format!(
            "0006f80000000000{}000000000000{len:02x}{}",
            hex(b"parameters"),
            hex(&value)
        );
        let got = last_setup(&mut at)?;
        ensure!(got == want, "{got}, not {want}");
        // As much as fits.
        for room in [0, 1, len] {
            let got = answer(&socket, room)?;
            ensure!(got == value[..room.min(len)], "{got:?} in {room} bytes");
        }
        fails(
            set_option(&socket, SOL_CAIF, REQ_PARAM, b"late"),
            libc::ENOPROTOOPT,
            "parameters of a connected socket",
        )?;
        // It can still be read after the channel ended.
        socket.send(b"shutdown")?;
        events(&socket, libc::POLLRDHUP)?;
        ensure!(answer(&socket, 300)? == value, "the answer is gone");
    }
    for service in [
        Service::At,
        Service::Rfm,
        Service::Debug,
        Service::DatagramLoop,
    ] {
        let socket = open(service, false)?;
        fails(
            answer(&socket, 300),
            libc::EOPNOTSUPP,
            "answer of another service",
        )?;
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
