// SPDX-License-Identifier: GPL-2.0

//! Suite: a modem that acts right behind what the driver has just written, which tells whether the
//! driver writes and looks in the right order.
//!
//! The CPU stops right after an access; only x86 does so in a way that a module can use.

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
    sink::Sink,
    traffic::{
        without_limits,
        ROOM, //
    },
    trap::touching,
    vring::Vring,
    vring_layout::{
        AVAIL_F_NO_INTERRUPT,
        DESC_LEN,
        F_EVENT_IDX,
        USED_F_NO_NOTIFY, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Slots, as many as descriptors.
const SLOTS: u16 = 16;

/// A modem that is recovered when it crashes.
fn modem(features: u32) -> Result<Fake> {
    let fake = Fake::attached(&Options {
        recovers: true,
        features,
        ..Options::default()
    })?;
    fake.netdev()?.open()?;
    Ok(fake)
}

#[kernel::macros::kunit_tests(caif_virtio_order)]
mod tests {
    use super::*;

    #[test]
    fn chain_that_comes_when_interrupts_are_asked_for() -> Result {
        for event_idx in [false, true] {
            let fake = modem(u32::from(event_idx) << F_EVENT_IDX)?;
            let netdev = fake.netdev()?;
            let sink = Sink::new(&fake)?;
            let vring = Vring::new(&fake, 0)?;
            let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
            netdev.settle();
            let frames = [frame(1, 60)?, frame(2, 70)?];
            let mut heads = KVec::new();
            for frame in &frames {
                let buffer = rx.buffer(frame)?;
                heads.push(rx.post(&[buffer])?, GFP_KERNEL)?;
            }
            rx.wants_kick_after(2)?;
            rx.write_avail_idx(1)?;
            // Published after the store that asks and before the look for news behind it; the
            // modem looks before, and so does not interrupt.
            let at = if event_idx {
                vring.layout.avail_event()
            } else {
                vring.layout.used_flags()
            };
            let asked = |value| {
                if event_idx {
                    value == 1
                } else {
                    value & USED_F_NO_NOTIFY == 0
                }
            };
            touching(
                fake.memory(),
                vring.place(at, 2),
                u32::MAX,
                &|| {
                    if vring.load16(at).is_ok_and(asked) {
                        vring.store16(vring.layout.avail_idx(), 2);
                    }
                },
                || {
                    fake.interrupt(0);
                    check!(sink.wait(2), "{} of 2 frames arrived", sink.len());
                    Ok(())
                },
            )?;
            for frame in &frames {
                sink.expect(frame)?;
            }
            rx.expect_used(&heads)?;
        }
        Ok(())
    }

    #[test]
    fn slots_that_return_when_interrupts_are_asked_for() -> Result {
        for event_idx in [false, true] {
            let fake = modem(u32::from(event_idx) << F_EVENT_IDX)?;
            let netdev = fake.netdev()?;
            let vring = Vring::new(&fake, 1)?;
            let mut tx = without_limits(&fake)?;
            let used = tx.used_idx();
            for number in 1..SLOTS {
                check_eq!(netdev.send(&frame(number.into(), 60)?), 0, "result");
            }
            for _ in 1..SLOTS {
                let head = tx.take_head()?;
                tx.put_used(head.into())?;
            }
            let all = tx.used_idx();
            let at = if event_idx {
                vring.layout.used_event()
            } else {
                vring.layout.avail_flags()
            };
            let asked = |value| {
                if event_idx {
                    value == used
                } else {
                    value & AVAIL_F_NO_INTERRUPT == 0
                }
            };
            // The last slot is sent from, which stops the queue.
            touching(
                fake.memory(),
                vring.place(at, 2),
                u32::MAX,
                &|| {
                    if vring.load16(at).is_ok_and(asked) {
                        vring.store16(vring.layout.used_idx(), all);
                    }
                },
                || {
                    check_eq!(netdev.send(&frame(99, 60)?), 0, "result of sending");
                    Ok(())
                },
            )?;
            check!(!netdev.is_stopped(), "the queue waits for slots it has");
        }
        Ok(())
    }

    #[test]
    fn returned_chain_is_complete_when_it_is_published() -> Result {
        let fake = modem(0)?;
        let vring = Vring::new(&fake, 0)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        for round in 0..40 {
            let buffer = rx.buffer(b"returned")?;
            let head = rx.post(&[buffer, buffer])?;
            rx.publish()?;
            let elem = vring.layout.used_ring(round);
            vring.store32(elem, u32::MAX);
            vring.store32(elem + 4, u32::MAX);
            let found = [Atomic::new(0), Atomic::new(0)];
            touching(
                fake.memory(),
                vring.place(vring.layout.used_idx(), 2),
                1,
                &|| {
                    for (at, word) in (elem..).step_by(4).zip(&found) {
                        word.store(vring.load32(at).unwrap_or(u32::MAX), Relaxed);
                    }
                },
                || {
                    fake.interrupt(0);
                    check!(
                        fake.record().wait(|record| record.kicks(0) > round.into()),
                        "the modem was not kicked"
                    );
                    Ok(())
                },
            )?;
            let [id, len] = found.map(|word| word.load(Relaxed));
            check_eq!(
                [id, len],
                [head.into(), 0],
                "chain and bytes when published"
            );
            rx.expect_used(&[head])?;
            rx.free_buffers();
        }
        Ok(())
    }

    #[test]
    fn frame_is_complete_when_it_is_published() -> Result {
        let fake = modem(0)?;
        let netdev = fake.netdev()?;
        let vring = Vring::new(&fake, 1)?;
        let mut tx = without_limits(&fake)?;
        for number in 1..40 {
            let entry = vring.layout.avail_ring(number);
            let len = 60 + usize::from(number);
            vring.store16(entry, u16::MAX);
            let found = [Atomic::new(0), Atomic::new(0)];
            touching(
                fake.memory(),
                vring.place(vring.layout.avail_idx(), 2),
                1,
                &|| {
                    let [head, bytes] = &found;
                    let desc = vring.load16(entry).unwrap_or(u16::MAX);
                    head.store(desc.into(), Relaxed);
                    let at = vring.layout.desc(desc % SLOTS) + DESC_LEN;
                    bytes.store(vring.load32(at).unwrap_or(0), Relaxed);
                },
                || {
                    check_eq!(netdev.send(&frame(1, len)?), 0, "result of sending");
                    Ok(())
                },
            )?;
            let sent = tx.expect(&frame(1, len)?, ROOM, ROOM)?;
            let found = found.map(|word| word.load(Relaxed));
            let wanted = [sent.head.into(), sent.bytes.len() as u32];
            check_eq!(found, wanted, "slot and bytes when published");
            tx.complete(&sent)?;
        }
        Ok(())
    }

    #[test]
    fn kick_that_is_asked_for_when_a_chain_returns() -> Result {
        let fake = modem(0)?;
        let sink = Sink::new(&fake)?;
        let vring = Vring::new(&fake, 0)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let buffer = rx.buffer(b"returned")?;
        rx.want_no_kicks()?;
        let head = rx.post(&[buffer])?;
        rx.publish()?;
        let kicks = fake.record().kicks(0);
        touching(
            fake.memory(),
            vring.place(vring.layout.used_idx(), 2),
            1,
            &|| vring.store16(vring.layout.avail_flags(), 0),
            || {
                fake.interrupt(0);
                check!(
                    fake.record().wait(|record| record.kicks(0) == kicks + 1),
                    "the modem was not kicked"
                );
                Ok(())
            },
        )?;
        check!(sink.wait(1), "no frame arrived");
        rx.expect_used(&[head])
    }
}
