// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The downlink: the driver side of the reversed vring.

use crate::{
    Error,
    heap::{Buffer, Heap},
    table::Table,
};
use ivshmem::memory::SharedMemory;
use kernel_pure::{
    link_config::Direction,
    vring_layout::{
        AVAIL_F_NO_INTERRUPT, DESC_F_NEXT, DESC_FLAGS, DESC_LEN, DESC_NEXT, Layout,
        USED_F_NO_NOTIFY, need_event,
    },
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{
    collections::VecDeque,
    sync::atomic::{Ordering, fence},
};

/// Frames that may wait for room on the ring or the heap.
const WAITING_MAX: usize = 256;
/// Bytes at most that a buffer is longer than what goes in it, by chance.
const SLACK_MAX: u32 = 512;

/// Counters of a downlink.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
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
    /// Frames that are empty or that no buffer may hold, which were dropped.
    pub too_long: u64,
}

/// A chain that Linux has: its descriptors and buffers, the head first.
struct Chain(Vec<(u16, Buffer)>);

/// The downlink.
pub struct Downlink {
    memory: SharedMemory,
    da: u64,
    layout: Layout,
    event_idx: bool,
    config: Direction,
    frame_max: u64,
    heap: Heap,
    free: Vec<u16>,
    in_flight: Vec<Option<Chain>>,
    avail_idx: u16,
    used_idx: u16,
    waiting: VecDeque<Vec<u8>>,
    chain_max: u16,
    rng: SmallRng,
    stats: Stats,
}

