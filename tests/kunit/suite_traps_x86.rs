// SPDX-License-Identifier: GPL-2.0

//! Suite: a modem that acts between two accesses of the driver to the shared memory.
//!
//! The CPU stops right after an access; only x86 does so in a way that a module can use.

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
    netdev::Netdev,
    sink::Sink,
    trap::{
        touching,
        Place, //
    },
    vring_layout::{
        Layout,
        AVAIL_F_NO_INTERRUPT,
        DESC_FLAGS,
        DESC_F_INDIRECT,
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

/// Room on both sides of a frame without a config space.
const ROOM: usize = 32;
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

/// A vring, as the modem sees it.
struct Vring<'a> {
    fake: &'a Fake,
    base: usize,
    layout: Layout,
}

impl<'a> Vring<'a> {
    fn new(fake: &'a Fake, vring: usize) -> Result<Self> {
        Ok(Self {
            fake,
            base: fake.vring(vring)?,
            layout: fake.layout(vring)?,
        })
    }

    /// The place of `len` bytes at an offset of the layout.
    fn place(&self, offset: usize, len: u32) -> Place {
        Place {
            at: self.base + offset,
            len,
        }
    }

    fn load16(&self, offset: usize) -> Result<u16> {
        self.fake.memory().read(self.base + offset)
    }

    fn load32(&self, offset: usize) -> Result<u32> {
        self.fake.memory().read(self.base + offset)
    }

    // What is written is inside of the memory, by the layout.
    fn store16(&self, offset: usize, value: u16) {
        let _ = self.fake.memory().write(self.base + offset, value);
    }

    fn store32(&self, offset: usize, value: u32) {
        let _ = self.fake.memory().write(self.base + offset, value);
    }

    fn store64(&self, offset: usize, value: u64) {
        let _ = self.fake.memory().write(self.base + offset, value);
    }
}

/// Checks that the modem was recovered once, and that frames pass again.
fn comes_back(fake: &Fake) -> Result {
    check!(
        fake.record().wait(|record| record.is_up(2)),
        "not recovered, attached {} times",
        fake.record().attaches()
    );
    check_eq!(control::crashes(fake), 1, "crashes reported");
    fake.netdev()?.open()?;
    let sink = Sink::new(fake)?;
    let mut rx = ModemRx::new(fake, DEFAULT_ROOM)?;
    let buffer = rx.buffer(b"back again")?;
    let head = rx.send(&[buffer])?;
    check!(sink.wait(1), "no frame arrived");
    sink.expect(b"back again")?;
    rx.expect_used(&[head])
}

