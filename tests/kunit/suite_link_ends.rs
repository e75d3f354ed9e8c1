// SPDX-License-Identifier: GPL-2.0

//! Suite: the ends of channels on links that do not keep up or go down: what the modem is told, and
//! when.

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
    },
    toy_peer::Kernel, //
};
use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// Frames that wait, fewer than those for which a link is congested.
const WAITING: i32 = 3;
/// A packet of one frame.
const PACKET: [u8; 6] = [1, 2, 3, 4, 30, 0];

/// Makes a link that, once it is stopped, has room for three of four messages: one is taken, one is
/// put back behind it, and one waits. Returns it with four sockets.
fn crowded() -> Result<(FakeLink, [Kernel; 4])> {
    let link = FakeLink::new(1)?;
    let sockets = [
        link.connected()?,
        link.connected()?,
        link.connected()?,
        link.connected()?,
    ];
    Ok((link, sockets))
}

/// `TC_PRIO_BULK`, a priority at which packets are overtaken by most others.
const BULK: u32 = 2;

/// Makes a link that takes one more frame, and a socket that has sent some more: control messages
/// overtake those of this protocol in the link's queue.
fn waiting() -> Result<(FakeLink, Kernel)> {
    let link = FakeLink::new(100)?;
    let socket = link.connected_for(RFM)?;
    link.set_stopped(true);
    send_some(&socket)?;
    Ok((link, socket))
}

/// Asks a modem that does not read for another channel, which has the ends that wait sent, and lets
/// it read. Fails if not all frames arrive, and the end of their channel behind them.
fn frames_then_end(link: &FakeLink, frames: i32) -> Result {
    let next = FakeLink::socket()?;
    check_eq!(link.connect(&next, true), Err(EINPROGRESS), "connecting");
    link.set_stopped(false);
    check!(link.gets(What::Frames, frames, TIMEOUT_MS), "no frames");
    check!(link.gets(What::Destroys, 1, TIMEOUT_MS), "no end");
    check_eq!(link.count(What::Late), 0, "frames behind the end");
    Ok(())
}

/// Sends some frames, of which the device takes one at most.
fn send_some(socket: &Kernel) -> Result {
    for _ in 0..WAITING {
        socket.send_flags(&PACKET, DONTWAIT)?;
    }
    Ok(())
}

#[kernel::macros::kunit_tests(caif_stack_link_ends)]
mod tests {
    use super::*;

    /// What was sent before the end of a channel arrives before it.
    #[test]
    fn end_that_waits_for_payloads() -> Result {
        let mut late = 0;
        // Not if the machine stood still for as long as the end waits.
        for _ in 0..5 {
            let (link, socket) = waiting()?;
            let start = Instant::<Monotonic>::now();
            drop(socket);
            link.set_stopped(false);
            check!(link.gets(What::Frames, WAITING, TIMEOUT_MS), "no frames");
            let in_time = start.elapsed().as_millis() < 800;
            check!(link.gets(What::Destroys, 1, TIMEOUT_MS), "no end");
            late = link.count(What::Late);
            if in_time {
                break;
            }
        }
        check_eq!(late, 0, "frames behind the end");
        Ok(())
    }

    /// A modem that has one channel is told of its end before it is asked for another one, and
    /// behind what was sent on it.
    #[test]
    fn end_before_the_next_request() -> Result {
        let (link, socket) = waiting()?;
        link.set_single();
        drop(socket);
        let next = FakeLink::socket()?;
        check_eq!(link.connect(&next, true), Err(EINPROGRESS), "connecting");
        link.set_stopped(false);
        next.set_timeouts(TIMEOUT_MS);
        match link.connect(&next, false) {
            // The answer came before this call.
            Err(EISCONN) => {}
            answer => answer?,
        }
        // After a refusal it would have asked once more.
        check_eq!(link.count(What::Setups), 2, "requests");
        next.send(b"x")?;
        check!(link.gets(What::Destroys, 1, TIMEOUT_MS), "no end");
        check_eq!(link.count(What::Late), 0, "frames behind the end");
        Ok(())
    }

