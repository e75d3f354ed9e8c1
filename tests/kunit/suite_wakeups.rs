// SPDX-License-Identifier: GPL-2.0

//! Suite: what comes in the moment in which nobody has asked to be told of it, and who is told of
//! what.

use crate::{
    fake::{
        Fake,
        Options, //
    },
    frames::frame,
    modem_rx::{
        ModemRx,
        DEFAULT_ROOM, //
    },
    modem_tx::ModemTx,
    netdev::{
        Netdev,
        FREED, //
    },
    scope::Point,
    sink::Sink,
    traffic::{
        without_limits,
        ROOM, //
    },
    vring_layout::F_EVENT_IDX, //
};
use kernel::prelude::*;

/// Slots, as many as descriptors.
const SLOTS: u32 = 16;
/// Both ways to ask for interrupts and kicks.
const WAYS: [u32; 2] = [0, 1 << F_EVENT_IDX];

/// A modem that offers these features.
fn modem(features: u32) -> Result<Fake> {
    let fake = Fake::attached(&Options {
        features,
        ..Options::default()
    })?;
    fake.netdev()?.open()?;
    Ok(fake)
}

/// Posts a chain when the point is reached in the poll for another one. The poll has asked for no
/// interrupts, and so it must find the chain by itself.
fn found_without_interrupt(
    features: u32,
    point: impl for<'a> Fn(&'a Fake, &'a Sink<'_>) -> &'a Point,
) -> Result {
    let fake = modem(features)?;
    let sink = Sink::new(&fake)?;
    let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
    for round in 0..20 {
        let frames = [frame(2 * round, 40)?, frame(2 * round + 1, 50)?];
        let first = rx.buffer(&frames[0])?;
        let second = rx.buffer(&frames[1])?;
        let mut heads = KVec::from_elem(rx.post(&[first])?, 1, GFP_KERNEL)?;
        rx.wants_kick_after(1)?;
        fake.netdev()?.settle();
        check!(rx.publish()?, "no interrupt is wanted between two polls");
        let (wanted, head) = point(&fake, &sink).once(
            || {
                let head = rx.post(&[second])?;
                Ok((rx.publish()?, head))
            },
            || {
                check!(fake.interrupt(0), "an interrupt was swallowed");
                Ok(())
            },
        )?;
        heads.push(head, GFP_KERNEL)?;
        check!(!wanted, "an interrupt is wanted in the middle of a poll");
        check!(sink.wait(2), "{} of 2 frames arrived", sink.len());
        for frame in &frames {
            sink.expect(frame)?;
        }
        rx.expect_used(&heads)?;
        rx.free_buffers();
    }
    Ok(())
}

/// Sends frames, each of which the modem returns at once and without a word, so that the queue is
/// not in need of an interrupt.
fn returned_at_once(netdev: Netdev<'_>, tx: &mut ModemTx<'_>, frames: u32) -> Result {
    for number in 0..frames {
        let frame = frame(number, 60)?;
        check_eq!(netdev.send(&frame), 0, "result of sending");
        let sent = tx.expect(&frame, ROOM, ROOM)?;
        tx.put_used(sent.head.into())?;
        tx.write_used_idx(tx.used_idx())?;
    }
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_wakeups)]
mod tests {
    use super::*;

    #[test]
    fn chain_that_is_posted_while_another_returns() -> Result {
        for features in WAYS {
            found_without_interrupt(features, |fake, _| fake.record().kick_of(0))?;
        }
        Ok(())
    }

    #[test]
    fn chain_that_is_posted_while_a_packet_arrives() -> Result {
        for features in WAYS {
            found_without_interrupt(features, |_, sink| sink.arrival())?;
        }
        Ok(())
    }

    #[test]
    fn slots_that_return_while_the_last_one_is_filled() -> Result {
        for features in WAYS {
            let fake = modem(features)?;
            let netdev = fake.netdev()?;
            let mut tx = without_limits(&fake)?;
            // So that slots are taken back which nobody tells of.
            returned_at_once(netdev, &mut tx, SLOTS)?;
            let mut sent = 0;
            while u32::from(tx.waiting()?) < SLOTS - 1 {
                check_eq!(netdev.send(&frame(sent, 60)?), 0, "result of sending");
                sent += 1;
            }
            let wanted = FREED.once(
                || {
                    for _ in 1..SLOTS {
                        let head = tx.take_head()?;
                        tx.put_used(head.into())?;
                    }
                    tx.flush()
                },
                || {
                    check_eq!(netdev.send_watched(&frame(sent, 60)?), 0, "result");
                    // Nobody tells of the slots, and nobody needs to.
                    check!(!netdev.is_stopped(), "the queue waits for slots it has");
                    Ok(())
                },
            )?;
            check!(!wanted, "an interrupt is wanted while the queue runs");
            tx.wait(1)?;
            tx.expect(&frame(sent, 60)?, ROOM, ROOM)?;
        }
        Ok(())
    }

