// SPDX-License-Identifier: GPL-2.0

//! Suite: a broken ring ends the link, and recovery brings it back.

use crate::{
    abstractions::remoteproc::State,
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
    sink::Sink,
    watch::Watch, //
};
use kernel::prelude::*;

/// Breaks a ring; the modem has done nothing before but one chain.
type Break = fn(&Fake, &mut ModemRx<'_>, &mut ModemTx<'_>) -> Result;

/// Passes a frame each way.
fn passes(fake: &Fake, rx: &mut ModemRx<'_>, tx: &mut ModemTx<'_>) -> Result {
    let netdev = fake.netdev()?;
    netdev.open()?;
    let sink = Sink::new(fake)?;
    let frame = frame(7, 99)?;
    let buffer = rx.buffer(&frame)?;
    let head = rx.send(&[buffer])?;
    check!(sink.wait(1), "no frame arrived");
    sink.expect(&frame)?;
    rx.expect_used(&[head])?;
    check_eq!(netdev.send(&frame), 0, "result of sending");
    tx.wait(1)?;
    let sent = tx.expect(&frame, 32, 32)?;
    tx.complete(&sent)?;
    Ok(())
}

/// Checks that a broken ring ends the link of a modem that is not to be recovered, and that
/// binding the driver anew is what it takes to use it again.
fn stays_down(fake: &Fake, break_ring: Break) -> Result {
    let mut rx = ModemRx::new(fake, DEFAULT_ROOM)?;
    let mut tx = ModemTx::new(fake)?;
    passes(fake, &mut rx, &mut tx)?;
    let netdev = fake.netdev()?;
    let before = netdev.stats();
    let used = rx.used_idx()?;

    let watch = Watch::new()?;
    break_ring(fake, &mut rx, &mut tx)?;
    check!(watch.wait(|| !netdev.carrier()), "the carrier is still on");
    drop(watch);
    netdev.settle();
    // The statistics show it, by the direction that broke.
    let broken = netdev.stats();
    let [rx_broken, tx_broken] = [
        broken.rx_fifo_errors - before.rx_fifo_errors,
        broken.tx_fifo_errors - before.tx_fifo_errors,
    ];
    check_eq!(rx_broken + tx_broken, 1, "broken rings in the statistics");
    check_eq!(broken.rx_errors - before.rx_errors, rx_broken, "rx_errors");
    check_eq!(broken.tx_errors - before.tx_errors, tx_broken, "tx_errors");
    // The modem can interrupt as it likes, the driver is not bothered any more.
    check!(!fake.interrupt(0), "an interrupt for vring 0 was heard");
    check!(!fake.interrupt(1), "an interrupt for vring 1 was heard");

    // Whatever the modem does now, nobody looks.
    let sink = Sink::new(fake)?;
    let kicks = fake.record().kicks(0) + fake.record().kicks(1);
    let waiting = tx.waiting()?;
    let good = rx.buffer(&frame(1, 50)?)?;
    rx.post(&[good])?;
    rx.publish()?;
    fake.interrupt(0);
    fake.interrupt(1);
    netdev.send(&frame(2, 50)?);
    netdev.close();
    netdev.open()?;
    fake.interrupt(0);
    fake.interrupt(1);
    netdev.close();
    check!(!netdev.carrier(), "the carrier came back");
    check!(sink.is_empty(), "frames arrive by a broken ring");
    check_eq!(rx.used_idx()?, used, "used.idx");
    check_eq!(tx.waiting()?, waiting, "frames sent");
    let kicks_now = fake.record().kicks(0) + fake.record().kicks(1);
    check_eq!(kicks_now, kicks, "kicks");
    let stats = netdev.stats();
    check_eq!(stats.rx_packets, before.rx_packets, "rx_packets");
    check_eq!(control::crashes(fake), 0, "crashes reported");
    check_eq!(fake.rproc().state(), State::Attached, "state");

    control::unbind(fake)?;
    check!(
        fake.find_netdev().is_none(),
        "there is a device after unbind"
    );
    check!(control::bind(fake)?, "the driver does not bind again");
    check!(fake.netdev()?.carrier(), "the carrier is off");
    passes(
        fake,
        &mut ModemRx::new(fake, DEFAULT_ROOM)?,
        &mut ModemTx::new(fake)?,
    )
}

/// Checks that a broken ring is reported, and that the link is there again after recovery.
fn comes_back(break_ring: Break) -> Result {
    let fake = Fake::attached(&Options {
        recovers: true,
        ..Options::default()
    })?;
    for round in 1..=2 {
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let mut tx = ModemTx::new(&fake)?;
        passes(&fake, &mut rx, &mut tx)?;
        break_ring(&fake, &mut rx, &mut tx)?;
        check!(
            fake.record().wait(|record| record.is_up(round + 1)),
            "not recovered, attached {} times",
            fake.record().attaches()
        );
        check_eq!(fake.record().releases(), round, "detaches");
        check_eq!(control::crashes(&fake), round, "crashes reported");
    }
    passes(
        &fake,
        &mut ModemRx::new(&fake, DEFAULT_ROOM)?,
        &mut ModemTx::new(&fake)?,
    )
}

/// Both of the above.
fn breaks(break_ring: Break) -> Result {
    let fake = Fake::attached(&Options {
        recovers: true,
        ..Options::default()
    })?;
    control::set_recovery(&fake, false);
    stays_down(&fake, break_ring)?;
    drop(fake);
    comes_back(break_ring)
}

/// Makes the last chain visible, however it is, and interrupts.
fn go(fake: &Fake, rx: &mut ModemRx<'_>) -> Result {
    rx.publish()?;
    fake.interrupt(0);
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_ring_faults)]
mod tests {
    use super::*;

    #[test]
    fn head_out_of_range() -> Result {
        breaks(|fake, rx, _| {
            rx.write_avail(rx.num())?;
            go(fake, rx)
        })
    }

    #[test]
    fn returned_slot_out_of_range() -> Result {
        breaks(|fake, _, tx| {
            tx.put_used(999)?;
            tx.flush()?;
            fake.interrupt(1);
            Ok(())
        })
    }

    #[test]
    fn modem_that_cannot_be_recovered() -> Result {
        // Neither attached to again nor booted: there is no firmware. A report would take it down
        // for good.
        let fake = Fake::attached(&Options::default())?;
        stays_down(&fake, |fake, rx, _| {
            rx.write_avail(rx.num())?;
            go(fake, rx)
        })
    }

    #[test]
    fn binding_anew_while_recovery_is_under_way() -> Result {
        let fake = Fake::attached(&Options {
            recovers: true,
            ..Options::default()
        })?;
        for round in 1..=10 {
            let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
            passes(&fake, &mut rx, &mut ModemTx::new(&fake)?)?;
            rx.write_avail(rx.num())?;
            go(&fake, &mut rx)?;
            // There may be no virtio device at this moment; whoever binds it, it comes up.
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
}
