// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The program's interface to the kernel.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use async_io::Async;
use caif_links::{
    netdevs::{self, Made, Netdev, Role},
    netlink::Netlink,
    remoteproc,
    uevents::Uevents,
};
use futures_lite::future;

use crate::modems::{Interface, Link, Snapshot};

/// The program's interface to the kernel. Tests have one of their own.
pub trait Kernel {
    /// Returns the present state of links, interfaces and processors.
    fn look(&mut self) -> Result<Snapshot>;
    /// Sets a link up.
    fn set_up(&mut self, index: u32) -> io::Result<()>;
    /// Deletes an interface.
    fn delete(&mut self, index: u32) -> io::Result<()>;
    /// Waits until something changed.
    fn changed(&self) -> impl Future<Output = io::Result<()>>;
    /// Returns the interfaces that were made since it was called last.
    fn made(&mut self) -> Vec<Made>;
}

/// `NET_NAME_ENUM`: the kernel chose the name.
const NAME_ENUM: &str = "1";

/// Linux.
pub struct Linux {
    sys: PathBuf,
    requests: Netlink,
    links: Async<Netlink>,
    devices: Async<Uevents>,
}

impl Linux {
    /// Opens the sockets. What changes from now on is not missed.
    pub fn new(sys: &Path) -> Result<Self> {
        Ok(Self {
            sys: sys.to_owned(),
            requests: Netlink::new()?,
            links: Async::new(Netlink::events()?).context("cannot wait for rtnetlink")?,
            devices: Async::new(Uevents::new()?).context("cannot wait for events of devices")?,
        })
    }

    /// Returns whether an interface is as oFono makes them: for any link, without loopback, and
    /// with a name that the kernel chose.
    fn is_as_of_ofono(&self, dev: &Netdev) -> bool {
        let chosen = self
            .sys
            .join("class/net")
            .join(&dev.name)
            .join("name_assign_type");
        let is_plain = matches!(
            dev.role,
            Role::Interface {
                loopback: false,
                lower: None,
                ..
            }
        );
        is_plain && fs::read_to_string(chosen).is_ok_and(|text| text.trim() == NAME_ENUM)
    }

    fn link(&self, dev: Netdev) -> Option<Link> {
        let device = fs::canonicalize(self.sys.join("class/net").join(&dev.name).join("device"));
        let parent = device
            .ok()?
            .parent()?
            .file_name()?
            .to_string_lossy()
            .into_owned();
        Some(Link {
            processor: remoteproc::of_netdev(&self.sys, &dev.name)?,
            device: parent,
            index: dev.index,
            name: dev.name,
            up: dev.up,
            carrier: dev.carrier,
        })
    }
}

impl Kernel for Linux {
    fn look(&mut self) -> Result<Snapshot> {
        // The states come first: a processor that is told to stop is still running when its link
        // goes, and is `offline` soon after.
        let processors = remoteproc::all(&self.sys)?;
        let mut snapshot = Snapshot {
            processors: processors
                .into_iter()
                .map(|one| (one.name, one.state))
                .collect(),
            ..Snapshot::default()
        };
        for dev in netdevs::without_addresses(&self.requests)? {
            match dev.role {
                Role::Link => snapshot.links.extend(self.link(dev)),
                Role::Interface { .. } => snapshot.interfaces.push(Interface {
                    index: dev.index,
                    name: dev.name,
                    up: dev.up,
                }),
                Role::Other => {}
            }
        }
        Ok(snapshot)
    }

    fn set_up(&mut self, index: u32) -> io::Result<()> {
        netdevs::set_up(&self.requests, index)
    }

    fn delete(&mut self, index: u32) -> io::Result<()> {
        netdevs::delete(&self.requests, index)
    }

    async fn changed(&self) -> io::Result<()> {
        loop {
            let links = async {
                self.links.readable().await?;
                Ok::<_, io::Error>(true)
            };
            let devices = async {
                self.devices.readable().await?;
                Ok(self.devices.get_ref().take("remoteproc"))
            };
            if future::or(links, devices).await? {
                return Ok(());
            }
        }
    }

    fn made(&mut self) -> Vec<Made> {
        let mut made = netdevs::made(&self.links.get_ref().take());
        made.retain(|one| one.port != 0 || self.is_as_of_ofono(&one.dev));
        made
    }
}