    #[test]
    fn no_interrupts_for_slots_that_nobody_waits_for() -> Result {
        for features in WAYS {
            let fake = modem(features)?;
            let netdev = fake.netdev()?;
            let mut tx = without_limits(&fake)?;
            for number in 0..5 * SLOTS {
                let frame = frame(number, 60)?;
                check_eq!(netdev.send(&frame), 0, "result of sending");
                let sent = tx.expect(&frame, ROOM, ROOM)?;
                check!(!tx.complete(&sent)?, "an interrupt is wanted");
            }
        }
        Ok(())
    }

    #[test]
    fn modem_that_never_interrupts_for_slots() -> Result {
        for features in WAYS {
            let fake = modem(features)?;
            let netdev = fake.netdev()?;
            let mut tx = without_limits(&fake)?;
            returned_at_once(netdev, &mut tx, 20 * SLOTS)?;
            check!(!netdev.is_stopped(), "the queue is stopped");
            let stats = netdev.stats();
            check_eq!(stats.tx_packets, u64::from(20 * SLOTS) + 1, "tx_packets");
            check_eq!(stats.tx_errors + stats.tx_dropped, 0, "frames dropped");
        }
        Ok(())
    }

    #[test]
    fn poll_without_budget() -> Result {
        for features in WAYS {
            let fake = modem(features)?;
            let netdev = fake.netdev()?;
            let sink = Sink::new(&fake)?;
            let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
            netdev.settle();
            netdev.poll_without_budget();
            let buffer = rx.buffer(&frame(1, 60)?)?;
            rx.post(&[buffer])?;
            check!(rx.publish()?, "no interrupt is wanted after the poll");
            netdev.poll_without_budget();
            check!(sink.is_empty(), "a frame arrives without a budget");
        }
        Ok(())
    }

    #[test]
    fn modem_that_wants_no_kicks() -> Result {
        for features in WAYS {
            let fake = modem(features)?;
            let netdev = fake.netdev()?;
            let sink = Sink::new(&fake)?;
            let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
            let mut tx = without_limits(&fake)?;
            rx.want_no_kicks()?;
            tx.want_no_kicks()?;
            let before = [fake.record().kicks(0), fake.record().kicks(1)];
            for number in 0..SLOTS / 2 {
                let frame = frame(number, 60)?;
                let buffer = rx.buffer(&frame)?;
                let head = rx.send(&[buffer])?;
                check!(sink.wait(1), "no frame arrived");
                sink.expect(&frame)?;
                check_eq!(rx.take_used()?, Some((head, 0)), "returned chain");
                check_eq!(netdev.send(&frame), 0, "result of sending");
                tx.expect(&frame, ROOM, ROOM)?;
            }
            let kicks = [fake.record().kicks(0), fake.record().kicks(1)];
            check_eq!(kicks, before, "kicks");
        }
        Ok(())
    }

    #[test]
    fn interrupts_for_the_wrong_vring() -> Result {
        for features in WAYS {
            let fake = modem(features)?;
            let netdev = fake.netdev()?;
            let sink = Sink::new(&fake)?;
            let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
            let mut tx = without_limits(&fake)?;
            returned_at_once(netdev, &mut tx, SLOTS)?;
            for round in 0..20 {
                let frame = frame(round, 60)?;
                let buffer = rx.buffer(&frame)?;
                let head = rx.post(&[buffer])?;
                rx.publish()?;
                check!(fake.interrupt(1), "an interrupt was swallowed");
                check!(sink.wait(1), "no frame arrived");
                sink.expect(&frame)?;
                rx.expect_used(&[head])?;
                rx.free_buffers();
            }
            // One more than slots waits in the queueing discipline until the queue wakes.
            for number in 0..=SLOTS {
                check_eq!(netdev.send(&frame(number, 60)?), 0, "result of sending");
            }
            check!(netdev.is_stopped(), "all slots are used, the queue runs");
            tx.wait(SLOTS as u16)?;
            for _ in 0..SLOTS {
                let head = tx.take_head()?;
                tx.put_used(head.into())?;
            }
            tx.write_used_idx(tx.used_idx())?;
            check!(fake.interrupt(0), "an interrupt was swallowed");
            tx.wait(1)?;
            tx.expect(&frame(SLOTS, 60)?, ROOM, ROOM)?;
        }
        Ok(())
    }
}
