// SPDX-License-Identifier: GPL-2.0

//! Suite: packets of RFM channels that are longer than a frame, on links of the stack.

use crate::{
    abstractions::bindings,
    control::pass_time,
    fake::TIMEOUT_MS,
    links::{
        FakeLink,
        What,
        DONTWAIT,
        FIRST,
        RFM, //
    }, //
};
use kernel::prelude::*;

const OUT: u32 = bindings::HELPER_EPOLLOUT;
const HUP: u32 = bindings::HELPER_EPOLLHUP;

/// Header of a packet: the last two bytes are the number of those that follow.
const HEADER: [u8; 6] = [1, 2, 3, 4, 30, 0];

/// Returns a packet that has this many segments on a link with an MTU of 1500.
fn packet(segments: usize) -> Result<KVec<u8>> {
    // (1500 - 13) rounded down to a multiple of 16, of which 7 bytes are in front of the payload.
    Ok(KVec::from_elem(7, 1465 * segments, GFP_KERNEL)?)
}

#[kernel::macros::kunit_tests(caif_stack_files)]
mod tests {
    use super::*;

    /// A packet whose segments have no room on the link is not begun.
    #[test]
    fn packet_without_room() -> Result {
        let link = FakeLink::new(16)?;
        let socket = link.connected_for(RFM)?;
        link.set_stopped(true);
        let result = socket.send_flags(&packet(20)?, DONTWAIT);
        check_eq!(result.err(), Some(EMSGSIZE), "more than the link can hold");
        check_eq!(socket.events() & (OUT | HUP), OUT, "events");
        // The device takes one, and fewer wait than make the link a congested one.
        for _ in 0..4 {
            socket.send_flags(&HEADER, DONTWAIT)?;
        }
        check_eq!(socket.events() & (OUT | HUP), OUT, "events");
        let result = socket.send_flags(&packet(14)?, DONTWAIT);
        check_eq!(result.err(), Some(EAGAIN), "more than there is room for");
        check_eq!(socket.events() & (OUT | HUP), 0, "events");
        check_eq!(link.count(What::Frames), 1, "sent");
        link.set_stopped(false);
        socket.set_timeouts(TIMEOUT_MS);
        socket.send(&packet(14)?)?;
        check!(link.gets(What::Frames, 18, TIMEOUT_MS), "lost");
        check_eq!(socket.events() & HUP, 0, "events");
        Ok(())
    }

    /// Nobody is told to go on before there is room for a packet that had none.
    #[test]
    fn packet_that_waits_for_room() -> Result {
        let link = FakeLink::new(16)?;
        let socket = link.connected_for(RFM)?;
        link.set_stopped(true);
        // The device takes one, and one waits.
        for _ in 0..2 {
            socket.send_flags(&HEADER, DONTWAIT)?;
        }
        let result = socket.send_flags(&packet(16)?, DONTWAIT);
        check_eq!(result.err(), Some(EAGAIN), "all the room that there is");
        for _ in 0..20 {
            pass_time(5);
            check_eq!(socket.events() & (OUT | HUP), 0, "events");
        }
        link.set_stopped(false);
        socket.set_timeouts(TIMEOUT_MS);
        socket.send(&packet(16)?)?;
        check!(link.gets(What::Frames, 18, TIMEOUT_MS), "lost");
        check_eq!(socket.events() & HUP, 0, "events");
        Ok(())
    }

    /// A link without a queue that takes nothing gets no part of a packet.
    #[test]
    fn packet_without_a_queue() -> Result {
        let link = FakeLink::new(0)?;
        let socket = link.connected_for(RFM)?;
        socket.send_flags(&packet(20)?, DONTWAIT)?;
        check!(link.gets(What::Frames, 20, TIMEOUT_MS), "lost");
        Ok(())
    }

    /// A modem that has a part of a packet waits for the rest: the channel ends if a segment is
    /// lost, but for the first.
    #[test]
    fn segment_that_the_link_drops() -> Result {
        let link = FakeLink::new(0)?;
        let socket = link.connected_for(RFM)?;
        link.set_losing(true);
        check_eq!(socket.send(&packet(3)?), Err(EIO), "the first");
        check_eq!(socket.events() & (OUT | HUP), OUT, "events");
        link.set_losing_after(2);
        check_eq!(socket.send(&packet(3)?), Err(EIO), "the last");
        check_eq!(link.count(What::Frames), 2, "frames");
        check_eq!(socket.events() & HUP, HUP, "events");
        let result = socket.receive(&mut [0; 9], DONTWAIT);
        check_eq!(result.err(), Some(ECONNRESET), "the channel");
        link.set_losing(false);
        check!(link.gets(What::Destroys, 1, TIMEOUT_MS), "no end");
        Ok(())
    }

    /// Without memory for a segment its packet is dropped, and no other one.
    #[test]
    fn packet_without_memory() -> Result {
        let link = FakeLink::new(16)?;
        let socket = link.connected_for(RFM)?;
        socket.set_timeouts(TIMEOUT_MS);
        for lost in 0..3 {
            for number in 0..3 {
                let mut segment = [0; 17];
                segment[0] = u8::from(number < 2);
                segment[1..7].copy_from_slice(&HEADER);
                let readable = if number == lost { 7 } else { 17 };
                link.deliver(FIRST, &segment, readable)?;
            }
            link.deliver(FIRST, &[0, 1, 2, 3, 4, 1, 0, 9], 8)?;
            let mut room = [0; 99];
            let (len, _) = socket.receive(&mut room, 0)?;
            check_eq!(
                room.get(..len),
                Some(&[1, 2, 3, 4, 1, 0, 9][..]),
                "received"
            );
            check_eq!(socket.events() & HUP, 0, "events");
        }
        Ok(())
    }
}
