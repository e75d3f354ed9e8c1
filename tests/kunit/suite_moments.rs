// SPDX-License-Identifier: GPL-2.0

//! Suite: a modem that does the wrong thing at the worst moment.

use crate::{
    abstractions::remoteproc::Crash,
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
    netdev::FREED,
    rival,
    sink::Sink,
    unsafe_memory,
    vring_layout::{
        DESC_F_INDIRECT,
        DESC_F_NEXT,
        DESC_F_WRITE, //
    }, //
};
use kernel::prelude::*;

/// Room on both sides of a frame without a config space.
const ROOM: usize = 32;
/// Segments of a chain that takes two polls.
const LONG: usize = 100;

/// A modem that is recovered when it crashes.
fn modem() -> Result<Fake> {
    let fake = Fake::attached(&Options {
        num: [128, 16],
        recovers: true,
        ..Options::default()
    })?;
    fake.netdev()?.open()?;
    Ok(fake)
}

/// Passes a frame each way, by vrings that nobody has used yet.
fn passes(fake: &Fake) -> Result {
    let netdev = fake.netdev()?;
    netdev.open()?;
    let sink = Sink::new(fake)?;
    let mut rx = ModemRx::new(fake, DEFAULT_ROOM)?;
    let mut tx = ModemTx::new(fake)?;
    let frame = frame(7, 99)?;
    let buffer = rx.buffer(&frame)?;
    let head = rx.send(&[buffer])?;
    check!(sink.wait(1), "no frame arrived");
    sink.expect(&frame)?;
    rx.expect_used(&[head])?;
    check_eq!(netdev.send(&frame), 0, "result of sending");
    tx.wait(1)?;
    let sent = tx.expect(&frame, ROOM, ROOM)?;
    tx.complete(&sent)?;
    Ok(())
}

/// Waits until the modem was recovered for the `times`th time, and passes a frame each way.
fn comes_back(fake: &Fake, times: u32) -> Result {
    check!(
        fake.record().wait(|record| record.is_up(times + 1)),
        "not recovered, attached {} times",
        fake.record().attaches()
    );
    check_eq!(control::crashes(fake), times, "crashes reported");
    passes(fake)
}

/// Posts a chain that takes two polls, and returns its frames and its head.
fn post_long(rx: &mut ModemRx<'_>) -> Result<(KVec<KVec<u8>>, u16)> {
    let mut frames = KVec::new();
    let mut buffers = KVec::new();
    for i in 0..LONG {
        let frame = frame(i as u32, 40)?;
        buffers.push(rx.buffer(&frame)?, GFP_KERNEL)?;
        frames.push(frame, GFP_KERNEL)?;
    }
    let head = rx.post(&buffers)?;
    rx.publish()?;
    Ok((frames, head))
}

/// Posts a long chain and does something as soon as the first of its frames arrive, of which the
/// poll that delivers them learns by `begun` before it gets on. Returns the head of the chain.
fn in_a_poll(
    fake: &Fake,
    begun: impl Fn() -> bool + Send + Unpin,
    go: impl FnOnce() -> Result,
) -> Result<u16> {
    let sink = Sink::new(fake)?;
    let mut rx = ModemRx::new(fake, DEFAULT_ROOM)?;
    let (_, head) = post_long(&mut rx)?;
    let polls = rival::Signal::new()?;
    let interrupt = || {
        fake.interrupt(0);
    };
    sink.arrival().once(
        || {
            polls.set();
            check!(control::spin_until(begun), "it does not begin");
            Ok(())
        },
        // The poll runs in the other task.
        || {
            rival::beside(&interrupt, || {
                check!(polls.wait(), "no packet arrived");
                go()
            })
        },
    )?;
    check!(sink.len() <= LONG, "{} frames arrived", sink.len());
    Ok(head)
}

/// Checks that these frames arrive next.
fn arrive(sink: &Sink<'_>, frames: &[KVec<u8>]) -> Result {
    check!(
        sink.wait(frames.len()),
        "{} of {} frames arrived",
        sink.len(),
        frames.len()
    );
    for frame in frames {
        sink.expect(frame)?;
    }
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_moments)]
mod tests {
    use super::*;

    #[test]
    fn interrupts_and_chains_before_the_probe_ends() -> Result {
        let fake = Fake::new(&Options::default())?;
        let early = frame(1, 60)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let buffer = rx.buffer(&early)?;
        let head = fake.record().kick_of(0).once(
            || {
                // The driver says that it is there, and its probe has not returned.
                let head = rx.post(&[buffer])?;
                rx.publish()?;
                for vring in [0, 1, 2, 1, 0] {
                    fake.interrupt(vring);
                }
                Ok(head)
            },
            || fake.attach(),
        )?;
        let sink = Sink::new(&fake)?;
        check_eq!(rx.used_idx()?, 0, "used.idx before the interface is up");
        fake.netdev()?.open()?;
        check!(sink.wait(1), "no frame arrived");
        sink.expect(&early)?;
        rx.expect_used(&[head])
    }

