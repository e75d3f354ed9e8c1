// SPDX-License-Identifier: GPL-2.0

//! Suite: the abstraction of sockets, with a family made here.

use crate::{
    abstractions::{
        bindings,
        event::Event,
        net::socket::Delivery, //
    },
    control,
    fake::TIMEOUT_MS,
    scope,
    toy::{
        live,
        AT_ONCE,
        LATER,
        WAITS, //
    },
    toy_peer::{
        last,
        packet,
        settle,
        Kernel, //
    }, //
};
use kernel::prelude::*;

const IN: u32 = bindings::HELPER_EPOLLIN;
const OUT: u32 = bindings::HELPER_EPOLLOUT;
const ERR: u32 = bindings::HELPER_EPOLLERR;
const HUP: u32 = bindings::HELPER_EPOLLHUP;

fn socket() -> Result<Kernel> {
    Kernel::new(bindings::sock_type_SOCK_SEQPACKET)
}

/// Returns whether the bytes count up from `first`.
fn counts(bytes: &[u8], first: u8) -> bool {
    bytes
        .iter()
        .zip(0_usize..)
        .all(|(byte, i)| *byte == first.wrapping_add((i & 0xff) as u8))
}

/// Waits for the next call that waits.
fn next(waits: &Event) {
    waits.wait(TIMEOUT_MS);
    waits.reset();
}

#[kernel::macros::kunit_tests(caif_virtio_sockets)]
mod tests {
    use super::*;

    #[test]
    fn socket_that_is_refused() -> Result {
        let before = live();
        let refused = Kernel::new(bindings::sock_type_SOCK_DGRAM).err();
        check_eq!(refused, Some(ESOCKTNOSUPPORT), "error");
        check_eq!(live(), before, "sockets");
        Ok(())
    }

    #[test]
    fn packets_in_pages() -> Result {
        let socket = socket()?;
        socket.connect(AT_ONCE, false)?;
        let peer = last()?;
        let mut room = KVec::from_elem(0, 20_000, GFP_KERNEL)?;
        for (len, head) in [(1, 1), (3000, 0), (3000, 10), (12_000, 100)] {
            check!(
                peer.deliver(packet(len, head, 7)?) == Delivery::Queued,
                "delivery"
            );
            check_eq!(socket.events() & IN, IN, "events");
            // MSG_PEEK, across the limit between linear memory and pages.
            let (got, said) = socket.receive(
                room.get_mut(..200).ok_or(EINVAL)?,
                bindings::MSG_PEEK | bindings::MSG_DONTWAIT,
            )?;
            check!(counts(room.get(..got).ok_or(EINVAL)?, 7), "bytes");
            check_eq!(said & bindings::MSG_TRUNC != 0, len > 200, "truncated");
            let (got, said) = socket.receive(&mut room, bindings::MSG_DONTWAIT)?;
            check_eq!(got, len as usize, "length");
            check_eq!(said & bindings::MSG_TRUNC, 0, "truncated");
            check!(counts(room.get(..got).ok_or(EINVAL)?, 7), "bytes");
            check_eq!(socket.memory(), 0, "memory that is accounted for");
        }
        Ok(())
    }

    #[test]
    fn packets_in_parts() -> Result {
        let socket = socket()?;
        socket.connect(AT_ONCE, false)?;
        let peer = last()?;
        for first in [0, 100] {
            check!(
                peer.deliver(packet(100, 30, first)?) == Delivery::Queued,
                "delivery"
            );
        }
        let mut room = [0; 60];
        let part = bindings::MSG_WAITALL | bindings::MSG_DONTWAIT;
        for (len, first) in [(60, 0), (40, 60), (60, 100), (40, 160)] {
            let (got, _) = socket.receive(&mut room, part)?;
            check_eq!(got, len, "length");
            check!(counts(room.get(..got).ok_or(EINVAL)?, first), "bytes");
        }
        // The consumed part of a packet does not affect packets of another association.
        check!(
            peer.deliver(packet(100, 30, 0)?) == Delivery::Queued,
            "delivery"
        );
        socket.receive(&mut room, part)?;
        socket.connect(AT_ONCE, false)?;
        check!(
            last()?.deliver(packet(50, 30, 9)?) == Delivery::Queued,
            "delivery"
        );
        let (got, _) = socket.receive(&mut room, part)?;
        check_eq!(got, 50, "length");
        check!(counts(room.get(..got).ok_or(EINVAL)?, 9), "bytes");
        Ok(())
    }

    #[test]
    fn more_than_there_is_room_for() -> Result {
        const ROOM: i32 = 20_000;
        let socket = socket()?;
        socket.connect(AT_ONCE, false)?;
        let peer = last()?;
        socket.set_room(ROOM);
        let (mut queued, mut full) = (0, 0);
        for _ in 0..1000 {
            match peer.deliver(packet(500, 500, 0)?) {
                Delivery::Queued => queued += 1,
                Delivery::Full => full += 1,
                Delivery::Overrun => break,
                _ => check!(false, "delivery"),
            }
        }
        check!(queued > 0 && full > 0, "{queued} queued and {full} more");
        let memory = socket.memory();
        check!((2 * ROOM..3 * ROOM).contains(&memory), "{memory} bytes");
        check_eq!(socket.drops(), 1, "drops");
        let mut room = [0; 500];
        for _ in 0..queued + full {
            socket.receive(&mut room, bindings::MSG_DONTWAIT)?;
        }
        check_eq!(socket.memory(), 0, "memory");
        check!(
            peer.deliver(packet(500, 500, 0)?) == Delivery::Queued,
            "delivery"
        );
        Ok(())
    }

