// SPDX-License-Identifier: GPL-2.0

//! Suite: a modem that does the wrong thing at the worst moment.

use crate::{
    abstractions::remoteproc::Crash,
    control,
    fake::{
        Fake,
        Options, //
    },
    frames::frame,
    modem_rx::{
        Buffer,
        ModemRx,
        DEFAULT_ROOM, //
    },
    modem_tx::ModemTx,
    netdev::FREED,
    rival,
    sink::Sink,
    traffic::{
        comes_back,
        post_long, //
    },
    unsafe_memory,
    vring_layout::{
        DESC_F_INDIRECT,
        DESC_F_NEXT,
        DESC_F_WRITE, //
    }, //
};
use kernel::prelude::*;

/// A modem that is recovered when it crashes.
fn modem() -> Result<Fake> {
    let fake = Fake::attached(&Options {
        num: [128, 16],
        recovers: true,
        ..Options::default()
    })?;
    fake.netdev()?.open()?;
    Ok(fake)
}

/// Checks that these frames arrive next.
fn arrive(sink: &Sink<'_>, frames: &[KVec<u8>]) -> Result {
    check!(
        sink.wait(frames.len()),
        "{} of {} frames arrived",
        sink.len(),
        frames.len()
    );
    for frame in frames {
        sink.expect(frame)?;
    }
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_moments)]
mod tests {
    use super::*;

    #[test]
    fn crash_in_the_middle_of_sending() -> Result {
        let fake = modem()?;
        fake.record().kick_of(1).once(
            || {
                fake.rproc().report_crash(Crash::Fatal);
                Ok(())
            },
            || {
                check_eq!(fake.netdev()?.send(&frame(1, 60)?), 0, "result");
                Ok(())
            },
        )?;
        comes_back(&fake, 1)
    }

    #[test]
    fn descriptors_that_change_behind_a_fetch() -> Result {
        let fake = modem()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let (frames, head) = post_long(&mut rx)?;
        let num = rx.num();
        let bad = Buffer {
            addr: u64::MAX - 7,
            len: u32::MAX,
            flags: DESC_F_NEXT | DESC_F_WRITE | DESC_F_INDIRECT,
        };
        sink.arrival().once(
            || {
                for desc in 0..num {
                    rx.write_desc(desc, &bad, num)?;
                }
                Ok(())
            },
            || {
                fake.interrupt(0);
                Ok(())
            },
        )?;
        arrive(&sink, &frames)?;
        rx.expect_used(&[head])?;
        check_eq!(fake.netdev()?.stats().rx_errors, 0, "rx_errors");
        check!(sink.is_empty(), "there are more frames");
        Ok(())
    }

    #[test]
    fn payload_that_changes_behind_a_copy() -> Result {
        let fake = modem()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let frame = frame(3, 500)?;
        let buffer = rx.buffer(&frame)?;
        let head = rx.post(&[buffer])?;
        rx.publish()?;
        // The kick that returns the chain is when the modem may use its buffer again.
        fake.record().kick_of(0).once(
            || unsafe_memory::fill(fake.memory(), fake.heap(), fake.heap_len(), 0x99),
            || {
                fake.interrupt(0);
                Ok(())
            },
        )?;
        check!(sink.wait(1), "no frame arrived");
        sink.expect(&frame)?;
        rx.expect_used(&[head])
    }

    #[test]
    fn available_index_goes_back_before_a_chain_returns() -> Result {
        let fake = modem()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let (frames, _) = post_long(&mut rx)?;
        sink.arrival().once(
            || rx.write_avail_idx(0),
            || {
                fake.interrupt(0);
                Ok(())
            },
        )?;
        // What was fetched before is as good as it was.
        arrive(&sink, &frames)?;
        drop(sink);
        comes_back(&fake, 1)
    }

    #[test]
    fn slots_that_return_in_the_middle_of_sending() -> Result {
        let fake = modem()?;
        let netdev = fake.netdev()?;
        netdev.lift_byte_limits();
        let mut tx = ModemTx::new(&fake)?;
        for number in 0..200 {
            fake.record().kick_of(1).once(
                || {
                    while tx.waiting()? > 0 {
                        let head = tx.take_head()?;
                        tx.put_used(head.into())?;
                    }
                    tx.flush()?;
                    fake.interrupt(1);
                    Ok(())
                },
                || {
                    check_eq!(netdev.send(&frame(number, 60)?), 0, "result of sending");
                    Ok(())
                },
            )?;
        }
        netdev.settle();
        check!(!netdev.is_stopped(), "the queue is stopped");
        let stats = netdev.stats();
        check_eq!(stats.tx_packets, 200, "tx_packets");
        check_eq!(stats.tx_errors + stats.tx_dropped, 0, "frames dropped");
        check_eq!(control::crashes(&fake), 0, "crashes reported");
        Ok(())
    }

    #[test]
    fn more_slots_return_than_are_published() -> Result {
        let fake = modem()?;
        let mut tx = ModemTx::new(&fake)?;
        FREED.once(
            || {
                // The first two slots to be used, as anyone can guess, but there is only one frame.
                tx.put_used(0)?;
                tx.put_used(1)?;
                tx.write_used_idx(tx.used_idx())?;
                fake.interrupt(1);
                Ok(())
            },
            || {
                check_eq!(fake.netdev()?.send_watched(&frame(1, 60)?), 0, "result");
                Ok(())
            },
        )?;
        comes_back(&fake, 1)
    }

    #[test]
    fn all_slots_return_when_the_watchdog_bites() -> Result {
        let fake = modem()?;
        let netdev = fake.netdev()?;
        netdev.lift_byte_limits();
        let mut tx = ModemTx::new(&fake)?;
        for number in 0..8 {
            check_eq!(netdev.send(&frame(number, 60)?), 0, "result of sending");
        }
        rival::beside(
            &|| {
                fake.interrupt(1);
            },
            || {
                while tx.waiting()? > 0 {
                    let head = tx.take_head()?;
                    tx.put_used(head.into())?;
                }
                tx.write_used_idx(tx.used_idx())?;
                netdev.time_out();
                Ok(())
            },
        )?;
        comes_back(&fake, 1)
    }
}
