// SPDX-License-Identifier: GPL-2.0

//! Suite: a modem that rewrites the vrings on one CPU while the driver uses them on another.
//!
//! The memory for frames holds nothing but one pattern, so that any other byte that is delivered
//! comes from where the driver must not look.

use crate::{
    control,
    fake::{
        Fake,
        Options, //
    },
    frames::frame,
    modem_rx::{
        Buffer,
        ModemRx,
        DEFAULT_ROOM, //
    },
    modem_tx::ModemTx,
    rival,
    sink::Sink,
    unsafe_memory,
    vring_layout::{
        self,
        Layout,
        DESC_F_INDIRECT,
        DESC_F_NEXT, //
    },
    watch::Watch, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// What all of the memory for frames holds.
const PATTERN: u8 = 0x5a;
/// Descriptors of the reversed vring.
const NUM: u16 = 64;
/// Room on both sides of a frame without a config space.
const ROOM: usize = 32;
/// How often to break a ring.
const ROUNDS: u32 = 20;

/// Numbers that look like those of dice.
struct Dice(Atomic<u32>);

impl Dice {
    /// A number below `sides`, or 0.
    fn roll(&self, sides: u32) -> u32 {
        let state = self.0.load(Relaxed).wrapping_mul(1_664_525);
        let state = state.wrapping_add(1_013_904_223);
        self.0.store(state, Relaxed);
        (state >> 16).checked_rem(sides).unwrap_or(0)
    }

    /// One of these.
    fn pick<T: Copy + Default>(&self, of: &[T]) -> T {
        let index = self.roll(of.len() as u32) as usize;
        of.get(index).copied().unwrap_or_default()
    }
}

/// A modem that rewrites its vrings.
struct Rewriter<'a> {
    fake: &'a Fake,
    dice: Dice,
    bases: [usize; 2],
    layouts: [Layout; 2],
}

impl<'a> Rewriter<'a> {
    fn new(fake: &'a Fake) -> Result<Self> {
        Ok(Self {
            fake,
            dice: Dice(Atomic::new(1)),
            bases: [fake.vring(0)?, fake.vring(1)?],
            layouts: [fake.layout(0)?, fake.layout(1)?],
        })
    }

    fn write16(&self, vring: usize, offset: usize, value: u16) {
        let base = self.bases.get(vring).copied().unwrap_or(0);
        // Inside of the memory, by the layout.
        let _ = self.fake.memory().write(base + offset, value);
    }

    /// Rewrites address and length of each descriptor of the reversed vring, to good and bad ones.
    fn buffers(&self) {
        let [base, _] = self.bases;
        let [layout, _] = self.layouts;
        let memory = self.fake.memory();
        let start = self.fake.da(self.fake.heap());
        let end = start + self.fake.heap_len() as u64;
        let private = memory.as_ptr().addr() as u64;
        let addrs = [
            start,
            start + 4096,
            end - 100,
            end - 64,
            end,
            start + (1 << 40),
            self.fake.da(base),
            private,
            0,
            u64::MAX - 63,
        ];
        let lens = [100, 65, 4096, 64, 4097, 0, u32::MAX];
        for desc in 0..layout.num() {
            let at = base + layout.desc(desc);
            let _ = memory.write(at, self.dice.pick(&addrs));
            let _ = memory.write(at + vring_layout::DESC_LEN, self.dice.pick(&lens));
        }
    }

