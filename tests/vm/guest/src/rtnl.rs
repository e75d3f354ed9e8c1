// SPDX-License-Identifier: GPL-2.0

//! The contract of rtnetlink's kind "caif": attributes of programs, reports of an interface, and
//! refusals. Messages are made by hand, also those that no library makes.

use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::{
    rtnetlink::{
        ACK, CAIF_IPV4_CONNID as V4, CAIF_IPV6_CONNID as V6, CAIF_LOOPBACK as LOOP, CARRIER,
        CREATE, DELLINK, GETLINK, IFNAME, INFO_DATA, INFO_KIND, LINK, LINKINFO, MAX_MTU, MIN_MTU,
        MTU, NEWLINK, OPERSTATE, REQUEST, STATS64, TXQLEN, push,
    },
    unsafe_calls::driver_of,
};

/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
const OPER_UP: u32 = 6;

const UP: u32 = libc::IFF_UP as u32;
const NAME: &str = "caifr";
const REFUSED: u32 = 0xdead;
/// Bytes into which oFono reads the notification of an interface: it ignores one that is longer.
const OFONO_READS: usize = 1024;

#[derive(clap::Args)]
pub struct Args {
    /// The device of a link
    link: String,
}

fn attribute(number: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push(&mut bytes, number, value);
    bytes
}

fn u32_attribute(number: u16, value: u32) -> Vec<u8> {
    attribute(number, &value.to_ne_bytes())
}

/// `IFLA_LINKINFO`, the kind without a NUL.
fn info(data: &[Vec<u8>]) -> Vec<u8> {
    let kind = attribute(INFO_KIND, b"caif");
    let data = attribute(INFO_DATA, &data.concat());
    attribute(LINKINFO, &[kind, data].concat())
}

fn name(name: &str) -> Vec<u8> {
    attribute(IFNAME, format!("{name}\0").as_bytes())
}

