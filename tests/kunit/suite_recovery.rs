// SPDX-License-Identifier: GPL-2.0

//! Suite: boots, recoveries and shutdowns of a processor that fail, or meet each other.

use crate::{
    abstractions::{
        event::Event,
        remoteproc::{
            Crash,
            State, //
        }, //
    },
    control::{
        self,
        HeldPool, //
    },
    fake::{
        Fake,
        FakeOptions,
        TIMEOUT_MS, //
    },
    frames::frame,
    scope,
    traffic::{
        comes_back,
        Link, //
    }, //
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

/// Returns an event, for a test that waits for what another context does.
fn event() -> Result<Arc<Event>> {
    Arc::pin_init(Event::new(), GFP_KERNEL)
}

/// Waits until the modem was recovered, and checks that there was one crash.
fn comes_back_once(fake: &Fake) -> Result {
    check!(
        fake.record().wait(|record| record.is_up(2)),
        "not recovered"
    );
    control::flush_crashes(fake);
    comes_back(fake, 1)
}

#[kernel::macros::kunit_tests(caif_virtio_recovery)]
mod tests {
    use super::*;

    /// remoteproc keeps the carveouts of a processor that was not booted then.
    #[test]
    fn boot_that_fails_early() -> Result {
        let fake = Fake::new(&FakeOptions::default())?;
        control::fail_boot(&fake)?;
        let rproc = fake.rproc().clone();
        let ended = event()?;
        let endless = AtomicFlag::new(false);
        // A user, so that a shutdown can drop it.
        let rescue = || {
            if !ended.wait(TIMEOUT_MS / 4) {
                endless.store(true, Relaxed);
                control::add_user(&rproc);
            }
        };
        scope::beside(&rescue, || {
            drop(fake);
            ended.set();
        })?;
        check!(!endless.load(Relaxed), "its shutdown does not end");
        check!(!control::has_carveouts(&rproc), "it has its carveouts");
        Ok(())
    }

    #[test]
    fn crash_that_is_reported_twice() -> Result {
        let fake = Fake::recovering()?;
        // The driver's last kick is that of a recovery which is under way.
        fake.record().kick_of(0).once(
            || {
                fake.rproc().report_crash(Crash::Fatal);
                Ok(())
            },
            || {
                fake.rproc().report_crash(Crash::Fatal);
                Ok(())
            },
        )?;
        comes_back_once(&fake)
    }

    #[test]
    fn ring_that_breaks_while_a_recovery_is_under_way() -> Result {
        let fake = Fake::recovering()?;
        let mut link = Link::new(&fake)?;
        link.post(&[frame(1, 60)?])?;
        link.rx.ring.publish();
        let rx = &mut link.rx;
        link.sink.arrival().once(
            || {
                fake.rproc().report_crash(Crash::Fatal);
                let crashed = || fake.rproc().state() == State::Crashed;
                check!(control::spin_until(crashed), "the crash is not handled");
                // The poll continues, and finds an invalid chain.
                let num = rx.ring.fields().num();
                rx.ring.put(num);
                rx.ring.publish();
                Ok(())
            },
            || {
                fake.interrupt(0);
                Ok(())
            },
        )?;
        drop(link);
        comes_back_once(&fake)
    }

    /// A machine that goes to sleep waits for work on the freezable queue, and no other work
    /// starts.
    #[test]
    fn failed_recovery_ends_before_the_machine_sleeps() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let stops = event()?;
        let flushed = AtomicFlag::new(false);
        let early = fake.record().stopping().once(
            || {
                stops.set();
                Ok(control::spin_for(1000, || flushed.load(Relaxed)))
            },
            || {
                fake.rproc().report_crash(Crash::Fatal);
                check!(stops.wait(TIMEOUT_MS), "it is not stopped");
                // The end of the recovery waits for the lock that is held there.
                control::flush_freezable();
                flushed.store(true, Relaxed);
                Ok(())
            },
        )?;
        check!(!early, "the machine does not wait");
        // There is no firmware to boot it by.
        check_eq!(fake.rproc().state(), State::Offline, "state");
        check!(
            !control::has_carveouts(fake.rproc()),
            "it has its carveouts"
        );
        Ok(())
    }

    /// The next virtio device could not get the pool.
    #[test]
    fn pool_that_is_held_when_the_modem_crashes() -> Result {
        for recovers in [true, false] {
            let fake = Fake::attached(&FakeOptions {
                recovers,
                ..FakeOptions::default()
            })?;
            let record = fake.record();
            let pool = HeldPool::new(&fake)?;
            let kicks = record.kicks(0);
            fake.rproc().report_crash(Crash::Fatal);
            check!(
                record.wait(|record| record.kicks(0) > kicks),
                "the link does not end"
            );
            control::pass_time(500);
            check_eq!(record.stops(), 0, "stops while the pool is held");
            drop(pool);
            check!(
                record.wait(|record| record.stops() > 0),
                "it is not stopped"
            );
            if recovers {
                comes_back(&fake, 1)?;
            }
        }
        Ok(())
    }

    /// An open character device can still request a shutdown when the module with the operations
    /// may be gone.
    #[test]
    fn processor_that_cannot_be_stopped() -> Result {
        let fake = Fake::attached(&FakeOptions {
            never_stops: true,
            ..FakeOptions::default()
        })?;
        let (rproc, record) = (fake.rproc().clone(), fake.record().clone());
        drop(fake);
        let stops = record.stops();
        check!(stops > 0, "nobody tried to stop it");
        check_eq!(control::shut_down(&rproc), Err(EINVAL), "the shutdown");
        check_eq!(control::detach_from(&rproc), Err(EINVAL), "the detach");
        check_eq!(record.stops(), stops, "stops after its end");
        Ok(())
    }
}
