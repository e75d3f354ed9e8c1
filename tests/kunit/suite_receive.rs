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
    sink::Sink, //
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

/// Checks that nothing was dropped, and that so many frames were received.
fn check_clean(netdev: Netdev<'_>, frames: u64) -> Result {
    let stats = netdev.stats();
    check_eq!(stats.rx_packets, frames, "rx_packets");
    check_eq!(stats.rx_errors, 0, "rx_errors");
    check!(netdev.carrier(), "the carrier is off");
    Ok(())
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
}
