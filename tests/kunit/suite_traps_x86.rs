// SPDX-License-Identifier: GPL-2.0

//! Suite: a modem that changes memory right after the driver read it.
//!
//! The CPU stops right after an access; only x86 does so in a way that a module can use.

use crate::{
    control,
    fake::Fake,
    frames::frame,
    modem_ring::{
        Desc,
        Fields,
        Used, //
    },
    traffic::{
        comes_back,
        Link, //
    },
    trap::touching,
    vring::VringMem,
    vring_layout::{
        Layout,
        DESC_F_INDIRECT,
        DESC_LEN, //
    }, //
};
use kernel::prelude::*;

/// Slots, as many as descriptors.
const SLOTS: u16 = 16;

/// Receives frames. Right after the driver accessed the bytes that `bytes` returns, by offset and
/// number, `spoil` writes to the vring; both get the place in the available ring and the head of
/// the frame's chain. The frames must arrive unchanged.
fn unharmed(
    bytes: impl Fn(&Layout, u16, u16) -> (usize, u32),
    spoil: impl Fn(&Fields<VringMem<'_>>, u16, u16) + Sync,
) -> Result {
    let fake = Fake::recovering()?;
    let mut link = Link::new(&fake)?;
    let vring = fake.vring(0)?;
    for number in 0..20 {
        let frames = [frame(number.into(), 200)?];
        let heads = link.post(&frames)?;
        let (at, len) = bytes(vring.layout(), number, heads[0]);
        let spoil = || spoil(&vring, number, heads[0]);
        touching(&fake, vring.mem().location(at, len), 1, &spoil, || {
            link.rx.ring.publish();
            fake.interrupt(0);
            check!(link.sink.wait(1), "no frame arrived");
            Ok(())
        })?;
        link.arrive(&frames, &heads)?;
    }
    check_eq!(link.netdev.stats().rx_errors, 0, "rx_errors");
    check_eq!(control::crashes(&fake), 0, "crashes reported");
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_traps)]
mod tests {
    use super::*;

    #[test]
    fn length_grows_behind_its_reading() -> Result {
        unharmed(
            |layout, _, head| (layout.desc(head) + DESC_LEN, 8),
            |vring, _, head| {
                let len = u32::MAX;
                let desc = vring.desc(head);
                vring.write_desc(head, Desc { len, ..desc });
            },
        )
    }

    #[test]
    fn address_changes_behind_its_reading() -> Result {
        unharmed(
            |layout, _, head| (layout.desc(head), 8),
            |vring, _, head| {
                let addr = u64::MAX - 3;
                let desc = vring.desc(head);
                vring.write_desc(head, Desc { addr, ..desc });
            },
        )
    }

    #[test]
    fn flags_change_behind_their_reading() -> Result {
        unharmed(
            |layout, _, head| (layout.desc(head) + DESC_LEN, 8),
            |vring, _, head| {
                let flags = DESC_F_INDIRECT;
                let desc = vring.desc(head);
                vring.write_desc(head, Desc { flags, ..desc });
            },
        )
    }

    /// The chain that returns is the one that was read.
    #[test]
    fn head_changes_behind_its_reading() -> Result {
        unharmed(
            |layout, number, _| (layout.avail_ring(number), 2),
            |vring, number, _| vring.write_avail(number, SLOTS),
        )
    }

    #[test]
    fn available_index_goes_back_behind_its_reading() -> Result {
        let fake = Fake::recovering()?;
        let mut link = Link::new(&fake)?;
        let vring = fake.vring(0)?;
        let frames = [frame(1, 200)?, frame(2, 100)?];
        link.post(&frames)?;
        link.rx.ring.publish();
        // Both chains were seen when the first one's head is read.
        let entry = vring.mem().location(vring.layout().avail_ring(0), 2);
        touching(&fake, entry, 1, &|| vring.write_avail_idx(0), || {
            fake.interrupt(0);
            link.sink.expect(&frames)
        })?;
        drop(link);
        comes_back(&fake, 1)
    }

    #[test]
    fn used_index_goes_back_in_the_middle_of_taking_back() -> Result {
        let fake = Fake::recovering()?;
        let mut link = Link::new(&fake)?;
        let vring = fake.vring(1)?;
        link.lift_byte_limits()?;
        let entry = vring.layout().used_ring(link.tx.ring.next_used());
        let entry = vring.mem().location(entry, 4);
        link.fill_and_return(SLOTS)?;
        // From here on the driver is the first to read the entry.
        touching(&fake, entry, 1, &|| vring.write_used_idx(0), || {
            link.tx.flush();
            drop(link);
            comes_back(&fake, 1)
        })
    }

    #[test]
    fn used_id_changes_behind_its_reading() -> Result {
        let fake = Fake::recovering()?;
        let mut link = Link::new(&fake)?;
        let vring = fake.vring(1)?;
        link.lift_byte_limits()?;
        let number = link.tx.ring.next_used();
        let entry = vring.mem().location(vring.layout().used_ring(number), 4);
        let bad = Used {
            id: u32::MAX,
            len: 0,
        };
        link.fill_and_return(SLOTS)?;
        touching(&fake, entry, 1, &|| vring.write_used(number, bad), || {
            link.tx.flush();
            link.netdev.settle();
            Ok(())
        })?;
        check!(!link.netdev.is_stopped(), "the queue is stopped");
        check_eq!(control::crashes(&fake), 0, "crashes reported");
        link.send(&frame(99, 60)?)?;
        Ok(())
    }
}
