// SPDX-License-Identifier: GPL-2.0

//! Creates IP interfaces over CAIF by rtnetlink; `ip link` does not support the kind's attributes.

use anyhow::{Context, Result, bail};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, LinkAttribute, LinkInfo, LinkMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::net::if_::if_nametoindex;

#[derive(clap::Args)]
pub struct Args {
    /// Name of the new interface
    name: String,
    /// Connection id that the modem is asked for
    #[arg(long)]
    connid: Option<u32>,
    /// Ask the modem for a loopback channel
    #[arg(long)]
    loopback: bool,
    /// The link to use, and with which the interface is to go
    #[arg(long)]
    link: Option<String>,
}

const IFLA_CAIF_IPV4_CONNID: u16 = 1;
const IFLA_CAIF_LOOPBACK: u16 = 3;

pub fn add(args: &Args) -> Result<()> {
    let mut data = Vec::new();
    if let Some(connid) = args.connid {
        attribute(&mut data, IFLA_CAIF_IPV4_CONNID, &connid.to_ne_bytes());
    }
    if args.loopback {
        // One byte, padded to the alignment of attributes.
        attribute(&mut data, IFLA_CAIF_LOOPBACK, &[1]);
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
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewLink(link));
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);

    let socket = Socket::new(NETLINK_ROUTE)?;
    socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)
        .context("not a netlink answer")?;
    match answer.payload {
        NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
        NetlinkPayload::Error(error) => bail!("cannot create {}: {}", args.name, error.to_io()),
        other => bail!("unexpected answer: {other:?}"),
    }
}

fn attribute(data: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let len = 4 + value.len();
    data.extend_from_slice(&(len as u16).to_ne_bytes());
    data.extend_from_slice(&kind.to_ne_bytes());
    data.extend_from_slice(value);
    data.resize(data.len().next_multiple_of(4), 0);
}
