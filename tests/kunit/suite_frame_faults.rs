// SPDX-License-Identifier: GPL-2.0

//! Suite: frames that are wrong, in chains that are sound.
//!
//! Each is dropped and counted by kind, its neighbours are delivered, and the chain goes back.

use crate::{
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
    sink::Sink,
    vring_layout::DESC_F_WRITE, //
};
use kernel::prelude::*;

/// By what a wrong frame is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `rx_length_errors`.
    Length,
    /// `rx_frame_errors`.
    Frame,
}

/// Makes a wrong buffer of a sound one.
type Spoil<'a> = &'a dyn Fn(&Fake, Buffer) -> Buffer;

/// Bytes of a frame.
const LEN: usize = 40;

/// Sends wrong buffers alone, and as the first, the middle and the last of a chain, and checks
/// that they are dropped, and nothing else is.
fn dropped(kind: Kind, spoils: &[Spoil<'_>]) -> Result {
    let fake = Fake::attached(&Options::default())?;
    let netdev = fake.netdev()?;
    netdev.open()?;
    let sink = Sink::new(&fake)?;
    let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
    let mut bad = 0;
    let mut good = 0;
    for spoil in spoils {
        for (len, wrong) in [(1, 0), (3, 0), (3, 1), (3, 2)] {
            let mut chain = KVec::new();
            let mut frames = KVec::new();
            for i in 0..len {
                let frame = frame(good + i, LEN)?;
                let buffer = rx.buffer(&frame)?;
                if i == wrong {
                    chain.push(spoil(&fake, buffer), GFP_KERNEL)?;
                } else {
                    chain.push(buffer, GFP_KERNEL)?;
                    frames.push(frame, GFP_KERNEL)?;
                }
            }
            let head = rx.send(&chain)?;
            rx.expect_used(&[head])?;
            check!(sink.wait(frames.len()), "{} frames arrived", sink.len());
            check_eq!(sink.len(), frames.len(), "frames that arrived");
            for frame in &frames {
                sink.expect(frame)?;
            }
            rx.free_buffers();
            good += frames.len() as u32;
            bad += 1;
            let stats = netdev.stats();
            let counts = match kind {
                Kind::Length => [bad, 0],
                Kind::Frame => [0, bad],
            };
            check_eq!(
                [stats.rx_length_errors, stats.rx_frame_errors],
                counts,
                "errors of length, of frames"
            );
            check_eq!(stats.rx_errors, bad, "rx_errors");
            check_eq!(stats.rx_packets, u64::from(good), "rx_packets");
        }
    }
    check!(netdev.carrier(), "the carrier is off");
    Ok(())
}

/// Puts another address into a buffer.
fn at(buffer: Buffer, addr: u64) -> Buffer {
    Buffer { addr, ..buffer }
}

/// Puts another length into a buffer.
fn long(buffer: Buffer, len: u32) -> Buffer {
    Buffer { len, ..buffer }
}

#[kernel::macros::kunit_tests(caif_virtio_frame_faults)]
mod tests {
    use super::*;

    #[test]
    fn bad_address() -> Result {
        dropped(
            Kind::Frame,
            &[
                &|_, buffer| at(buffer, 0),
                &|_, buffer| at(buffer, u64::MAX),
                &|_, buffer| at(buffer, u64::MAX - 50),
                &|_, buffer| at(buffer, u32::MAX.into()),
                // What would be right if the address were cut to 32 bits.
                &|_, buffer| at(buffer, buffer.addr | 1 << 32),
                &|_, buffer| at(buffer, buffer.addr | 1 << 63),
            ],
        )
    }

    #[test]
    fn address_of_cpu() -> Result {
        dropped(
            Kind::Frame,
            &[&|fake, buffer| {
                let offset = buffer.addr - fake.da(0);
                at(buffer, fake.memory().as_ptr().addr() as u64 + offset)
            }],
        )
    }

    #[test]
    fn across_the_end_of_memory() -> Result {
        dropped(
            Kind::Frame,
            &[
                &|fake, buffer| {
                    let end = fake.da(fake.heap() + fake.heap_len());
                    at(buffer, end - u64::from(buffer.len) + 1)
                },
                &|fake, buffer| at(buffer, fake.da(fake.heap() + fake.heap_len()) - 1),
                &|fake, buffer| at(buffer, fake.da(fake.heap() + fake.heap_len())),
                &|fake, buffer| at(buffer, fake.da(0) - 1),
            ],
        )
    }

    #[test]
    fn up_to_the_end_of_memory_is_fine() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let buffer = rx.buffer(&frame(0, LEN)?)?;
        let end = fake.da(fake.heap() + fake.heap_len());
        let last = at(buffer, end - u64::from(buffer.len));
        let first = at(buffer, fake.da(fake.heap()));
        let head = rx.send(&[last, first])?;
        check!(sink.wait(2), "{} frames arrived, not 2", sink.len());
        rx.expect_used(&[head])?;
        check_eq!(netdev.stats().rx_errors, 0, "rx_errors");
        Ok(())
    }

    #[test]
    fn in_a_vring() -> Result {
        let inside = |vring: usize| {
            move |fake: &Fake, buffer: Buffer| at(buffer, fake.da(fake.vring(vring).unwrap_or(0)))
        };
        dropped(Kind::Frame, &[&inside(0), &inside(1)])
    }

    #[test]
    fn marked_for_writing() -> Result {
        dropped(
            Kind::Frame,
            &[&|_, buffer| Buffer {
                flags: DESC_F_WRITE,
                ..buffer
            }],
        )
    }

    #[test]
    fn bad_length() -> Result {
        dropped(
            Kind::Length,
            &[
                &|_, buffer| long(buffer, 0),
                &|_, buffer| long(buffer, 1),
                &|_, buffer| long(buffer, 32),
                &|_, buffer| long(buffer, 64),
                &|_, buffer| long(buffer, 4097),
                &|_, buffer| long(buffer, 65_536),
                &|_, buffer| long(buffer, 1 << 31),
                &|_, buffer| long(buffer, u32::MAX),
            ],
        )
    }
}
