// SPDX-License-Identifier: GPL-2.0

//! Makes each allocation of one system call fail, one in each run.
//!
//! The kernel lets the nth allocation of a task fail (`fail-nth`). The sweep ends when the system
//! call has fewer than n allocations.

#![expect(unsafe_code, reason = "a socket address made by hand")]

use std::{
    cell::Cell,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrLike, sendto,
    socket,
};

use crate::{caif::Channel, link};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Bind a virtio driver to its device
    Bind { driver: String },
    /// Bring an interface up
    Up { interface: String },
    /// Send a frame from a packet socket
    Send { interface: String },
    /// Make an IP interface over CAIF
    Interface { name: String },
    /// Open a CAIF socket, send and receive, and close it
    Socket,
    /// Send on a CAIF socket, whose channel must stay
    Channel {
        /// In pieces of a stream, instead of packets
        #[arg(long)]
        stream: bool,
    },
}

/// The kernel's count of allocations of this thread until one fails.
const FAIL_NTH: &str = "/proc/thread-self/fail-nth";
/// Limit of a sweep, more allocations than any of these calls has.
const POINTS_MAX: u32 = 20_000;
/// How long a modem may take to answer.
const CONNECT: Duration = Duration::from_secs(10);
/// Frames that each run sends: slots are reclaimed only after several of them.
const FRAMES: u32 = 300;

/// Fault injection for allocations of this thread.
struct FailNth(File);

impl FailNth {
    fn open() -> Result<Self> {
        let file = OpenOptions::new().write(true).open(FAIL_NTH);
        Ok(Self(file.with_context(|| {
            format!("{FAIL_NTH}: the kernel has no fault injection")
        })?))
    }

    /// Runs a function while its `n`th allocation fails. Returns whether one failed, and the
    /// result.
    fn during<T>(&mut self, n: u32, f: impl FnOnce() -> T) -> Result<(bool, T)> {
        let digits = n.to_string();
        // Opened before the function runs, since opening allocates memory; and in each run, since
        // reading must begin at the start.
        let mut reader = File::open(FAIL_NTH)?;
        let mut left = String::with_capacity(16);
        self.0.write_all(digits.as_bytes())?;
        let result = f();
        reader.read_to_string(&mut left)?;
        self.0.write_all(b"0")?;
        Ok((left.trim() == "0", result))
    }
}

/// The results of a sweep.
#[derive(Default, serde::Serialize)]
struct Sweep {
    points: u32,
    refused: u32,
}

impl Sweep {
    /// Runs a function repeatedly, each time with the next allocation failing. `prepare` restores
    /// the state before each run.
    fn run(
        &mut self,
        mut prepare: impl FnMut() -> Result<()>,
        mut call: impl FnMut() -> std::io::Result<()>,
    ) -> Result<()> {
        let mut fail = FailNth::open()?;
        for n in 1..=POINTS_MAX {
            prepare()?;
            let (failed, result) = fail.during(n, &mut call)?;
            if !failed {
                return result.context("it does not work although no memory failed");
            }
            self.points += 1;
            if result.is_err() {
                self.refused += 1;
            }
        }
        bail!("{POINTS_MAX} allocations, and there are still more")
    }
}

pub fn run(args: &Args) -> Result<()> {
    let mut sweep = Sweep::default();
    match &args.what {
        What::Bind { driver } => bind(driver, &mut sweep)?,
        What::Up { interface } => up(interface, &mut sweep)?,
        What::Send { interface } => send(interface, &mut sweep)?,
        What::Interface { name } => interface(name, &mut sweep)?,
        What::Socket => caif_socket(&mut sweep)?,
        What::Channel { stream } => channel(*stream, &mut sweep)?,
    }
    println!("{}", serde_json::to_string(&sweep)?);
    Ok(())
}

/// Returns the devices that are bound to a driver.
fn devices(driver: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(driver)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name
            .strip_prefix("virtio")
            .is_some_and(|rest| rest.parse::<u32>().is_ok())
        {
            names.push(name);
        }
    }
    Ok(names)
}

