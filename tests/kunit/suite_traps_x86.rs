// SPDX-License-Identifier: GPL-2.0

//! Suite: a modem that changes what the driver has just read.
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
    sink::Sink,
    traffic::{
        comes_back,
        without_limits,
        ROOM, //
    },
    trap::{
        touching,
        Place, //
    },
    vring::Vring,
    vring_layout::{
        DESC_FLAGS,
        DESC_F_INDIRECT,
        DESC_LEN, //
    }, //
};
use kernel::prelude::*;

/// Slots, as many as descriptors.
const SLOTS: u16 = 16;

/// A modem that is recovered when it crashes.
fn modem() -> Result<Fake> {
    let fake = Fake::attached(&Options {
        recovers: true,
        ..Options::default()
    })?;
    fake.netdev()?.open()?;
    Ok(fake)
}

/// Receives one frame, whose reading `spoil` disturbs right after the driver touched the place that
/// `place` names, given the first descriptor. The frame must arrive as it was before.
fn unharmed(
    place: impl Fn(&Vring<'_>, u16) -> Place,
    spoil: impl Fn(&Vring<'_>, u16) + Sync,
) -> Result {
    let fake = modem()?;
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
        let fake = modem()?;
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
        let fake = modem()?;
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
        comes_back(&fake, 1)
    }

    #[test]
    fn used_index_goes_back_in_the_middle_of_taking_back() -> Result {
        let fake = modem()?;
        let netdev = fake.netdev()?;
        let vring = Vring::new(&fake, 1)?;
        let mut tx = without_limits(&fake)?;
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
                comes_back(&fake, 1)
            },
        )
    }

    #[test]
    fn used_id_changes_behind_its_reading() -> Result {
        let fake = modem()?;
        let netdev = fake.netdev()?;
        let vring = Vring::new(&fake, 1)?;
        let mut tx = without_limits(&fake)?;
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
}