/// Returns the attributes of a message, by number.
fn parse(mut bytes: &[u8]) -> HashMap<u16, Vec<u8>> {
    let mut all = HashMap::new();
    while let Some((head, _)) = bytes.split_first_chunk::<4>() {
        let len = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let number = u16::from_ne_bytes([head[2], head[3]]) & 0x3fff;
        let Some(value) = bytes.get(4..len) else {
            break;
        };
        all.insert(number, value.to_vec());
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

/// The report of an interface.
struct Said {
    hw_type: u16,
    flags: u32,
    attributes: HashMap<u16, Vec<u8>>,
}

impl Said {
    fn of(message: &[u8]) -> Option<Self> {
        Some(Self {
            hw_type: u16::from_ne_bytes(*message.get(18..20)?.first_chunk()?),
            flags: u32::from_ne_bytes(*message.get(24..28)?.first_chunk()?),
            attributes: parse(message.get(32..)?),
        })
    }

    fn number(&self, attribute: u16) -> Result<u32> {
        number(&self.attributes, attribute)
    }

    /// Returns the connection id by both attributes, and whether the modem returns packets.
    fn settings(&self) -> Result<(u32, u32, u32)> {
        let info = parse(self.attributes.get(&LINKINFO).context("no info")?);
        let kind = info.get(&INFO_KIND).context("no kind")?;
        ensure!(kind.starts_with(b"caif"), "kind {kind:?}");
        let data = parse(info.get(&INFO_DATA).context("no data")?);
        ensure!(data.len() == 3, "{} attributes", data.len());
        Ok((number(&data, V4)?, number(&data, V6)?, number(&data, LOOP)?))
    }
}

fn number(attributes: &HashMap<u16, Vec<u8>>, attribute: u16) -> Result<u32> {
    let value = attributes
        .get(&attribute)
        .with_context(|| format!("no attribute {attribute}"))?;
    Ok(match value.as_slice() {
        [byte] => u32::from(*byte),
        &[a, b, c, d] => u32::from_ne_bytes([a, b, c, d]),
        other => anyhow::bail!("attribute {attribute} is {other:?}"),
    })
}

/// Returns the parts of a datagram.
fn messages(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while let Some(len) = bytes.first_chunk::<4>() {
        let len = u32::from_ne_bytes(*len) as usize;
        let Some(message) = bytes.get(..len).filter(|message| message.len() >= 16) else {
            break;
        };
        all.push(message);
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

fn kind_of(message: &[u8]) -> u16 {
    u16::from_ne_bytes([message[4], message[5]])
}

/// Makes a request to rtnetlink. Returns the messages before its confirmation.
fn ask(
    kind: u16,
    flags: u16,
    index: u32,
    changed: (u32, u32),
    attributes: &[Vec<u8>],
) -> io::Result<Option<Said>> {
    let socket = Socket::new(NETLINK_ROUTE)?;
    let attributes = attributes.concat();
    let mut bytes = ((32 + attributes.len()) as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((flags | REQUEST | ACK).to_ne_bytes());
    bytes.extend([0; 8 + 4]);
    for field in [index, changed.0, changed.1] {
        bytes.extend(field.to_ne_bytes());
    }
    bytes.extend(attributes);
    socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
    let mut said = None;
    loop {
        let (answer, _) = socket.recv_from_full()?;
        for message in messages(&answer) {
            if kind_of(message) != ERROR {
                said = Said::of(message);
                continue;
            }
            let error = message.get(16..20).and_then(<[u8]>::first_chunk);
            let error = i32::from_ne_bytes(*error.ok_or(ErrorKind::InvalidData)?);
            if error != 0 {
                return Err(io::Error::from_raw_os_error(-error));
            }
            return Ok(said);
        }
    }
}

fn create(interface: &str, more: &[Vec<u8>], data: &[Vec<u8>]) -> io::Result<()> {
    let mut attributes = vec![name(interface), info(data)];
    attributes.extend_from_slice(more);
    ask(NEWLINK, CREATE, 0, (0, 0), &attributes).map(drop)
}

fn change(data: &[Vec<u8>]) -> io::Result<()> {
    ask(NEWLINK, 0, 0, (0, 0), &[name(NAME), info(data)]).map(drop)
}

fn set_up(up: bool) -> io::Result<()> {
    let flags = if up { UP } else { 0 };
    ask(NEWLINK, 0, 0, (flags, UP), &[name(NAME)]).map(drop)
}

fn get(interface: &str) -> Result<Said> {
    ask(GETLINK, 0, 0, (0, 0), &[name(interface)])?.context("no answer")
}

fn index_of(interface: &str) -> Result<u32> {
    Ok(nix::net::if_::if_nametoindex(interface)?)
}

fn fails(result: io::Result<()>, errno: i32, what: &str) -> Result<()> {
    let got = result.err().and_then(|error| error.raw_os_error());
    ensure!(got == Some(errno), "{what}: {got:?}, wanted {errno}");
    Ok(())
}

/// Checks the connection id and the loopback of the interface.
fn has(id: u32, loopback: u32) -> Result<()> {
    let settings = get(NAME)?.settings()?;
    ensure!(settings == (id, id, loopback), "settings {settings:?}");
    Ok(())
}

pub fn run(args: &Args) -> Result<()> {
    let int = |value: i32| value.to_ne_bytes();
    let listener = {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 1))?; // RTMGRP_LINK
        socket.set_non_blocking(true)?;
        socket
    };
    // As oFono does.
    let asked = [u32_attribute(V4, 7), attribute(LOOP, &int(1))];
    create(NAME, &[], &asked)?;
    let mut told = Vec::new();
    while let Ok((bytes, _)) = listener.recv_from_full() {
        told.extend(
            messages(&bytes)
                .into_iter()
                .filter(|message| kind_of(message) == NEWLINK)
                .filter_map(|message| Some((message.len(), Said::of(message)?)))
                .filter(|(_, said)| {
                    said.attributes.get(&IFNAME).map(Vec::as_slice) == Some(b"caifr\0")
                })
                .map(|(len, _)| len),
        );
    }
    ensure!(
        matches!(told[..], [len] if len <= OFONO_READS),
        "told of the new interface in messages of {told:?} bytes"
    );
    println!("told in {} bytes", told[0]);
    has(7, 1)?;
    let said = get(NAME)?;
    ensure!(said.hw_type == 65534, "type {}", said.hw_type);
    let wanted = (libc::IFF_POINTOPOINT | libc::IFF_NOARP) as u32;
    let flags =
        said.flags & (wanted | UP | libc::IFF_BROADCAST as u32 | libc::IFF_MULTICAST as u32);
    ensure!(flags == wanted, "flags {flags:#x}");
    for (attribute, want) in [
        (MTU, 1500),
        (MIN_MTU, 68),
        (MAX_MTU, 1500),
        (TXQLEN, 500),
        (CARRIER, 0),
    ] {
        let got = said.number(attribute)?;
        ensure!(got == want, "attribute {attribute} is {got}, not {want}");
    }
    let statistics = said.attributes.get(&STATS64).map_or(0, Vec::len);
    ensure!(statistics >= 23 * 8, "{statistics} bytes of statistics");
    let driver = driver_of(NAME)?;
    ensure!(driver == "caif", "ethtool says {driver}");
    fails(create(NAME, &[], &asked), libc::EEXIST, "once more")?;

    // Changes take effect when it is set up the next time. Both ids are one.
    change(&[u32_attribute(V4, 5), u32_attribute(V6, REFUSED)])?;
    has(REFUSED, 1)?;
    fails(set_up(true), libc::ECONNREFUSED, "a refused id")?;
    change(&[u32_attribute(V6, 9), attribute(LOOP, &[0])])?;
    has(9, 0)?;
    set_up(true)?;
    ensure!(get(NAME)?.number(CARRIER)? == 1, "no carrier");
    let begin = Instant::now();
    while get(NAME)?.number(OPERSTATE)? != OPER_UP {
        ensure!(begin.elapsed() < Duration::from_secs(20), "it is not up");
    }
    change(&[u32_attribute(V4, REFUSED)])?;
    ensure!(get(NAME)?.number(CARRIER)? == 1, "changed at once");
    set_up(false)?;
    fails(set_up(true), libc::ECONNREFUSED, "a refused id")?;

    // Attributes that are too short change nothing; too long and unknown ones are ignored.
    for wrong in [
        attribute(V4, &[1, 0]),
        attribute(V6, &[]),
        attribute(LOOP, &[]),
    ] {
        fails(change(&[wrong]), libc::ERANGE, "a short attribute")?;
        has(REFUSED, 0)?;
    }
    change(&[attribute(V4, &[3, 0, 0, 0, 9]), u32_attribute(77, 1)])?;
    has(3, 0)?;
    for (mtu, fits) in [(67, false), (68, true), (1501, false), (1500, true)] {
        let set = ask(
            NEWLINK,
            0,
            0,
            (0, 0),
            &[name(NAME), u32_attribute(MTU, mtu)],
        );
        ensure!(set.is_ok() == fits, "MTU {mtu}");
    }
    let index = index_of(NAME)?;
    ask(DELLINK, 0, index, (0, 0), &[])?;
    ensure!(index_of(NAME).is_err(), "it is still there");

    // Its own number and loopback by default.
    create(NAME, &[], &[])?;
    has(index_of(NAME)?, 1)?;
    ask(DELLINK, 0, 0, (0, 0), &[name(NAME)])?;

    // Only a link can be the lower device.
    let link = index_of(&args.link)?;
    let below = |index| create(NAME, &[u32_attribute(LINK, index)], &asked);
    fails(below(index_of("lo")?), libc::EINVAL, "above lo")?;
    fails(below(999_999), libc::ENODEV, "above nothing")?;
    below(link)?;
    let said = get(NAME)?.number(LINK)?;
    ensure!(said == link, "above {said}, not {link}");
    ask(DELLINK, 0, 0, (0, 0), &[name(NAME)])?;
    println!("as it should be");
    Ok(())
}