/// Receives one frame, whose reading `spoil` disturbs right after the driver touched the place that
/// `place` names, given the first descriptor. The frame must arrive as it was before.
fn unharmed(
    place: impl Fn(&Vring<'_>, u16) -> Place,
    spoil: impl Fn(&Vring<'_>, u16) + Sync,
) -> Result {
    let fake = modem(0)?;
    let sink = Sink::new(&fake)?;
    let vring = Vring::new(&fake, 0)?;
    let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
    for number in 0..20 {
        let frame = frame(number, 200)?;
        let buffer = rx.buffer(&frame)?;
        let head = rx.post(&[buffer])?;
        let interrupt = || {
            rx.publish()?;
            fake.interrupt(0);
            check!(sink.wait(1), "no frame arrived");
            Ok(())
        };
        let spoil = || spoil(&vring, head);
        touching(fake.memory(), place(&vring, head), 1, &spoil, interrupt)?;
        sink.expect(&frame)?;
        rx.expect_used(&[head])?;
        rx.free_buffers();
    }
    check_eq!(fake.netdev()?.stats().rx_errors, 0, "rx_errors");
    check_eq!(control::crashes(&fake), 0, "crashes reported");
    Ok(())
}

/// The modem's side of the vring to send by, with the byte queue limits out of the way.
fn without_limits<'a>(fake: &'a Fake, netdev: Netdev<'_>) -> Result<ModemTx<'a>> {
    netdev.lift_byte_limits();
    let mut tx = ModemTx::new(fake)?;
    // The limits go by a first completion.
    check_eq!(netdev.send(&frame(0, 60)?), 0, "result of sending");
    let sent = tx.take()?;
    tx.complete(&sent)?;
    netdev.settle();
    Ok(tx)
}

#[kernel::macros::kunit_tests(caif_virtio_traps)]
mod tests {
    use super::*;

    #[test]
    fn length_grows_behind_its_reading() -> Result {
        unharmed(
            |vring, desc| vring.place(vring.layout.desc(desc) + DESC_LEN, 8),
            |vring, desc| vring.store32(vring.layout.desc(desc) + DESC_LEN, u32::MAX),
        )
    }

    #[test]
    fn address_changes_behind_its_reading() -> Result {
        unharmed(
            |vring, desc| vring.place(vring.layout.desc(desc), 8),
            |vring, desc| vring.store64(vring.layout.desc(desc), u64::MAX - 3),
        )
    }

    #[test]
    fn flags_change_behind_their_reading() -> Result {
        unharmed(
            |vring, desc| vring.place(vring.layout.desc(desc) + DESC_LEN, 8),
            |vring, desc| vring.store16(vring.layout.desc(desc) + DESC_FLAGS, DESC_F_INDIRECT),
        )
    }

    #[test]
    fn head_changes_behind_its_reading() -> Result {
        let fake = modem(0)?;
        let sink = Sink::new(&fake)?;
        let vring = Vring::new(&fake, 0)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let frame = frame(1, 200)?;
        let buffer = rx.buffer(&frame)?;
        let head = rx.post(&[buffer])?;
        rx.publish()?;
        let entry = vring.layout.avail_ring(0);
        touching(
            fake.memory(),
            vring.place(entry, 2),
            1,
            &|| vring.store16(entry, SLOTS),
            || {
                fake.interrupt(0);
                check!(sink.wait(1), "no frame arrived");
                Ok(())
            },
        )?;
        sink.expect(&frame)?;
        // The chain that comes back is the one that was read.
        rx.expect_used(&[head])?;
        check_eq!(control::crashes(&fake), 0, "crashes reported");
        Ok(())
    }

    #[test]
    fn available_index_goes_back_behind_its_reading() -> Result {
        let fake = modem(0)?;
        let sink = Sink::new(&fake)?;
        let vring = Vring::new(&fake, 0)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let frames = [frame(1, 200)?, frame(2, 100)?];
        for frame in &frames {
            let buffer = rx.buffer(frame)?;
            rx.post(&[buffer])?;
        }
        rx.publish()?;
        // Both chains were seen when the first one's head is read.
        let entry = vring.layout.avail_ring(0);
        touching(
            fake.memory(),
            vring.place(entry, 2),
            1,
            &|| vring.store16(vring.layout.avail_idx(), 0),
            || {
                fake.interrupt(0);
                check!(sink.wait(2), "{} of 2 frames arrived", sink.len());
                Ok(())
            },
        )?;
        for frame in &frames {
            sink.expect(frame)?;
        }
        drop(sink);
        comes_back(&fake)
    }

    #[test]
    fn used_index_goes_back_in_the_middle_of_taking_back() -> Result {
        let fake = modem(0)?;
        let netdev = fake.netdev()?;
        let vring = Vring::new(&fake, 1)?;
        let mut tx = without_limits(&fake, netdev)?;
        for number in 0..SLOTS {
            check_eq!(netdev.send(&frame(number.into(), 60)?), 0, "result");
        }
        tx.wait(SLOTS)?;
        let entry = vring.layout.used_ring(tx.used_idx());
        for _ in 0..3 {
            let head = tx.take_head()?;
            tx.put_used(head.into())?;
        }
        touching(
            fake.memory(),
            vring.place(entry, 4),
            // The first time it is read it is by the driver: the modem has written it before.
            1,
            &|| vring.store16(vring.layout.used_idx(), 0),
            || {
                tx.flush()?;
                comes_back(&fake)
            },
        )
    }

    #[test]
    fn used_id_changes_behind_its_reading() -> Result {
        let fake = modem(0)?;
        let netdev = fake.netdev()?;
        let vring = Vring::new(&fake, 1)?;
        let mut tx = without_limits(&fake, netdev)?;
        for number in 0..SLOTS {
            check_eq!(netdev.send(&frame(number.into(), 60)?), 0, "result");
        }
        tx.wait(SLOTS)?;
        let entry = vring.layout.used_ring(tx.used_idx());
        for _ in 0..SLOTS {
            let head = tx.take_head()?;
            tx.put_used(head.into())?;
        }
        touching(
            fake.memory(),
            vring.place(entry, 4),
            1,
            &|| vring.store32(entry, u32::MAX),
            || {
                tx.flush()?;
                netdev.settle();
                Ok(())
            },
        )?;
        check!(!netdev.is_stopped(), "the queue is stopped");
        check_eq!(control::crashes(&fake), 0, "crashes reported");
        check_eq!(netdev.send(&frame(99, 60)?), 0, "result of sending");
        tx.wait(1)?;
        tx.expect(&frame(99, 60)?, ROOM, ROOM)?;
        Ok(())
    }

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
            let mut tx = without_limits(&fake, netdev)?;
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
        let mut tx = without_limits(&fake, netdev)?;
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
