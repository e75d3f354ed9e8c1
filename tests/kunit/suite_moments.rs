// SPDX-License-Identifier: GPL-2.0

//! Suite: a modem that violates the rules at critical moments.

use crate::{
    abstractions::remoteproc::Crash,
    control,
    fake::{
        Fake,
        FakeOptions, //
    },
    frames::frame,
    modem_ring::Desc,
    netdev::FREED,
    traffic::{
        comes_back,
        Link, //
    },
    unsafe_memory,
    vring_layout::{
        DESC_F_INDIRECT,
        DESC_F_NEXT,
        DESC_F_WRITE, //
    }, //
};
use kernel::prelude::*;

/// Returns a modem that is recovered when it crashes.
fn modem() -> Result<Fake> {
    Fake::attached(&FakeOptions {
        num: [128, 16],
        recovers: true,
        ..FakeOptions::default()
    })
}

#[kernel::macros::kunit_tests(caif_virtio_moments)]
mod tests {
    use super::*;

    #[test]
    fn crash_in_the_middle_of_sending() -> Result {
        let fake = modem()?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        fake.record().kick_of(1).once(
            || {
                fake.rproc().report_crash(Crash::Fatal);
                Ok(())
            },
            || {
                check_eq!(netdev.send(&frame(1, 60)?), 0, "result of sending");
                Ok(())
            },
        )?;
        comes_back(&fake, 1)
    }

    #[test]
    fn descriptors_that_change_behind_a_fetch() -> Result {
        let fake = modem()?;
        let mut link = Link::new(&fake)?;
        let (frames, head) = link.post_long()?;
        let num = link.rx.ring.fields().num();
        let bad = Desc {
            addr: u64::MAX - 7,
            len: u32::MAX,
            flags: DESC_F_NEXT | DESC_F_WRITE | DESC_F_INDIRECT,
            next: num,
        };
        link.sink.arrival().once(
            || {
                for desc in 0..num {
                    link.rx.ring.fields().write_desc(desc, bad);
                }
                Ok(())
            },
            || {
                fake.interrupt(0);
                Ok(())
            },
        )?;
        link.arrive(&frames, &[head])?;
        check_eq!(link.netdev.stats().rx_errors, 0, "rx_errors");
        check!(link.sink.is_empty(), "there are more frames");
        Ok(())
    }

    #[test]
    fn payload_that_changes_behind_a_copy() -> Result {
        let fake = modem()?;
        let mut link = Link::new(&fake)?;
        let frames = [frame(3, 500)?];
        let heads = link.post(&frames)?;
        link.rx.ring.publish();
        // At the kick that returns the chain the modem may use its buffer again.
        fake.record().kick_of(0).once(
            || unsafe_memory::fill(fake.memory(), fake.heap(), fake.heap_len(), 0x99),
            || {
                fake.interrupt(0);
                Ok(())
            },
        )?;
        link.arrive(&frames, &heads)
    }

    #[test]
    fn available_index_goes_back_before_a_chain_returns() -> Result {
        let fake = modem()?;
        let mut link = Link::new(&fake)?;
        let (frames, _) = link.post_long()?;
        link.sink.arrival().once(
            || {
                link.rx.ring.fields().write_avail_idx(0);
                Ok(())
            },
            || {
                fake.interrupt(0);
                Ok(())
            },
        )?;
        // Descriptors fetched before the change are still used.
        link.sink.expect(&frames)?;
        drop(link);
        comes_back(&fake, 1)
    }

    #[test]
    fn slots_that_return_in_the_middle_of_sending() -> Result {
        let fake = modem()?;
        let mut link = Link::new(&fake)?;
        let netdev = link.netdev;
        link.lift_byte_limits()?;
        for number in 0..200 {
            fake.record().kick_of(1).once(
                || {
                    link.tx.put_back(link.tx.ring.waiting())?;
                    link.tx.flush();
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
        check_eq!(stats.tx_packets, 201, "tx_packets");
        check_eq!(stats.tx_errors + stats.tx_dropped, 0, "frames dropped");
        check_eq!(control::crashes(&fake), 0, "crashes reported");
        Ok(())
    }

    #[test]
    fn more_slots_return_than_are_published() -> Result {
        let fake = modem()?;
        let mut link = Link::new(&fake)?;
        let netdev = link.netdev;
        FREED.once(
            || {
                // The first two slots that are used, though there is only one frame.
                link.tx.ring.put_used(0, 0);
                link.tx.ring.put_used(1, 0);
                link.tx.ring.expose();
                fake.interrupt(1);
                Ok(())
            },
            || {
                check_eq!(netdev.send_watched(&frame(1, 60)?), 0, "result of sending");
                Ok(())
            },
        )?;
        drop(link);
        comes_back(&fake, 1)
    }
}