    #[test]
    fn crash_before_the_probe_ends() -> Result {
        let fake = Fake::new(&Options {
            recovers: true,
            ..Options::default()
        })?;
        fake.record().kick_of(0).once(
            || {
                fake.rproc().report_crash(Crash::Fatal);
                Ok(())
            },
            || fake.attach(),
        )?;
        comes_back(&fake, 1)
    }

    #[test]
    fn ring_that_is_broken_before_the_probe_ends() -> Result {
        let fake = Fake::new(&Options {
            recovers: true,
            ..Options::default()
        })?;
        let rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        fake.record().kick_of(0).once(
            || {
                rx.write_avail_idx(0x4000)?;
                fake.interrupt(0);
                Ok(())
            },
            || fake.attach(),
        )?;
        check_eq!(
            control::crashes(&fake),
            0,
            "crashes before the interface is up"
        );
        fake.netdev()?.open()?;
        comes_back(&fake, 1)
    }

    #[test]
    fn driver_that_goes_while_a_kick_is_under_way() -> Result {
        for _ in 0..5 {
            // Kicks that may sleep are the business of another task.
            let fake = Fake::attached(&Options {
                sleepy_kicks: true,
                ..Options::default()
            })?;
            let netdev = fake.netdev()?;
            netdev.open()?;
            let kicks = rival::Signal::new()?;
            fake.record().kick_of(1).once(
                || {
                    kicks.set();
                    check!(
                        control::spin_until(|| !fake.interrupt(0)),
                        "the driver does not go"
                    );
                    Ok(())
                },
                || {
                    check_eq!(netdev.send(&frame(1, 60)?), 0, "result of sending");
                    check!(kicks.wait(), "the modem was not kicked");
                    control::unbind(&fake)
                },
            )?;
            check!(fake.find_netdev().is_none(), "the network device stayed");
            check!(control::bind(&fake)?, "the driver does not bind again");
            passes(&fake)?;
        }
        Ok(())
    }

    #[test]
    fn interrupts_while_the_driver_goes() -> Result {
        let fake = modem()?;
        for _ in 0..5 {
            passes(&fake)?;
            let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
            // The last kick tells the modem that the device was reset.
            let heard = fake.record().kick_of(0).once(
                || {
                    rx.write_avail_idx(7)?;
                    let heard = [fake.interrupt(0), fake.interrupt(1)];
                    rx.write_avail(rx.num())?;
                    Ok(heard)
                },
                || control::unbind(&fake),
            )?;
            check_eq!(heard, [false, false], "interrupts that were heard");
            check!(fake.find_netdev().is_none(), "the network device stayed");
            for _ in 0..100 {
                check!(!fake.interrupt(0), "vring 0 has a virtqueue");
                check!(!fake.interrupt(1), "vring 1 has a virtqueue");
            }
            check!(control::bind(&fake)?, "the driver does not bind again");
        }
        check_eq!(control::crashes(&fake), 0, "crashes reported");
        passes(&fake)
    }

    #[test]
    fn driver_that_goes_while_it_polls() -> Result {
        for _ in 0..5 {
            let fake = modem()?;
            in_a_poll(&fake, || !fake.interrupt(0), || control::unbind(&fake))?;
            check!(fake.find_netdev().is_none(), "the network device stayed");
            check!(control::bind(&fake)?, "the driver does not bind again");
            passes(&fake)?;
        }
        Ok(())
    }

    #[test]
    fn modem_that_goes_while_the_driver_polls() -> Result {
        for _ in 0..5 {
            let fake = modem()?;
            in_a_poll(&fake, || !fake.interrupt(0), || fake.detach())?;
            check!(fake.find_netdev().is_none(), "the network device stayed");
            fake.attach()?;
            passes(&fake)?;
        }
        Ok(())
    }

    #[test]
    fn interface_that_goes_down_while_the_driver_polls() -> Result {
        for _ in 0..5 {
            let fake = modem()?;
            let netdev = fake.netdev()?;
            let down = || !netdev.is_running();
            let head = in_a_poll(&fake, down, || {
                netdev.close();
                Ok(())
            })?;
            // The rest of the chain, if there is one, and the chain come when it is up again.
            let sink = Sink::new(&fake)?;
            netdev.open()?;
            netdev.settle();
            check_eq!(netdev.stats().rx_packets, LONG as u64, "rx_packets");
            check!(sink.len() < LONG, "frames arrived twice");
            let vring = ModemRx::new(&fake, DEFAULT_ROOM)?.take_used()?;
            check_eq!(vring, Some((head, 0)), "returned chain");
        }
        Ok(())
    }

    #[test]
    fn crash_while_the_driver_polls() -> Result {
        let fake = modem()?;
        for round in 1..=3 {
            let sink = Sink::new(&fake)?;
            let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
            post_long(&mut rx)?;
            sink.arrival().once(
                || {
                    fake.rproc().report_crash(Crash::Fatal);
                    Ok(())
                },
                || {
                    fake.interrupt(0);
                    Ok(())
                },
            )?;
            drop(sink);
            comes_back(&fake, round)?;
            control::unbind(&fake)?;
            check!(control::bind(&fake)?, "the driver does not bind again");
            fake.netdev()?.open()?;
        }
        Ok(())
    }

