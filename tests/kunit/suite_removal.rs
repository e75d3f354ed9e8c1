// SPDX-License-Identifier: GPL-2.0

//! Suite: a driver or a modem that comes, goes or crashes at the worst moment.

use crate::{
    abstractions::remoteproc::Crash,
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
    rival,
    sink::Sink,
    traffic::{
        comes_back,
        passes,
        post_long,
        LONG, //
    }, //
};
use kernel::prelude::*;

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

#[kernel::macros::kunit_tests(caif_virtio_removal)]
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
        for _ in 0..3 {
            let fake = modem()?;
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
            comes_back(&fake, 1)?;
        }
        Ok(())
    }
}