impl Downlink {
    /// Takes the driver side of a ring that is all zero.
    pub fn new(
        memory: SharedMemory,
        table: &Table,
        heap: Heap,
        chain_max: u16,
        seed: u64,
    ) -> Result<Self, Error> {
        let [vring, _] = table.vrings;
        let num = vring.layout.num();
        let mtu = u64::from(table.downlink.mtu);
        let this = Self {
            memory,
            da: vring.da,
            layout: vring.layout,
            event_idx: table.event_idx,
            config: table.downlink,
            // The allocator may need more than it is asked for, but never twice as much: what
            // fits in half of the heap does not wait for ever.
            frame_max: mtu
                .min(heap.free_bytes() / 2)
                .saturating_sub(table.downlink.room().into()),
            heap,
            free: (0..num).rev().collect(),
            in_flight: (0..num).map(|_| None).collect(),
            avail_idx: 0,
            used_idx: 0,
            waiting: VecDeque::new(),
            chain_max: chain_max.clamp(1, num),
            rng: SmallRng::seed_from_u64(seed),
            stats: Stats::default(),
        };
        this.want_interrupts(false)?;
        Ok(this)
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Frames that wait for room.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Chains that Linux has.
    pub fn in_flight(&self) -> usize {
        self.in_flight.iter().flatten().count()
    }

    /// Whether another frame may be queued.
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

    /// Takes back what Linux returned and makes queued frames available, as many as there is room
    /// for. Returns whether Linux must be interrupted.
    pub fn flush(&mut self) -> Result<bool, Error> {
        self.reclaim()?;
        let old = self.avail_idx;
        loop {
            while !self.waiting.is_empty() && self.post_chain()? {}
            if self.waiting.is_empty() {
                break;
            }
            // No room: Linux shall tell when there is, unless there is already.
            self.stats.stalls += 1;
            self.want_interrupts(true)?;
            fence(Ordering::SeqCst);
            if !self.reclaim()? {
                break;
            }
        }
        if self.waiting.is_empty() {
            self.want_interrupts(false)?;
        }
        if self.avail_idx == old {
            return Ok(false);
        }
        // The entries were stored before the index, by its release store in `post_chain`.
        fence(Ordering::SeqCst);
        if self.event_idx {
            let event = self.load16(self.layout.avail_event())?;
            Ok(need_event(event, self.avail_idx, old))
        } else {
            Ok(self.load16(self.layout.used_flags())? & USED_F_NO_NOTIFY == 0)
        }
    }

    /// Whether Linux has cleared the ring.
    pub fn was_reset(&self) -> Result<bool, Error> {
        Ok(self.load16(self.layout.avail_idx())? != self.avail_idx)
    }

    /// Makes a chain of some of the queued frames. Returns whether there was room.
    fn post_chain(&mut self) -> Result<bool, Error> {
        let most = usize::from(self.chain_max)
            .min(self.waiting.len())
            .min(self.free.len());
        if most == 0 {
            return Ok(false);
        }
        let want = self.rng.random_range(1..=most);
        let mut chain = Vec::new();
        let mut bytes = 0;
        while chain.len() < want {
            let Some(frame) = self.waiting.front() else {
                break;
            };
            let total = self.config.room() + frame.len() as u32;
            let slack = self.rng.random_range(0..=SLACK_MAX);
            let Some(buffer) = self.heap.allocate(total + slack) else {
                break;
            };
            let Some(desc) = self.free.pop() else {
                self.heap.free(buffer);
                break;
            };
            self.memory
                .write(buffer.da + u64::from(self.config.headroom), frame)?;
            self.store_desc(desc, buffer.da, total)?;
            bytes += frame.len() as u64;
            chain.push((desc, buffer));
            self.waiting.pop_front();
        }
        let Some((head, _)) = chain.first() else {
            return Ok(false);
        };
        let head = *head;
        for ((desc, _), (next, _)) in chain.iter().zip(chain.iter().skip(1)) {
            let at = self.da + self.layout.desc(*desc) as u64;
            self.memory.store(at + DESC_NEXT as u64, *next)?;
            self.memory.store(at + DESC_FLAGS as u64, DESC_F_NEXT)?;
        }
        self.stats.frames += chain.len() as u64;
        self.stats.chains += 1;
        self.stats.bytes += bytes;
        if let Some(place) = self.in_flight.get_mut(usize::from(head)) {
            *place = Some(Chain(chain));
        }
        self.store16(self.layout.avail_ring(self.avail_idx), head)?;
        self.avail_idx = self.avail_idx.wrapping_add(1);
        self.store16(self.layout.avail_idx(), self.avail_idx)?;
        Ok(true)
    }

    fn store_desc(&self, desc: u16, da: u64, len: u32) -> Result<(), Error> {
        let at = self.da + self.layout.desc(desc) as u64;
        self.memory.store(at, da)?;
        self.memory.store(at + DESC_LEN as u64, len)?;
        self.memory.store(at + DESC_FLAGS as u64, 0u16)?;
        Ok(())
    }

    /// Takes back the chains that Linux returned. Returns whether there were any.
    fn reclaim(&mut self) -> Result<bool, Error> {
        let idx = self.load16(self.layout.used_idx())?;
        let count = idx.wrapping_sub(self.used_idx);
        let allowed = self.in_flight();
        if usize::from(count) > allowed {
            return Err(ring_error(format!(
                "used.idx moved by {count}, at most {allowed} chains can come back"
            )));
        }
        for _ in 0..count {
            let at = self.da + self.layout.used_ring(self.used_idx) as u64;
            let id: u32 = self.memory.load(at)?;
            let chain = usize::try_from(id)
                .ok()
                .and_then(|id| self.in_flight.get_mut(id))
                .and_then(Option::take)
                .ok_or_else(|| {
                    ring_error(format!("chain {id} came back, but Linux does not have it"))
                })?;
            for (desc, buffer) in chain.0 {
                self.heap.free(buffer);
                self.free.push(desc);
            }
            self.used_idx = self.used_idx.wrapping_add(1);
            self.stats.returned += 1;
        }
        Ok(count != 0)
    }

    /// Asks Linux to interrupt when it returns chains, or not to.
    fn want_interrupts(&self, wanted: bool) -> Result<(), Error> {
        if self.event_idx {
            // An index that was just passed comes by again only after 65,535 others.
            let event = if wanted {
                self.used_idx
            } else {
                self.used_idx.wrapping_sub(1)
            };
            self.store16(self.layout.used_event(), event)
        } else {
            let flags = if wanted { 0 } else { AVAIL_F_NO_INTERRUPT };
            self.store16(self.layout.avail_flags(), flags)
        }
    }

    fn load16(&self, offset: usize) -> Result<u16, Error> {
        Ok(self.memory.load(self.da + offset as u64)?)
    }

    fn store16(&self, offset: usize, value: u16) -> Result<(), Error> {
        Ok(self.memory.store(self.da + offset as u64, value)?)
    }
}

fn ring_error(what: String) -> Error {
    Error::Ring { vring: 0, what }
}
