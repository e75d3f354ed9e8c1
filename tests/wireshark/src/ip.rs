// SPDX-License-Identifier: GPL-2.0

//! IP packets of Linux to the modem.

const LINUX: [u8; 4] = [10, 9, 1, 2];
const MODEM: [u8; 4] = [10, 9, 1, 1];
const ICMP: u8 = 1;
const UDP: u8 = 17;

/// Returns the Internet checksum.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or_default();
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

fn packet(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len()) as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(len.to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
    packet.extend(LINUX);
    packet.extend(MODEM);
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum);
    packet.extend(payload);
    packet
}

/// Returns an ICMP echo request.
pub fn echo_request(payload: &[u8]) -> Vec<u8> {
    let mut message = vec![8, 0, 0, 0, 0, 7, 0, 1];
    message.extend(payload);
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum);
    packet(ICMP, &message)
}

/// Returns a datagram of UDP, without a checksum.
pub fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut message = 4000u16.to_be_bytes().to_vec();
    message.extend(port.to_be_bytes());
    message.extend((8 + payload.len() as u16).to_be_bytes());
    message.extend([0, 0]);
    message.extend(payload);
    packet(UDP, &message)
}

/// Returns a packet of IPv6 without a payload.
pub fn v6() -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, 59, 64];
    packet.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet
}
