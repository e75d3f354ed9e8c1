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

/// More frames than a 16-bit index counts; fewer with KASAN, as for reception.
const MANY: u32 = if cfg!(CONFIG_KASAN) {
    2_000
} else {
    65_536 + 100
};

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
    fn frames_of_many_sizes() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        let mut tx = ModemTx::new(&fake)?;
        let mut bytes = 0;
        let mut len = 1;
        let mut frames = 0;
        while len <= 4032 {
            let frame = frame(len as u32, len)?;
            check_eq!(netdev.send(&frame), 0, "result of sending");
            tx.wait(1)?;
            let sent = tx.expect(&frame, ROOM, ROOM)?;
            tx.complete(&sent)?;
            bytes += len as u64;
            frames += 1;
            len += 1 + len / 16;
        }
        let stats = netdev.stats();
        check_eq!(stats.tx_packets, frames, "tx_packets");
        check_eq!(stats.tx_bytes, bytes, "tx_bytes");
        check_eq!(stats.tx_errors, 0, "tx_errors");
        Ok(())
    }

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
    fn slots_do_not_overlap() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.lift_byte_limits();
        netdev.open()?;
        let mut tx = ModemTx::new(&fake)?;
        send(netdev, 0)?;
        let first = expect(&mut tx, 0..1)?;
        give_back(&mut tx, &first)?;
        for i in 1..=SLOTS as u32 {
            send(netdev, i)?;
        }
        let all = expect(&mut tx, 1..SLOTS as u32 + 1)?;
        for (i, one) in all.iter().enumerate() {
            for other in all.iter().skip(i + 1) {
                check!(
                    one.addr.abs_diff(other.addr) >= 4096,
                    "two slots are less than a slot apart"
                );
            }
        }
        give_back(&mut tx, &all)
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
    fn burst_that_ends_with_a_frame_that_is_too_long() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.lift_byte_limits();
        netdev.open()?;
        let mut tx = ModemTx::new(&fake)?;
        send(netdev, 0)?;
        let first = expect(&mut tx, 0..1)?;
        give_back(&mut tx, &first)?;
        // What has no slot is sent at once when there are some.
        let slots = SLOTS as u32;
        for number in 1..slots + 4 {
            send(netdev, number)?;
        }
        check_eq!(netdev.send(&frame(0, 4033)?), 0, "result of sending");
        let all = expect(&mut tx, 1..slots + 1)?;
        give_back(&mut tx, &all)?;
        let rest = expect(&mut tx, slots + 1..slots + 4)?;
        check_eq!(netdev.stats().tx_errors, 1, "tx_errors");
        give_back(&mut tx, &rest)
    }

    #[test]
    fn index_wraps() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        let mut tx = ModemTx::new(&fake)?;
        for number in 0..MANY {
            let frame = frame(number, 20)?;
            check_eq!(netdev.send(&frame), 0, "result of sending");
            tx.wait(1)?;
            let sent = tx.expect(&frame, ROOM, ROOM)?;
            tx.complete(&sent)?;
        }
        check_eq!(netdev.stats().tx_packets, u64::from(MANY), "tx_packets");
        Ok(())
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

    #[test]
    fn modem_that_returns_nothing_is_recovered() -> Result {
        let fake = Fake::attached(&Options {
            recovers: true,
            ..Options::default()
        })?;
        let netdev = fake.netdev()?;
        netdev.lift_byte_limits();
        netdev.open()?;
        let mut tx = ModemTx::new(&fake)?;
        // Takes all, returns nothing: the watchdog of the network stack has its say after 5 s.
        pr_info!("    # expected: NETDEV WATCHDOG\n");
        for number in 0..SLOTS as u32 {
            send(netdev, number)?;
        }
        expect(&mut tx, 0..1)?;
        check!(
            fake.record().wait(|record| record.is_up(2)),
            "not recovered, attached {} times",
            fake.record().attaches()
        );
        check_eq!(control::crashes(&fake), 1, "crashes reported");
        let netdev = fake.netdev()?;
        netdev.open()?;
        let mut tx = ModemTx::new(&fake)?;
        send(netdev, 1)?;
        let sent = expect(&mut tx, 1..2)?;
        give_back(&mut tx, &sent)
    }
}
