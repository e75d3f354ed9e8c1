// SPDX-License-Identifier: GPL-2.0 OR MIT

//! State and faults of remote processors, links, channels and interfaces.

mod channels;
mod text;
mod watch;

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Result, bail};
use serde::Serialize;

use self::channels::Channel;
use crate::{
    ethtool,
    link::lower_name,
    netdevs::{self, Counters, Netdev, Role},
    netlink::Netlink,
    output::{print, seconds},
    remoteproc::{self, RemoteProc},
};

#[derive(clap::Args)]
pub struct Args {
    /// Show rates instead, every SECONDS, until interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = seconds)]
    pub watch: Option<Duration>,
    /// Show rates so many times
    #[arg(long, value_name = "N", requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Show only this link or interface; may be given several times
    #[arg(long, value_name = "NAME", value_parser = netdevs::name)]
    only: Vec<String>,
    /// Print JSON; with --watch, an object in each line
    #[arg(long)]
    json: bool,
}

/// The state at one moment.
#[derive(Debug, Default, Serialize)]
pub struct Snapshot {
    remote_processors: Vec<RemoteProc>,
    links: Vec<Link>,
    /// `None` if the kernel does not list them.
    channels: Option<Vec<Channel>>,
    interfaces: Vec<Interface>,
}

#[derive(Debug, Serialize)]
struct Link {
    name: String,
    remote_processor: Option<String>,
    state: &'static str,
    up: bool,
    carrier: bool,
    mtu: u32,
    counters: Counters,
    /// Those of the driver; `None` if it has none.
    driver_counters: Option<BTreeMap<String, u64>>,
}

#[derive(Debug, Serialize)]
struct Interface {
    name: String,
    connection_id: Option<u32>,
    /// The link that it was made for; `None`: any.
    link: Option<String>,
    loopback: bool,
    state: &'static str,
    up: bool,
    carrier: bool,
    mtu: u32,
    addresses: Vec<String>,
    counters: Counters,
}

pub fn run(args: &Args) -> Result<()> {
    let netlink = Netlink::new()?;
    if let Some(interval) = args.watch {
        return watch::run(&netlink, interval, args);
    }
    let devs = chosen(&netlink, &args.only)?;
    let snapshot = Snapshot::new(Path::new("/"), &devs, &args.only)?;
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&snapshot)?)
    } else {
        snapshot.to_string()
    };
    print(&text)?;
    if !devs.iter().any(|dev| dev.role != Role::Other) {
        bail!(
            "there is no CAIF link: is the driver loaded (`modprobe caif_virtio`), and does a modem run?"
        );
    }
    Ok(())
}

/// Returns all network devices, or an error if one that was asked for is not of CAIF.
fn chosen(netlink: &Netlink, only: &[String]) -> Result<Vec<Netdev>> {
    let devs = netdevs::all(netlink)?;
    for name in only {
        match devs.iter().find(|dev| dev.name == *name) {
            Some(dev) if dev.role != Role::Other => {}
            Some(_) => bail!(
                "{name} is neither a CAIF link nor an interface over one: `caifctl status` shows them"
            ),
            None => bail!("there is no interface {name}: `caifctl status` shows those of CAIF"),
        }
    }
    Ok(devs)
}

fn is_shown(only: &[String], name: &str) -> bool {
    only.is_empty() || only.iter().any(|wanted| wanted == name)
}

impl Snapshot {
    fn new(root: &Path, devs: &[Netdev], only: &[String]) -> Result<Self> {
        let sys = &root.join("sys");
        let mut snapshot = Self {
            remote_processors: remoteproc::all(sys)?,
            channels: channels::read(&root.join("proc/net/caif"))?,
            ..Self::default()
        };
        for dev in devs.iter().filter(|dev| is_shown(only, &dev.name)) {
            snapshot.add(sys, dev, devs);
        }
        // Those of a link or of an interface that is shown.
        if let Some(channels) = &mut snapshot.channels {
            channels.retain(|channel| {
                let interface = channel.interface.as_ref();
                is_shown(only, &channel.link) || interface.is_some_and(|name| is_shown(only, name))
            });
        }
        if !only.is_empty() {
            let links = &snapshot.links;
            snapshot.remote_processors.retain(|modem| {
                let mut owners = links
                    .iter()
                    .filter_map(|link| link.remote_processor.as_ref());
                owners.any(|name| *name == modem.name)
            });
        }
        Ok(snapshot)
    }

    fn add(&mut self, sys: &Path, dev: &Netdev, devs: &[Netdev]) {
        match dev.role {
            Role::Link => self.links.push(Link {
                name: dev.name.clone(),
                remote_processor: remoteproc::of_netdev(sys, &dev.name),
                state: dev.state(),
                up: dev.up,
                carrier: dev.carrier,
                mtu: dev.mtu,
                counters: dev.counters,
                driver_counters: ethtool::counters(&dev.name).ok(),
            }),
            Role::Interface {
                connection,
                loopback,
                lower,
            } => self.interfaces.push(Interface {
                name: dev.name.clone(),
                connection_id: connection,
                link: lower.map(|index| lower_name(devs, index)),
                loopback,
                state: dev.state(),
                up: dev.up,
                carrier: dev.carrier,
                mtu: dev.mtu,
                addresses: dev.addresses.iter().map(ToString::to_string).collect(),
                counters: dev.counters,
            }),
            Role::Other => {}
        }
    }
}
