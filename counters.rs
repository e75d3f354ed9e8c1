// SPDX-License-Identifier: GPL-2.0

//! What went wrong on a link, counted by kind.

use crate::abstractions::netdev::Stats64;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A buffer to receive from is marked as one for us to write to.
    Write,
    /// A buffer has no room for a frame, or is larger than the MRU.
    Length,
    /// A buffer is outside the memory where frames may be.
    Address,
    /// There was no memory for a received frame.
    NoMemory,
    /// A frame to send is longer than the slots.
    TxLength,
    /// A frame to send came after the link had broken.
    TxBroken,
    /// The reversed vring broke, which ends the use of the link.
    RxRing,
    /// The vring to send by broke, which ends the use of the link.
    TxRing,
    /// The modem stopped to take frames, which ends the use of the link.
    TxTimeout,
}

/// A counter for each kind of [`Fault`].
pub struct Counters {
    write: Atomic<u64>,
    length: Atomic<u64>,
    address: Atomic<u64>,
    no_memory: Atomic<u64>,
    tx_length: Atomic<u64>,
    tx_broken: Atomic<u64>,
    rx_ring: Atomic<u64>,
    tx_ring: Atomic<u64>,
    tx_timeout: Atomic<u64>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            write: Atomic::new(0),
            length: Atomic::new(0),
            address: Atomic::new(0),
            no_memory: Atomic::new(0),
            tx_length: Atomic::new(0),
            tx_broken: Atomic::new(0),
            rx_ring: Atomic::new(0),
            tx_ring: Atomic::new(0),
            tx_timeout: Atomic::new(0),
        }
    }
}

impl Counters {
    /// Counts a fault. Any context.
    #[cold]
    pub fn count(&self, fault: Fault) {
        let counter = match fault {
            Fault::Write => &self.write,
            Fault::Length => &self.length,
            Fault::Address => &self.address,
            Fault::NoMemory => &self.no_memory,
            Fault::TxLength => &self.tx_length,
            Fault::TxBroken => &self.tx_broken,
            Fault::RxRing => &self.rx_ring,
            Fault::TxRing => &self.tx_ring,
            Fault::TxTimeout => &self.tx_timeout,
        };
        counter.add(1, Relaxed);
    }

    /// Adds the counters to the standard statistics. Any context.
    pub fn add_to(&self, stats: &mut Stats64) {
        let length = self.length.load(Relaxed);
        let frame = self.write.load(Relaxed) + self.address.load(Relaxed);
        let rx_ring = self.rx_ring.load(Relaxed);
        stats.rx_length_errors += length;
        stats.rx_frame_errors += frame;
        stats.rx_fifo_errors += rx_ring;
        stats.rx_errors += length + frame + rx_ring;
        stats.rx_dropped += self.no_memory.load(Relaxed);

        let tx_ring = self.tx_ring.load(Relaxed);
        stats.tx_fifo_errors += tx_ring;
        stats.tx_errors += self.tx_length.load(Relaxed) + tx_ring + self.tx_timeout.load(Relaxed);
        stats.tx_dropped += self.tx_broken.load(Relaxed);
    }
}
