// SPDX-License-Identifier: GPL-2.0

//! Suite: interrupts and kicks of other platforms, suspend and resume, and the driver's counters.

use crate::{
    control,
    fake::{
        Fake,
        FakeOptions,
        NOTIFICATIONS, //
    },
    frames::frame,
    platform::{
        counter,
        sleep,
        Sleep, //
    },
    traffic::{
        comes_back,
        passes,
        Link, //
    }, //
};
use kernel::prelude::*;

/// Interrupts for both vrings many times, as one interrupt handler.
fn interrupts(fake: &Fake) {
    control::with_irqs_off(|| {
        for _ in 0..50 {
            fake.interrupt(0);
            fake.interrupt(1);
        }
    });
}

#[kernel::macros::kunit_tests(caif_virtio_platform)]
mod tests {
    use super::*;

    #[test]
    fn interrupts_without_news_cost_no_poll() -> Result {
        for features in NOTIFICATIONS {
            let fake = Fake::attached(&FakeOptions {
                features,
                ..FakeOptions::default()
            })?;
            let mut link = Link::new(&fake)?;
            let netdev = link.netdev;
            link.pass(1)?;
            // The last frame was returned without an interrupt.
            fake.interrupt(1);
            netdev.settle();
            let polls = || counter(netdev, c"polls");

            let before = polls()?;
            interrupts(&fake);
            netdev.settle();
            check_eq!(polls()?, before, "polls after interrupts without news");

            // One poll for a chain, for which the platform interrupts on both vrings.
            let frames = [frame(9, 50)?];
            let heads = link.post(&frames)?;
            link.rx.ring.publish();
            interrupts(&fake);
            netdev.settle();
            link.arrive(&frames, &heads)?;
            check_eq!(polls()?, before + 1, "polls after a chain");
            interrupts(&fake);
            netdev.settle();
            check_eq!(polls()?, before + 1, "polls after more interrupts");
        }
        Ok(())
    }

    #[test]
    fn kicks_that_sleep() -> Result {
        for _ in 0..3 {
            let fake = Fake::attached(&FakeOptions {
                sleepy_kicks: true,
                ..FakeOptions::default()
            })?;
            let mut link = Link::new(&fake)?;
            let kicks = [fake.record().kicks(0), fake.record().kicks(1)];
            link.pass(1)?;
            let kicked = fake
                .record()
                .wait(|record| record.kicks(0) > kicks[0] && record.kicks(1) > kicks[1]);
            check!(kicked, "the modem was not kicked for both vrings");
            // The driver goes while a kick may be under way.
            check_eq!(link.netdev.send(&frame(1, 20)?), 0, "result of sending");
        }
        Ok(())
    }

    #[test]
    fn frames_in_io_memory() -> Result {
        /// Each alignment to 16 bytes with each length modulo 16: longer frames are copied alike.
        const LENGTHS: core::ops::Range<usize> = 1..17 * 17;

        let fake = Fake::attached(&FakeOptions {
            io_memory: true,
            ..FakeOptions::default()
        })?;
        let mut link = Link::new(&fake)?;
        for len in LENGTHS {
            // Buffers follow each other with a byte between them.
            let frames = [frame(1, len)?, frame(2, len)?];
            let heads = link.post(&frames)?;
            let only_io = link.rx.only_io()?;
            link.rx.flush()?;
            link.arrive(&frames, &heads)?;
            drop(only_io);
        }
        link.pass(3)
    }

    #[test]
    fn machine_that_sleeps() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let mut link = Link::new(&fake)?;
        link.pass(1)?;

        sleep(&fake, Sleep::Suspend)?;
        let polls = counter(link.netdev, c"polls")?;
        let asleep = [frame(1, 70)?];
        let heads = link.post(&asleep)?;
        link.rx.ring.publish();
        interrupts(&fake);
        check_eq!(counter(link.netdev, c"polls")?, polls, "polls while asleep");
        check!(link.sink.is_empty(), "a frame arrived while asleep");
        check_eq!(link.tx.ring.waiting(), 0, "frames sent while asleep");

        sleep(&fake, Sleep::Resume)?;
        check!(
            link.netdev.is_present(),
            "the interface is detached after waking up"
        );
        // Frames that came meanwhile need no further interrupt.
        link.arrive(&asleep, &heads)?;
        link.pass(2)
    }

    #[test]
    fn machine_that_sleeps_with_the_interface_down() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        sleep(&fake, Sleep::Suspend)?;
        sleep(&fake, Sleep::Resume)?;
        // Nothing runs that bringing the interface down would have to stop.
        control::unbind(&fake)?;
        control::bind(&fake)?;
        passes(&fake)
    }

    #[test]
    fn driver_that_goes_while_asleep() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        fake.netdev()?.open()?;
        sleep(&fake, Sleep::Suspend)?;
        control::unbind(&fake)?;
        check!(fake.find_netdev().is_none(), "the network device stayed");
        control::bind(&fake)?;
        passes(&fake)
    }

    #[test]
    fn machine_that_was_hibernated() -> Result {
        let fake = Fake::recovering()?;
        fake.netdev()?.open()?;
        sleep(&fake, Sleep::Suspend)?;
        sleep(&fake, Sleep::Restore)?;
        comes_back(&fake, 1)
    }

    #[test]
    fn counters_have_names() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let netdev = fake.netdev()?;
        for name in [
            c"rx_drop_write_flag",
            c"rx_drop_length",
            c"rx_drop_address",
            c"rx_drop_no_memory",
            c"rx_ring_broken",
            c"tx_drop_length",
            c"tx_drop_link_broken",
            c"tx_ring_broken",
            c"tx_timeout",
            c"rings_lost",
            c"rx_kicks",
            c"tx_kicks",
            c"polls",
        ] {
            check_eq!(counter(netdev, name), Ok(0), "a counter");
        }
        check_eq!(counter(netdev, c"none"), Err(ENOENT), "a counter");
        Ok(())
    }
}
