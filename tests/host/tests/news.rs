// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Interrupts that ask for a poll, without concurrency.

use std::cell::Cell;

use vring_host_tests::vring_news::{Seen, Word};

/// An unshared word.
#[derive(Default)]
struct Plain(Cell<u32>);

impl Word for Plain {
    fn load(&self) -> u32 {
        self.0.get()
    }

    fn store(&self, value: u32) {
        self.0.set(value);
    }

    fn swap(&self, value: u32) -> u32 {
        self.0.replace(value)
    }
}

#[test]
fn an_interrupt_without_news_asks_for_nothing() {
    let seen: Seen<Plain> = Seen::new(Default::default());
    assert!(!seen.interrupt(0, || 0));
    seen.rx(65535);
    seen.tx(7);
    assert!(!seen.interrupt(65535, || 7));
}

#[test]
fn news_of_each_ring_ask_for_one_poll() {
    let seen: Seen<Plain> = Seen::new(Default::default());
    for (avail, used) in [(1, 0), (1, 1), (0, 1), (65535, 65535)] {
        assert!(seen.interrupt(avail, || used));
        // One poll is enough until it begins.
        assert!(!seen.interrupt(avail, || used));
        assert!(!seen.interrupt(avail.wrapping_add(1), || used));
        seen.begin_poll();
        seen.rx(avail);
        seen.tx(used);
        assert!(!seen.interrupt(avail, || used));
    }
}

#[test]
fn what_comes_while_a_poll_runs_asks_for_another() {
    let seen: Seen<Plain> = Seen::new(Default::default());
    assert!(seen.interrupt(1, || 0));
    seen.begin_poll();
    assert!(seen.interrupt(2, || 0));
    seen.rx(1);
    assert!(!seen.interrupt(2, || 0), "a poll is due already");
    seen.begin_poll();
    seen.rx(2);
    assert!(!seen.interrupt(2, || 0));
}
