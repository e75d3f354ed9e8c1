// SPDX-License-Identifier: GPL-2.0

//! Suite: suspend, resume and shutdown at critical moments.

use crate::{
    abstractions::event::Event,
    control,
    fake::{
        Fake,
        FakeOptions,
        TIMEOUT_MS, //
    },
    frames::frame,
    platform::{
        shutdown,
        sleep,
        Sleep, //
    },
    scope,
    storm::Storm,
    traffic::{
        passes,
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
    }, //
};

/// Slots, as many as descriptors.
const SLOTS: u16 = 16;
/// Milliseconds that a kick sleeps.
const KICK_MS: u32 = 200;

/// Runs a test with a modem whose kicks do not sleep, and with one whose kicks sleep for long.
fn each_kind(test: impl Fn(&Fake) -> Result) -> Result {
    for sleepy_kicks in [false, true] {
        let fake = Fake::attached(&FakeOptions {
            sleepy_kicks,
            kick_ms: if sleepy_kicks { KICK_MS } else { 0 },
            ..FakeOptions::default()
        })?;
        check!(
            fake.record().wait(|record| record.is_up(1)),
            "the modem was not kicked"
        );
        test(&fake)?;
    }
    Ok(())
}

/// Returns the number of kicks of both vrings so far.
fn kicks(fake: &Fake) -> [u32; 2] {
    [fake.record().kicks(0), fake.record().kicks(1)]
}

/// Checks that the modem is not kicked for a while.
fn is_quiet(fake: &Fake) -> Result {
    let before = (kicks(fake), fake.record().begun());
    control::pass_time(3 * KICK_MS);
    check_eq!((kicks(fake), fake.record().begun()), before, "kicks");
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_sleep)]
mod tests {
    use super::*;

