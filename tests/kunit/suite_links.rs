// SPDX-License-Identifier: GPL-2.0

//! Suite: the stack, `caif.ko`, on links that come and go, change and do not keep up. It must be
//! loaded.

use crate::{
    abstractions::bindings,
    fake::TIMEOUT_MS,
    links::{
        FakeLink,
        What,
        AT,
        CAIF,
        DONTWAIT,
        ETHER,
        FIRST,
        RFM, //
    },
    toy_peer::Kernel, //
};
use kernel::prelude::*;

const IN: u32 = bindings::HELPER_EPOLLIN | bindings::HELPER_EPOLLRDNORM;
const OUT: u32 = bindings::HELPER_EPOLLOUT;
const ERR: u32 = bindings::HELPER_EPOLLERR;
const HUP: u32 = bindings::HELPER_EPOLLHUP;
/// A receive buffer, of a few payloads.
const ROOM: i32 = 4000;

/// Sends until a call would wait. Returns the number of packets.
fn fill(socket: &Kernel, most: i32) -> Result<i32> {
    for count in 0..most {
        match socket.send_flags(b"x", bindings::MSG_DONTWAIT) {
            Ok(_) => {}
            Err(error) if error == EAGAIN => return Ok(count),
            Err(error) => return Err(error),
        }
    }
    Err(EOVERFLOW)
}

/// Fills a link that takes at most `most` packets, and restarts it.
fn fills(link: &FakeLink, most: i32) -> Result {
    let socket = link.connected()?;
    let idle = link.connected()?;
    link.set_silent(true);
    let late = FakeLink::socket()?;
    check_eq!(link.connect(&late, true), Err(EINPROGRESS), "connecting");
    check!(link.gets(What::Setups, 3, TIMEOUT_MS), "set-ups");
    link.set_stopped(true);
    let sent = fill(&socket, 1000)?;
    check!(sent <= most, "{sent} packets were taken");
    check_eq!(link.count(What::Frames), 1, "sent");
    for socket in [&socket, &idle] {
        check_eq!(socket.events() & OUT, 0, "events");
        check_eq!(fill(socket, 1)?, 0, "one more");
    }
    // A channel that begins on a full link is full, too.
    link.set_silent(false);
    late.set_timeouts(TIMEOUT_MS);
    // The answer may be there already.
    let connected = link.connect(&late, false);
    check!(matches!(connected, Ok(()) | Err(EISCONN)), "no answer");
    check_eq!(late.events() & OUT, 0, "events");
    link.set_stopped(false);
    for socket in [&idle, &late] {
        socket.set_timeouts(TIMEOUT_MS);
        socket.send(b"y")?;
    }
    check!(link.gets(What::Frames, sent + 2, TIMEOUT_MS), "lost");
    Ok(())
}

/// Makes the modem send payloads until no more are wanted.
fn fills_receiver(link: &FakeLink, socket: &Kernel) -> Result {
    while socket.memory() < ROOM {
        link.deliver(FIRST, &[0; 100], 100)?;
    }
    Ok(())
}

/// Receives all payloads.
fn empties_receiver(socket: &Kernel) -> Result {
    while socket.receive(&mut [0; 100], DONTWAIT).is_ok() {}
    Ok(())
}

/// Makes a change of which the modem is told, while the link drops what it is told, twice at least.
fn told_in_vain(link: &FakeLink, change: impl FnOnce() -> Result) -> Result {
    let lost = link.count(What::Lost);
    link.set_losing(true);
    let changed = change();
    let again = link.has_at_least(What::Lost, lost + 2, TIMEOUT_MS);
    link.set_losing(false);
    check!(again, "it was not sent again");
    changed
}

#[kernel::macros::kunit_tests(caif_stack_links)]
mod tests {
    use super::*;

