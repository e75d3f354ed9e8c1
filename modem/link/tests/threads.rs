// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Host and modem in two threads, each of which sleeps until the other one kicks it. A kick that
//! is not sent when it is due leaves both asleep, and the test fails.

mod common;

use common::{Host, frame, rx::Rx, table, tx::Tx};
use link::Link;
use rand::{SeedableRng, rngs::SmallRng};
use std::{
    collections::VecDeque,
    sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    thread,
    time::Duration,
};

const MTU: u32 = 1024;
const MAX: usize = 1024 - 48;
/// Far longer than a busy machine keeps a thread waiting.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The end of an interrupt line that rings. As with an interrupt, two rings before the other end
/// wakes count once.
struct Bell(SyncSender<()>);

/// The end that waits.
struct Ear(Receiver<()>);

fn line() -> (Bell, Ear) {
    let (bell, ear) = sync_channel(1);
    (Bell(bell), Ear(ear))
}

impl Bell {
    fn ring(&self) {
        // The other side may be done.
        match self.0.try_send(()) {
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
        }
    }
}

impl Ear {
    /// Waits. Returns whether it was rung; if not, the other side is gone.
    #[track_caller]
    fn wait(&self, who: &str, how: impl std::fmt::Debug) -> bool {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        match self.0.recv_timeout(TIMEOUT) {
            Ok(()) => true,
            Err(Disconnected) => false,
            Err(Timeout) => panic!("the {who} was never woken: {how:?}"),
        }
    }
}

/// The work of both sides.
#[derive(Clone, Copy)]
struct Load {
    /// Frames to Linux.
    down: u32,
    /// Frames from Linux.
    up: u32,
    /// Linux sends frame n only after it received frame n, and the modem is ahead of Linux by a
    /// number of frames.
    window: Option<u32>,
    /// Linux never sleeps, so that it acts just when the modem is about to.
    busy: bool,
}

fn modem(mut link: Link, load: Load, ear: Ear, linux: Bell) {
    let (mut sent, mut received) = (0, 0);
    loop {
        let taken = link
            .uplink
            .receive(|got| {
                frame::check(got, received, MAX);
                received += 1;
            })
            .unwrap();
        let limit = load
            .window
            .map_or(load.down, |window| load.down.min(received + window));
        while sent < limit && link.downlink.can_send() {
            link.downlink.queue(frame::make(sent, MAX));
            sent += 1;
        }
        if link.downlink.flush().unwrap() | taken.interrupt {
            linux.ring();
        }
        let room = sent < limit && link.downlink.can_send();
        if taken.more || room {
            continue;
        }
        if (sent, received) == (load.down, load.up) && link.downlink.waiting() == 0 {
            return;
        }
        let how = (
            sent,
            link.downlink.waiting(),
            link.downlink.in_flight(),
            received,
        );
        assert!(
            ear.wait("modem", how),
            "Linux went before the modem was done"
        );
    }
}

fn linux(mut rx: Rx, mut tx: Tx, load: Load, ear: Ear, modem: Bell) {
    let mut rng = SmallRng::seed_from_u64(9);
    let (mut received, mut sent) = (0, 0);
    let mut echo = VecDeque::new();
    let mut gone = None;
    loop {
        rx.disable_notify();
        rx.fetch(|got| {
            frame::check(got, received, MAX);
            if load.window.is_some() {
                echo.push_back(received);
            }
            received += 1;
        })
        .unwrap();
        // Some come back later, but none is kept while Linux sleeps.
        let mut kick = rx.give_back_some(&mut rng);
        tx.reclaim();
        let mut full = false;
        while sent < load.up && !full {
            if load.window.is_some() && echo.is_empty() {
                break;
            }
            full = !tx.send(&frame::make(sent, MAX));
            if !full {
                sent += 1;
                echo.pop_front();
            }
        }
        kick |= tx.kick();
        kick |= rx.give_back(0);
        if kick {
            modem.ring();
        }
        if (received, sent) == (load.down, load.up) {
            return;
        }
        if load.busy {
            // The modem may be done before us, but then all it sent is there.
            if matches!(ear.0.try_recv(), Err(TryRecvError::Disconnected)) {
                assert_ne!(gone, Some(received), "the modem went without a word");
                gone = Some(received);
            }
            continue;
        }
        tx.want_interrupts(full);
        if rx.enable_notify() || (full && tx.reclaim() > 0) {
            continue;
        }
        // The modem may be done once it has the last frame.
        let how = (received, sent, tx.in_flight());
        assert!(ear.wait("host", how) || received == load.down, "{how:?}");
    }
}

fn run(num: u32, chain_max: u16, event_idx: bool, load: Load) {
    let host = Host::ready(table(num, num, MTU, event_idx));
    let link = host.open(chain_max, 3);
    let (rx, tx) = (host.rx(), host.tx());
    let (to_linux, linux_ear) = line();
    let (to_modem, modem_ear) = line();
    let modem = thread::spawn(move || modem(link, load, modem_ear, to_linux));
    // Linux kicks once after DRIVER_OK.
    to_modem.ring();
    // Its end is moved here, so that it is gone if this thread fails.
    let linux = thread::spawn(move || {
        linux(rx, tx, load, linux_ear, to_modem);
    });
    let (linux, modem) = (linux.join(), modem.join());
    if let Err(why) = modem.and(linux) {
        std::panic::resume_unwind(why);
    }
}

/// Runs with rings of several sizes: small ones are full and empty all the time.
fn all_sizes(down: u32, up: u32, window: Option<u32>, busy: bool) {
    let load = Load {
        down,
        up,
        window,
        busy,
    };
    for event_idx in [false, true] {
        for (num, chain_max) in [(1, 1), (4, 2), (64, 8)] {
            run(num, chain_max, event_idx, load);
        }
    }
}

#[test]
fn one_way_and_both() {
    for (down, up) in [(100_000, 0), (0, 100_000), (100_000, 100_000)] {
        all_sizes(down, up, None, false);
    }
}

#[test]
fn a_few_at_a_time() {
    all_sizes(20_000, 20_000, Some(1), false);
    all_sizes(50_000, 50_000, Some(7), false);
}

#[test]
fn with_a_host_that_never_sleeps() {
    for (down, up) in [(200_000, 0), (0, 200_000)] {
        all_sizes(down, up, None, true);
    }
}
