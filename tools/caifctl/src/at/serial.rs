// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A terminal in the place of a serial port that has no hardware, for programs that take ports from
//! udev.
//!
//! The kernel tells udev nothing of pseudo terminals, and has no entry for them in sysfs. The driver
//! of 8250 ports, however, has entries for ports that no hardware was found for. While such a port is
//! covered, the terminal is mounted over its node in /dev, and a record says so to udev's rule.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::stat::major,
};

use super::records::Records;
use crate::output::complain;

/// Where the kernel lists terminals, and where their nodes are.
const PORTS: &str = "/sys/class/tty";
const NODES: &str = "/dev";
/// A file for each covered port, and for each interface that belongs to one, with the variables that
/// the rule takes over.
const RECORDS: &str = "/run/caif/serial";
const INTERFACES: &str = "/run/caif/interface";
/// A file for each modem, which a caifctl locks that announces it.
const MODEMS: &str = "/run/caif/modem";
/// The port's type if no hardware was found.
const UNKNOWN: &str = "0";
/// The major numbers of pseudo terminals.
const TERMINALS: std::ops::RangeInclusive<u64> = 136..=143;

/// A port that no other process covers while this exists, for a modem that no other one announces.
#[derive(Debug)]
pub struct Port {
    name: String,
    modem: String,
    _announced: Flock<File>,
    /// Never removed, so that its lock means the same to all; empty while nothing covers the port.
    record: Flock<File>,
}

impl Port {
    /// Takes the named port, or the last one that is not in use, for a modem.
    pub fn take(name: Option<&str>, modem: &str) -> Result<Self> {
        // Its interfaces can belong to one port only.
        let announced = lock(MODEMS, modem)?.with_context(|| {
            format!("another caifctl announces {modem}: end that one, or use --pty here")
        })?;
        let (name, record) = Self::free(name)?;
        let port = Self {
            name,
            modem: modem.to_owned(),
            _announced: announced,
            record,
        };
        // What one that was killed has left.
        port.uncover()?;
        Ok(port)
    }

    /// Returns the name of the port, and its locked record.
    fn free(name: Option<&str>) -> Result<(String, Flock<File>)> {
        if let Some(name) = name {
            let kind = kind(name)
                .with_context(|| format!("there is no serial port {name}: {PORTS} lists them"))?;
            if kind != UNKNOWN {
                bail!("{name} has hardware: name another port, or none");
            }
            let record = lock(RECORDS, name)?;
            let record =
                record.with_context(|| format!("another caifctl is in the place of {name}"))?;
            return Ok((name.to_owned(), record));
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(PORTS).with_context(|| format!("cannot read {PORTS}"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if kind(&name).is_ok_and(|kind| kind == UNKNOWN) {
                names.push(name);
            }
        }
        names.sort_by_key(|name| (name.len(), name.clone()));
        for name in names.into_iter().rev() {
            if let Some(record) = lock(RECORDS, &name)? {
                return Ok((name, record));
            }
        }
        bail!(
            "there is no serial port without hardware that is not in use: see {PORTS}; the kernel's \
             parameter 8250.nr_uarts is their number"
        )
    }

    pub fn node(&self) -> PathBuf {
        Path::new(NODES).join(&self.name)
    }

    /// Removes all terminals that cover the port.
    fn uncover(&self) -> Result<()> {
        let node = self.node();
        self.record.set_len(0)?;
        while fs::metadata(&node).is_ok_and(|node| TERMINALS.contains(&major(node.rdev()))) {
            umount2(&node, MntFlags::MNT_DETACH)
                .with_context(|| format!("cannot unmount {}", node.display()))?;
        }
        Ok(())
    }

    /// Tells udev that the port has come or gone.
    fn announce(&self, action: &str) -> Result<()> {
        let file = Path::new(PORTS).join(&self.name).join("uevent");
        fs::write(&file, action).with_context(|| format!("cannot write to {}", file.display()))
    }
}

/// Locks a file, which is made if need be. Returns `None` if another process has the lock.
fn lock(dir: &str, name: &str) -> Result<Option<Flock<File>>> {
    let path = Path::new(dir).join(name);
    let what = || format!("cannot use {}", path.display());
    folder(dir)?;
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).open(&path);
    match Flock::lock(file.with_context(what)?, FlockArg::LockExclusiveNonblock) {
        Ok(file) => Ok(Some(file)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(error).with_context(what),
    }
}

/// Returns the type of a port. Terminals of other drivers have none.
fn kind(name: &str) -> Result<String> {
    if name.contains('/') {
        bail!("a port's name has no slash");
    }
    let text = fs::read_to_string(Path::new(PORTS).join(name).join("type"))?;
    Ok(text.trim().to_owned())
}

/// A terminal in the place of a port.
#[derive(Debug)]
pub struct Cover<'a> {
    port: &'a Port,
    records: Records,
    /// The interfaces of the same modem, which come and go with it.
    interfaces: Vec<String>,
}

impl<'a> Cover<'a> {
    /// Puts the terminal in the place of the port, and tells udev of it and of the modem's interfaces.
    pub fn new(port: &'a Port, terminal: &Path, interfaces: Vec<String>) -> Result<Self> {
        let record = format!("CAIF_MODEM={}\n", port.modem);
        let cover = Self {
            port,
            records: Records::new(INTERFACES, &record),
            interfaces,
        };
        let node = port.node();
        mount(
            Some(terminal),
            &node,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )
        .with_context(|| {
            format!(
                "cannot mount {} over {}",
                terminal.display(),
                node.display()
            )
        })?;
        (&*port.record).write_all(record.as_bytes())?;
        let left = cover.records.claim(&cover.interfaces)?;
        announce_interfaces(&left, "remove");
        announce_interfaces(&left, "add");
        port.announce("add")?;
        announce_interfaces(&cover.interfaces, "add");
        Ok(cover)
    }
}

impl Drop for Cover<'_> {
    fn drop(&mut self) {
        // The others are of another modem by now, which may be well.
        let ours = self.records.release(&self.interfaces);
        announce_interfaces(&ours, "remove");
        // Port and interfaces are still there, as they were at boot.
        let result = self
            .port
            .announce("remove")
            .and_then(|()| self.port.uncover())
            .and_then(|()| self.port.announce("add"));
        if let Err(error) = result {
            complain(&format!("{error:#}"));
        }
        announce_interfaces(&ours, "add");
    }
}

/// Tells udev that interfaces have come or gone. They may be gone by now.
fn announce_interfaces(names: &[impl AsRef<str>], action: &str) {
    for name in names {
        let file = Path::new("/sys/class/net").join(name.as_ref());
        let _ = fs::write(file.join("uevent"), action);
    }
}

/// Makes a folder that all may read.
pub fn folder(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .with_context(|| format!("cannot make {}", path.display()))
}
