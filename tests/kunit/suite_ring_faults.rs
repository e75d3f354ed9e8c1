// SPDX-License-Identifier: GPL-2.0

//! Suite: a broken ring ends the link of a modem that is not recovered.

use crate::{
    abstractions::{
        event::Event,
        remoteproc::State, //
    },
    control,
    fake::{
        Fake,
        FakeOptions,
        TIMEOUT_MS, //
    },
    frames::frame,
    modem_ring::Desc,
    scope,
    traffic::{
        comes_back,
        passes,
        Link, //
    },
    vring_layout::DESC_F_WRITE, //
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

/// Breaks a vring by a chain or a slot that does not exist.
fn break_ring(fake: &Fake, link: &mut Link<'_>, vring: u32) -> Result {
    if vring == 0 {
        let num = link.rx.ring.fields().num();
        link.rx.ring.put(num);
        link.rx.ring.publish();
    } else {
        link.tx.ring.put_used(999, 0);
        link.tx.flush();
    }
    fake.interrupt(vring);
    link.netdev.settle();
    Ok(())
}

/// Checks that a broken vring ends the link of a modem, and binds the driver anew to use it again.
fn stays_down(fake: &Fake, vring: u32) -> Result {
    let mut link = Link::new(fake)?;
    link.pass(1)?;
    let netdev = link.netdev;
    let before = netdev.stats();
    let used = link.rx.ring.fields().used_idx();
    break_ring(fake, &mut link, vring)?;

    check!(!netdev.carrier(), "the carrier is still on");
    let [rx, tx] = [(vring == 0).into(), (vring == 1).into()];
    let stats = netdev.stats();
    check_eq!(
        [stats.rx_fifo_errors, stats.rx_errors],
        [rx; 2],
        "receive errors"
    );
    check_eq!(
        [stats.tx_fifo_errors, stats.tx_errors],
        [tx; 2],
        "transmit errors"
    );
    check!(!fake.interrupt(0), "an interrupt for vring 0 was heard");
    check!(!fake.interrupt(1), "an interrupt for vring 1 was heard");

    // The driver ignores all that the modem does from now on.
    let kicks = [fake.record().kicks(0), fake.record().kicks(1)];
    let waiting = link.tx.ring.waiting();
    link.post(&[frame(1, 50)?])?;
    link.rx.ring.publish();
    netdev.send(&frame(2, 50)?);
    netdev.close();
    netdev.open()?;
    fake.interrupt(0);
    fake.interrupt(1);
    netdev.close();
    check!(!netdev.carrier(), "the carrier came back");
    check!(link.sink.is_empty(), "frames arrive by a broken ring");
    check_eq!(link.rx.ring.fields().used_idx(), used, "used.idx");
    check_eq!(link.tx.ring.waiting(), waiting, "frames sent");
    let kicks_now = [fake.record().kicks(0), fake.record().kicks(1)];
    check_eq!(kicks_now, kicks, "kicks");
    check_eq!(netdev.stats().rx_packets, before.rx_packets, "rx_packets");
    check_eq!(control::crashes(fake), 0, "crashes reported");
    check_eq!(fake.rproc().state(), State::Attached, "state");

    drop(link);
    control::unbind(fake)?;
    control::bind(fake)?;
    check!(fake.netdev()?.carrier(), "the carrier is off");
    Ok(())
}

/// Passes a frame whose index is too small for a moment, and no interrupt follows when it is valid:
/// the poll after 10 ms finds it.
fn half_stored_for_a_moment(fake: &Fake, link: &mut Link<'_>) -> Result {
    let frames = [frame(9, 60)?];
    let heads = link.post(&frames)?;
    link.rx.ring.fields().write_avail_idx(1);
    fake.interrupt(0);
    link.netdev.settle();
    check!(link.netdev.carrier(), "the link went down");
    link.rx.ring.publish();
    link.arrive(&frames, &heads)
}

#[kernel::macros::kunit_tests(caif_virtio_ring_faults)]
mod tests {
    use super::*;

    #[test]
    fn modem_whose_recovery_is_disabled() -> Result {
        let fake = Fake::recovering()?;
        control::set_recovery(&fake, false);
        stays_down(&fake, 0)?;
        stays_down(&fake, 1)?;
        passes(&fake)
    }

    #[test]
    fn modem_that_cannot_be_recovered() -> Result {
        // It can be neither attached to again nor booted, as there is no firmware: a crash report
        // would stop it permanently.
        let fake = Fake::attached(&FakeOptions::default())?;
        stays_down(&fake, 0)?;
        stays_down(&fake, 1)?;
        passes(&fake)
    }

    /// The interface comes up, and a ring is found broken, while remoteproc still attaches.
    #[test]
    fn modem_that_cannot_be_recovered_and_is_being_attached_to() -> Result {
        let fake = Fake::new(&FakeOptions::default())?;
        let probes = Arc::pin_init(Event::new(), GFP_KERNEL)?;
        let is_over = AtomicFlag::new(false);
        let break_it = || -> Result {
            check!(probes.wait(TIMEOUT_MS), "the driver is not ready");
            let netdev = fake.netdev()?;
            netdev.open()?;
            fake.vring(0)?.write_avail_idx(0x4000);
            fake.interrupt(0);
            netdev.settle();
            Ok(())
        };
        let user = || {
            // What the test looks at in the end tells whether it succeeded.
            let _ = break_it();
            is_over.store(true, Relaxed);
        };
        fake.record().kick_of(0).once(
            || {
                probes.set();
                check!(
                    control::spin_until(|| is_over.load(Relaxed)),
                    "the ring is not found broken"
                );
                Ok(())
            },
            || scope::beside(&user, || fake.attach())?,
        )?;
        control::flush_crashes(&fake);
        check_eq!(control::crashes(&fake), 0, "crashes reported");
        check_eq!(fake.rproc().state(), State::Attached, "state");
        check!(!fake.netdev()?.carrier(), "the carrier is on");
        control::unbind(&fake)?;
        control::bind(&fake)?;
        passes(&fake)
    }

    #[test]
    fn binding_anew_while_recovery_is_under_way() -> Result {
        let fake = Fake::recovering()?;
        for round in 1..=10 {
            let mut link = Link::new(&fake)?;
            link.pass(round)?;
            let num = link.rx.ring.fields().num();
            link.rx.ring.put(num);
            link.rx.ring.publish();
            fake.interrupt(0);
            drop(link);
            // There may be no virtio device at this moment; it comes up in either case.
            let _ = control::unbind(&fake);
            let _ = control::bind(&fake);
            check!(
                fake.record().wait(|record| record.is_up(round + 1)),
                "not recovered, attached {} times",
                fake.record().attaches()
            );
        }
        Ok(())
    }

    #[test]
    fn index_that_is_stored_in_two_halves() -> Result {
        let fake = Fake::recovering()?;
        let mut link = Link::new(&fake)?;
        link.pass(1)?;
        half_stored_for_a_moment(&fake, &mut link)?;

        let head = link.send(&frame(10, 60)?)?;
        let used = link.tx.ring.fields().used_idx();
        link.tx.ring.fields().write_used_idx(used.wrapping_sub(1));
        fake.interrupt(1);
        link.netdev.settle();
        check!(link.netdev.carrier(), "the link went down");
        link.tx.complete(head);
        link.pass(4)?;
        check_eq!(control::crashes(&fake), 0, "crashes reported");
        Ok(())
    }

    /// Polls that follow each other at once are not looks with time in between.
    #[test]
    fn index_that_is_stored_in_two_halves_under_load() -> Result {
        /// Chains for more polls than looks that are tolerated.
        const LOAD: u16 = 2000;

        let fake = Fake::attached(&FakeOptions {
            num: [2048, 16],
            ..FakeOptions::default()
        })?;
        let mut link = Link::new(&fake)?;
        link.pass(1)?;
        half_stored_for_a_moment(&fake, &mut link)?;

        let head = link.send(&frame(10, 60)?)?;
        let used = link.tx.ring.fields().used_idx();
        link.tx.ring.fields().write_used_idx(used.wrapping_sub(1));
        // No packets come of buffers for the modem to receive.
        let buffer = Desc {
            flags: DESC_F_WRITE,
            ..link.rx.buffer(&frame(11, 60)?)?
        };
        for _ in 0..LOAD {
            link.rx.post(&[buffer])?;
        }
        link.rx.flush()?;
        link.rx.wait_used(LOAD)?;
        // From here on time counts.
        link.tx.ring.fields().write_used_idx(used);
        check!(link.netdev.carrier(), "the link went down");
        link.tx.complete(head);
        while link.rx.take_used()?.is_some() {}
        link.pass(4)
    }

    #[test]
    fn index_that_stays_too_small() -> Result {
        for vring in [0, 1] {
            let fake = Fake::recovering()?;
            let mut link = Link::new(&fake)?;
            link.pass(1)?;
            // No further interrupt is needed for the ring to be found broken.
            if vring == 0 {
                link.rx.ring.fields().write_avail_idx(1);
            } else {
                link.tx.ring.fields().write_used_idx(1);
            }
            fake.interrupt(vring);
            drop(link);
            comes_back(&fake, 1)?;
        }
        Ok(())
    }
}
