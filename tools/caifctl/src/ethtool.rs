// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A driver's own counters, which `ethtool -S` prints.

#![expect(unsafe_code, reason = "an ioctl that no crate wraps")]

use std::{
    collections::BTreeMap,
    ffi::c_char,
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

const SIOCETHTOOL: libc::Ioctl = 0x8946;
const GET_STRINGS: u32 = 0x1b;
const GET_STATS: u32 = 0x1d;
const GET_SIZES: u32 = 0x37;
/// `ETH_SS_STATS`.
const STATS: u32 = 1;
/// `ETH_GSTRING_LEN`.
const NAME: usize = 32;
/// Most counters that there is room for: before 6.18 the kernel did not check the room, and the
/// device may be another one meanwhile.
const ROOM: usize = 1024;

/// Returns the counters of a network device, by name. `EOPNOTSUPP` if it has none.
pub fn counters(netdev: &str) -> io::Result<BTreeMap<String, u64>> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let mut sizes = request(&[GET_SIZES, 0], 16);
    // A mask of 64 bits, which says whether there is a size behind it.
    set(&mut sizes, 8, &(1_u64 << STATS).to_ne_bytes());
    call(&socket, netdev, &mut sizes)?;
    let mask = number(&sizes, 8).map(u64::from_ne_bytes);
    let count = number(&sizes, 16).map(u32::from_ne_bytes);
    let count = match (mask, count.map(usize::try_from)) {
        (Some(mask), Some(Ok(count))) if mask != 0 => count,
        _ => return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
    };
    if count > ROOM {
        return Err(io::Error::other(format!("{netdev} has {count} counters")));
    }
    let asked = count as u32;
    let mut names = request(&[GET_STRINGS, STATS, asked], ROOM * NAME);
    call(&socket, netdev, &mut names)?;
    let mut values = request(&[GET_STATS, asked], ROOM * 8);
    call(&socket, netdev, &mut values)?;
    Ok(pair(&names, &values, count))
}

/// Combines names and values.
fn pair(names: &[u8], values: &[u8], count: usize) -> BTreeMap<String, u64> {
    let names = names.get(12..).unwrap_or_default().chunks_exact(NAME);
    let values = values.get(8..).unwrap_or_default().chunks_exact(8);
    let mut counters = BTreeMap::new();
    for (name, value) in names.zip(values).take(count) {
        let text = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if let (false, Some(value)) = (text.is_empty(), number(value, 0)) {
            counters.insert(
                String::from_utf8_lossy(text).into_owned(),
                u64::from_ne_bytes(value),
            );
        }
    }
    counters
}

/// Returns a request: its head, and `room` zeroed bytes behind it.
fn request(head: &[u32], room: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = head.iter().flat_map(|word| word.to_ne_bytes()).collect();
    bytes.resize(bytes.len() + room, 0);
    bytes
}

fn set(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Passes a request to a network device. The answer replaces it.
fn call(socket: &OwnedFd, netdev: &str, bytes: &mut [u8]) -> io::Result<()> {
    let mut ifr_name = [0; libc::IFNAMSIZ];
    // The last one stays zero.
    for (to, from) in ifr_name
        .iter_mut()
        .take(libc::IFNAMSIZ - 1)
        .zip(netdev.bytes())
    {
        *to = from as c_char;
    }
    let mut request = libc::ifreq {
        ifr_name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_data: bytes.as_mut_ptr().cast(),
        },
    };
    // SAFETY: The request is one of ethtool's, and there is as much room behind its head as the largest
    // answer has that `counters()` asks for: one size, or `ROOM` names or values.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_belong_together() {
        let mut names = request(&[GET_STRINGS, STATS, 2], 3 * NAME);
        set(&mut names, 12, b"rx_drop_length");
        set(&mut names, 12 + NAME, &[b'x'; NAME]);
        let mut values = request(&[GET_STATS, 2], 24);
        set(&mut values, 8, &7_u64.to_ne_bytes());
        set(&mut values, 16, &9_u64.to_ne_bytes());
        let counters = pair(&names, &values, 2);
        let long = "x".repeat(NAME);
        assert_eq!(
            counters.into_iter().collect::<Vec<_>>(),
            [("rx_drop_length".to_owned(), 7), (long, 9)]
        );
        assert!(pair(&[], &[], 2).is_empty());
    }

    #[test]
    fn devices_that_have_none_or_do_not_exist_are_errors() {
        for (name, errno) in [("lo", libc::EOPNOTSUPP), ("nonesuch", libc::ENODEV)] {
            let error = counters(name).err().and_then(|error| error.raw_os_error());
            assert_eq!(error, Some(errno), "{name}");
        }
    }
}