    /// Neither does the end overtake what was sent at a low priority.
    #[test]
    fn end_behind_the_lowest_priority() -> Result {
        let (link, socket) = waiting()?;
        socket.set_priority(BULK);
        send_some(&socket)?;
        socket.set_priority(bindings::TC_PRIO_CONTROL);
        drop(socket);
        frames_then_end(&link, 2 * WAITING)
    }

    /// AT commands go with the control messages, unless they were sent at another priority. The end
    /// of such a channel does not overtake them either.
    #[test]
    fn end_behind_commands() -> Result {
        let link = FakeLink::new(100)?;
        let socket = link.connected()?;
        link.set_stopped(true);
        for priority in [
            bindings::TC_PRIO_CONTROL,
            bindings::TC_PRIO_BESTEFFORT,
            BULK,
        ] {
            socket.set_priority(priority);
            socket.send_flags(b"AT", DONTWAIT)?;
        }
        drop(socket);
        frames_then_end(&link, 3)
    }

    /// What was sent on channels that a modem lost when it started anew does not reach the first
    /// ones that it has then: a carrier that comes back at once leaves the queue as it is.
    #[test]
    fn modem_that_starts_anew_before_the_queue_is_empty() -> Result {
        let (link, socket) = waiting()?;
        link.restart_modem();
        link.flap();
        let mut end = [0; 1];
        check_eq!(socket.receive(&mut end, 0), Err(ECONNRESET), "waiting");
        // Takes RTNL, which is not free before the link works again.
        link.set_mtu(1500)?;
        let next = FakeLink::socket()?;
        check_eq!(link.connect(&next, true), Err(EINPROGRESS), "connecting");
        link.set_stopped(false);
        check!(link.gets(What::Setups, 2, TIMEOUT_MS), "no request");
        check!(link.has(FIRST), "no channel");
        // All but the frame that the device had, and the end of the channel that the modem has not.
        check_eq!(
            link.count(What::Late),
            WAITING - 1 + 1,
            "frames for the next channel"
        );
        Ok(())
    }

    /// A queue that does not become empty delays the end of a channel by a second, whatever else
    /// ends meanwhile. Then it goes behind what was sent before, and before what others send.
    #[test]
    fn end_that_waits_too_long() -> Result {
        const OTHERS: usize = 60;
        let link = FakeLink::new(100)?;
        let mut others = KVec::with_capacity(OTHERS, GFP_KERNEL)?;
        for _ in 0..OTHERS {
            others.push(link.connected()?, GFP_KERNEL)?;
        }
        let id = FIRST + u8::try_from(OTHERS)?;
        let socket = link.connected_for(RFM)?;
        let last = link.connected_for(RFM)?;
        check!(link.has(id), "no channel");
        link.set_stopped(true);
        send_some(&socket)?;
        drop(socket);
        for other in others {
            pass_time(25);
            drop(other);
        }
        last.send_flags(&PACKET, DONTWAIT)?;
        link.set_stopped(false);
        let frames = WAITING + 1;
        check!(link.gets(What::Frames, frames, TIMEOUT_MS), "no frames");
        check!(!link.has(id), "the end waited for an empty queue");
        check_eq!(link.count(What::Late), 0, "frames behind the end");
        let all = i32::try_from(OTHERS)? + 1;
        check!(link.gets(What::Destroys, all, TIMEOUT_MS), "no end");
        Ok(())
    }

