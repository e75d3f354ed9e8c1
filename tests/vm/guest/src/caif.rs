// SPDX-License-Identifier: GPL-2.0

//! AF_CAIF sockets: the address formats of `linux/caif/caif_socket.h`, which C libraries lack.

#![expect(unsafe_code, reason = "socket addresses that no crate has")]

use std::{
    io,
    mem::{MaybeUninit, offset_of},
    os::fd::{AsRawFd, RawFd},
    time::Duration,
};

use clap::ValueEnum;
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

pub const AF_CAIF: u16 = 37;
pub const SOL_CAIF: libc::c_int = 278;
pub const LINK_SELECT: libc::c_int = 127;
pub const REQ_PARAM: libc::c_int = 128;
pub const RSP_PARAM: libc::c_int = 129;

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
    Rfm,
    Debug,
}

impl Service {
    /// Returns the third argument of `socket()`.
    fn protocol(self) -> libc::c_int {
        match self {
            Self::At => 0,
            Self::Datagram => 1,
            Self::DatagramLoop => 2,
            Self::Util => 3,
            Self::Rfm => 4,
            Self::Debug => 5,
        }
    }
}

#[derive(clap::Args)]
pub struct Channel {
    /// What the channel is for
    #[arg(long, value_enum)]
    pub service: Service,
    /// Connection id of a datagram or RFM channel
    #[arg(long, default_value_t = 1)]
    pub connid: u32,
    /// Name of a utility service, at most 16 characters, or of an RFM volume, one less
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

    /// Makes a socket for the channel, without opening that.
    pub fn socket(&self) -> io::Result<Socket> {
        let kind = if self.stream {
            Type::STREAM
        } else {
            Type::SEQPACKET
        };
        let socket = Socket::new(
            Domain::from(i32::from(AF_CAIF)),
            kind,
            Some(Protocol::from(self.service.protocol())),
        )?;
        if let Some(device) = &self.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        Ok(socket)
    }

    /// Opens the channel: the modem must grant it within the time.
    pub fn connect(&self, limit: Duration) -> io::Result<Socket> {
        let socket = self.socket()?;
        // The send timeout is what limits connect(); there is none by default.
        socket.set_write_timeout(Some(limit))?;
        socket.set_read_timeout(Some(limit))?;
        socket.connect(&self.address()?)?;
        Ok(socket)
    }

