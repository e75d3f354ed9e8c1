// SPDX-License-Identifier: GPL-2.0

//! Calls of rtnetlink, and packets to and from interfaces.

use std::{ffi::CString, io};

use anyhow::{Context, Result, bail};
use netlink_packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
};
use netlink_sys::{Socket as Netlink, SocketAddr, protocols::NETLINK_ROUTE};
use nix::net::if_::if_nametoindex;
use socket2::{Domain, Protocol, Socket, Type};

use super::{Words, attribute, done, told};
use crate::{
    caif::raw_address,
    netdev,
    rtnetlink::{
        CAIF_IPV4_CONNID, CAIF_IPV6_CONNID, CAIF_LOOPBACK, INFO_DATA, INFO_KIND, LINKINFO, push,
    },
};

const ETH_P_IP: u16 = libc::ETH_P_IP as u16;
const ETH_P_CAIF: u16 = libc::ETH_P_CAIF as u16;
/// A channel that the modem does not assign.
const NOBODY: u8 = 255;

/// The flags that are shown: others change with a delay.
const SHOWN: &[(&str, LinkFlags)] = &[
    ("up", LinkFlags::Up),
    ("noarp", LinkFlags::Noarp),
    ("pointopoint", LinkFlags::Pointopoint),
    ("broadcast", LinkFlags::Broadcast),
    ("multicast", LinkFlags::Multicast),
    ("lower_up", LinkFlags::LowerUp),
];

fn index(name: &str) -> io::Result<u32> {
    let name = CString::new(name)?;
    Ok(if_nametoindex(name.as_c_str())?)
}

fn packet_socket(interface: &str, kind: Type, protocol: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, kind, Some(Protocol::from(0)))?;
    let mut address = vec![0; 20];
    address[..2].copy_from_slice(&(libc::AF_PACKET as u16).to_ne_bytes());
    address[2..4].copy_from_slice(&protocol.to_be_bytes());
    address[4..8].copy_from_slice(&index(interface)?.to_ne_bytes());
    socket.bind(&raw_address(&address))?;
    Ok(socket)
}

/// Makes a socket that sends and receives IP packets by an interface.
pub(super) fn tap(interface: &str) -> io::Result<Socket> {
    packet_socket(interface, Type::DGRAM, ETH_P_IP)
}

/// Sends the frame that marks a call.
pub(super) fn mark(link: &str, call: usize) -> io::Result<()> {
    let body = format!("call {call}");
    let mut frame = (body.len() as u16 + 3).to_le_bytes().to_vec();
    frame.push(NOBODY);
    frame.extend_from_slice(body.as_bytes());
    frame.extend_from_slice(&[0; 2]);
    // This socket receives nothing.
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
    let mut address = vec![0; 20];
    address[..2].copy_from_slice(&(libc::AF_PACKET as u16).to_ne_bytes());
    address[2..4].copy_from_slice(&ETH_P_CAIF.to_be_bytes());
    address[4..8].copy_from_slice(&index(link)?.to_ne_bytes());
    socket.send_to(&frame, &raw_address(&address)).map(drop)
}

/// Makes a call for an interface.
pub(super) fn call(name: &str, verb: &str, words: &mut Words) -> Result<String> {
    let wait = |carrier| netdev::wait_for_carrier(name, carrier).map(|()| "0".to_owned());
    Ok(match verb {
        "new" => create(name, words)?,
        "delete" => {
            let message = RouteNetlinkMessage::DelLink(there(name));
            done(request(message, 0))
        }
        "change" => {
            let mut link = there(name);
            link.attributes.push(info(words)?);
            done(request(RouteNetlinkMessage::NewLink(link), 0))
        }
        "up" | "down" => {
            let mut link = there(name);
            link.header.change_mask = LinkFlags::Up;
            if verb == "up" {
                link.header.flags = LinkFlags::Up;
            }
            done(request(RouteNetlinkMessage::NewLink(link), 0))
        }
        "mtu" => {
            let mut link = there(name);
            link.attributes.push(LinkAttribute::Mtu(words.number()?));
            done(request(RouteNetlinkMessage::NewLink(link), 0))
        }
        "show" => told(show(name)),
        "carrier" => wait(true)?,
        "no-carrier" => wait(false)?,
        "appears" => netdev::appear(name).map(|()| "0".to_owned())?,
        "statistic" => told(attribute(name, &format!("statistics/{}", words.word()?))),
        other => bail!("no socket {name}, and no call {other} for interfaces"),
    })
}

/// Returns a message for an interface: by its number, or by its name if it has none.
fn there(name: &str) -> LinkMessage {
    let mut link = LinkMessage::default();
    match index(name) {
        Ok(index) => link.header.index = index,
        Err(_) => link.attributes = vec![LinkAttribute::IfName(name.to_owned())],
    }
    link
}

