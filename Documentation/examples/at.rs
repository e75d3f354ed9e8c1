// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Sends an AT command to the modem behind a link, and prints the answer up to its result.

#![expect(
    unsafe_code,
    reason = "the library does not know addresses of this family"
)]

use std::{
    error::Error,
    io::{Read, Write},
    time::Duration,
};

use socket2::{Protocol, SockAddr, SockAddrStorage, Socket, Type};

/// `AF_CAIF`, `CAIFPROTO_AT` and `CAIF_ATTYPE_PLAIN` of `caif_socket.h`.
const AF_CAIF: u16 = 37;
const CAIFPROTO_AT: i32 = 0;
const CAIF_ATTYPE_PLAIN: u8 = 2;

/// `struct sockaddr_caif` of an AT channel.
#[repr(C, align(4))]
struct AtAddress {
    family: u16,
    pad: [u8; 2],
    kind: u8,
    rest: [u8; 19],
}

/// Opens an AT channel of the modem behind a link.
fn open_at(link: &str) -> std::io::Result<Socket> {
    let at = Socket::new(
        i32::from(AF_CAIF).into(),
        Type::STREAM,
        Some(Protocol::from(CAIFPROTO_AT)),
    )?;
    at.bind_device(Some(link.as_bytes()))?;
    // The send timeout is that of `connect()`, too.
    at.set_write_timeout(Some(Duration::from_secs(5)))?;
    at.set_read_timeout(Some(Duration::from_secs(5)))?;
    let fill = |storage: *mut SockAddrStorage, length: *mut _| {
        let address = AtAddress {
            family: AF_CAIF,
            pad: [0; 2],
            kind: CAIF_ATTYPE_PLAIN,
            rest: [0; 19],
        };
        // SAFETY: The storage is valid for writes, and larger and more aligned than any address.
        unsafe { storage.cast::<AtAddress>().write(address) };
        // SAFETY: The length is valid for writes.
        unsafe { *length = size_of::<AtAddress>() as _ };
        Ok(())
    };
    // SAFETY: Both were written: the storage with as many bytes as the length says.
    let ((), address) = unsafe { SockAddr::try_init(fill) }?;
    at.connect(&address)?;
    Ok(at)
}

fn main() -> Result<(), Box<dyn Error>> {
    let [_, link, command] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("give a link and a command, for example: cfvrt0 AT+CSQ".into());
    };
    let mut at = open_at(link).map_err(|error| format!("{link}: {error}"))?;
    at.write_all(format!("{command}\r").as_bytes())?;
    // An answer may come in any number of pieces.
    let (mut answer, mut buffer) = (String::new(), [0; 4096]);
    while !answer.contains("\r\nOK\r\n") && !answer.contains("ERROR") {
        match at.read(&mut buffer)? {
            0 => return Err("the modem closed the channel".into()),
            length => answer.push_str(&String::from_utf8_lossy(&buffer[..length])),
        }
    }
    print!("{answer}");
    if answer.contains("ERROR") {
        return Err("the modem refuses".into());
    }
    Ok(())
}