    #[test]
    fn frame_that_is_being_sent() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let mut link = Link::new(&fake)?;
        link.lift_byte_limits()?;
        let netdev = link.netdev;
        let sends = Arc::pin_init(Event::new(), GFP_KERNEL)?;
        let asleep = AtomicFlag::new(false);
        let frame = frame(1, 60)?;
        let early = fake.record().kick_of(1).once(
            || {
                sends.set();
                Ok(control::spin_for(1000, || asleep.load(Relaxed)))
            },
            || {
                let send = || {
                    netdev.send(&frame);
                };
                scope::beside(&send, || {
                    check!(sends.wait(TIMEOUT_MS), "no frame was sent");
                    sleep(&fake, Sleep::Suspend)?;
                    asleep.store(true, Relaxed);
                    Ok(())
                })?
            },
        )?;
        check!(!early, "the machine sleeps while a frame is being sent");
        is_quiet(&fake)?;
        sleep(&fake, Sleep::Resume)?;
        link.tx.wait(1)?;
        link.tx.expect(&frame)?;
        Ok(())
    }

    #[test]
    fn slots_that_return_in_a_poll() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let mut link = Link::new(&fake)?;
        link.lift_byte_limits()?;
        let netdev = link.netdev;
        let (received, waits) = ([frame(1, 40)?], frame(99, 60)?);
        for number in 0..SLOTS {
            check_eq!(netdev.send(&frame(number.into(), 60)?), 0, "result");
        }
        link.tx.wait(SLOTS)?;
        // It waits in the queueing discipline.
        check_eq!(netdev.send(&waits), 0, "result of sending");
        check!(netdev.is_stopped(), "all slots are used, the queue runs");

        let heads = link.post(&received)?;
        link.rx.ring.publish();
        let polls = Arc::pin_init(Event::new(), GFP_KERNEL)?;
        let tx = &mut link.tx;
        link.sink.arrival().once(
            || {
                polls.set();
                check!(
                    control::spin_until(|| !fake.interrupt(0)),
                    "the machine does not fall asleep"
                );
                control::spin_for(100, || !netdev.is_present());
                tx.put_back(SLOTS)?;
                tx.ring.expose();
                Ok(())
            },
            || {
                let _storm = Storm::begin(&fake, &[0])?;
                check!(polls.wait(TIMEOUT_MS), "no packet arrived");
                sleep(&fake, Sleep::Suspend)
            },
        )?;
        check!(netdev.is_stopped(), "the queue runs while asleep");
        let sent = link.tx.ring.waiting();
        is_quiet(&fake)?;
        check_eq!(link.tx.ring.waiting(), sent, "frames sent while asleep");

        sleep(&fake, Sleep::Resume)?;
        link.arrive(&received, &heads)?;
        link.tx.wait(1)?;
        link.tx.expect(&waits)?;
        Ok(())
    }

    #[test]
    fn kicks_that_wait() -> Result {
        each_kind(|fake| {
            let mut link = Link::new(fake)?;
            let begun = fake.record().begun();
            check_eq!(link.netdev.send(&frame(1, 60)?), 0, "result of sending");
            check!(
                fake.record().wait(|record| record.begun() > begun),
                "the modem is not kicked"
            );
            // Another one waits behind this one.
            let frames = [frame(2, 60)?];
            let heads = link.post(&frames)?;
            link.rx.ring.publish();
            fake.interrupt(0);
            link.arrive(&frames, &heads)?;

            sleep(fake, Sleep::Suspend)?;
            is_quiet(fake)?;

            // The modem returns what it has, so that the watchdog has no reason for a kick. It may
            // have missed one, too.
            link.tx.wait(1)?;
            link.tx.put_back(1)?;
            link.tx.flush();
            let before = kicks(fake);
            sleep(fake, Sleep::Resume)?;
            let kicked = fake
                .record()
                .wait(|record| record.kicks(0) > before[0] && record.kicks(1) > before[1]);
            check!(kicked, "kicks after waking up: {:?}", kicks(fake));
            link.pass(3)
        })
    }

    #[test]
    fn machine_that_shuts_down() -> Result {
        each_kind(|fake| {
            let link = Link::new(fake)?;
            let netdev = link.netdev;
            let before = kicks(fake);
            let status = fake
                .record()
                .kick_of(0)
                .once(|| fake.status(), || shutdown(fake))?;
            check_eq!(status, 0, "status when the modem is kicked");
            check_eq!(kicks(fake), [before[0] + 1, before[1]], "kicks");

            check_eq!(fake.status()?, 0, "status");
            check!(!netdev.is_running(), "the interface is up");
            check!(netdev.open().is_err(), "the interface comes up again");
            netdev.send(&frame(1, 60)?);
            check_eq!(link.tx.ring.waiting(), 0, "frames sent");
            check!(!fake.interrupt(0), "an interrupt for vring 0 was heard");
            check!(!fake.interrupt(1), "an interrupt for vring 1 was heard");
            is_quiet(fake)?;

            drop(link);
            // The modem was told of the shutdown, and the platform may be gone.
            let before = kicks(fake);
            control::unbind(fake)?;
            check_eq!(kicks(fake), before, "kicks when the driver goes");
            control::bind(fake)?;
            passes(fake)
        })
    }

    #[test]
    fn frames_that_are_sent_when_it_shuts_down() -> Result {
        each_kind(|fake| {
            let link = Link::new(fake)?;
            let begun = fake.record().begun();
            // A kick that sleeps ends here, during the shutdown.
            let status = fake.record().kick_of(1).once(
                || fake.status(),
                || {
                    check_eq!(link.netdev.send(&frame(1, 60)?), 0, "result of sending");
                    check!(
                        fake.record().wait(|record| record.begun() > begun),
                        "the modem is not kicked"
                    );
                    shutdown(fake)
                },
            )?;
            check!(status != 0, "the platform kicks after the reset");
            check_eq!(fake.status()?, 0, "status");
            is_quiet(fake)
        })
    }

    #[test]
    fn interface_that_goes_down_while_asleep() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        sleep(&fake, Sleep::Suspend)?;
        netdev.close();
        check!(!netdev.is_running(), "the interface is up");
        check_eq!(netdev.open(), Err(ENODEV), "opening while asleep");
        sleep(&fake, Sleep::Resume)?;
        check!(!netdev.is_running(), "the interface came up");
        check!(!netdev.is_stopped(), "the queue is stopped");
        passes(&fake)?;

        sleep(&fake, Sleep::Suspend)?;
        netdev.close();
        control::unbind(&fake)?;
        control::bind(&fake)?;
        passes(&fake)
    }
}
