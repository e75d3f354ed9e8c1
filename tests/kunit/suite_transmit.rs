// SPDX-License-Identifier: GPL-2.0

//! Suite: frames to the modem.

use crate::{
    control,
    fake::{
        Fake,
        Options, //
    },
    frames::frame,
    modem_tx::{
        ModemTx,
        Sent, //
    },
    netdev::Netdev,
    vring_layout::F_EVENT_IDX, //
};
use kernel::prelude::*;

/// Room on both sides of a frame without a config space.
const ROOM: usize = 32;
/// Slots, as many as descriptors.
const SLOTS: usize = 16;

/// Sends a frame that tells its number.
fn send(netdev: Netdev<'_>, number: u32) -> Result {
    check_eq!(netdev.send(&numbered(number)?), 0, "result of sending");
    Ok(())
}

/// The frame of a number.
fn numbered(number: u32) -> Result<KVec<u8>> {
    frame(number, 10 + number as usize * 37 % 1000)
}

/// Takes the frames of these numbers, in order.
fn expect(tx: &mut ModemTx<'_>, numbers: core::ops::Range<u32>) -> Result<KVec<Sent>> {
    tx.wait(u16::try_from(numbers.len())?)?;
    let mut all = KVec::new();
    for number in numbers {
        let sent = tx.expect(&numbered(number)?, ROOM, ROOM)?;
        all.push(sent, GFP_KERNEL)?;
    }
    Ok(all)
}

/// Gives frames back, and interrupts once.
fn give_back(tx: &mut ModemTx<'_>, all: &[Sent]) -> Result {
    for sent in all {
        tx.put_used(sent.head.into())?;
    }
    tx.flush()?;
    Ok(())
}

/// Sends more frames than there are slots and lets the modem return them in bursts: the queue
/// stops and wakes, and nothing is lost or changes its place.
fn full(features: u32) -> Result {
    let fake = Fake::attached(&Options {
        features,
        ..Options::default()
    })?;
    let netdev = fake.netdev()?;
    netdev.lift_byte_limits();
    netdev.open()?;
    let mut tx = ModemTx::new(&fake)?;
    // The limits go by a first completion.
    send(netdev, 0)?;
    let first = expect(&mut tx, 0..1)?;
    give_back(&mut tx, &first)?;

    let mut number = 1;
    for _ in 0..20 {
        let slots = SLOTS as u32;
        let extra = 40;
        let all = number..number + slots + extra;
        for i in all.clone() {
            send(netdev, i)?;
        }
        check_eq!(tx.waiting()?, SLOTS as u16, "frames in slots");
        check!(netdev.is_stopped(), "all slots are used, the queue runs");
        let mut at = number;
        while at < all.end {
            let burst = slots.min(all.end - at);
            let sent = expect(&mut tx, at..at + burst)?;
            check_eq!(tx.waiting()?, 0, "frames beyond the slots");
            // In another order than they came.
            for sent in sent.iter().rev() {
                tx.put_used(sent.head.into())?;
            }
            check!(
                at + burst == all.end || tx.flush()?,
                "no interrupt is wanted with a full ring"
            );
            at += burst;
        }
        tx.flush()?;
        number = all.end;
    }
    // One more round finds the queue awake.
    send(netdev, number)?;
    let last = expect(&mut tx, number..number + 1)?;
    give_back(&mut tx, &last)?;
    check!(!netdev.is_stopped(), "the queue is stopped for good");
    let stats = netdev.stats();
    check_eq!(stats.tx_packets, u64::from(number) + 1, "tx_packets");
    check_eq!(stats.tx_errors + stats.tx_dropped, 0, "frames dropped");
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_transmit)]
mod tests {
    use super::*;

    #[test]
    fn shorter_frame_in_the_slot_of_a_longer_one() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        let mut tx = ModemTx::new(&fake)?;
        // Each slot, however they take turns.
        for len in [4032, 20] {
            for number in 0..4 * SLOTS as u32 {
                let frame = frame(number, len)?;
                check_eq!(netdev.send(&frame), 0, "result of sending");
                tx.wait(1)?;
                let sent = tx.expect(&frame, ROOM, ROOM)?;
                tx.complete(&sent)?;
            }
        }
        Ok(())
    }

    #[test]
    fn until_full_and_woken() -> Result {
        full(0)
    }

    #[test]
    fn until_full_and_woken_with_event_idx() -> Result {
        full(1 << F_EVENT_IDX)
    }

    #[test]
    fn interrupts_in_any_context() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        let mut tx = ModemTx::new(&fake)?;
        for number in 0..300 {
            send(netdev, number)?;
            let sent = expect(&mut tx, number..number + 1)?;
            for sent in &sent {
                tx.put_used(sent.head.into())?;
            }
            match number % 3 {
                0 => control::with_irqs_off(|| tx.flush())?,
                1 => control::with_bh_off(|| tx.flush())?,
                _ => tx.flush()?,
            };
        }
        check_eq!(netdev.stats().tx_packets, 300, "tx_packets");
        Ok(())
    }

    #[test]
    fn slots_stay_with_the_modem_while_down() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.lift_byte_limits();
        netdev.open()?;
        let mut tx = ModemTx::new(&fake)?;
        send(netdev, 0)?;
        let first = expect(&mut tx, 0..1)?;
        give_back(&mut tx, &first)?;
        for round in 0..5 {
            let start = 1 + round * 10;
            for number in start..start + 5 {
                send(netdev, number)?;
            }
            netdev.close();
            // Nothing was taken from the modem.
            let sent = expect(&mut tx, start..start + 5)?;
            give_back(&mut tx, &sent)?;
            netdev.open()?;
            for number in start + 5..start + 10 {
                send(netdev, number)?;
            }
            let sent = expect(&mut tx, start + 5..start + 10)?;
            give_back(&mut tx, &sent)?;
        }
        let stats = netdev.stats();
        check_eq!(stats.tx_packets, 51, "tx_packets");
        check_eq!(stats.tx_errors + stats.tx_dropped, 0, "frames dropped");
        Ok(())
    }
}
