// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Channels of a modem: AF_CAIF sockets.

#![expect(
    unsafe_code,
    reason = "the library does not know addresses of this family"
)]

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use anyhow::{Context, Result};
use socket2::{Protocol, SockAddr, SockAddrStorage, Socket, Type};
use thiserror::Error;

use crate::output::seconds;

/// Numbers of `caif/uapi/caif_socket.h`.
const AF_CAIF: u16 = 37;
const CAIFPROTO_AT: i32 = 0;
const CAIFPROTO_DATAGRAM_LOOP: i32 = 2;
const CAIF_ATTYPE_PLAIN: u32 = 2;

/// The service of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// AT commands.
    At,
    /// Datagrams that the modem returns, by the number of the connection.
    Loop(u32),
}

/// The modem, and its timeout.
#[derive(clap::Args, Debug, Clone)]
pub struct Peer {
    /// Use the modem behind this link; without it, that of any link that is up
    #[arg(long, value_name = "LINK", value_parser = crate::netdevs::name)]
    pub link: Option<String>,
    /// How long the modem may take to open the channel and for each answer
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub timeout: Duration,
}

/// Errors of a channel that was open.
pub const CLOSED: &str = "the modem closed the channel: see its link by `caifctl status`";
pub const LOST: &str = "the channel is lost, see its link by `caifctl status`";

/// Why there is no channel, and a remedy.
#[derive(Debug, Error)]
enum NoChannel {
    #[error(
        "this kernel has no CAIF sockets: load the stack by `modprobe caif` (in C: `modprobe caif_socket`)"
    )]
    NoStack,
    #[error("opening a channel takes CAP_NET_ADMIN: run this as root")]
    NotAllowed,
    #[error("there is no interface {0}: `caifctl status` shows the links")]
    NoInterface(String),
    #[error("{0} is not a CAIF link that is up: `ip link set {0} up`, or see `caifctl status`")]
    NotUp(String),
    #[error("no CAIF link is up: see `caifctl status`, and `ip link set LINK up`")]
    NoLink,
    #[error(
        "the modem refuses the channel, or its link went down: it may not have this service, or no place for another, see `caifctl status`"
    )]
    Refused,
    #[error(
        "the modem did not answer within {0:?}: see its state by `caifctl status`, and the kernel's log"
    )]
    Silent(Duration),
    #[error("the socket failed: {0}")]
    Other(#[source] io::Error),
}

/// `struct sockaddr_caif`: the family, and a union of which only the first member is used.
#[repr(C)]
struct Address {
    family: u16,
    pad: u16,
    first: u32,
    rest: [u8; 16],
}

const _: () = assert!(size_of::<Address>() == 24);
const _: () = assert!(size_of::<Address>() <= size_of::<SockAddrStorage>());

impl Service {
    fn address(self) -> Result<SockAddr> {
        let first = match self {
            // The type is the first byte.
            Self::At => CAIF_ATTYPE_PLAIN.to_le_bytes(),
            Self::Loop(connection) => connection.to_ne_bytes(),
        };
        let fill = |storage: *mut SockAddrStorage, length: *mut libc::socklen_t| {
            let address = Address {
                family: AF_CAIF,
                pad: 0,
                first: u32::from_ne_bytes(first),
                rest: [0; 16],
            };
            // SAFETY: The storage is valid for writes, larger (asserted above) and aligned for any address.
            unsafe { storage.cast::<Address>().write(address) };
            // SAFETY: The length is valid for writes.
            unsafe { *length = size_of::<Address>() as libc::socklen_t };
            Ok(())
        };
        // SAFETY: Both were written: the storage with as many bytes as the length says.
        let ((), address) = unsafe { SockAddr::try_init(fill) }?;
        Ok(address)
    }
}

impl Peer {
    /// Opens a channel. Datagrams stay apart; AT commands are a stream.
    pub fn open(&self, service: Service) -> Result<Socket> {
        let (kind, protocol) = match service {
            Service::At => (Type::STREAM, CAIFPROTO_AT),
            Service::Loop(_) => (Type::SEQPACKET, CAIFPROTO_DATAGRAM_LOOP),
        };
        let socket = Socket::new(
            i32::from(AF_CAIF).into(),
            kind,
            Some(Protocol::from(protocol)),
        )
        .map_err(no_socket)?;
        if let Some(link) = &self.link {
            socket
                .bind_device(Some(link.as_bytes()))
                .map_err(|error| not_bound(error, link))?;
        }
        // The send timeout is that of connect(), too.
        socket.set_write_timeout(Some(self.timeout))?;
        socket.set_read_timeout(Some(self.timeout))?;
        socket
            .connect(&service.address()?)
            .map_err(|error| self.not_connected(error))
            .with_context(|| format!("cannot open {}", service.name()))?;
        Ok(socket)
    }