    /// Rewrites all that the driver reads of the reversed vring, mostly to what can be.
    fn reversed_ring(&self) {
        let [layout, _] = self.layouts;
        self.buffers();
        let desc = || self.dice.roll(u32::from(layout.num())) as u16;
        for index in 0..layout.num() {
            let at = layout.desc(index);
            let flags = self.dice.pick(&[0, 0, 0, DESC_F_NEXT, DESC_F_NEXT]);
            self.write16(0, at + vring_layout::DESC_FLAGS, flags);
            self.write16(0, at + vring_layout::DESC_NEXT, desc());
            self.write16(0, layout.avail_ring(index), desc());
        }
        match self.dice.roll(50) {
            0 => self.write16(0, layout.avail_ring(desc()), layout.num()),
            1 => {
                let at = layout.desc(desc()) + vring_layout::DESC_FLAGS;
                self.write16(0, at, DESC_F_INDIRECT);
            }
            2 => self.write16(0, layout.avail_idx(), self.dice.roll(65_536) as u16),
            _ => self.write16(0, layout.avail_idx(), desc()),
        }
        self.fake.interrupt(0);
    }

    /// Rewrites what the driver wrote to descriptors of the vring by which it sends, and what it
    /// has no reason to read.
    fn sent_descriptors(&self) {
        let [_, base] = self.bases;
        let [_, layout] = self.layouts;
        let memory = self.fake.memory();
        for index in 0..layout.num() {
            let at = base + layout.desc(index);
            let _ = memory.write(at, u64::from(self.dice.roll(65_536)) << 40);
            let _ = memory.write(at + vring_layout::DESC_LEN, self.dice.roll(65_536));
            let any = || self.dice.roll(65_536) as u16;
            self.write16(1, layout.desc(index) + vring_layout::DESC_FLAGS, any());
            self.write16(1, layout.desc(index) + vring_layout::DESC_NEXT, any());
            let len = base + layout.used_ring(index) + 4;
            let _ = memory.write(len, u32::MAX - self.dice.roll(65_536));
        }
    }

    /// Rewrites all that the driver reads of the vring by which it sends, mostly to what can be.
    fn used_ring(&self) {
        let [_, base] = self.bases;
        let [_, layout] = self.layouts;
        let num = u32::from(layout.num());
        for index in 0..layout.num() {
            let id = match self.dice.roll(200) {
                0 => u32::MAX,
                1 => num,
                _ => self.dice.roll(num),
            };
            let elem = base + layout.used_ring(index);
            let _ = self.fake.memory().write(elem, id);
        }
        self.write16(1, layout.used_idx(), self.dice.roll(4) as u16);
        self.fake.interrupt(1);
    }
}

/// A modem whose memory for frames holds the pattern, and which is not recovered.
fn modem() -> Result<Fake> {
    let fake = Fake::attached(&Options {
        num: [NUM.into(), 16],
        recovers: true,
        ..Options::default()
    })?;
    control::set_recovery(&fake, false);
    unsafe_memory::fill(fake.memory(), fake.heap(), fake.heap_len(), PATTERN)?;
    fake.netdev()?.open()?;
    Ok(fake)
}

/// Takes all packets that arrived, and checks that they come from where frames may be.
fn check_packets(sink: &Sink<'_>) -> Result {
    while !sink.is_empty() {
        let packet = sink.take()?;
        check!(
            packet.iter().all(|byte| *byte == PATTERN),
            "{} bytes were delivered that are no frame: {:x?}",
            packet.len(),
            packet.get(..16)
        );
    }
    Ok(())
}

/// Lets a modem do something over and over until the link is given up, and checks that the driver
/// is as good as new when it is bound again; several times.
fn until_it_breaks(
    rewrite: impl Fn(&Rewriter<'_>) + Sync,
    meanwhile: impl Fn(&Fake) -> Result,
) -> Result {
    let fake = modem()?;
    for _ in 0..ROUNDS {
        let netdev = fake.netdev()?;
        netdev.open()?;
        let sink = Sink::new(&fake)?;
        let rewriter = Rewriter::new(&fake)?;
        let watch = Watch::new()?;
        rival::beside(&|| rewrite(&rewriter), || {
            meanwhile(&fake)?;
            check!(watch.wait(|| !netdev.carrier()), "the ring does not break");
            Ok(())
        })?;
        drop(watch);
        netdev.settle();
        check_packets(&sink)?;
        control::unbind(&fake)?;
        check!(control::bind(&fake)?, "the driver does not bind again");
    }
    let netdev = fake.netdev()?;
    netdev.open()?;
    check!(netdev.carrier(), "the carrier is off");
    let sink = Sink::new(&fake)?;
    let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
    let mut tx = ModemTx::new(&fake)?;
    let frame = frame(1, 100)?;
    let buffer = rx.buffer(&frame)?;
    let head = rx.send(&[buffer])?;
    check!(sink.wait(1), "no frame arrived");
    sink.expect(&frame)?;
    rx.expect_used(&[head])?;
    check_eq!(netdev.send(&frame), 0, "result of sending");
    tx.wait(1)?;
    tx.expect(&frame, ROOM, ROOM)?;
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_rewrites)]
mod tests {
    use super::*;

