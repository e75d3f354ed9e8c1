// SPDX-License-Identifier: GPL-2.0

//! Suite: chains and slots that come while notifications are disabled, and the notifications that
//! are sent.

use crate::{
    fake::{
        Fake,
        FakeOptions,
        NOTIFICATIONS, //
    },
    frames::frame,
    netdev::FREED,
    scope::Point,
    sink::Sink,
    traffic::Link, //
};
use kernel::prelude::*;

/// Slots, as many as descriptors.
const SLOTS: u16 = 16;

/// Runs a test with both kinds of notification.
fn each_way(test: impl Fn(&Fake, &mut Link<'_>) -> Result) -> Result {
    for features in NOTIFICATIONS {
        let fake = Fake::attached(&FakeOptions {
            features,
            ..FakeOptions::default()
        })?;
        check_eq!(fake.features()?, features, "negotiated features");
        test(&fake, &mut Link::new(&fake)?)?;
    }
    Ok(())
}

/// Posts a chain when the point is reached in the poll for another one. Interrupts are disabled
/// then, so that the poll must find the chain without one.
fn found_without_interrupt(
    fake: &Fake,
    link: &mut Link<'_>,
    point: impl for<'a> Fn(&'a Fake, &'a Sink<'_>) -> &'a Point,
) -> Result {
    for round in 0..20 {
        let frames = [frame(2 * round, 40)?, frame(2 * round + 1, 50)?];
        let [first, second] = [link.rx.buffer(&frames[0])?, link.rx.buffer(&frames[1])?];
        let first = link.rx.post(&[first])?;
        link.rx.ring.notify_after(1);
        link.netdev.settle();
        check!(
            link.rx.ring.publish(),
            "no interrupt is wanted between two polls"
        );
        let (wanted, second) = point(fake, &link.sink).once(
            || {
                let head = link.rx.post(&[second])?;
                Ok((link.rx.ring.publish(), head))
            },
            || {
                check!(fake.interrupt(0), "an interrupt was swallowed");
                Ok(())
            },
        )?;
        check!(!wanted, "an interrupt is wanted in the middle of a poll");
        link.arrive(&frames, &[first, second])?;
    }
    Ok(())
}

/// Sends frames, each of which the modem returns at once without an interrupt, so that the queue
/// does not need one.
fn returned_at_once(link: &mut Link<'_>, frames: u16) -> Result {
    for _ in 0..frames {
        link.fill_and_return(1)?;
        link.tx.ring.expose();
    }
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_wakeups)]
mod tests {
    use super::*;

    #[test]
    fn chain_that_is_posted_while_another_returns() -> Result {
        each_way(|fake, link| {
            found_without_interrupt(fake, link, |fake, _| fake.record().kick_of(0))
        })
    }

    #[test]
    fn chain_that_is_posted_while_a_packet_arrives() -> Result {
        each_way(|fake, link| found_without_interrupt(fake, link, |_, sink| sink.arrival()))
    }

    #[test]
    fn slots_that_return_while_the_last_one_is_filled() -> Result {
        each_way(|_, link| {
            link.lift_byte_limits()?;
            // Slots are taken back without an interrupt.
            returned_at_once(link, SLOTS)?;
            let mut sent = 0;
            while link.tx.ring.waiting() < SLOTS - 1 {
                check_eq!(link.netdev.send(&frame(sent, 60)?), 0, "result of sending");
                sent += 1;
            }
            let netdev = link.netdev;
            let wanted = FREED.once(
                || {
                    link.tx.put_back(SLOTS - 1)?;
                    Ok(link.tx.flush())
                },
                || {
                    check_eq!(netdev.send_watched(&frame(sent, 60)?), 0, "result");
                    check!(!netdev.is_stopped(), "the queue waits for slots it has");
                    Ok(())
                },
            )?;
            check!(!wanted, "an interrupt is wanted while the queue runs");
            link.tx.wait(1)?;
            link.tx.expect(&frame(sent, 60)?)?;
            Ok(())
        })
    }

    /// Waking it for each slot would make the stack try again for each.
    #[test]
    fn queue_that_waits_for_a_quarter_of_the_slots() -> Result {
        each_way(|_, link| {
            link.lift_byte_limits()?;
            for number in 0..SLOTS {
                check_eq!(link.netdev.send(&frame(number.into(), 60)?), 0, "result");
            }
            check!(
                link.netdev.is_stopped(),
                "all slots are used, the queue runs"
            );
            for (slots, stopped) in [(SLOTS / 4 - 1, true), (1, false)] {
                link.tx.put_back(slots)?;
                link.tx.ring.publish();
                link.netdev.poll_without_budget();
                check_eq!(link.netdev.is_stopped(), stopped, "stopped");
            }
            Ok(())
        })
    }

