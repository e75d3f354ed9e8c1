// SPDX-License-Identifier: GPL-2.0

//! AF_CAIF sockets: the address formats of `linux/caif/caif_socket.h`, which no C library has.

#![expect(unsafe_code, reason = "socket addresses that no crate has")]

use std::{
    io,
    mem::{MaybeUninit, offset_of},
    time::Duration,
};

use clap::ValueEnum;
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

const AF_CAIF: u16 = 37;

/// `struct sockaddr_caif`: the family and a union whose longest member is a connection id and
/// sixteen characters.
#[repr(C)]
struct SockaddrCaif {
    family: u16,
    id: u32,
    text: [u8; 16],
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Service {
    At,
    Datagram,
    DatagramLoop,
    Util,
    Debug,
}

#[derive(clap::Args)]
pub struct Channel {
    /// What the channel is for
    #[arg(long, value_enum)]
    pub service: Service,
    /// Connection id of a datagram channel
    #[arg(long, default_value_t = 1)]
    pub connid: u32,
    /// Name of a utility service, at most 16 characters
    #[arg(long, default_value = "loop")]
    pub name: String,
    /// Use a stream socket instead of one that keeps packets apart
    #[arg(long)]
    pub stream: bool,
    /// Use the modem behind this interface
    #[arg(long)]
    pub device: Option<String>,
}

impl Channel {
    pub fn at(device: Option<String>, stream: bool) -> Self {
        Self {
            service: Service::At,
            connid: 0,
            name: String::new(),
            stream,
            device,
        }
    }

    /// Opens the channel: the modem must agree within the time.
    pub fn connect(&self, limit: Duration) -> io::Result<Socket> {
        let protocol = match self.service {
            Service::At => 0,
            Service::Datagram => 1,
            Service::DatagramLoop => 2,
            Service::Util => 3,
            Service::Debug => 5,
        };
        let kind = if self.stream {
            Type::STREAM
        } else {
            Type::SEQPACKET
        };
        let socket = Socket::new(
            Domain::from(i32::from(AF_CAIF)),
            kind,
            Some(Protocol::from(protocol)),
        )?;
        if let Some(device) = &self.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        // The send timeout is what limits connect(); there is none by default.
        socket.set_write_timeout(Some(limit))?;
        socket.set_read_timeout(Some(limit))?;
        socket.connect(&self.address()?)?;
        Ok(socket)
    }

    fn address(&self) -> io::Result<SockAddr> {
        // The members of the union overlap from the connection id's place on.
        let mut union = [0; 20];
        match self.service {
            Service::At => union[0] = 2, // CAIF_ATTYPE_PLAIN
            Service::Datagram | Service::DatagramLoop => {
                union[..4].copy_from_slice(&self.connid.to_ne_bytes());
            }
            Service::Util => {
                let name = self.name.as_bytes();
                union
                    .get_mut(..name.len().min(17))
                    .filter(|part| part.len() <= 16)
                    .ok_or_else(|| {
                        io::Error::new(io::ErrorKind::InvalidInput, "name over 16 characters")
                    })?
                    .copy_from_slice(name);
            }
            Service::Debug => {
                union[0] = 1; // CAIF_DEBUG_TRACE
                union[1] = 1; // CAIF_RADIO_DEBUG_SERVICE
            }
        }
        let [a, b, c, d, text @ ..] = union;
        let address = SockaddrCaif {
            family: AF_CAIF,
            id: u32::from_ne_bytes([a, b, c, d]),
            text,
        };
        const { assert!(offset_of!(SockaddrCaif, id) == 4 && size_of::<SockaddrCaif>() == 24) };
        const { assert!(size_of::<SockaddrCaif>() <= size_of::<SockAddrStorage>()) };
        let mut storage = MaybeUninit::<SockAddrStorage>::zeroed();
        // SAFETY: The storage is larger (asserted above), suitably aligned and exclusively ours.
        unsafe { storage.as_mut_ptr().cast::<SockaddrCaif>().write(address) };
        // SAFETY: All of it was zeroed or written, and plain integers have no invalid values.
        let storage = unsafe { storage.assume_init() };
        // SAFETY: The address is of a family with this length, and the storage holds it.
        Ok(unsafe { SockAddr::new(storage, size_of::<SockaddrCaif>() as libc::socklen_t) })
    }
}