    #[test]
    fn buffers_while_they_are_received() -> Result {
        let fake = modem()?;
        let netdev = fake.netdev()?;
        let sink = Sink::new(&fake)?;
        let rewriter = Rewriter::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let good = Buffer {
            addr: fake.da(fake.heap()),
            len: 100,
            flags: 0,
        };
        let mut chains = 0;
        let missed = || {
            let stats = netdev.stats();
            stats.rx_length_errors == 0 || stats.rx_frame_errors == 0
        };
        rival::beside(&|| rewriter.buffers(), || {
            // Many, and on a slow machine as many as it takes for the modem to be in time.
            while chains < 100 * u64::from(NUM) || (missed() && chains < 5000 * u64::from(NUM)) {
                for _ in 0..NUM {
                    rx.post(&[good])?;
                }
                rx.publish()?;
                fake.interrupt(0);
                rx.wait_used(NUM)?;
                for _ in 0..NUM {
                    check!(rx.take_used()?.is_some(), "a chain is missing");
                }
                check_packets(&sink)?;
                chains += u64::from(NUM);
            }
            Ok(())
        })?;
        netdev.settle();
        check_packets(&sink)?;
        let stats = netdev.stats();
        let all = stats.rx_packets + stats.rx_errors;
        check_eq!(all, chains, "frames received or dropped");
        // Otherwise the modem was too slow to prove anything.
        check!(
            stats.rx_length_errors > 0,
            "no length was rewritten in time"
        );
        check!(
            stats.rx_frame_errors > 0,
            "no address was rewritten in time"
        );
        check!(stats.rx_packets > 0, "no frame was sound");
        check!(netdev.carrier(), "the carrier is off");
        Ok(())
    }

    #[test]
    fn reversed_ring_while_it_is_polled() -> Result {
        until_it_breaks(|rewriter| rewriter.reversed_ring(), |_| Ok(()))
    }

    #[test]
    fn descriptors_of_frames_that_were_sent() -> Result {
        let fake = modem()?;
        let netdev = fake.netdev()?;
        let rewriter = Rewriter::new(&fake)?;
        let mut tx = ModemTx::new(&fake)?;
        rival::beside(&|| rewriter.sent_descriptors(), || {
            for number in 0..500 {
                check_eq!(netdev.send(&frame(number, 100)?), 0, "result of sending");
                tx.wait(1)?;
                let head = tx.take_head()?;
                tx.put_used(head.into())?;
                tx.flush()?;
            }
            Ok(())
        })?;
        netdev.settle();
        let stats = netdev.stats();
        check_eq!(stats.tx_packets, 500, "tx_packets");
        check_eq!(stats.tx_errors + stats.tx_dropped, 0, "frames dropped");
        check!(!netdev.is_stopped(), "the queue is stopped");
        check!(netdev.carrier(), "the carrier is off");
        Ok(())
    }

    #[test]
    fn used_ring_while_frames_are_sent() -> Result {
        until_it_breaks(
            |rewriter| rewriter.used_ring(),
            |fake| {
                let netdev = fake.netdev()?;
                for number in 0..200 {
                    netdev.send(&frame(number, 100)?);
                }
                Ok(())
            },
        )
    }
}