    #[test]
    fn no_interrupts_for_slots_that_nobody_waits_for() -> Result {
        each_way(|_, link| {
            link.lift_byte_limits()?;
            for number in 0..5 * SLOTS {
                let head = link.send(&frame(number.into(), 60)?)?;
                check!(!link.tx.complete(head), "an interrupt is wanted");
            }
            Ok(())
        })
    }

    #[test]
    fn modem_that_never_interrupts_for_slots() -> Result {
        each_way(|_, link| {
            link.lift_byte_limits()?;
            returned_at_once(link, 20 * SLOTS)?;
            check!(!link.netdev.is_stopped(), "the queue is stopped");
            let stats = link.netdev.stats();
            check_eq!(stats.tx_packets, u64::from(20 * SLOTS) + 1, "tx_packets");
            check_eq!(stats.tx_errors + stats.tx_dropped, 0, "frames dropped");
            Ok(())
        })
    }

    #[test]
    fn poll_without_budget() -> Result {
        each_way(|_, link| {
            link.netdev.settle();
            link.netdev.poll_without_budget();
            link.post(&[frame(1, 60)?])?;
            check!(
                link.rx.ring.publish(),
                "no interrupt is wanted after the poll"
            );
            link.netdev.poll_without_budget();
            check!(link.sink.is_empty(), "a frame arrives without a budget");

            link.lift_byte_limits()?;
            link.fill_and_return(SLOTS)?;
            check!(link.netdev.is_stopped(), "the queue is not stopped");
            link.tx.ring.publish();
            // Kernels for one processor have no such lock; there netpoll itself does not poll while
            // its processor sends (`netif_local_xmit_active()`).
            if cfg!(CONFIG_SMP) {
                link.netdev.poll_while_sending();
                check!(
                    link.netdev.is_stopped(),
                    "slots are taken back while somebody sends"
                );
            }
            link.netdev.poll_without_budget();
            check!(!link.netdev.is_stopped(), "slots are not taken back");
            Ok(())
        })
    }

    #[test]
    fn byte_limits_that_forget_what_was_sent() -> Result {
        each_way(|_, link| {
            for round in 0..3 {
                let head = link.send(&frame(round, 60)?)?;
                link.netdev.reset_byte_limits();
                link.tx.complete(head);
                // In either case this causes a poll.
                link.receive(frame(round, 40)?)?;
                link.pass(round)?;
            }
            Ok(())
        })
    }

    #[test]
    fn modem_that_wants_no_kicks() -> Result {
        each_way(|fake, link| {
            link.lift_byte_limits()?;
            link.rx.ring.disable_notify();
            link.tx.ring.disable_notify();
            let before = [fake.record().kicks(0), fake.record().kicks(1)];
            for number in 0..u32::from(SLOTS / 2) {
                let frames = [frame(number, 60)?];
                let heads = link.post(&frames)?;
                link.rx.flush()?;
                link.sink.expect(&frames)?;
                link.netdev.settle();
                check_eq!(
                    link.rx.take_used()?,
                    Some(heads[0].into()),
                    "returned chain"
                );
                check_eq!(link.netdev.send(&frames[0]), 0, "result of sending");
                link.tx.expect(&frames[0])?;
            }
            let kicks = [fake.record().kicks(0), fake.record().kicks(1)];
            check_eq!(kicks, before, "kicks");
            Ok(())
        })
    }

    #[test]
    fn interrupts_for_the_wrong_vring() -> Result {
        each_way(|fake, link| {
            link.lift_byte_limits()?;
            returned_at_once(link, SLOTS)?;
            for round in 0..20 {
                let frames = [frame(round, 60)?];
                let heads = link.post(&frames)?;
                link.rx.ring.publish();
                check!(fake.interrupt(1), "an interrupt was swallowed");
                link.arrive(&frames, &heads)?;
            }
            link.fill_and_return(SLOTS)?;
            // It waits in the queueing discipline until the queue wakes.
            check_eq!(link.netdev.send(&frame(99, 60)?), 0, "result of sending");
            check!(
                link.netdev.is_stopped(),
                "all slots are used, the queue runs"
            );
            link.tx.ring.expose();
            check!(fake.interrupt(0), "an interrupt was swallowed");
            link.tx.wait(1)?;
            link.tx.expect(&frame(99, 60)?)?;
            Ok(())
        })
    }
}