fn bind(driver: &str, sweep: &mut Sweep) -> Result<()> {
    let driver = PathBuf::from("/sys/bus/virtio/drivers").join(driver);
    let found = devices(&driver)?;
    let [device] = found.as_slice() else {
        bail!("{} has {found:?}, want one device", driver.display())
    };
    let file = OpenOptions::new().write(true).open(driver.join("bind"))?;
    let unbind = || {
        if !devices(&driver)?.is_empty() {
            fs::write(driver.join("unbind"), device)?;
        }
        ensure!(devices(&driver)?.is_empty(), "{device} is still bound");
        Ok(())
    };
    let bind = || (&file).write_all(device.as_bytes());
    let refused = Cell::new(false);
    sweep.run(
        || {
            unbind()?;
            if !refused.get() {
                return Ok(());
            }
            bind().with_context(|| format!("{device} is not to be bound any more"))?;
            unbind()
        },
        || {
            let result = bind();
            refused.set(result.is_err());
            result
        },
    )
}

fn up(interface: &str, sweep: &mut Sweep) -> Result<()> {
    let path = format!("/sys/class/net/{interface}/flags");
    let file = OpenOptions::new().write(true).open(&path)?;
    sweep.run(
        || fs::write(&path, "0x90").context("going down"),
        || (&file).write_all(b"0x91"),
    )
}

fn interface(name: &str, sweep: &mut Sweep) -> Result<()> {
    let request = link::Request::add(&link::Args::plain(name))?;
    let delete = || -> Result<()> {
        let sent = link::Request::delete(name)?.send();
        sent.with_context(|| format!("deleting {name}"))
    };
    sweep.run(
        || match fs::exists(format!("/sys/class/net/{name}"))? {
            true => delete(),
            false => Ok(()),
        },
        || request.send(),
    )?;
    delete()
}

fn caif_socket(sweep: &mut Sweep) -> Result<()> {
    let channel = Channel::at(None, false);
    sweep.run(
        || Ok(()),
        || {
            let mut socket = channel.connect(CONNECT)?;
            socket.write_all(b"AT\r")?;
            let mut bytes = [0; 100];
            ensure_some(socket.read(&mut bytes)?)
        },
    )
}

/// Sends on a channel. Without memory for a payload the error says so, and the channel is as before.
fn channel(stream: bool, sweep: &mut Sweep) -> Result<()> {
    let channel = Channel::at(None, stream);
    let mut socket = channel.connect(CONNECT)?;
    let wrong = Cell::new(None);
    sweep.run(
        || match wrong.get() {
            Some(errno) => bail!("sending failed with error {errno}"),
            None => Ok(()),
        },
        || {
            let result = socket.send(b"AT\r").map(|_| ());
            let errno = result.as_ref().err().and_then(io::Error::raw_os_error);
            wrong.set(errno.filter(|errno| ![libc::ENOBUFS, libc::ENOMEM].contains(errno)));
            result
        },
    )?;
    let mut bytes = [0; 100];
    Ok(ensure_some(socket.read(&mut bytes)?)?)
}

/// Returns an error if nothing was received.
fn ensure_some(len: usize) -> std::io::Result<()> {
    match len {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn send(interface: &str, sweep: &mut Sweep) -> Result<()> {
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::EthAll,
    )?;
    let to = address(interface)?;
    for _ in 0..FRAMES {
        sweep.run(|| Ok(()), || send_one(&socket, &to))?;
    }
    Ok(())
}

fn send_one(socket: &OwnedFd, to: &LinkAddr) -> std::io::Result<()> {
    // Not a CAIF frame: the modem counts it as bad.
    match sendto(socket.as_raw_fd(), &[0; 40], to, MsgFlags::empty()) {
        // The queue was full; no allocation failed.
        Ok(_) | Err(Errno::ENOBUFS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Returns the address of an interface for packet sockets.
pub fn address(interface: &str) -> Result<LinkAddr> {
    let index = nix::net::if_::if_nametoindex(interface)?;
    let raw = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET)?,
        sll_protocol: 0,
        sll_ifindex: i32::try_from(index)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let len = u32::try_from(size_of_val(&raw))?;
    // SAFETY: The pointer is to an address of the family and the length that it says.
    let address = unsafe { LinkAddr::from_raw((&raw const raw).cast(), Some(len)) };
    address.context("no link address")
}
