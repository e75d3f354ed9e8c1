// SPDX-License-Identifier: GPL-2.0

//! Counters of a link: its work, and its faults by kind.

use crate::abstractions::net::Stats64;
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Counter {
    /// A received buffer has the `WRITE` flag.
    Write,
    /// A buffer has no room for a frame, or is larger than the MRU.
    Length,
    /// A buffer is outside of the windows.
    Address,
    /// There was no memory for a received frame.
    NoMemory,
    /// The RX vring broke; the link was given up.
    RxRing,
    /// A packet is longer than a slot.
    TxLength,
    /// A packet came after the link was given up.
    TxBroken,
    /// The TX vring broke; the link was given up.
    TxRing,
    /// The modem stopped returning frames; the link was given up.
    TxTimeout,
    /// Hibernation lost the rings; the link was given up.
    Lost,
    /// The modem was kicked for returned chains.
    RxKick,
    /// The modem was kicked for frames.
    TxKick,
    /// The poll function ran.
    Poll,
}

impl Counter {
    /// Names of the counters, in the order of their numbers, as `ethtool -S` shows them.
    pub(crate) const NAMES: &'static [&'static CStr] = &[
        c"rx_drop_write_flag",
        c"rx_drop_length",
        c"rx_drop_address",
        c"rx_drop_no_memory",
        c"rx_ring_broken",
        c"tx_drop_length",
        c"tx_drop_link_broken",
        c"tx_ring_broken",
        c"tx_timeout",
        c"rings_lost",
        c"rx_kicks",
        c"tx_kicks",
        c"polls",
    ];

    /// Returns the name of the counter.
    pub(crate) fn name(self) -> &'static CStr {
        Self::NAMES.get(self as usize).copied().unwrap_or_default()
    }
}

/// Number of counters.
const COUNT: usize = Counter::Poll as usize + 1;

const _: () = assert!(Counter::NAMES.len() == COUNT);

/// A counter for each kind.
pub(crate) struct Counters([Atomic<u64>; COUNT]);

impl Default for Counters {
    fn default() -> Self {
        Self([const { Atomic::new(0) }; COUNT])
    }
}

impl Counters {
    /// Increments a counter. Any context.
    #[inline]
    pub(crate) fn count(&self, counter: Counter) {
        if let Some(value) = self.0.get(counter as usize) {
            value.add(1, Relaxed);
        }
    }

    /// Returns the values, in the order of [`Counter::NAMES`].
    pub(crate) fn values(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(|value| value.load(Relaxed))
    }

    /// Adds the faults to the standard statistics. Any context.
    pub(crate) fn add_to(&self, stats: &mut Stats64) {
        let get = |counter| self.values().nth(counter as usize).unwrap_or(0);
        let add = |sum: &mut u64, count| *sum = sum.saturating_add(count);
        let length = get(Counter::Length);
        let frame = get(Counter::Write).saturating_add(get(Counter::Address));
        let rx_ring = get(Counter::RxRing);
        add(&mut stats.rx_length_errors, length);
        add(&mut stats.rx_frame_errors, frame);
        add(&mut stats.rx_fifo_errors, rx_ring);
        add(&mut stats.rx_errors, length);
        add(&mut stats.rx_errors, frame);
        add(&mut stats.rx_errors, rx_ring);
        add(&mut stats.rx_dropped, get(Counter::NoMemory));

        let tx_ring = get(Counter::TxRing);
        add(&mut stats.tx_fifo_errors, tx_ring);
        add(&mut stats.tx_errors, get(Counter::TxLength));
        add(&mut stats.tx_errors, tx_ring);
        add(&mut stats.tx_errors, get(Counter::TxTimeout));
        add(&mut stats.tx_dropped, get(Counter::TxBroken));
    }
}