    fn not_connected(&self, error: io::Error) -> NoChannel {
        match (error.raw_os_error(), &self.link) {
            (Some(libc::ENODEV), Some(link)) => NoChannel::NotUp(link.clone()),
            (Some(libc::ENODEV), None) => NoChannel::NoLink,
            (Some(libc::ECONNREFUSED), _) => NoChannel::Refused,
            (Some(libc::ETIMEDOUT), _) => NoChannel::Silent(self.timeout),
            _ => NoChannel::Other(error),
        }
    }
}

impl Service {
    fn name(self) -> String {
        match self {
            Self::At => "an AT channel".to_owned(),
            Self::Loop(connection) => format!("a channel that returns datagrams, id {connection}"),
        }
    }
}

fn no_socket(error: io::Error) -> NoChannel {
    match error.raw_os_error() {
        Some(libc::EAFNOSUPPORT) => NoChannel::NoStack,
        Some(libc::EPERM) => NoChannel::NotAllowed,
        _ => NoChannel::Other(error),
    }
}

fn not_bound(error: io::Error, link: &str) -> NoChannel {
    match error.raw_os_error() {
        Some(libc::ENODEV) => NoChannel::NoInterface(link.to_owned()),
        Some(libc::EPERM) => NoChannel::NotAllowed,
        _ => NoChannel::Other(error),
    }
}

/// Returns whether a call may succeed later; the stack in C has errors of its own for that.
pub fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    #[test]
    fn addresses_are_those_of_the_header() {
        let bytes = |service: Service| {
            let address = service.address().unwrap();
            assert_eq!(address.len(), 24);
            assert_eq!(address.family(), AF_CAIF);
            // SAFETY: The address has as many bytes, all of them written.
            let bytes = unsafe { std::slice::from_raw_parts(address.as_ptr().cast::<u8>(), 24) };
            bytes.to_vec()
        };
        let at = bytes(Service::At);
        assert_eq!(at.get(2..5), Some(&[0, 0, 2][..]));
        assert_eq!(at.get(5..), Some(&[0; 19][..]));
        let returned = bytes(Service::Loop(0x0102_0304));
        assert_eq!(returned.get(4..8), Some(&0x0102_0304_u32.to_ne_bytes()[..]));
    }

    #[test]
    fn numbers_are_those_of_the_header() {
        uapi_tests::assert_numbers(&[
            ("AF_CAIF", AF_CAIF.into()),
            ("CAIFPROTO_AT", CAIFPROTO_AT.into()),
            ("CAIFPROTO_DATAGRAM_LOOP", CAIFPROTO_DATAGRAM_LOOP.into()),
            ("CAIF_ATTYPE_PLAIN", CAIF_ATTYPE_PLAIN.into()),
            ("sizeof(struct sockaddr_caif)", size_of::<Address>() as i64),
            (
                "_Alignof(struct sockaddr_caif)",
                align_of::<Address>() as i64,
            ),
            (
                "offsetof(struct sockaddr_caif, family)",
                offset_of!(Address, family) as i64,
            ),
            (
                "offsetof(struct sockaddr_caif, u.at.type)",
                offset_of!(Address, first) as i64,
            ),
            (
                "offsetof(struct sockaddr_caif, u.dgm.connection_id)",
                offset_of!(Address, first) as i64,
            ),
        ]);
    }

    #[test]
    fn errors_say_what_to_do() {
        let peer = |link: Option<&str>| Peer {
            link: link.map(str::to_owned),
            timeout: Duration::from_secs(5),
        };
        let os = io::Error::from_raw_os_error;
        for (error, says) in [
            (no_socket(os(libc::EAFNOSUPPORT)), "modprobe caif"),
            (no_socket(os(libc::EPERM)), "as root"),
            (not_bound(os(libc::ENODEV), "x9"), "no interface x9"),
            (
                peer(Some("x9")).not_connected(os(libc::ENODEV)),
                "ip link set x9 up",
            ),
            (
                peer(None).not_connected(os(libc::ENODEV)),
                "no CAIF link is up",
            ),
            (peer(None).not_connected(os(libc::ECONNREFUSED)), "refuses"),
            (peer(None).not_connected(os(libc::ETIMEDOUT)), "within 5s"),
            (
                peer(None).not_connected(os(libc::ENOMEM)),
                "Cannot allocate",
            ),
        ] {
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
