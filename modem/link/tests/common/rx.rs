// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The host's end of the downlink: the driver's own code on a ring in the shared memory.

use super::Host;
use ivshmem::memory::SharedMemory;
use kernel_pure::{
    vring_chain::{DeviceRingError, Segment},
    vring_reversed::{Chain, DeviceRing},
};
use link::view::View;
use rand::{Rng, rngs::SmallRng, seq::SliceRandom};

/// The host's end of the downlink.
pub struct Rx {
    memory: SharedMemory,
    ring: DeviceRing<View, Vec<bool>>,
    segments: Vec<Segment>,
    headroom: u64,
    room: u64,
    mtu: u64,
    held: Vec<Chain>,
    /// Number of chains of each length.
    pub lengths: Vec<u64>,
}

impl Rx {
    pub fn new(host: &Host) -> Self {
        let layout = host.layout(0);
        let num = usize::from(layout.num());
        let places = vec![false; num];
        let config = host.table.config.unwrap().downlink;
        Self {
            memory: host.memory.clone(),
            ring: DeviceRing::new(host.view(0), layout, host.features(), places).unwrap(),
            segments: vec![Segment::default(); num],
            headroom: config.headroom.into(),
            room: u64::from(config.headroom) + u64::from(config.tailroom),
            mtu: config.mtu.into(),
            held: Vec::new(),
            lengths: vec![0; num + 1],
        }
    }

    /// Takes the next chain, and keeps its buffers. Returns whether there was one.
    pub fn fetch_one(&mut self, take: &mut impl FnMut(&[u8])) -> Result<bool, DeviceRingError> {
        let Some(chain) = self.ring.fetch(&mut self.segments)? else {
            return Ok(false);
        };
        self.lengths[chain.len()] += 1;
        for segment in &self.segments[..chain.len()] {
            let len = u64::from(segment.len());
            assert!(len > self.room && len <= self.mtu && !segment.is_write());
            let mut frame = vec![0; (len - self.room) as usize];
            self.memory
                .read(segment.addr() + self.headroom, &mut frame)
                .unwrap();
            take(&frame);
        }
        self.held.push(chain);
        Ok(true)
    }

    /// Takes all chains.
    pub fn fetch(&mut self, mut take: impl FnMut(&[u8])) -> Result<(), DeviceRingError> {
        while self.fetch_one(&mut take)? {}
        Ok(())
    }

    /// Returns the number of chains that are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Returns some of the chains that are held, in any order. Returns whether the modem must be
    /// kicked.
    pub fn give_back_some(&mut self, rng: &mut SmallRng) -> bool {
        self.held.shuffle(rng);
        let keep = rng.random_range(0..=self.held.len());
        self.give_back(keep)
    }

    /// Returns the chains that are held, but for the `keep` that were taken first.
    pub fn give_back(&mut self, keep: usize) -> bool {
        for chain in self.held.drain(keep..) {
            self.ring.give_back(chain, 0).unwrap();
        }
        self.ring.publish()
    }

    /// Asks not to be interrupted, as NAPI does before it polls.
    pub fn disable_notify(&mut self) {
        self.ring.disable_notify();
    }

    /// Asks to be interrupted. Returns whether there is something to fetch already.
    pub fn enable_notify(&mut self) -> bool {
        self.ring.enable_notify()
    }
}
