// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Makes, deletes and shows IP interfaces, by rtnetlink: `ip link` does not support the attributes
//! of the kind.

use std::io;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, LinkAttribute, LinkInfo, LinkMessage},
};
use serde::Serialize;
use thiserror::Error;

use crate::{
    netdevs::{self, IPV4_CONNID, KIND, LOOPBACK, Netdev, Role, attribute},
    netlink::Netlink,
    output::print,
    table::{Align, Table},
};

#[derive(Subcommand)]
pub enum LinkCommand {
    /// Make an interface, which is down
    Add(AddArgs),
    /// Delete an interface
    Del(DelArgs),
    /// Show all interfaces, or one
    Show(ShowArgs),
}

#[derive(clap::Args)]
pub struct AddArgs {
    /// The name; %d in it stands for the first number that is free
    #[arg(value_parser = netdevs::name)]
    name: String,
    /// The connection that the modem is asked for when the interface is set up
    #[arg(long, value_name = "N", value_parser = connection_id)]
    pub connection_id: u32,
    /// Use this link, and go with it; without it, use any link that is up
    #[arg(long, value_parser = netdevs::name)]
    link: Option<String>,
    /// Ask for a channel that returns what it is sent
    #[arg(long)]
    loopback: bool,
}

#[derive(clap::Args)]
pub struct DelArgs {
    /// The name
    #[arg(value_parser = netdevs::name)]
    name: String,
}

#[derive(clap::Args)]
pub struct ShowArgs {
    /// The name
    #[arg(value_parser = netdevs::name)]
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Why the kernel refused, and a remedy.
#[derive(Debug, Error)]
enum Refusal {
    #[error("it takes CAP_NET_ADMIN: run this as root")]
    NotAllowed,
    #[error(
        "this kernel has no such interfaces: load the stack by `modprobe caif` (in C: `modprobe chnl_net`)"
    )]
    NoKind,
    #[error("the name is taken: choose another one, or `caifctl link del` it")]
    Taken,
    #[error("it is gone: `caifctl link show` has those that are there")]
    Gone,
    #[error("the kernel says: {0}")]
    Other(#[source] io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM) => Self::NotAllowed,
            Some(libc::EOPNOTSUPP) => Self::NoKind,
            Some(libc::EEXIST) => Self::Taken,
            Some(libc::ENODEV) => Self::Gone,
            _ => Self::Other(error),
        }
    }
}

/// Reads the number of a connection from the command line.
fn connection_id(text: &str) -> Result<u32, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|_| "it must be a number from 0 to 4294967295, or 0x and hexadecimal".to_owned())
}

pub fn add(args: &AddArgs) -> Result<()> {
    let netlink = Netlink::new()?;
    let lower = match &args.link {
        Some(name) => Some(link(&netdevs::all(&netlink)?, name)?),
        None => None,
    };
    netlink
        .request(
            RouteNetlinkMessage::NewLink(new_link(args, lower)),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .map_err(Refusal::from)
        .with_context(|| format!("cannot make {}", args.name))
}

/// Returns the request for a new interface.
fn new_link(args: &AddArgs, lower: Option<u32>) -> LinkMessage {
    let mut data = Vec::new();
    attribute(&mut data, IPV4_CONNID, &args.connection_id.to_ne_bytes());
    if args.loopback {
        attribute(&mut data, LOOPBACK, &[1]);
    }
    let mut message = LinkMessage::default();
    message.attributes = vec![LinkAttribute::IfName(args.name.clone())];
    message.attributes.extend(lower.map(LinkAttribute::Link));
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Other(KIND.to_owned())),
        LinkInfo::Data(InfoData::Other(data)),
    ]));
    message
}

/// Returns the index of a link.
fn link(devs: &[Netdev], name: &str) -> Result<u32> {
    match devs.iter().find(|dev| dev.name == name) {
        Some(dev) if dev.role == Role::Link => Ok(dev.index),
        Some(_) => bail!("{name} is not a CAIF link: `caifctl status` shows the links"),
        None => bail!("there is no interface {name}: `caifctl status` shows the links"),
    }
}

/// Returns the CAIF interface of a name.
fn interface<'a>(devs: &'a [Netdev], name: &str) -> Result<&'a Netdev> {
    match devs.iter().find(|dev| dev.name == name) {
        Some(dev) if matches!(dev.role, Role::Interface { .. }) => Ok(dev),
        Some(_) => bail!("{name} is not an interface over CAIF: `caifctl link show` shows those"),
        None => bail!("there is no interface {name}: `caifctl link show` shows those there are"),
    }
}

pub fn delete(args: &DelArgs) -> Result<()> {
    let netlink = Netlink::new()?;
    let devs = netdevs::all(&netlink)?;
    netdevs::delete(&netlink, interface(&devs, &args.name)?.index)
        .map_err(Refusal::from)
        .with_context(|| format!("cannot delete {}", args.name))
}