    #[test]
    fn association_that_is_over() -> Result {
        let socket = socket()?;
        socket.connect(AT_ONCE, false)?;
        let old = last()?;
        check!(
            old.deliver(packet(5, 5, 0)?) == Delivery::Queued,
            "delivery"
        );
        check!(old.hung_up(ECONNRESET), "the end of the current one");
        check_eq!(socket.events(), IN | OUT | ERR | HUP, "events");
        socket.connect(AT_ONCE, false)?;
        check_eq!(socket.events(), OUT, "events of the new one");
        check!(old.deliver(packet(5, 5, 0)?) == Delivery::Stale, "delivery");
        check!(!old.hung_up(ECONNRESET), "the end of the old one");
        check!(!old.refused(ECONNREFUSED), "a refusal of the old one");
        check!(!old.established(false), "the beginning of the old one");
        old.set_sendable(false);
        check_eq!(socket.events(), OUT, "events of the new one");
        check_eq!(socket.memory(), 0, "memory");
        last()?.set_sendable(false);
        check_eq!(socket.events(), 0, "events");
        Ok(())
    }

    #[test]
    fn association_that_outlives_the_socket() -> Result {
        settle();
        let before = live();
        let socket = socket()?;
        socket.connect(AT_ONCE, false)?;
        let peer = last()?;
        check!(
            peer.deliver(packet(5, 5, 0)?) == Delivery::Queued,
            "delivery"
        );
        drop(socket);
        settle();
        check_eq!(live(), before + 1, "sockets");
        check!(
            !control::with_bh_off(|| peer.hung_up(ECONNRESET)),
            "a socket that was closed"
        );
        check!(
            peer.deliver(packet(5, 5, 0)?) == Delivery::Stale,
            "delivery"
        );
        control::with_bh_off(|| drop(peer));
        settle();
        check_eq!(live(), before, "sockets");
        Ok(())
    }

    #[test]
    fn calls_that_wait() -> Result {
        let socket = socket()?;
        socket.set_timeouts(TIMEOUT_MS);
        let waits = KBox::pin_init(Event::new(), GFP_KERNEL)?;
        let waits = &*waits;
        let answer = || {
            next(waits);
            let Ok(peer) = last() else { return };
            control::with_bh_off(|| peer.established(true));
            next(waits);
            if let Ok(packet) = packet(9, 9, 3) {
                control::with_bh_off(|| peer.deliver(packet));
            }
            next(waits);
            control::with_bh_off(|| peer.hung_up(ECONNRESET));
        };
        let mut room = [0; 20];
        let calls = || {
            socket.connect(LATER, false)?;
            let (got, _) = socket.receive(&mut room, 0)?;
            check_eq!(got, 9, "length");
            check_eq!(
                socket.receive(&mut room, 0).err(),
                Some(ECONNRESET),
                "error"
            );
            Ok(())
        };
        WAITS.during(&|| waits.set(), || scope::beside(&answer, calls))??;
        Ok(())
    }

    #[test]
    fn calls_that_wait_in_vain() -> Result {
        let socket = socket()?;
        check_eq!(
            socket.connect(LATER, true).err(),
            Some(EINPROGRESS),
            "error"
        );
        socket.set_timeouts(50);
        check_eq!(socket.connect(LATER, false).err(), Some(ETIMEDOUT), "error");
        let waits = KBox::pin_init(Event::new(), GFP_KERNEL)?;
        let waits = &*waits;
        let refused = || {
            next(waits);
            if let Ok(peer) = last() {
                control::with_bh_off(|| peer.refused(ECONNREFUSED));
            }
        };
        drop(last());
        socket.set_timeouts(TIMEOUT_MS);
        let calls = || {
            check_eq!(
                socket.connect(LATER, false).err(),
                Some(ECONNREFUSED),
                "error"
            );
            Ok(())
        };
        WAITS.during(&|| waits.set(), || scope::beside(&refused, calls))??;
        socket.connect(AT_ONCE, false)?;
        socket.set_timeouts(50);
        let mut room = [0; 20];
        check_eq!(socket.receive(&mut room, 0).err(), Some(EAGAIN), "error");
        drop(last());
        Ok(())
    }

    #[test]
    fn packets_that_are_sent() -> Result {
        let socket = socket()?;
        socket.connect(AT_ONCE, false)?;
        let mut bytes = KVec::from_elem(0_u8, 30_000, GFP_KERNEL)?;
        for (byte, i) in bytes.iter_mut().zip(0_usize..) {
            *byte = (i & 0xff) as u8;
        }
        let mut room = KVec::from_elem(0, 30_000, GFP_KERNEL)?;
        // The last ones are in pages.
        for len in [0, 1, 1500, 16_000, 30_000] {
            let sent = socket.send(bytes.get(..len).ok_or(EINVAL)?)?;
            check_eq!(sent, len, "length");
            let (got, _) = socket.receive(&mut room, bindings::MSG_DONTWAIT)?;
            check_eq!(got, len, "length");
            check!(counts(room.get(..got).ok_or(EINVAL)?, 0), "bytes");
        }
        drop(last());
        Ok(())
    }

    #[test]
    fn option_values() -> Result {
        let socket = socket()?;
        socket.set_option(&mut [1, 2, 3, 4])?;
        socket.set_option(&mut [1, 2, 3, 4, 5])?;
        check_eq!(
            socket.set_option(&mut [1, 2, 3]).err(),
            Some(EINVAL),
            "error"
        );
        check_eq!(
            socket.set_option(&mut [4, 3, 2, 1]).err(),
            Some(EINVAL),
            "error"
        );
        Ok(())
    }
}
