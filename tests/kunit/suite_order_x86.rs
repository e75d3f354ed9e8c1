// SPDX-License-Identifier: GPL-2.0

//! Suite: a modem that acts right after an access of the driver, to test the order of the driver's
//! accesses.
//!
//! The CPU stops right after an access; only x86 does so in a way that a module can use.

use crate::{
    fake::{
        Fake,
        FakeOptions, //
    },
    frames::frame,
    modem_ring::Used,
    traffic::Link,
    trap::touching,
    vring_layout::{
        AVAIL_F_NO_INTERRUPT,
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

/// Returns a modem that is recovered when it crashes.
fn modem(event_idx: bool) -> Result<Fake> {
    Fake::attached(&FakeOptions {
        recovers: true,
        features: u32::from(event_idx) << F_EVENT_IDX,
        ..FakeOptions::default()
    })
}

#[kernel::macros::kunit_tests(caif_virtio_order)]
mod tests {
    use super::*;

    #[test]
    fn chain_that_comes_when_interrupts_are_asked_for() -> Result {
        for event_idx in [false, true] {
            let fake = modem(event_idx)?;
            let mut link = Link::new(&fake)?;
            let vring = fake.vring(0)?;
            link.netdev.settle();
            let frames = [frame(1, 60)?, frame(2, 70)?];
            let heads = link.post(&frames)?;
            link.rx.ring.notify_after(2);
            vring.write_avail_idx(1);
            let asks = if event_idx {
                vring.layout().avail_event()
            } else {
                vring.layout().used_flags()
            };
            let asks = vring.mem().location(asks, 2);
            let asked = || {
                if event_idx {
                    vring.avail_event() == 1
                } else {
                    vring.used_flags() & USED_F_NO_NOTIFY == 0
                }
            };
            // Published after the store that asks for an interrupt and before the driver's next
            // look; the modem looks before the store, and so does not interrupt.
            let publish = || {
                if asked() {
                    vring.write_avail_idx(2);
                }
            };
            touching(&fake, asks, u32::MAX, &publish, || {
                fake.interrupt(0);
                check!(link.sink.wait(2), "{} of 2 frames arrived", link.sink.len());
                Ok(())
            })?;
            // So that the model has both, too.
            link.rx.ring.expose();
            link.arrive(&frames, &heads)?;
        }
        Ok(())
    }

    #[test]
    fn slots_that_return_when_interrupts_are_asked_for() -> Result {
        for event_idx in [false, true] {
            let fake = modem(event_idx)?;
            let mut link = Link::new(&fake)?;
            let vring = fake.vring(1)?;
            link.lift_byte_limits()?;
            let before = link.tx.ring.next_used();
            link.fill_and_return(SLOTS - 1)?;
            let all = link.tx.ring.next_used();
            let asks = if event_idx {
                vring.layout().used_event()
            } else {
                vring.layout().avail_flags()
            };
            let asks = vring.mem().location(asks, 2);
            let asked = || {
                if event_idx {
                    vring.used_event() == before
                } else {
                    vring.avail_flags() & AVAIL_F_NO_INTERRUPT == 0
                }
            };
            let publish = || {
                if asked() {
                    vring.write_used_idx(all);
                }
            };
            // Sending from the last slot stops the queue.
            touching(&fake, asks, u32::MAX, &publish, || {
                check_eq!(link.netdev.send(&frame(99, 60)?), 0, "result of sending");
                Ok(())
            })?;
            check!(
                !link.netdev.is_stopped(),
                "the queue waits for slots it has"
            );
        }
        Ok(())
    }

    #[test]
    fn returned_chain_is_complete_when_it_is_published() -> Result {
        let fake = modem(false)?;
        let mut link = Link::new(&fake)?;
        let vring = fake.vring(0)?;
        let used = vring.mem().location(vring.layout().used_idx(), 2);
        for round in 0..40 {
            let none = Used {
                id: u32::MAX,
                len: u32::MAX,
            };
            vring.write_used(round, none);
            let frames = [frame(round.into(), 60)?];
            let heads = link.post(&frames)?;
            link.rx.ring.publish();
            let found = [Atomic::new(0), Atomic::new(0)];
            let look = || {
                let Used { id, len } = vring.used(round);
                found[0].store(id, Relaxed);
                found[1].store(len, Relaxed);
            };
            touching(&fake, used, 1, &look, || {
                fake.interrupt(0);
                link.rx.wait_used(1)
            })?;
            let found = found.map(|word| word.load(Relaxed));
            let wanted = [u32::from(heads[0]), 0];
            check_eq!(found, wanted, "chain and bytes when published");
            link.arrive(&frames, &heads)?;
        }
        Ok(())
    }

    #[test]
    fn frame_is_complete_when_it_is_published() -> Result {
        let fake = modem(false)?;
        let mut link = Link::new(&fake)?;
        let vring = fake.vring(1)?;
        link.lift_byte_limits()?;
        let avail = vring.mem().location(vring.layout().avail_idx(), 2);
        for number in 1..40 {
            vring.write_avail(number, u16::MAX);
            let found = [Atomic::new(0), Atomic::new(0)];
            let look = || {
                let head = vring.avail(number);
                found[0].store(head.into(), Relaxed);
                found[1].store(vring.desc(head % SLOTS).len, Relaxed);
            };
            let frame = frame(1, 60 + usize::from(number))?;
            touching(&fake, avail, 1, &look, || {
                check_eq!(link.netdev.send(&frame), 0, "result of sending");
                Ok(())
            })?;
            let sent = link.tx.expect(&frame)?;
            let found = found.map(|word| word.load(Relaxed));
            let wanted = [sent.head.into(), sent.bytes.len() as u32];
            check_eq!(found, wanted, "slot and bytes when published");
            link.tx.complete(sent.head);
        }
        Ok(())
    }

    #[test]
    fn kick_that_is_asked_for_when_a_chain_returns() -> Result {
        let fake = modem(false)?;
        let mut link = Link::new(&fake)?;
        let vring = fake.vring(0)?;
        let frames = [frame(1, 60)?];
        link.rx.ring.disable_notify();
        let heads = link.post(&frames)?;
        link.rx.ring.publish();
        let kicks = fake.record().kicks(0);
        let used = vring.mem().location(vring.layout().used_idx(), 2);
        touching(&fake, used, 1, &|| vring.write_avail_flags(0), || {
            fake.interrupt(0);
            check!(
                fake.record().wait(|record| record.kicks(0) == kicks + 1),
                "the modem was not kicked"
            );
            Ok(())
        })?;
        link.arrive(&frames, &heads)
    }
}
