// SPDX-License-Identifier: GPL-2.0

//! Suite: frames from the modem.

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
    vring_layout::F_EVENT_IDX, //
};
use kernel::prelude::*;

/// Bytes of a frame that are checked, where frames are many and small.
const SMALL: usize = 24;

/// Sends a chain of frames of these lengths, and checks that they arrive and the chain returns.
fn pass_chain(rx: &mut ModemRx<'_>, sink: &Sink<'_>, seed: u32, lens: &[usize]) -> Result {
    let mut frames = KVec::new();
    let mut buffers = KVec::new();
    for (i, len) in lens.iter().enumerate() {
        let frame = frame(seed + i as u32, *len)?;
        buffers.push(rx.buffer(&frame)?, GFP_KERNEL)?;
        frames.push(frame, GFP_KERNEL)?;
    }
    let head = rx.send(&buffers)?;
    check!(
        sink.wait(lens.len()),
        "of a chain of {} frames {} arrived",
        lens.len(),
        sink.len()
    );
    for frame in &frames {
        sink.expect(frame)?;
    }
    rx.expect_used(&[head])?;
    rx.free_buffers();
    Ok(())
}

/// Passes `chains` chains of one small frame each, in batches of a whole ring.
fn pass_many(rx: &mut ModemRx<'_>, sink: &Sink<'_>, chains: u32) -> Result {
    let mut sent = 0;
    while sent < chains {
        let batch = u32::from(rx.num()).min(chains - sent);
        let mut heads = KVec::new();
        for i in 0..batch {
            let buffer = rx.buffer(&frame(sent + i, SMALL)?)?;
            heads.push(rx.post(&[buffer])?, GFP_KERNEL)?;
        }
        rx.flush()?;
        check!(
            sink.wait(batch as usize),
            "after {sent} frames {} of {batch} arrived",
            sink.len()
        );
        for i in 0..batch {
            sink.expect(&frame(sent + i, SMALL)?)?;
        }
        rx.expect_used(&heads)?;
        rx.free_buffers();
        sent += batch;
    }
    Ok(())
}

/// Checks that nothing was dropped, and that so many frames were received.
fn check_clean(netdev: Netdev<'_>, frames: u64) -> Result {
    let stats = netdev.stats();
    check_eq!(stats.rx_packets, frames, "rx_packets");
    check_eq!(stats.rx_errors, 0, "rx_errors");
    check!(netdev.carrier(), "the carrier is off");
    Ok(())
}

/// More chains than a 16-bit index counts, with some more. With KASAN, which finds other faults
/// than those of the index, they would take many minutes.
const MANY: u32 = if cfg!(CONFIG_KASAN) {
    2_000
} else {
    65_536 + 300
};
/// Sizes of rings of which every length of a chain is tried; with KASAN as above.
const RINGS: &[u32] = if cfg!(CONFIG_KASAN) {
    &[1, 4, 64]
} else {
    &[1, 4, 64, 256]
};

fn wrap(features: u32) -> Result {
    let fake = Fake::attached(&Options {
        num: [256, 16],
        features,
        ..Options::default()
    })?;
    let netdev = fake.netdev()?;
    netdev.open()?;
    let sink = Sink::new(&fake)?;
    let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
    pass_many(&mut rx, &sink, MANY)?;
    check_clean(netdev, MANY.into())
}

#[kernel::macros::kunit_tests(caif_virtio_receive)]
mod tests {
    use super::*;

    #[test]
    fn one_frame_each_way() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let mut tx = ModemTx::new(&fake)?;

        let buffer = rx.buffer(b"to Linux")?;
        let head = rx.send(&[buffer])?;
        check!(sink.wait(1), "no frame arrived");
        sink.expect(b"to Linux")?;
        rx.expect_used(&[head])?;

