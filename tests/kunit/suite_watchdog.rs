// SPDX-License-Identifier: GPL-2.0

//! Suite: a modem that does not return frames, and frames that are sent before the interface is up.
//!
//! For what must not happen the tests wait longer than it would take.

use crate::{
    abstractions::event::Event,
    control,
    fake::{
        Fake,
        FakeOptions,
        Record,
        TIMEOUT_MS, //
    },
    frames::frame,
    platform::{
        sleep,
        Sleep, //
    },
    scope,
    traffic::{
        comes_back,
        Link, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};

/// The time in which a modem that keeps frames is given up: three periods of the watchdog, and a
/// margin for late timers.
const FOUND_MS: u32 = 9000;

/// Sends a frame, which the modem fetches. Returns its descriptor.
fn take(link: &mut Link<'_>) -> Result<u16> {
    link.send(&frame(1, 60)?)
}

/// Checks that the modem was not given up, and passes frames.
fn works(fake: &Fake, link: &mut Link<'_>) -> Result {
    check_eq!(control::crashes(fake), 0, "crashes reported");
    check!(link.netdev.carrier(), "the carrier is off");
    link.pass(5)
}

#[kernel::macros::kunit_tests(caif_virtio_watchdog)]
mod tests {
    use super::*;

    #[test]
    fn frame_that_is_kept() -> Result {
        let fakes = [Fake::recovering()?, Fake::recovering()?];
        // The byte queue limits stop the queue at one frame, or do not.
        let mut link = Link::new(&fakes[0])?;
        link.lift_byte_limits()?;
        take(&mut link)?;
        check!(!link.netdev.is_stopped(), "the queue is stopped");
        drop(link);
        take(&mut Link::new(&fakes[1])?)?;
        for fake in &fakes {
            comes_back(fake, 1)?;
        }
        Ok(())
    }

    /// A mailbox that is full, for example, loses kicks.
    #[test]
    fn kick_that_is_lost() -> Result {
        let fake = Fake::recovering()?;
        let mut link = Link::new(&fake)?;
        let record = fake.record();
        let frame = frame(1, 60)?;
        let before = record.kicks(1);
        check_eq!(link.netdev.send(&frame), 0, "result of sending");
        check_eq!(record.kicks(1), before + 1, "kicks for a frame");
        // The modem does not look at the vrings before another one.
        let kicks = [record.kicks(0), record.kicks(1)];
        let again = |record: &Record| record.kicks(0) > kicks[0] && record.kicks(1) > kicks[1];
        check!(record.wait(again), "the modem is not kicked again");
        check_eq!(record.kicks(0), kicks[0] + 1, "kicks of vring 0");
        let head = link.tx.expect(&frame)?.head;
        link.tx.complete(head);
        works(&fake, &mut link)
    }

    #[test]
    fn slow_frame_while_others_return() -> Result {
        let fake = Fake::recovering()?;
        let mut link = Link::new(&fake)?;
        // The byte queue limits let no other frame pass this one at first.
        let kept = take(&mut link)?;
        let start = Instant::<Monotonic>::now();
        while start.elapsed() < Delta::from_millis(FOUND_MS.into()) {
            let head = take(&mut link)?;
            link.tx.complete(head);
            control::pass_time(100);
        }
        works(&fake, &mut link)?;
        link.tx.complete(kept);
        works(&fake, &mut link)
    }

    #[test]
    fn frames_that_nobody_waits_for() -> Result {
        let fakes = [
            Fake::recovering()?,
            Fake::recovering()?,
            Fake::recovering()?,
        ];
        let [asleep, down, lazy] = &fakes;
        let mut links = [Link::new(asleep)?, Link::new(down)?, Link::new(lazy)?];
        for link in &mut links {
            link.lift_byte_limits()?;
        }
        let mut heads = [0; 3];
        for (link, head) in links.iter_mut().zip(&mut heads) {
            *head = take(link)?;
        }
        sleep(asleep, Sleep::Suspend)?;
        down.netdev()?.close();
        // It returned the frame without an interrupt, as none was requested.
        links[2].tx.ring.put_used(heads[2].into(), 0);
        links[2].tx.ring.expose();

        control::pass_time(FOUND_MS);
        for fake in &fakes {
            check_eq!(control::crashes(fake), 0, "crashes reported");
        }
        sleep(asleep, Sleep::Resume)?;
        down.netdev()?.open()?;
        // The time starts again.
        control::pass_time(FOUND_MS / 3);
        check_eq!(control::crashes(asleep), 0, "crashes reported");
        check_eq!(control::crashes(down), 0, "crashes reported");
        links[0].tx.complete(heads[0]);
        works(asleep, &mut links[0])?;
        works(lazy, &mut links[2])?;
        drop(links);
        comes_back(down, 1)
    }

    /// Nothing starts the timer before the interface is up, which sets it up.
    #[test]
    fn frame_that_is_sent_before_the_interface_is_up() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let netdev = fake.netdev()?;
        let early = [frame(1, 60)?, frame(2, 60)?];
        check_eq!(netdev.send_directly(&early[0]), 0, "result of sending");
        let mut link = Link::new(&fake)?;
        link.tx.wait(1)?;
        let head = link.tx.expect(&early[0])?.head;
        link.tx.complete(head);
        netdev.settle();
        netdev.close();
        check_eq!(netdev.send_directly(&early[1]), 0, "result of sending");
        netdev.open()?;
        link.tx.wait(1)?;
        let head = link.tx.expect(&early[1])?.head;
        link.tx.complete(head);
        works(&fake, &mut link)
    }

    #[test]
    fn frame_that_is_sent_while_the_interface_comes_up() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let netdev = fake.netdev()?;
        let first = frame(1, 60)?;
        let sends = Arc::pin_init(Event::new(), GFP_KERNEL)?;
        let up = AtomicFlag::new(false);
        let early = fake.record().kick_of(1).once(
            || {
                sends.set();
                Ok(control::spin_for(1000, || up.load(Relaxed)))
            },
            || {
                let send = || {
                    netdev.send_directly(&first);
                };
                scope::beside(&send, || {
                    check!(sends.wait(TIMEOUT_MS), "no frame was sent");
                    netdev.open()?;
                    up.store(true, Relaxed);
                    Ok(())
                })?
            },
        )?;
        // The timer may be started at its end.
        check!(!early, "the interface is up while a frame is being sent");
        let mut link = Link::new(&fake)?;
        let head = link.tx.expect(&first)?.head;
        link.tx.complete(head);
        works(&fake, &mut link)
    }
}