/// An interface in the output of `link show`.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    connection_id: Option<u32>,
    /// The link that it was made for; `None`: any.
    link: Option<String>,
    loopback: bool,
    state: &'static str,
    mtu: u32,
    addresses: Vec<String>,
}

impl<'a> Shown<'a> {
    fn new(dev: &'a Netdev, devs: &[Netdev]) -> Option<Self> {
        let Role::Interface {
            connection,
            loopback,
            lower,
        } = dev.role
        else {
            return None;
        };
        Some(Self {
            name: &dev.name,
            connection_id: connection,
            link: lower.map(|index| lower_name(devs, index)),
            loopback,
            state: dev.state(),
            mtu: dev.mtu,
            addresses: dev.addresses.iter().map(ToString::to_string).collect(),
        })
    }
}

/// Returns the name of a link that an interface was made for.
pub fn lower_name(devs: &[Netdev], index: u32) -> String {
    let dev = devs.iter().find(|dev| dev.index == index);
    dev.map_or_else(|| format!("index {index}"), |dev| dev.name.clone())
}

pub fn show(args: &ShowArgs) -> Result<()> {
    let devs = netdevs::all(&Netlink::new()?)?;
    let chosen: Vec<&Netdev> = match &args.name {
        Some(name) => vec![interface(&devs, name)?],
        None => devs.iter().collect(),
    };
    let shown: Vec<_> = chosen
        .into_iter()
        .filter_map(|dev| Shown::new(dev, &devs))
        .collect();
    if args.json {
        return print(&format!("{}\n", serde_json::to_string_pretty(&shown)?));
    }
    if shown.is_empty() {
        return print("There are no interfaces over CAIF.\n");
    }
    print(&text(&shown))
}

fn text(shown: &[Shown<'_>]) -> String {
    let mut table = Table::new([
        ("NAME", Align::Left),
        ("CONNECTION", Align::Right),
        ("LINK", Align::Left),
        ("LOOPBACK", Align::Left),
        ("STATE", Align::Left),
        ("MTU", Align::Right),
        ("ADDRESSES", Align::Left),
    ]);
    for one in shown {
        table.push([
            one.name.to_owned(),
            one.connection_id
                .map_or_else(|| "?".to_owned(), |id| id.to_string()),
            one.link.clone().unwrap_or_else(|| "any".to_owned()),
            if one.loopback { "yes" } else { "no" }.to_owned(),
            one.state.to_owned(),
            one.mtu.to_string(),
            one.addresses.join(", "),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netdevs::Counters;

    fn dev(index: u32, name: &str, role: Role) -> Netdev {
        Netdev {
            index,
            name: name.to_owned(),
            role,
            up: true,
            carrier: index == 2,
            mtu: 1500,
            counters: Counters::default(),
            addresses: Vec::new(),
        }
    }

    fn devs() -> Vec<Netdev> {
        let interface = |connection, lower: Option<u32>| Role::Interface {
            connection,
            loopback: lower.is_some(),
            lower,
        };
        vec![
            dev(1, "lo", Role::Other),
            dev(2, "cfvrt0", Role::Link),
            dev(3, "caif0", interface(Some(1), None)),
            dev(4, "c", interface(None, Some(2))),
            dev(5, "d", interface(Some(u32::MAX), Some(77))),
        ]
    }

    #[test]
    fn interfaces_are_shown_in_columns() {
        let devs = devs();
        let shown: Vec<_> = devs
            .iter()
            .filter_map(|dev| Shown::new(dev, &devs))
            .collect();
        assert_eq!(
            text(&shown),
            "NAME   CONNECTION  LINK      LOOPBACK  STATE        MTU  ADDRESSES\n\
             caif0           1  any       no        no carrier  1500\n\
             c               ?  cfvrt0    yes       no carrier  1500\n\
             d      4294967295  index 77  yes       no carrier  1500\n"
        );
    }

    #[test]
    fn only_what_is_meant_is_found() {
        let devs = devs();
        assert_eq!(link(&devs, "cfvrt0").unwrap(), 2);
        assert_eq!(interface(&devs, "caif0").unwrap().index, 3);
        for (error, says) in [
            (link(&devs, "caif0").err(), "not a CAIF link"),
            (link(&devs, "x").err(), "no interface x"),
            (interface(&devs, "lo").err(), "not an interface over CAIF"),
            (
                interface(&devs, "cfvrt0").err(),
                "not an interface over CAIF",
            ),
            (interface(&devs, "x").err(), "no interface x"),
        ] {
            let said = error.unwrap().to_string();
            assert!(said.contains(says), "{said}");
        }
    }

    #[test]
    fn refusals_say_what_to_do() {
        for (errno, says) in [
            (libc::EPERM, "as root"),
            (libc::EOPNOTSUPP, "modprobe caif"),
            (libc::EEXIST, "taken"),
            (libc::EINVAL, "Invalid argument"),
        ] {
            let said = Refusal::from(io::Error::from_raw_os_error(errno)).to_string();
            assert!(said.contains(says), "{said}");
        }
    }
}
