// SPDX-License-Identifier: GPL-2.0

//! Suite: frames each way.

use crate::{
    control,
    fake::{
        Fake,
        FakeOptions,
        NOTIFICATIONS, //
    },
    frames::{
        config,
        frame, //
    },
    link_config::Direction,
    netdev::FREED,
    traffic::{
        passes,
        Link, //
    }, //
};
use kernel::prelude::*;

/// Slots, as many as descriptors.
const SLOTS: u32 = 16;
/// Bytes of the largest frame without a config space.
const LARGEST: usize = 4096 - 64;

/// Returns the frame of a number, whose length depends on the number.
fn numbered(number: u32) -> Result<KVec<u8>> {
    frame(number, LARGEST - number as usize * 37 % 1000)
}

/// Sends the frames of these numbers, as far as there are slots.
fn send(link: &Link<'_>, numbers: core::ops::Range<u32>) -> Result {
    for number in numbers {
        check_eq!(link.netdev.send(&numbered(number)?), 0, "result of sending");
    }
    Ok(())
}

/// Takes the frames of these numbers, in order, and returns them in reverse order without
/// publishing that.
fn take(link: &mut Link<'_>, numbers: core::ops::Range<u32>) -> Result {
    link.tx.wait(u16::try_from(numbers.len())?)?;
    let mut heads = KVec::new();
    for number in numbers {
        let sent = link.tx.expect(&numbered(number)?)?;
        heads.push(sent.head, GFP_KERNEL)?;
    }
    while let Some(head) = heads.pop() {
        link.tx.ring.put_used(head.into(), 0);
    }
    Ok(())
}

/// Checks the number of frames that were sent, and that none was dropped.
fn check_sent(link: &Link<'_>, frames: u32) -> Result {
    let stats = link.netdev.stats();
    check_eq!(stats.tx_packets, u64::from(frames), "tx_packets");
    check_eq!(stats.tx_errors + stats.tx_dropped, 0, "frames dropped");
    Ok(())
}

/// Puts the checksum of the bytes from `start` on to the place `offset` bytes behind that.
fn sum_up(frame: &mut [u8], start: usize, offset: usize) {
    let summed = frame.get(start..).unwrap_or_default();
    let mut sum: u32 = summed
        .chunks(2)
        .map(|pair| {
            let byte = |i| u32::from(pair.get(i).copied().unwrap_or(0));
            byte(0) << 8 | byte(1)
        })
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let place = frame.get_mut(start + offset..start + offset + 2);
    if let Some(place) = place {
        place.copy_from_slice(&(!(sum as u16)).to_be_bytes());
    }
}

#[kernel::macros::kunit_tests(caif_virtio_frames)]
mod tests {
    use super::*;

    /// Slots that do not end with a cache line have gaps between them.
    #[test]
    fn from_slots_with_gaps() -> Result {
        let (up, down) = (
            Direction {
                mtu: 1516,
                ..Direction::DEFAULT
            },
            Direction::DEFAULT,
        );
        let fake = Fake::attached(&FakeOptions {
            config: Some(config(up, down)?),
            ..FakeOptions::default()
        })?;
        let mut link = Link::with_config(&fake, up, down)?;
        link.lift_byte_limits()?;
        // The modem keeps them, so that each is in another slot.
        let mut heads = KVec::new();
        for seed in 1..5 {
            heads.push(link.send(&frame(seed, 700)?)?, GFP_KERNEL)?;
        }
        for head in heads {
            link.tx.complete(head);
        }
        link.pass(9)
    }

    #[test]
    fn some_each_way() -> Result {
        passes(&Fake::attached(&FakeOptions::default())?)
    }

    #[test]
    fn one_kick_for_each_chain() -> Result {
        let fake = Fake::attached(&FakeOptions {
            num: [128, 16],
            ..FakeOptions::default()
        })?;
        let mut link = Link::new(&fake)?;
        // The first kick announces DRIVER_OK.
        let first = fake.record().kicks(0);
        check_eq!(first, 1, "kicks after the probe");
        // A chain of more frames than one poll may receive is kicked for once, too.
        for (i, len) in [1, 2, 63, 64, 65, 128].into_iter().enumerate() {
            let mut frames = KVec::new();
            let mut buffers = KVec::new();
            for number in 0..len {
                let frame = frame(number, 24)?;
                buffers.push(link.rx.buffer(&frame)?, GFP_KERNEL)?;
                frames.push(frame, GFP_KERNEL)?;
            }
            let head = link.rx.post(&buffers)?;
            link.rx.flush()?;
            link.arrive(&frames, &[head])?;
            // The kick comes after the chain was returned.
            link.netdev.settle();
            check_eq!(fake.record().kicks(0), first + 1 + i as u32, "kicks");
        }
        check_eq!(fake.record().kicks(1), 0, "kicks of the other vring");
        check_eq!(fake.record().stray_kicks(), 0, "kicks of no vring");
        Ok(())
    }

