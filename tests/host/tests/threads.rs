// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Two real threads on one ring: no notification may be lost.
//!
//! Each side sleeps until the other wakes it, and only wakes the other when the ring says so. A
//! missing barrier or second look leaves both asleep, and the test ends with an error.

mod common;

use std::sync::mpsc::{sync_channel, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use common::{buffers, Bench, BOTH};
use vring_host_tests::driver::Driver;
use vring_host_tests::vring_mem::RingMem;

/// Chains that go round.
const CHAINS: u64 = 300_000;
/// Far longer than a wake-up takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A doorbell: rings that come together are one.
struct Bell(SyncSender<()>);

impl Bell {
    fn new() -> (Self, Receiver<()>) {
        let (bell, wait) = sync_channel(1);
        (Self(bell), wait)
    }

    fn ring(&self) {
        match self.0.try_send(()) {
            Ok(()) | Err(TrySendError::Full(())) => {}
            // The other side is done, or has failed and says so itself.
            Err(TrySendError::Disconnected(())) => {}
        }
    }
}

/// The modem: posts chains as long as there is room, otherwise sleeps.
fn modem(mut driver: Driver<'_>, interrupt: &Bell, kick: &Receiver<()>) -> Result<(), String> {
    let (mut posted, mut reclaimed) = (0, 0);
    while reclaimed < CHAINS {
        while posted < CHAINS
            && driver
                .post(&buffers(1 + posted as usize % 3, posted))
                .is_some()
        {
            posted += 1;
            // One by one, so that the other side often just fell asleep.
            if driver.expose() {
                interrupt.ring();
            }
        }
        while let Some(used) = driver.reclaim() {
            if u64::from(used.written) != reclaimed {
                return Err(format!("chain {reclaimed} came back as {}", used.written));
            }
            reclaimed += 1;
        }
        let full = driver.free() < 3 || posted == CHAINS;
        if full && reclaimed < CHAINS && !driver.enable_kick() {
            kick.recv_timeout(PATIENCE)
                .map_err(|_| format!("no kick after {reclaimed} of {posted} chains"))?;
        }
    }
    Ok(())
}

fn go_round(event_idx: usize) {
    let features = BOTH[event_idx];
    let bench = Bench::new(8);
    let (interrupt, interrupted) = Bell::new();
    let (kick, kicked) = Bell::new();
    thread::scope(|scope| {
        let there = &bench;
        let modem = scope.spawn(move || modem(there.driver(features), &interrupt, &kicked));
        let mut ring = bench.ring(features);
        let mut segments = bench.segments();
        let mut served = 0;
        while served < CHAINS {
            ring.disable_notify();
            loop {
                let tag = served << 32;
                let chain = match ring.fetch(&mut segments) {
                    Ok(Some(chain)) => chain,
                    Ok(None) => break,
                    Err(error) => panic!("{error}"),
                };
                assert_eq!(segments[0].addr(), tag);
                ring.give_back(chain, served as u32)
                    .expect("it is the ring's own");
                served += 1;
            }
            if ring.publish() {
                kick.ring();
            }
            if served < CHAINS && !ring.enable_notify() {
                interrupted
                    .recv_timeout(PATIENCE)
                    .unwrap_or_else(|_| panic!("no interrupt after {served} chains"));
            }
        }
        drop(kick);
        assert_eq!(modem.join().expect("the modem must not panic"), Ok(()));
    });
    assert_eq!(bench.view().load16(bench.layout.used_idx()), CHAINS as u16);
}

#[test]
fn no_notification_is_lost_with_flags() {
    go_round(0);
}

#[test]
fn no_notification_is_lost_with_event_idx() {
    go_round(1);
}