    /// Returns the address of the channel.
    pub fn address(&self) -> io::Result<SockAddr> {
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
            Service::Rfm => {
                union[..4].copy_from_slice(&self.connid.to_ne_bytes());
                let name = self.name.as_bytes();
                union
                    .get_mut(4..4 + name.len().min(16))
                    .filter(|part| part.len() == name.len())
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

/// Returns an address of any bytes and length.
pub fn raw_address(bytes: &[u8]) -> SockAddr {
    let mut storage = MaybeUninit::<SockAddrStorage>::zeroed();
    let len = bytes.len().min(size_of::<SockAddrStorage>());
    // SAFETY: Both are valid for as many bytes and do not overlap.
    unsafe {
        storage
            .as_mut_ptr()
            .cast::<u8>()
            .copy_from_nonoverlapping(bytes.as_ptr(), len);
    }
    // SAFETY: All of it was zeroed or written, and plain integers have no invalid values.
    let storage = unsafe { storage.assume_init() };
    // SAFETY: The storage has as many bytes.
    unsafe { SockAddr::new(storage, len as libc::socklen_t) }
}

/// Sets an option of any level.
pub fn set_option(
    socket: &Socket,
    level: libc::c_int,
    name: libc::c_int,
    value: &[u8],
) -> io::Result<()> {
    set_option_of(socket.as_raw_fd(), level, name, value)
}

/// Sets an option of a socket of any family.
pub fn set_option_of(
    socket: RawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: &[u8],
) -> io::Result<()> {
    // SAFETY: The value has as many bytes as is said.
    let result = unsafe {
        libc::setsockopt(
            socket,
            level,
            name,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    };
    checked(result)
}

/// Gets an option of any level, as much of it as there is room for.
pub fn get_option(
    socket: &Socket,
    level: libc::c_int,
    name: libc::c_int,
    room: usize,
) -> io::Result<Vec<u8>> {
    let mut value = vec![0; room];
    let mut len = room as libc::socklen_t;
    // SAFETY: There is room for as many bytes as is said.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &mut len,
        )
    };
    checked(result)?;
    value.truncate(len as usize);
    Ok(value)
}

/// Calls an ioctl that takes the address of an integer.
pub fn ioctl(socket: &Socket, request: libc::Ioctl) -> io::Result<()> {
    let mut value: [libc::c_int; 16] = [0; 16];
    // SAFETY: There is room for more than any of the requests that are asked for here needs.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request, value.as_mut_ptr()) };
    checked(result)
}

/// Waits for events, `POLL*`, at most for a number of milliseconds. Returns the present ones.
pub fn poll(socket: &Socket, events: i16, ms: i32) -> io::Result<i16> {
    let mut polled = libc::pollfd {
        fd: socket.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: The array has one element.
    checked(unsafe { libc::poll(&mut polled, 1, ms) })?;
    Ok(polled.revents)
}

/// Drops all capabilities of the calling thread, permanently and of no other thread.
pub fn become_nobody() -> io::Result<()> {
    const NOBODY: libc::c_long = 65534;
    // SAFETY: The arguments are plain integers. The library's own function would change all threads.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    checked(result as libc::c_int)
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use uapi_tests::assert_numbers;

    use super::*;

    #[test]
    fn numbers_are_those_of_the_header() {
        let protocol = |service: Service| i64::from(service.protocol());
        assert_numbers(&[
            ("AF_CAIF", AF_CAIF.into()),
            ("SOL_CAIF", SOL_CAIF.into()),
            ("CAIFSO_LINK_SELECT", LINK_SELECT.into()),
            ("CAIFSO_REQ_PARAM", REQ_PARAM.into()),
            ("CAIFSO_RSP_PARAM", RSP_PARAM.into()),
            ("CAIFPROTO_AT", protocol(Service::At)),
            ("CAIFPROTO_DATAGRAM", protocol(Service::Datagram)),
            ("CAIFPROTO_DATAGRAM_LOOP", protocol(Service::DatagramLoop)),
            ("CAIFPROTO_UTIL", protocol(Service::Util)),
            ("CAIFPROTO_RFM", protocol(Service::Rfm)),
            ("CAIFPROTO_DEBUG", protocol(Service::Debug)),
        ]);
    }

    #[test]
    fn addresses_are_those_of_the_header() {
        let bytes = |service| {
            let channel = Channel {
                service,
                connid: 0x0102_0304,
                name: "0123456789abcde".to_owned(),
                stream: false,
                device: None,
            };
            let address = channel.address().unwrap();
            // SAFETY: The storage has at least as many bytes, all of them written.
            let all = unsafe {
                std::slice::from_raw_parts(address.as_ptr().cast::<u8>(), address.len() as usize)
            };
            all.to_vec()
        };
        let place = |bytes: &[u8], what: &[u8]| {
            let at = bytes.windows(what.len()).position(|part| part == what);
            at.unwrap() as i64
        };
        let [at, datagram, util, rfm, debug] = [
            Service::At,
            Service::Datagram,
            Service::Util,
            Service::Rfm,
            Service::Debug,
        ]
        .map(bytes);
        let (id, name) = (0x0102_0304_u32.to_ne_bytes(), b"0123456789abcde");
        assert_numbers(&[
            ("sizeof(struct sockaddr_caif)", at.len() as i64),
            (
                "_Alignof(struct sockaddr_caif)",
                align_of::<SockaddrCaif>() as i64,
            ),
            (
                "offsetof(struct sockaddr_caif, family)",
                place(&at, &AF_CAIF.to_ne_bytes()),
            ),
            ("offsetof(struct sockaddr_caif, u.at.type)", 4),
            ("CAIF_ATTYPE_PLAIN", at[4].into()),
            (
                "offsetof(struct sockaddr_caif, u.dgm.connection_id)",
                place(&datagram, &id),
            ),
            (
                "offsetof(struct sockaddr_caif, u.util.service)",
                place(&util, name),
            ),
            (
                "offsetof(struct sockaddr_caif, u.rfm.connection_id)",
                place(&rfm, &id),
            ),
            (
                "offsetof(struct sockaddr_caif, u.rfm.volume)",
                place(&rfm, name),
            ),
            ("offsetof(struct sockaddr_caif, u.dbg.type)", 4),
            ("CAIF_DEBUG_TRACE", debug[4].into()),
            ("offsetof(struct sockaddr_caif, u.dbg.service)", 5),
            ("CAIF_RADIO_DEBUG_SERVICE", debug[5].into()),
        ]);
    }
}
