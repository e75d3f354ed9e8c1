// SPDX-License-Identifier: GPL-2.0

//! Suite: what differs from platform to platform, and a machine that sleeps.

use crate::{
    control,
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
    platform::{
        counter,
        sleep,
        Sleep, //
    },
    sink::Sink,
    vring_layout::F_EVENT_IDX, //
};
use kernel::prelude::*;

/// Room on both sides of a frame without a config space.
const ROOM: usize = 32;

/// Interrupts for both vrings, over and over, in one go.
fn storm(fake: &Fake) {
    control::with_irqs_off(|| {
        for _ in 0..50 {
            fake.interrupt(0);
            fake.interrupt(1);
        }
    });
}

/// Frames both ways: one chain of `frames` frames, and as many frames to the modem.
fn traffic(rx: &mut ModemRx<'_>, tx: &mut ModemTx<'_>, sink: &Sink<'_>, fake: &Fake) -> Result {
    let netdev = fake.netdev()?;
    for number in 0..5 {
        let frame = frame(number, 100)?;
        let buffer = rx.buffer(&frame)?;
        let head = rx.send(&[buffer])?;
        check!(sink.wait(1), "no frame arrived");
        sink.expect(&frame)?;
        rx.expect_used(&[head])?;
        rx.free_buffers();
        check_eq!(netdev.send(&frame), 0, "result of sending");
        tx.wait(1)?;
        let sent = tx.expect(&frame, ROOM, ROOM)?;
        tx.complete(&sent)?;
    }
    Ok(())
}

/// Interrupts that bring no news are not followed by a poll.
fn no_news(features: u32) -> Result {
    let fake = Fake::attached(&Options {
        features,
        ..Options::default()
    })?;
    let netdev = fake.netdev()?;
    let sink = Sink::new(&fake)?;
    netdev.open()?;
    let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
    let mut tx = ModemTx::new(&fake)?;
    traffic(&mut rx, &mut tx, &sink, &fake)?;
    // The last frame was returned without a word.
    fake.interrupt(1);
    netdev.settle();
    let polls = || counter(netdev, c"polls");

    let before = polls()?;
    storm(&fake);
    // Without interrupts the poll is left to another task.
    netdev.settle();
    check_eq!(polls()?, before, "polls after interrupts without news");

    // One poll for a chain, for which the platform interrupts on both vrings.
    let frame = frame(9, 50)?;
    let buffer = rx.buffer(&frame)?;
    let head = rx.post(&[buffer])?;
    rx.publish()?;
    storm(&fake);
    netdev.settle();
    check!(sink.wait(1), "no frame arrived");
    sink.expect(&frame)?;
    rx.expect_used(&[head])?;
    check_eq!(polls()?, before + 1, "polls after a chain");
    storm(&fake);
    netdev.settle();
    check_eq!(polls()?, before + 1, "polls after more interrupts");
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_platform)]
mod tests {
    use super::*;

    #[test]
    fn interrupts_without_news_cost_no_poll() -> Result {
        no_news(0)
    }

    #[test]
    fn interrupts_without_news_cost_no_poll_with_event_idx() -> Result {
        no_news(1 << F_EVENT_IDX)
    }

    #[test]
    fn kicks_that_sleep() -> Result {
        for _ in 0..3 {
            let fake = Fake::attached(&Options {
                sleepy_kicks: true,
                ..Options::default()
            })?;
            let netdev = fake.netdev()?;
            let sink = Sink::new(&fake)?;
            netdev.open()?;
            let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
            let mut tx = ModemTx::new(&fake)?;
            let kicks = [fake.record().kicks(0), fake.record().kicks(1)];
            traffic(&mut rx, &mut tx, &sink, &fake)?;
            let kicked = fake
                .record()
                .wait(|record| record.kicks(0) > kicks[0] && record.kicks(1) > kicks[1]);
            check!(kicked, "the modem was not kicked for both vrings");
            // The driver goes while a kick may be under way.
            check_eq!(netdev.send(&frame(1, 20)?), 0, "result of sending");
        }
        Ok(())
    }

    #[test]
    fn machine_that_sleeps() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        let sink = Sink::new(&fake)?;
        netdev.open()?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let mut tx = ModemTx::new(&fake)?;
        traffic(&mut rx, &mut tx, &sink, &fake)?;

        sleep(&fake, Sleep::Suspend)?;
        let polls = counter(netdev, c"polls")?;
        let asleep = frame(1, 70)?;
        let buffer = rx.buffer(&asleep)?;
        let head = rx.post(&[buffer])?;
        rx.publish()?;
        storm(&fake);
        check_eq!(counter(netdev, c"polls")?, polls, "polls while asleep");
        check!(sink.is_empty(), "a frame arrived while asleep");
        check_eq!(tx.waiting()?, 0, "frames sent while asleep");

        sleep(&fake, Sleep::Resume)?;
        // What came meanwhile needs no further interrupt.
        check!(sink.wait(1), "no frame arrived");
        sink.expect(&asleep)?;
        rx.expect_used(&[head])?;
        rx.free_buffers();
        traffic(&mut rx, &mut tx, &sink, &fake)
    }

    #[test]
    fn machine_that_sleeps_with_the_interface_down() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        sleep(&fake, Sleep::Suspend)?;
        sleep(&fake, Sleep::Resume)?;
        let sink = Sink::new(&fake)?;
        netdev.open()?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let mut tx = ModemTx::new(&fake)?;
        traffic(&mut rx, &mut tx, &sink, &fake)
    }

    #[test]
    fn driver_that_goes_while_asleep() -> Result {
        let fake = Fake::attached(&Options::default())?;
        fake.netdev()?.open()?;
        sleep(&fake, Sleep::Suspend)?;
        control::unbind(&fake)?;
        check!(fake.find_netdev().is_none(), "the network device stayed");
        check!(control::bind(&fake)?, "the driver did not come back");
        fake.netdev()?.open()
    }

    #[test]
    fn machine_that_was_hibernated() -> Result {
        let fake = Fake::attached(&Options {
            recovers: true,
            ..Options::default()
        })?;
        fake.netdev()?.open()?;
        sleep(&fake, Sleep::Suspend)?;
        let attached = fake.record().attaches();
        sleep(&fake, Sleep::Restore)?;
        check!(
            fake.record().wait(|record| record.is_up(attached + 1)),
            "the modem was not recovered"
        );
        let sink = Sink::new(&fake)?;
        fake.netdev()?.open()?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let mut tx = ModemTx::new(&fake)?;
        traffic(&mut rx, &mut tx, &sink, &fake)
    }

    #[test]
    fn counters_have_names() -> Result {
        let fake = Fake::attached(&Options::default())?;
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