        check_eq!(netdev.send(b"to the modem"), 0, "result of sending");
        tx.wait(1)?;
        let sent = tx.expect(b"to the modem", 32, 32)?;
        tx.complete(&sent)?;
        Ok(())
    }

    #[test]
    fn chains_of_every_length() -> Result {
        for &num in RINGS {
            let fake = Fake::attached(&Options {
                num: [num, 4],
                ..Options::default()
            })?;
            let netdev = fake.netdev()?;
            netdev.open()?;
            let sink = Sink::new(&fake)?;
            let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
            let mut frames = 0;
            for len in 1..=num as usize {
                let lens = KVec::from_elem(SMALL, len, GFP_KERNEL)?;
                pass_chain(&mut rx, &sink, frames, &lens)?;
                frames += len as u32;
            }
            check_clean(netdev, frames.into())?;
        }
        Ok(())
    }

    #[test]
    fn frames_of_many_sizes() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let largest = 4096 - 64;
        let mut len = 1;
        let mut frames = 0;
        let mut bytes = 0;
        while len <= largest {
            let lens = [len, 1, largest, len];
            pass_chain(&mut rx, &sink, len as u32, &lens)?;
            frames += 4;
            bytes += lens.iter().sum::<usize>() as u64;
            len += 1 + len / 8;
        }
        check_clean(netdev, frames)?;
        check_eq!(netdev.stats().rx_bytes, bytes, "rx_bytes");
        Ok(())
    }

    #[test]
    fn one_kick_for_each_chain() -> Result {
        let fake = Fake::attached(&Options {
            num: [128, 16],
            ..Options::default()
        })?;
        fake.netdev()?.open()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        // One to say that the driver is there.
        let first = fake.record().kicks(0);
        check_eq!(first, 1, "kicks after the probe");
        // More frames than one poll may receive do not make it more kicks.
        for (i, len) in [1, 2, 63, 64, 65, 128].into_iter().enumerate() {
            let lens = KVec::from_elem(SMALL, len, GFP_KERNEL)?;
            pass_chain(&mut rx, &sink, 0, &lens)?;
            check_eq!(fake.record().kicks(0), first + 1 + i as u32, "kicks");
        }
        check_eq!(fake.record().kicks(1), 0, "kicks of the other vring");
        check_eq!(fake.record().stray_kicks(), 0, "kicks of no vring");
        Ok(())
    }

    #[test]
    fn index_wraps() -> Result {
        wrap(0)
    }

    #[test]
    fn index_wraps_with_event_idx() -> Result {
        wrap(1 << F_EVENT_IDX)
    }

    #[test]
    fn event_idx_is_negotiated_and_suppresses() -> Result {
        let fake = Fake::attached(&Options {
            features: 1 << F_EVENT_IDX,
            ..Options::default()
        })?;
        check_eq!(fake.features()?, 1 << F_EVENT_IDX, "negotiated features");
        fake.netdev()?.open()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        pass_many(&mut rx, &sink, 100)
    }

    #[test]
    fn interrupts_in_any_context() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        for i in 0..300 {
            let frame = frame(i, SMALL)?;
            let buffer = rx.buffer(&frame)?;
            let head = rx.post(&[buffer])?;
            rx.publish()?;
            let handled = match i % 3 {
                0 => control::with_irqs_off(|| fake.interrupt(0)),
                1 => control::with_bh_off(|| fake.interrupt(0)),
                _ => fake.interrupt(0),
            };
            check!(handled, "interrupt {i} was swallowed");
            check!(sink.wait(1), "frame {i} did not arrive");
            sink.expect(&frame)?;
            rx.expect_used(&[head])?;
            rx.free_buffers();
        }
        check_clean(netdev, 300)
    }

    #[test]
    fn frames_wait_for_the_interface_to_come_up() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        for i in 0..5 {
            let buffer = rx.buffer(&frame(i, SMALL)?)?;
            let head = rx.send(&[buffer])?;
            check_eq!(rx.used_idx()?, i as u16, "used.idx while down");
            check!(sink.is_empty(), "a frame arrived while down");
            netdev.open()?;
            check!(sink.wait(1), "the frame did not arrive when up");
            sink.expect(&frame(i, SMALL)?)?;
            rx.expect_used(&[head])?;
            netdev.close();
        }
        check_clean(netdev, 5)
    }

    #[test]
    fn interrupts_for_nothing_do_no_harm() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        for i in 0..200 {
            fake.interrupt(0);
            fake.interrupt(1);
            fake.interrupt(2);
            if i % 10 == 0 {
                pass_chain(&mut rx, &sink, i, &[SMALL, SMALL])?;
            }
        }
        check_clean(netdev, 40)
    }
}