    #[test]
    fn crash_in_the_middle_of_sending() -> Result {
        let fake = modem()?;
        fake.record().kick_of(1).once(
            || {
                fake.rproc().report_crash(Crash::Fatal);
                Ok(())
            },
            || {
                check_eq!(fake.netdev()?.send(&frame(1, 60)?), 0, "result");
                Ok(())
            },
        )?;
        comes_back(&fake, 1)
    }

    #[test]
    fn descriptors_that_change_behind_a_fetch() -> Result {
        let fake = modem()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let (frames, head) = post_long(&mut rx)?;
        let num = rx.num();
        let bad = Buffer {
            addr: u64::MAX - 7,
            len: u32::MAX,
            flags: DESC_F_NEXT | DESC_F_WRITE | DESC_F_INDIRECT,
        };
        sink.arrival().once(
            || {
                for desc in 0..num {
                    rx.write_desc(desc, &bad, num)?;
                }
                Ok(())
            },
            || {
                fake.interrupt(0);
                Ok(())
            },
        )?;
        arrive(&sink, &frames)?;
        rx.expect_used(&[head])?;
        check_eq!(fake.netdev()?.stats().rx_errors, 0, "rx_errors");
        check!(sink.is_empty(), "there are more frames");
        Ok(())
    }

    #[test]
    fn payload_that_changes_behind_a_copy() -> Result {
        let fake = modem()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let frame = frame(3, 500)?;
        let buffer = rx.buffer(&frame)?;
        let head = rx.post(&[buffer])?;
        rx.publish()?;
        // The kick that returns the chain is when the modem may use its buffer again.
        fake.record().kick_of(0).once(
            || unsafe_memory::fill(fake.memory(), fake.heap(), fake.heap_len(), 0x99),
            || {
                fake.interrupt(0);
                Ok(())
            },
        )?;
        check!(sink.wait(1), "no frame arrived");
        sink.expect(&frame)?;
        rx.expect_used(&[head])
    }

    #[test]
    fn available_index_goes_back_before_a_chain_returns() -> Result {
        let fake = modem()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let (frames, _) = post_long(&mut rx)?;
        sink.arrival().once(
            || rx.write_avail_idx(0),
            || {
                fake.interrupt(0);
                Ok(())
            },
        )?;
        // What was fetched before is as good as it was.
        arrive(&sink, &frames)?;
        drop(sink);
        comes_back(&fake, 1)
    }

    #[test]
    fn slots_that_return_in_the_middle_of_sending() -> Result {
        let fake = modem()?;
        let netdev = fake.netdev()?;
        netdev.lift_byte_limits();
        let mut tx = ModemTx::new(&fake)?;
        for number in 0..200 {
            fake.record().kick_of(1).once(
                || {
                    while tx.waiting()? > 0 {
                        let head = tx.take_head()?;
                        tx.put_used(head.into())?;
                    }
                    tx.flush()?;
                    fake.interrupt(1);
                    Ok(())
                },
                || {
                    check_eq!(netdev.send(&frame(number, 60)?), 0, "result of sending");
                    Ok(())
                },
            )?;
        }
        netdev.settle();
        check!(!netdev.is_stopped(), "the queue is stopped");
        let stats = netdev.stats();
        check_eq!(stats.tx_packets, 200, "tx_packets");
        check_eq!(stats.tx_errors + stats.tx_dropped, 0, "frames dropped");
        check_eq!(control::crashes(&fake), 0, "crashes reported");
        Ok(())
    }

    #[test]
    fn more_slots_return_than_are_published() -> Result {
        let fake = modem()?;
        let mut tx = ModemTx::new(&fake)?;
        FREED.once(
            || {
                // The first two slots to be used, as anyone can guess, but there is only one frame.
                tx.put_used(0)?;
                tx.put_used(1)?;
                tx.write_used_idx(tx.used_idx())?;
                fake.interrupt(1);
                Ok(())
            },
            || {
                check_eq!(fake.netdev()?.send_watched(&frame(1, 60)?), 0, "result");
                Ok(())
            },
        )?;
        comes_back(&fake, 1)
    }

    #[test]
    fn all_slots_return_when_the_watchdog_bites() -> Result {
        let fake = modem()?;
        let netdev = fake.netdev()?;
        netdev.lift_byte_limits();
        let mut tx = ModemTx::new(&fake)?;
        for number in 0..8 {
            check_eq!(netdev.send(&frame(number, 60)?), 0, "result of sending");
        }
        rival::beside(
            &|| {
                fake.interrupt(1);
            },
            || {
                while tx.waiting()? > 0 {
                    let head = tx.take_head()?;
                    tx.put_used(head.into())?;
                }
                tx.write_used_idx(tx.used_idx())?;
                netdev.time_out();
                Ok(())
            },
        )?;
        comes_back(&fake, 1)
    }
}