    /// A frame that a port of a bond receives is of the bond, and of no channel of the port.
    #[test]
    fn frames_of_a_port() -> Result {
        let (port, bond) = (FakeLink::new(8)?, FakeLink::new(8)?);
        let (stray, socket) = (port.connected()?, bond.connected()?);
        let delivered = port.as_port_of(&bond, || port.deliver(FIRST, b"\0x", 2));
        check_eq!(delivered, Ok(Ok(())), "delivered");
        let mut room = [0; 8];
        check_eq!(
            stray.receive(&mut room, DONTWAIT).err(),
            Some(EAGAIN),
            "of the port"
        );
        let received = socket.receive(&mut room, DONTWAIT).map(|(len, _)| len);
        check_eq!(received, Ok(1), "of the bond");
        Ok(())
    }

    #[test]
    fn as_many_links_as_there_are() -> Result {
        // More than there are numbers by which a modem tells them apart.
        let mut links = KVec::new();
        for _ in 0..16 {
            links.push(FakeLink::new(8)?, GFP_KERNEL)?;
        }
        let mut sockets = KVec::new();
        for link in &links {
            sockets.push(link.connected()?, GFP_KERNEL)?;
        }
        // A link that is removed does not affect the others, nor one that comes in its place.
        drop(links.remove(3));
        let late = FakeLink::new(8)?;
        late.connected()?;
        for (number, socket) in sockets.iter().enumerate() {
            let events = socket.events();
            let lost = events & HUP != 0;
            check_eq!(lost, number == 3, "lost");
        }
        Ok(())
    }

    /// The reader of a stream waits for a byte.
    #[test]
    fn payload_without_a_byte() -> Result {
        let link = FakeLink::new(8)?;
        for (kind, readable) in [
            (bindings::sock_type_SOCK_SEQPACKET, true),
            (bindings::sock_type_SOCK_STREAM, false),
        ] {
            let socket = Kernel::of(bindings::AF_CAIF as c_int, kind, AT)?;
            link.connect(&socket, false)?;
            let id = u8::try_from(link.count(What::Setups))?;
            link.deliver(id, &[0], 1)?;
            check_eq!(socket.events() & IN != 0, readable, "nothing");
            link.deliver(id, &[0, 7], 2)?;
            check_eq!(socket.events() & IN, IN, "a byte");
        }
        Ok(())
    }

    #[test]
    fn type_that_changes() -> Result {
        let link = FakeLink::new(8)?;
        let socket = link.connected()?;
        for _ in 0..3 {
            link.set_type(ETHER);
            check_eq!(socket.events() & (ERR | HUP | IN), ERR | HUP | IN, "events");
            let refused = link.connected().err();
            check_eq!(refused, Some(ENODEV), "no link any more");
            link.set_type(CAIF);
            link.connected()?;
            link.connect(&socket, false)?;
            check_eq!(socket.events() & (ERR | HUP | OUT), OUT, "events");
        }
        Ok(())
    }

    /// Bonding gives a device its former type back without a word.
    #[test]
    fn type_that_changes_quietly() -> Result {
        let link = FakeLink::new(8)?;
        let socket = link.connected()?;
        link.set_type_quietly(ETHER);
        link.set_up(false)?;
        link.set_up(true)?;
        check_eq!(socket.events() & HUP, HUP, "events");
        let refused = link.connected().err();
        check_eq!(refused, Some(ENODEV), "no link any more");
        Ok(())
    }

    #[test]
    fn link_that_goes_under_sockets() -> Result {
        let link = FakeLink::new(8)?;
        let connected = link.connected()?;
        link.set_silent(true);
        let pending = FakeLink::socket()?;
        let result = link.connect(&pending, true);
        check_eq!(result, Err(EINPROGRESS), "connecting");
        drop(link);
        let mut room = [0; 9];
        let result = connected.receive(&mut room, 0);
        check_eq!(result.err(), Some(ECONNRESET), "the one that was connected");
        let result = pending.receive(&mut room, 0);
        check_eq!(result.err(), Some(ECONNREFUSED), "the one that was not");
        // They are unchanged until they are closed.
        drop(connected);
        drop(pending);
        Ok(())
    }