    #[test]
    fn interrupts_in_any_context() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let mut link = Link::new(&fake)?;
        for i in 0..300 {
            let frames = [frame(i, 24)?];
            let head = link.send(&frames[0])?;
            link.tx.ring.put_used(head.into(), 0);
            let heads = link.post(&frames)?;
            link.rx.ring.publish();
            let mut interrupt = || {
                link.tx.flush();
                check!(fake.interrupt(0), "an interrupt was swallowed");
                Ok(())
            };
            match i % 3 {
                0 => control::with_irqs_off(interrupt)?,
                1 => control::with_bh_off(interrupt)?,
                _ => interrupt()?,
            };
            link.arrive(&frames, &heads)?;
        }
        check_eq!(link.netdev.stats().rx_packets, 300, "rx_packets");
        check_eq!(link.netdev.stats().rx_errors, 0, "rx_errors");
        check_sent(&link, 300)
    }

    #[test]
    fn shorter_frame_in_the_slot_of_a_longer_one() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let mut link = Link::new(&fake)?;
        // Each slot, whatever the order in which they are used.
        for len in [LARGEST, 20] {
            for number in 0..4 * SLOTS {
                let head = link.send(&frame(number, len)?)?;
                link.tx.complete(head);
            }
        }
        Ok(())
    }

    /// Frames that need more slots than there are, which the modem returns in bursts: the queue
    /// stops and wakes, and no frame is lost or reordered.
    #[test]
    fn until_full_and_woken() -> Result {
        for features in NOTIFICATIONS {
            let fake = Fake::attached(&FakeOptions {
                features,
                ..FakeOptions::default()
            })?;
            let mut link = Link::new(&fake)?;
            link.lift_byte_limits()?;
            let mut number = 1;
            for _ in 0..3 {
                let [full, end] = [number + SLOTS, number + SLOTS + 40];
                send(&link, number..full)?;
                // The next frame, for which there is no slot, does not wake it.
                check!(
                    link.netdev.is_stopped(),
                    "all slots are used, the queue runs"
                );
                send(&link, full..end)?;
                check_eq!(link.tx.ring.waiting(), SLOTS as u16, "frames in slots");
                while number < end {
                    let burst = SLOTS.min(end - number);
                    take(&mut link, number..number + burst)?;
                    number += burst;
                    check_eq!(link.tx.ring.waiting(), 0, "frames beyond the slots");
                    let wanted = link.tx.flush();
                    check!(
                        wanted || number == end,
                        "no interrupt is wanted with a full ring"
                    );
                }
            }
            // Another one finds the queue awake.
            send(&link, number..number + 1)?;
            take(&mut link, number..number + 1)?;
            check!(!link.netdev.is_stopped(), "the queue is stopped for good");
            check_sent(&link, number + 1)?;
        }
        Ok(())
    }

    #[test]
    fn burst_that_ends_with_a_frame_that_is_too_long() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let mut link = Link::new(&fake)?;
        link.lift_byte_limits()?;
        // A frame that waited for a slot is sent as soon as there are some.
        let [full, end] = [1 + SLOTS, 4 + SLOTS];
        send(&link, 1..end)?;
        let long = frame(0, LARGEST + 1)?;
        check_eq!(link.netdev.send(&long), 0, "result of sending");
        take(&mut link, 1..full)?;
        link.tx.flush();
        take(&mut link, full..end)?;
        check_eq!(link.netdev.stats().tx_errors, 1, "tx_errors");
        link.tx.flush();
        Ok(())
    }

    /// Lengths are odd and even, and so are the places where pieces begin.
    #[test]
    fn packets_in_pieces_whose_checksum_is_to_be_made() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let mut link = Link::new(&fake)?;
        for (number, (len, linear, start, offset)) in [
            (100, 60, 27, 16),
            (1509, 61, 27, 16),
            (LARGEST, 47, 20, 6),
            (1000, 999, 8, 2),
        ]
        .into_iter()
        .enumerate()
        {
            let mut frame = frame(number as u32, len)?;
            let sent = link.netdev.send_in_pieces(&frame, linear, start, offset);
            check_eq!(sent, 0, "result of sending");
            sum_up(&mut frame, start as usize, offset as usize);
            link.tx.wait(1)?;
            let head = link.tx.expect(&frame)?.head;
            link.tx.complete(head);
        }
        Ok(())
    }

    /// A frame begins with its length, which counts a check sequence that may not be there.
    #[test]
    fn frame_without_a_check_sequence() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let mut link = Link::new(&fake)?;
        for len in [3, 64, 65, LARGEST - 2] {
            let mut frame = frame(1, len)?;
            let length = u16::try_from(len)?.to_le_bytes();
            frame.get_mut(..2).ok_or(EINVAL)?.copy_from_slice(&length);
            check_eq!(link.netdev.send(&frame), 0, "result of sending");
            frame.extend_from_slice(&[0; 2], GFP_KERNEL)?;
            link.tx.wait(1)?;
            let head = link.tx.expect(&frame)?.head;
            link.tx.complete(head);
            // A frame that has it is unchanged.
            let head = link.send(&frame)?;
            link.tx.complete(head);
        }
        Ok(())
    }

    #[test]
    fn frame_that_is_dropped_is_freed() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let netdev = Link::new(&fake)?.netdev;
        let long = frame(1, LARGEST + 1)?;
        FREED.once(
            || Ok(()),
            || {
                check_eq!(netdev.send_watched(&long), 0, "result of sending");
                Ok(())
            },
        )?;
        check_eq!(netdev.stats().tx_errors, 1, "tx_errors");
        Ok(())
    }

    #[test]
    fn slots_stay_with_the_modem_while_down() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let mut link = Link::new(&fake)?;
        link.lift_byte_limits()?;
        for start in (1..51).step_by(10) {
            let middle = start + 5;
            send(&link, start..middle)?;
            link.netdev.close();
            // Nothing was taken from the modem.
            take(&mut link, start..middle)?;
            link.tx.flush();
            link.netdev.open()?;
            send(&link, middle..start + 10)?;
            take(&mut link, middle..start + 10)?;
            link.tx.flush();
        }
        check_sent(&link, 51)
    }
}
