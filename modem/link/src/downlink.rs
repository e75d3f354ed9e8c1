// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The downlink: the driver side of the reversed vring.

use crate::{
    Error,
    heap::{Buffer, Heap},
    table::Table,
    view::View,
};
use ivshmem::memory::SharedMemory;
use kernel_pure::{link_config::Direction, vring_mem::Features};
use modem_ring::{Desc, Driver, Place, Violation};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::collections::VecDeque;

/// Frames that may wait for room on the ring or the heap.
const WAITING_MAX: usize = 256;
/// Most bytes that a buffer has more than its frame; the number is random.
const SLACK_MAX: u32 = 512;

/// Counters of a downlink.
#[derive(Clone, Copy, Debug, Default)]
pub struct DownlinkStats {
    /// Frames made available.
    pub frames: u64,
    /// Chains made available.
    pub chains: u64,
    /// Bytes of the frames.
    pub bytes: u64,
    /// Chains that Linux gave back.
    pub returned: u64,
    /// Times that a frame had to wait for room.
    pub stalls: u64,
    /// Frames that were dropped, being empty or too long for any buffer.
    pub too_long: u64,
}

/// The downlink.
pub struct Downlink {
    memory: SharedMemory,
    ring: Driver<View, Vec<Place>>,
    /// The buffers of the chain that begins at each descriptor, if Linux has it.
    chains: Vec<Vec<Buffer>>,
    config: Direction,
    frame_max: u64,
    heap: Heap,
    waiting: VecDeque<Vec<u8>>,
    chain_max: usize,
    rng: SmallRng,
    stats: DownlinkStats,
}

impl Downlink {
    /// Creates the driver side of a ring that is all zero, except that `avail.idx` may be stale: an
    /// earlier modem may have written it after Linux cleared the ring.
    pub fn new(
        memory: SharedMemory,
        table: &Table,
        heap: Heap,
        chain_max: u16,
        seed: u64,
    ) -> Result<Self, Error> {
        let [vring, _] = table.vrings;
        let num = usize::from(vring.layout.num());
        let mtu = u64::from(table.downlink.mtu);
        let features = Features {
            event_idx: table.event_idx,
        };
        let places = vec![Place::default(); num];
        let ring = Driver::new(View::new(&memory, &vring)?, vring.layout, features, places)
            .ok_or_else(|| Error::Table("no place for each descriptor".into()))?;
        ring.fields().write_avail_idx(0);
        ring.disable_notify();
        Ok(Self {
            memory,
            ring,
            chains: (0..num).map(|_| Vec::new()).collect(),
            config: table.downlink,
            // The allocator may need more than it is asked for, but never twice as much: what
            // fits in half of the heap does not wait for ever.
            frame_max: mtu
                .min(heap.free_bytes() / 2)
                .saturating_sub(table.downlink.room().into()),
            heap,
            waiting: VecDeque::new(),
            chain_max: usize::from(chain_max).clamp(1, num),
            rng: SmallRng::seed_from_u64(seed),
            stats: DownlinkStats::default(),
        })
    }

    /// Returns the counters.
    pub fn stats(&self) -> DownlinkStats {
        self.stats
    }

    /// Returns the number of frames that wait for room.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the number of chains that Linux has.
    pub fn in_flight(&self) -> usize {
        self.ring.in_flight().into()
    }

    /// Returns whether another frame may be queued.
    pub fn can_send(&self) -> bool {
        self.waiting.len() < WAITING_MAX
    }

    /// Queues a frame; [`flush`](Self::flush) makes it available.
    pub fn queue(&mut self, frame: Vec<u8>) {
        if frame.is_empty() || frame.len() as u64 > self.frame_max {
            self.stats.too_long += 1;
        } else {
            self.waiting.push_back(frame);
        }
    }

    /// Reclaims the chains that Linux returned and makes queued frames available, as many as there
    /// is room for. Returns whether Linux must be interrupted.
    pub fn flush(&mut self) -> Result<bool, Error> {
        self.reclaim()?;
        loop {
            while !self.waiting.is_empty() && self.post_chain()? {}
            if self.waiting.is_empty() {
                break;
            }
            // No room: asks Linux for a kick, unless buffers have come back meanwhile.
            self.stats.stalls += 1;
            self.ring.enable_notify();
            if !self.reclaim()? {
                break;
            }
        }
        if self.waiting.is_empty() {
            self.ring.disable_notify();
        }
        Ok(self.ring.needs_interrupt())
    }

    /// Returns whether Linux has cleared the ring.
    pub fn was_reset(&self) -> bool {
        self.ring.fields().avail_idx() != self.ring.next_avail()
    }

    /// Makes a chain of queued frames available. Returns whether there was room.
    fn post_chain(&mut self) -> Result<bool, Error> {
        let most = self
            .chain_max
            .min(self.waiting.len())
            .min(self.ring.free().into());
        if most == 0 {
            return Ok(false);
        }
        let want = self.rng.random_range(1..=most);
        let (mut descs, mut buffers) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        while descs.len() < want {
            let Some(frame) = self.waiting.front() else {
                break;
            };
            let len = self.config.room() + frame.len() as u32;
            let slack = self.rng.random_range(0..=SLACK_MAX);
            let Some(buffer) = self.heap.allocate(len + slack) else {
                break;
            };
            self.memory
                .write(buffer.da + u64::from(self.config.headroom), frame)?;
            bytes += frame.len() as u64;
            descs.push(Desc {
                addr: buffer.da,
                len,
                ..Desc::default()
            });
            buffers.push(buffer);
            self.waiting.pop_front();
        }
        let Some(head) = self.ring.post(&descs) else {
            return Ok(false);
        };
        self.stats.frames += descs.len() as u64;
        self.stats.chains += 1;
        self.stats.bytes += bytes;
        if let Some(chain) = self.chains.get_mut(usize::from(head)) {
            *chain = buffers;
        }
        self.ring.expose();
        Ok(true)
    }

    /// Reclaims the chains that Linux returned. Returns whether there were any.
    fn reclaim(&mut self) -> Result<bool, Error> {
        let mut any = false;
        while let Some(used) = self.ring.reclaim().map_err(ring_error)? {
            let chain = usize::try_from(used.id)
                .ok()
                .and_then(|head| self.chains.get_mut(head));
            for buffer in chain.map(std::mem::take).unwrap_or_default() {
                self.heap.free(buffer);
            }
            self.stats.returned += 1;
            any = true;
        }
        Ok(any)
    }
}

fn ring_error(what: Violation) -> Error {
    Error::Ring {
        vring: 0,
        what: what.to_string(),
    }
}
