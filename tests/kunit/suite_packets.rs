// SPDX-License-Identifier: GPL-2.0

//! Suite: packets that others have as well while the stack receives or sends them, and what becomes
//! of their memory and their owner.

use crate::{
    fake::TIMEOUT_MS,
    interfaces::Interface,
    links::{
        FakeLink,
        What,
        DONTWAIT,
        FIRST, //
    }, //
};
use kernel::prelude::*;

/// Length, link id and the header of a datagram.
const FRONT: usize = 7;
/// Packets of IP, without a payload.
const IPV4: [u8; 20] = [
    0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
];
const IPV6: [u8; 40] = {
    let mut packet = [0; 40];
    packet[0] = 0x60;
    packet[6] = 59;
    packet[7] = 64;
    packet[8] = 0xfd;
    // Where IPv4 has its addresses.
    packet[12] = 1;
    packet[16] = 2;
    packet[23] = 1;
    packet[24] = 0xfd;
    packet[39] = 2;
    packet
};

#[kernel::macros::kunit_tests(caif_stack_packets)]
mod tests {
    use super::*;

    /// Such as a tap.
    #[test]
    fn received_packet_that_others_have() -> Result {
        let link = FakeLink::new(8)?;
        let socket = link.connected()?;
        let body = [0, 0, 0, 0x12, 0x34, 0x56, 0x78];
        for (as_clone, sum) in [(false, [0, 0]), (true, [0x97, 0x53])] {
            check!(!link.deliver_held(FIRST, &body, as_clone)?, "changed");
            let mut got = [0; 9];
            check_eq!(socket.receive(&mut got, DONTWAIT)?.0, 6, "bytes");
            let [low, high] = sum;
            check_eq!(
                got,
                [low, high, 0x12, 0x34, 0x56, 0x78, 0, 0, 0],
                "received"
            );
        }
        Ok(())
    }

    /// An interface receives packets of its own from a modem that returns them.
    #[test]
    fn returned_packet_that_others_have() -> Result {
        let link = FakeLink::new(8)?;
        let interface = Interface::new(&link)?;
        interface.set_up()?;
        for as_clone in [false, true] {
            check!(!interface.send_held(&IPV4, as_clone)?, "changed");
            let sent: [u8; FRONT + IPV4.len()] = link.last();
            check_eq!(sent.get(FRONT..FRONT + 12), IPV4.get(..12), "bytes");
            let swapped = [10, 0, 0, 2, 10, 0, 0, 1];
            check_eq!(sent.get(FRONT + 12..), Some(&swapped[..]), "addresses");
            check!(!interface.send_held(&IPV6, as_clone)?, "changed");
            let sent: [u8; FRONT + IPV6.len()] = link.last();
            check_eq!(sent.get(FRONT..), Some(&IPV6[..]), "a packet of IPv6");
        }
        check_eq!(link.count(What::Frames), 4, "frames");
        Ok(())
    }

    #[test]
    fn packet_with_room_for_its_headers() -> Result {
        let link = FakeLink::new(8)?;
        link.set_headroom(40);
        let interface = Interface::new(&link)?;
        interface.set_up()?;
        check_eq!(interface.headroom(), link.headroom() + 7, "headroom");
        check!(!interface.send_whole(&IPV4)?, "it was copied");
        check_eq!(link.count(What::Frames), 1, "frames");
        Ok(())
    }

    /// An owner has its packet back when the device has sent it, or when it is dropped.
    #[test]
    fn packet_with_an_owner() -> Result {
        let link = FakeLink::new(100)?;
        let interface = Interface::new(&link)?;
        interface.set_up()?;
        Interface::given_back();
        link.set_stopped(true);
        for _ in 0..3 {
            interface.send_owned(&IPV4)?;
        }
        check_eq!(Interface::given_back(), 1, "given back while two wait");
        link.set_stopped(false);
        check!(link.gets(What::Frames, 3, TIMEOUT_MS), "lost");
        check!(link.drains(TIMEOUT_MS), "packets wait");
        check_eq!(Interface::given_back(), 2, "given back");
        // One that is too long.
        let long = KVec::from_elem(0x45, 1501, GFP_KERNEL)?;
        interface.send_owned(&long)?;
        check_eq!(Interface::given_back(), 1, "given back when dropped");
        check_eq!(link.count(What::Frames), 3, "frames");
        Ok(())
    }
}