/// Makes an interface. Returns the number of its notifications, too.
fn create(name: &str, words: &mut Words) -> Result<String> {
    let mut listener = Netlink::new(NETLINK_ROUTE)?;
    listener.bind(&SocketAddr::new(0, 1))?; // RTMGRP_LINK
    listener.set_non_blocking(true)?;
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.to_owned()));
    let mut words = words.collect::<Vec<_>>();
    // `below LINK` is not an attribute of the kind.
    if let Some(at) = words.iter().position(|word| word == "below") {
        let lower = words.drain(at..).nth(1).context("below what?")?;
        link.attributes.push(LinkAttribute::Link(index(&lower)?));
    }
    link.attributes.push(info(&mut Words(words.into_iter()))?);
    let created = request(
        RouteNetlinkMessage::NewLink(link),
        NLM_F_CREATE | NLM_F_EXCL,
    );
    let mut told_of = 0;
    while let Ok((bytes, _)) = listener.recv_from_full() {
        told_of += messages(&bytes)
            .iter()
            .filter(|message| match &message.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => link
                    .attributes
                    .contains(&LinkAttribute::IfName(name.to_owned())),
                _ => false,
            })
            .count();
    }
    Ok(match created {
        Ok(()) => format!("0, told {told_of}"),
        error => done(error),
    })
}

/// Returns the kind and its attributes, as oFono sends them: the name of the kind does not end with
/// a zero.
fn info(words: &mut Words) -> Result<LinkAttribute> {
    let mut data = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "connid" => push(
                &mut data,
                CAIF_IPV4_CONNID,
                &words.number::<u32>()?.to_ne_bytes(),
            ),
            "connid6" => push(
                &mut data,
                CAIF_IPV6_CONNID,
                &words.number::<u32>()?.to_ne_bytes(),
            ),
            "loopback" => push(
                &mut data,
                CAIF_LOOPBACK,
                &words.number::<u8>()?.to_ne_bytes(),
            ),
            "loopback32" => push(
                &mut data,
                CAIF_LOOPBACK,
                &words.number::<u32>()?.to_ne_bytes(),
            ),
            "short" => push(&mut data, words.number()?, &[1]),
            "unknown" => push(&mut data, words.number()?, &[0; 4]),
            other => bail!("no attribute {other}"),
        }
    }
    let mut info = Vec::new();
    push(&mut info, INFO_KIND, b"caif");
    if !data.is_empty() {
        push(&mut info, INFO_DATA, &data);
    }
    Ok(LinkAttribute::Other(DefaultNla::new(LINKINFO, info)))
}

fn messages(bytes: &[u8]) -> Vec<NetlinkMessage<RouteNetlinkMessage>> {
    let mut all = Vec::new();
    let mut rest = bytes;
    while let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) {
        let len = (message.header.length as usize).next_multiple_of(4);
        all.push(message);
        match rest.get(len..) {
            Some(more) if len > 0 && !more.is_empty() => rest = more,
            _ => break,
        }
    }
    all
}

/// Sends a message. Returns its answers, or an error among them.
fn ask(message: RouteNetlinkMessage, flags: u16) -> io::Result<Option<RouteNetlinkMessage>> {
    let mut message = NetlinkMessage::from(message);
    message.header.flags = NLM_F_REQUEST | flags;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let socket = Netlink::new(NETLINK_ROUTE)?;
    socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    match messages(&answer).into_iter().next().map(|m| m.payload) {
        Some(NetlinkPayload::Error(error)) if error.code.is_none() => Ok(None),
        Some(NetlinkPayload::Error(error)) => Err(error.to_io()),
        Some(NetlinkPayload::InnerMessage(message)) => Ok(Some(message)),
        _ => Err(io::Error::other("no answer of rtnetlink")),
    }
}

fn request(message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
    ask(message, NLM_F_ACK | flags).map(drop)
}

/// Returns an interface as reported by rtnetlink.
fn show(name: &str) -> io::Result<String> {
    let answer = ask(RouteNetlinkMessage::GetLink(there(name)), 0)?;
    let Some(RouteNetlinkMessage::NewLink(link)) = answer else {
        return Err(io::Error::other("no interface"));
    };
    let mut text = format!("type {}", u16::from(link.header.link_layer_type));
    for (name, flag) in SHOWN {
        if link.header.flags.contains(*flag) {
            text += &format!(" {name}");
        }
    }
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::Mtu(mtu) => text += &format!(", mtu {mtu}"),
            LinkAttribute::TxQueueLen(len) => text += &format!(", queue {len}"),
            LinkAttribute::Link(lower) if *lower != 0 && *lower != link.header.index => {
                text += ", below a link";
            }
            LinkAttribute::LinkInfo(infos) => {
                for info in infos {
                    if let LinkInfo::Data(InfoData::Other(data)) = info {
                        text += &shown(data, link.header.index);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(text)
}

/// Returns the attributes of the kind.
fn shown(data: &[u8], index: u32) -> String {
    let mut text = String::new();
    let mut rest = data;
    while let Some((header, _)) = rest.split_first_chunk::<4>() {
        let [a, b, c, d] = *header;
        let len = usize::from(u16::from_ne_bytes([a, b]));
        let kind = u16::from_ne_bytes([c, d]);
        let value = rest.get(4..len).unwrap_or_default();
        text += &match value.try_into().map(u32::from_ne_bytes) {
            Ok(number) if number == index => format!(", attribute {kind}: its number"),
            Ok(number) => format!(", attribute {kind}: {number}"),
            Err(_) => format!(", attribute {kind}: {value:?}"),
        };
        match rest.get(len.max(4).next_multiple_of(4)..) {
            Some(more) => rest = more,
            None => break,
        }
    }
    text
}