    /// A modem is told the end of its own channels only.
    #[test]
    fn destroys_of_two_links() -> Result {
        let links = [FakeLink::new(8)?, FakeLink::new(8)?];
        let counts = || links.each_ref().map(|link| link.count(What::Destroys));
        let [one, other] = &links;
        let first = one.connected()?;
        let second = other.connected()?;
        drop(first);
        check_eq!(counts(), [1, 0], "the one that was used first");
        drop(second);
        check_eq!(counts(), [1, 1], "both");
        Ok(())
    }

    /// A packet that waits was sent, also if its queue had to drop another one.
    #[test]
    fn link_that_says_it_is_congested() -> Result {
        let link = FakeLink::new(0)?;
        link.set_congested(true);
        let socket = link.connected()?;
        socket.send(b"x")?;
        check_eq!(link.count(What::Frames), 1, "sent");
        drop(socket);
        check_eq!(link.count(What::Destroys), 1, "destroyed");
        Ok(())
    }

    /// A frame that did not leave the machine comes without its checksum.
    #[test]
    fn checksum_that_is_to_be_made() -> Result {
        let link = FakeLink::new(8)?;
        let socket = link.connected()?;
        let body = [0, 0x12, 0x34, 0, 0, 0x56, 0x78, 0];
        link.deliver_partial(FIRST, &body, 1, 2)?;
        let mut got = [0; 7];
        check_eq!(
            socket.receive(&mut got, bindings::MSG_DONTWAIT)?.0,
            7,
            "bytes"
        );
        check_eq!(got, [0x12, 0x34, 0x97, 0x53, 0x56, 0x78, 0], "bytes");
        // That which is behind the frame, and none.
        for (start, offset) in [(1, 9), (10, 0), (0, 0xffff)] {
            link.deliver_partial(FIRST, &body, start, offset)?;
            let result = socket.receive(&mut got, bindings::MSG_DONTWAIT);
            check_eq!(result, Err(EAGAIN), "bytes");
        }
        Ok(())
    }

    /// Who waits for pages of a payload does not wait for its reader.
    #[test]
    fn pages_that_somebody_waits_for() -> Result {
        let link = FakeLink::new(8)?;
        let socket = link.connected()?;
        // Longer than what is taken out of the pages at once.
        let body = KVec::from_elem(0, 2000, GFP_KERNEL)?;
        check_eq!(link.deliver_user(FIRST, &body)?, 1, "given back");
        let mut got = KVec::from_elem(1, 2000, GFP_KERNEL)?;
        check_eq!(
            socket.receive(&mut got, bindings::MSG_DONTWAIT)?.0,
            1999,
            "bytes"
        );
        check_eq!(
            got.iter().filter(|byte| **byte == 0).count(),
            1999,
            "zeroes"
        );
        Ok(())
    }

    /// Queueing disciplines can put packets there.
    #[test]
    fn error_queue_of_a_closed_socket() -> Result {
        let link = FakeLink::new(8)?;
        let socket = link.connected()?;
        check!(socket.close_with_error(TIMEOUT_MS)?, "the packet is left");
        Ok(())
    }

    /// Programs that asked for signals are told of the end.
    #[test]
    fn end_that_is_reported() -> Result {
        let link = FakeLink::new(8)?;
        let socket = link.connected()?;
        socket.count_errors();
        link.set_up(false)?;
        check_eq!(Kernel::errors(), 1, "errors");
        Ok(())
    }

    /// Requests that could not be sent take no place.
    #[test]
    fn requests_on_a_full_link() -> Result {
        let link = FakeLink::new(1)?;
        link.set_stopped(true);
        let mut failed = 0;
        for _ in 0..80 {
            match link.connect(&FakeLink::socket()?, true) {
                Err(error) if error == ENOBUFS => failed += 1,
                Err(error) if error == EINPROGRESS => {}
                result => check_eq!(result, Err(ENOBUFS), "connecting"),
            }
        }
        check!(failed >= 75, "{failed} failed");
        link.set_stopped(false);
        link.connected()?;
        Ok(())
    }

