// SPDX-License-Identifier: GPL-2.0

//! Creates IP interfaces over CAIF by rtnetlink; `ip link` does not support the kind's attributes.

use std::io;

use anyhow::{Context, Result};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::net::if_::if_nametoindex;

use crate::rtnetlink::{CAIF_IPV4_CONNID, CAIF_LOOPBACK, push};

#[derive(clap::Args)]
pub struct Args {
    /// Name of the new interface
    name: String,
    /// Connection id of the request to the modem
    #[arg(long)]
    connid: Option<u32>,
    /// Ask the modem for a loopback channel
    #[arg(long)]
    loopback: bool,
    /// The link to use, with which the interface is removed
    #[arg(long)]
    link: Option<String>,
    /// Another MTU than the default one
    #[arg(long)]
    mtu: Option<u32>,
}

impl Args {
    /// Returns an interface without attributes, which has a loopback channel.
    pub fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            connid: None,
            loopback: false,
            link: None,
            mtu: None,
        }
    }

    /// Returns an interface of a connection.
    pub fn of_connection(name: &str, connid: u32) -> Self {
        Self {
            connid: Some(connid),
            ..Self::plain(name)
        }
    }
}

pub fn add(args: &Args) -> Result<()> {
    Request::add(args)?
        .send()
        .with_context(|| format!("cannot create {}", args.name))
}

#[derive(clap::Args)]
pub struct ChangeArgs {
    /// Name of the interface
    name: String,
    /// Connection id of the next request to the modem
    #[arg(long)]
    connid: u32,
}

pub fn change(args: &ChangeArgs) -> Result<()> {
    Request::change(&args.name, args.connid)?
        .send()
        .with_context(|| format!("cannot change {}", args.name))
}

/// A request of rtnetlink, complete, so that sending it allocates little.
pub struct Request {
    bytes: Vec<u8>,
    socket: Socket,
}

impl Request {
    /// Makes an interface.
    pub fn add(args: &Args) -> Result<Self> {
        let mut data = Vec::new();
        if let Some(connid) = args.connid {
            push(&mut data, CAIF_IPV4_CONNID, &connid.to_ne_bytes());
        }
        if args.loopback {
            // One byte, padded to the alignment of attributes.
            push(&mut data, CAIF_LOOPBACK, &[1]);
        }
        let below = args.link.as_deref().map(if_nametoindex).transpose();
        let below = below.with_context(|| format!("{:?}", args.link))?;
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(args.name.clone()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Other("caif".into())),
                LinkInfo::Data(InfoData::Other(data)),
            ]),
        ];
        link.attributes.extend(below.map(LinkAttribute::Link));
        link.attributes.extend(args.mtu.map(LinkAttribute::Mtu));
        Self::new(
            RouteNetlinkMessage::NewLink(link),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Changes the connection of an interface.
    fn change(name: &str, connid: u32) -> Result<Self> {
        let mut data = Vec::new();
        push(&mut data, CAIF_IPV4_CONNID, &connid.to_ne_bytes());
        let mut link = LinkMessage::default();
        link.header.index = if_nametoindex(name)?;
        link.attributes = vec![LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Other("caif".into())),
            LinkInfo::Data(InfoData::Other(data)),
        ])];
        Self::new(RouteNetlinkMessage::NewLink(link), 0)
    }

    /// Brings an interface up.
    pub fn up(name: &str) -> Result<Self> {
        let mut link = LinkMessage::default();
        link.header.index = if_nametoindex(name)?;
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        Self::new(RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Brings an interface down.
    pub fn down(name: &str) -> Result<Self> {
        let mut link = LinkMessage::default();
        link.header.index = if_nametoindex(name)?;
        link.header.change_mask = LinkFlags::Up;
        Self::new(RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Deletes an interface.
    pub fn delete(name: &str) -> Result<Self> {
        let mut link = LinkMessage::default();
        link.header.index = if_nametoindex(name)?;
        Self::new(RouteNetlinkMessage::DelLink(link), 0)
    }

    fn new(message: RouteNetlinkMessage, flags: u16) -> Result<Self> {
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let socket = Socket::new(NETLINK_ROUTE)?;
        Ok(Self { bytes, socket })
    }

    /// Sends it, and returns the kernel's answer.
    pub fn send(&self) -> io::Result<()> {
        self.socket
            .send_to(&self.bytes, &SocketAddr::new(0, 0), 0)?;
        let (answer, _) = self.socket.recv_from_full()?;
        let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)
            .map_err(io::Error::other)?;
        match answer.payload {
            NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
            NetlinkPayload::Error(error) => Err(error.to_io()),
            other => Err(io::Error::other(format!("not an answer: {other:?}"))),
        }
    }
}