    /// The ends of channels are not lost with the queue of a device that is set down, and are told
    /// once.
    #[test]
    fn end_that_is_lost_with_the_queue() -> Result {
        let link = FakeLink::new(8)?;
        let sockets = [link.connected()?, link.connected()?, link.connected()?];
        link.set_stopped(true);
        // The device takes the first, the second is sent, and the third waits for it.
        drop(sockets);
        check_eq!(link.count(What::Destroys), 1, "sent");
        link.set_up(false)?;
        link.set_stopped(false);
        link.set_up(true)?;
        check_eq!(link.count(What::Destroys), 3, "destroyed");
        check_eq!(link.count(What::Late), 0, "destroyed twice");
        Ok(())
    }

    /// What left the queue before the device was set down is not told again: a link of the same
    /// modem may have the id by then.
    #[test]
    fn end_that_left_before_the_link_goes() -> Result {
        let link = FakeLink::new(8)?;
        let [first, second] = [link.connected()?, link.connected()?];
        link.set_stopped(true);
        drop(first);
        drop(second);
        link.set_stopped(false);
        check!(link.gets(What::Destroys, 2, TIMEOUT_MS), "no end");
        check!(link.drains(TIMEOUT_MS), "packets wait");
        link.set_up(false)?;
        link.set_up(true)?;
        let _socket = link.connected()?;
        check_eq!(link.count(What::Destroys), 2, "destroyed");
        check_eq!(link.count(What::Late), 0, "destroyed twice");
        Ok(())
    }

    #[test]
    fn destroy_that_cannot_be_sent() -> Result {
        let (link, sockets) = crowded()?;
        link.set_stopped(true);
        drop(sockets);
        check_eq!(link.count(What::Destroys), 1, "sent");
        // The ends that wait are sent before a request: there is room for one, but neither for the
        // other nor for the request.
        let result = link.connect(&FakeLink::socket()?, true);
        check_eq!(result, Err(ENOBUFS), "connecting");
        link.set_stopped(false);
        check!(
            link.gets(What::Destroys, 4, TIMEOUT_MS),
            "{} of 4 channels were destroyed",
            link.count(What::Destroys)
        );
        Ok(())
    }

    /// The modem is told of channels that are closed while their link is set down.
    #[test]
    fn channel_that_closes_with_its_link() -> Result {
        let link = FakeLink::new(8)?;
        let first = link.connected()?;
        let second = link.connected()?;
        // The link ends the first one before the second.
        link.close_with(second, &first);
        link.set_up(false)?;
        check_eq!(link.count(What::Destroys), 2, "destroyed");
        drop(first);
        check_eq!(link.count(What::Destroys), 2, "destroyed in the end");
        Ok(())
    }

    /// The modem is told of channels of which it could not be told before.
    #[test]
    fn link_that_goes_while_it_owes() -> Result {
        let (link, sockets) = crowded()?;
        link.set_silent(true);
        let pending = FakeLink::socket()?;
        let result = link.connect(&pending, true);
        check_eq!(result, Err(EINPROGRESS), "connecting");
        check!(link.gets(What::Setups, 5, TIMEOUT_MS), "set-ups");
        link.set_stopped(true);
        drop(sockets);
        check_eq!(link.count(What::Destroys), 1, "sent");
        // There is room again once the link is going down.
        link.restart_with(&pending);
        link.set_up(false)?;
        check_eq!(link.count(What::Destroys), 4, "destroyed");
        Ok(())
    }

    /// A device that goes down drops what waits in its queue. The modem is told of its channels
    /// when the device is up, before it is asked for another one.
    #[test]
    fn link_that_goes_with_a_full_queue() -> Result {
        let link = FakeLink::new(8)?;
        let sockets = [link.connected()?, link.connected()?];
        link.set_stopped(true);
        link.set_up(false)?;
        check_eq!(link.count(What::Destroys), 1, "sent");
        link.set_stopped(false);
        link.set_up(true)?;
        check_eq!(link.count(What::Destroys), 2, "destroyed");
        drop(sockets);
        let _socket = link.connected()?;
        check_eq!(link.count(What::Destroys), 2, "destroyed later");
        check_eq!(link.count(What::Late), 0, "destroyed twice");
        Ok(())
    }
}