    #[test]
    fn full_link() -> Result {
        fills(&FakeLink::new(16)?, 5)
    }

    #[test]
    fn full_link_without_a_queue() -> Result {
        fills(&FakeLink::new(0)?, 1)
    }

    /// A modem that could not be stopped or started is so once the link takes frames again.
    #[test]
    fn flow_that_cannot_be_sent() -> Result {
        let link = FakeLink::new(0)?;
        let socket = link.connected()?;
        socket.set_room(ROOM);
        for round in 1..=2 {
            told_in_vain(&link, || fills_receiver(&link, &socket))?;
            check!(link.gets(What::FlowOffs, round, TIMEOUT_MS), "flow-off");
            check_eq!(link.count(What::FlowOns), round - 1, "flow-ons");
            told_in_vain(&link, || empties_receiver(&socket))?;
            check!(link.gets(What::FlowOns, round, TIMEOUT_MS), "flow-on");
            check_eq!(link.count(What::FlowOffs), round, "flow-offs");
        }
        check_eq!(link.count(What::Frames), 4, "frames");
        Ok(())
    }

    /// Who sends a packet is told that the link dropped it, and can send the next.
    #[test]
    fn payload_that_the_link_drops() -> Result {
        let link = FakeLink::new(0)?;
        for (protocol, packet) in [(AT, &b"x"[..]), (RFM, &[1, 2, 3, 4, 1, 0, 9])] {
            let socket = link.connected_for(protocol)?;
            let sent = link.count(What::Frames);
            link.set_losing(true);
            for flags in [0, DONTWAIT] {
                check_eq!(socket.send_flags(packet, flags), Err(EIO), "dropped");
            }
            link.set_losing(false);
            check_eq!(socket.events() & (ERR | HUP | OUT), OUT, "events");
            check_eq!(socket.send(packet), Ok(packet.len()), "the next");
            check_eq!(link.count(What::Frames), sent + 1, "frames");
        }
        check_eq!(link.count(What::Lost), 4, "dropped");
        Ok(())
    }

    /// What is sent while the discipline of the link's queue is exchanged is dropped: who sends a
    /// payload or asks for a channel is told, and messages of flow and LINK_DESTROY are sent again.
    #[test]
    fn payload_while_the_queue_is_exchanged() -> Result {
        let link = FakeLink::new(8)?;
        let socket = link.connected()?;
        socket.set_room(ROOM);
        let closes = link.connected()?;
        link.set_exchanging(true);
        let sent = socket.send(b"x");
        let asked = link.connect(&FakeLink::socket()?, true);
        drop(closes);
        let filled = fills_receiver(&link, &socket);
        let told = link.count(What::FlowOffs);
        link.set_exchanging(false);
        check_eq!(sent, Err(EIO), "sent");
        check_eq!(asked, Err(ENOBUFS), "connecting");
        filled?;
        check_eq!(told, 0, "flow-offs");
        check!(link.gets(What::Destroys, 1, TIMEOUT_MS), "no end");
        check!(link.gets(What::FlowOffs, 1, TIMEOUT_MS), "no flow-off");
        check_eq!(link.count(What::Frames), 1, "flow-off alone");
        socket.send(b"y")?;
        check_eq!(link.count(What::Frames), 2, "and the next payload");
        Ok(())
    }

    #[test]
    fn channels_that_close_under_frames() -> Result {
        let link = FakeLink::new(100)?;
        link.set_storm(true)?;
        let result = (|| -> Result {
            for _ in 0..100 {
                let socket = link.connected()?;
                socket.send(b"x")?;
                let again = link.connected()?;
                let _ = again.receive(&mut [0; 9], bindings::MSG_DONTWAIT);
            }
            Ok(())
        })();
        link.set_storm(false)?;
        result
    }
}
