// SPDX-License-Identifier: GPL-2.0

//! Suite: probe, removal and crashes at critical moments.

use crate::{
    abstractions::{
        event::Event,
        memory::Claim,
        remoteproc::{
            Carveout,
            Crash, //
        }, //
    },
    control,
    fake::{
        Fake,
        FakeOptions,
        TIMEOUT_MS, //
    },
    frames::frame,
    link_config::Direction,
    modem_rx::ModemRx,
    sink::Sink,
    storm::Storm,
    traffic::{
        comes_back,
        passes,
        Link,
        LONG, //
    },
    unsafe_memory, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// Number of cycles in a storm of interrupts.
const CYCLES: u32 = 20;

/// A claim that sets its flag when it ends.
struct Flagged(Arc<AtomicFlag>);

impl Claim for Flagged {}

impl Drop for Flagged {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Returns a modem that is recovered when it crashes.
fn modem() -> Result<Fake> {
    Fake::attached(&FakeOptions {
        num: [128, 16],
        recovers: true,
        ..FakeOptions::default()
    })
}

/// Returns an event, for a test that waits for what another context does.
fn event() -> Result<Arc<Event>> {
    Arc::pin_init(Event::new(), GFP_KERNEL)
}

/// Posts a long chain and calls `go` once the first of its frames arrive. The poll that delivers
/// them, in another task, continues when `begun` holds. Returns the head of the chain.
fn in_a_poll(
    fake: &Fake,
    begun: impl Fn() -> bool + Send + Unpin,
    go: impl FnOnce() -> Result,
) -> Result<u16> {
    let mut link = Link::new(fake)?;
    let (_, head) = link.post_long()?;
    let polls = event()?;
    link.sink.arrival().once(
        || {
            polls.set();
            check!(control::spin_until(begun), "it does not begin");
            Ok(())
        },
        || {
            let _storm = Storm::begin(fake, &[0])?;
            check!(polls.wait(TIMEOUT_MS), "no packet arrived");
            go()
        },
    )?;
    check!(
        link.sink.len() <= LONG,
        "{} frames arrived",
        link.sink.len()
    );
    Ok(head)
}

/// Runs cycles of removal and probe while another task interrupts for both vrings without end. In
/// each cycle frames pass each way, and some of each kind are left in flight.
fn in_a_storm(cycle: impl Fn(&Fake) -> Result) -> Result {
    let fake = modem()?;
    let storm = Storm::begin(&fake, &[0, 1])?;
    for seed in 0..CYCLES {
        let mut link = Link::new(&fake)?;
        link.pass(seed)?;
        link.post_long()?;
        for number in 0..5 {
            link.netdev.send(&frame(number, 60)?);
        }
        drop(link);
        cycle(&fake)?;
    }
    check!(storm.hits() > 0, "no interrupt of the storm was heard");
    drop(storm);
    passes(&fake)?;
    control::unbind(&fake)?;
    check!(!fake.interrupt(0), "vring 0 has a virtqueue");
    check!(!fake.interrupt(1), "vring 1 has a virtqueue");
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_removal)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_claimed_as_long_as_a_carveout_has_it() -> Result {
        let ended = Arc::new(AtomicFlag::new(false), GFP_KERNEL)?;
        let claim = Arc::new(Flagged(ended.clone()), GFP_KERNEL)?;
        let memory = unsafe_memory::nowhere(claim)?;
        let pool = Carveout::unmapped(c"vdev0buffer", memory.part(64, 128)?, 0)?;
        drop(memory);
        check!(!ended.load(Relaxed), "the carveout's memory is not claimed");
        drop(pool);
        check!(ended.load(Relaxed), "memory is claimed that nobody has");
        Ok(())
    }

    #[test]
    fn interrupts_and_chains_before_the_probe_ends() -> Result {
        let fake = Fake::new(&FakeOptions::default())?;
        let early = [frame(1, 60)?];
        let mut rx = ModemRx::new(&fake, Direction::DEFAULT)?;
        let buffer = rx.buffer(&early[0])?;
        let head = fake.record().kick_of(0).once(
            || {
                // The driver has kicked for DRIVER_OK, and its probe has not returned.
                let head = rx.post(&[buffer])?;
                rx.ring.publish();
                for vring in [0, 1, 2, 1, 0] {
                    fake.interrupt(vring);
                }
                Ok(head)
            },
            || fake.attach(),
        )?;
        let sink = Sink::new(&fake)?;
        check_eq!(
            rx.ring.fields().used_idx(),
            0,
            "used.idx before the interface is up"
        );
        fake.netdev()?.open()?;
        sink.expect(&early)?;
        rx.expect_used(&[head])
    }

    #[test]
    fn crash_before_the_probe_ends() -> Result {
        let fake = Fake::new(&FakeOptions {
            recovers: true,
            ..FakeOptions::default()
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
        let fake = Fake::new(&FakeOptions {
            recovers: true,
            ..FakeOptions::default()
        })?;
        let rx = ModemRx::new(&fake, Direction::DEFAULT)?;
        fake.record().kick_of(0).once(
            || {
                rx.ring.fields().write_avail_idx(0x4000);
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
            // Another task makes kicks that may sleep.
            let fake = Fake::attached(&FakeOptions {
                sleepy_kicks: true,
                ..FakeOptions::default()
            })?;
            let netdev = fake.netdev()?;
            netdev.open()?;
            let kicks = event()?;
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
                    check!(kicks.wait(TIMEOUT_MS), "the modem was not kicked");
                    control::unbind(&fake)
                },
            )?;
            check!(fake.find_netdev().is_none(), "the network device stayed");
            control::bind(&fake)?;
            passes(&fake)?;
        }
        Ok(())
    }

    #[test]
    fn driver_that_goes_while_another_kick_waits() -> Result {
        let fake = Fake::attached(&FakeOptions {
            sleepy_kicks: true,
            kick_ms: 1000,
            ..FakeOptions::default()
        })?;
        let record = fake.record();
        check!(
            record.wait(|record| record.is_up(1)),
            "the modem was not kicked"
        );
        let mut link = Link::new(&fake)?;
        let begun = record.begun();
        check_eq!(link.netdev.send(&frame(1, 60)?), 0, "result of sending");
        check!(
            record.wait(|record| record.begun() > begun),
            "the modem is not kicked"
        );
        // The kick for this frame waits for the first kick.
        let frames = [frame(2, 60)?];
        link.post(&frames)?;
        link.rx.ring.publish();
        fake.interrupt(0);
        link.sink.expect(&frames)?;
        link.netdev.settle();
        drop(link);
        control::unbind(&fake)?;
        check_eq!(
            record.kicks(0) + record.kicks(1),
            record.begun(),
            "kicks that ended when the driver is gone"
        );
        check_eq!(record.beside(), 0, "kicks beside others");
        Ok(())
    }

    #[test]
    fn interrupts_while_the_driver_goes() -> Result {
        let fake = modem()?;
        for _ in 0..5 {
            passes(&fake)?;
            let mut rx = ModemRx::new(&fake, Direction::DEFAULT)?;
            // The last kick tells the modem that the device was reset.
            let heard = fake.record().kick_of(0).once(
                || {
                    rx.ring.fields().write_avail_idx(7);
                    let heard = [fake.interrupt(0), fake.interrupt(1)];
                    rx.ring.put(u16::MAX);
                    Ok((heard, fake.status()?))
                },
                || control::unbind(&fake),
            )?;
            let (heard, status) = heard;
            check_eq!(heard, [false, false], "interrupts that were heard");
            check_eq!(status, 0, "status when the modem is kicked");
            check!(fake.find_netdev().is_none(), "the network device stayed");
            for _ in 0..100 {
                check!(!fake.interrupt(0), "vring 0 has a virtqueue");
                check!(!fake.interrupt(1), "vring 1 has a virtqueue");
            }
            control::bind(&fake)?;
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
            control::bind(&fake)?;
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
            // The rest of the chain, if any, and the chain itself come after the interface is up
            // again.
            let sink = Sink::new(&fake)?;
            netdev.open()?;
            netdev.settle();
            check_eq!(netdev.stats().rx_packets, LONG as u64, "rx_packets");
            check!(sink.len() < LONG, "frames arrived twice");
            let used = ModemRx::new(&fake, Direction::DEFAULT)?.ring.take_used();
            check_eq!(
                used.map(|used| used.id),
                Some(head.into()),
                "returned chain"
            );
        }
        Ok(())
    }

    #[test]
    fn crash_while_the_driver_polls() -> Result {
        for _ in 0..3 {
            let fake = modem()?;
            let mut link = Link::new(&fake)?;
            link.post_long()?;
            link.sink.arrival().once(
                || {
                    fake.rproc().report_crash(Crash::Fatal);
                    Ok(())
                },
                || {
                    fake.interrupt(0);
                    Ok(())
                },
            )?;
            drop(link);
            comes_back(&fake, 1)?;
        }
        Ok(())
    }

    #[test]
    fn driver_that_goes_and_comes_in_a_storm() -> Result {
        in_a_storm(|fake| {
            control::unbind(fake)?;
            check!(fake.find_netdev().is_none(), "the network device stayed");
            control::bind(fake)
        })
    }

    #[test]
    fn modem_that_goes_and_comes_in_a_storm() -> Result {
        in_a_storm(|fake| {
            fake.detach()?;
            check!(fake.find_netdev().is_none(), "the network device stayed");
            fake.attach()
        })
    }

    #[test]
    fn interface_that_goes_down_and_up_in_a_storm() -> Result {
        let fake = modem()?;
        let mut link = Link::new(&fake)?;
        let storm = Storm::begin(&fake, &[0, 1])?;
        for seed in 0..5 * CYCLES {
            let frames = [frame(seed, 64)?];
            let heads = link.post(&frames)?;
            link.netdev.close();
            link.rx.ring.publish();
            link.netdev.open()?;
            link.arrive(&frames, &heads)?;
        }
        check!(storm.hits() > 0, "no interrupt of the storm was heard");
        Ok(())
    }
}
