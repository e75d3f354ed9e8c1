// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `vring_news.rs`: interrupts against the poll function that they ask for.

use loom::sync::atomic::{fence, AtomicU32, Ordering};
use loom::sync::Arc;
use loom::thread;

use crate::vring_news::{Seen, Word};

/// Chains that the modem makes available, each with an interrupt.
const CHAINS: u32 = 2;

/// A word of loom's atomics. Without `ordered`, its swap orders nothing.
struct LoomWord {
    value: AtomicU32,
    ordered: bool,
}

impl Word for LoomWord {
    fn load(&self) -> u32 {
        self.value.load(Ordering::Relaxed)
    }

    fn store(&self, value: u32) {
        self.value.store(value, Ordering::Relaxed);
    }

    fn swap(&self, value: u32) -> u32 {
        if !self.ordered {
            return self.value.swap(value, Ordering::Relaxed);
        }
        fence(Ordering::SeqCst);
        let old = self.value.swap(value, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        old
    }
}

/// A link: the index of the reversed ring, the driver's last value of it, and NAPI's state.
struct Link {
    avail: AtomicU32,
    seen: Seen<LoomWord>,
    scheduled: AtomicU32,
    /// The index of the last poll.
    polled: AtomicU32,
}

impl Link {
    fn index(&self) -> u16 {
        self.avail.load(Ordering::Relaxed) as u16
    }

    /// The modem makes a chain available, and its interrupt is handled.
    fn interrupt(&self, index: u32) {
        self.avail.store(index, Ordering::Relaxed);
        // An interrupt comes after what was stored before it.
        fence(Ordering::SeqCst);
        if self.seen.interrupt(self.index(), || 0) {
            self.scheduled.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Runs the poll function once, if it is scheduled.
    fn poll(&self) {
        if self.scheduled.swap(0, Ordering::AcqRel) == 0 {
            return;
        }
        self.seen.begin_poll();
        let index = self.index();
        self.polled.store(index.into(), Ordering::Relaxed);
        self.seen.rx(index);
    }
}

/// Runs interrupts on one CPU and the poll function on another: after all requested polls the last
/// chain was seen.
fn interrupts(ordered: bool) {
    let word = || LoomWord {
        value: AtomicU32::new(0),
        ordered,
    };
    let link = Arc::new(Link {
        avail: AtomicU32::new(0),
        seen: Seen::new([word(), word(), word()]),
        scheduled: AtomicU32::new(0),
        polled: AtomicU32::new(0),
    });
    let modem = {
        let link = link.clone();
        thread::spawn(move || (1..=CHAINS).for_each(|index| link.interrupt(index)))
    };
    link.poll();
    link.poll();
    modem.join().expect("the modem does not panic");
    link.poll();
    let polled = link.polled.load(Ordering::Relaxed);
    assert_eq!(polled, CHAINS, "asleep with news");
}

/// Searches all orders, with the barriers of the swaps or without. Returns the error.
pub fn search(ordered: bool) -> Result<(), String> {
    super::search_with(None, move || interrupts(ordered))
}
