// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The ring under test against the device side of the crate `virtio-queue`, on the same ring.
//!
//! Both read the descriptors and the available ring that one driver fills at random; each has a
//! used ring of its own. They must agree on every chain and segment, on the used ring, and on the
//! notifications.

use std::fmt;
use std::sync::atomic::Ordering;

use fastrand::Rng;
use modem_ring::{Desc, Driver, Place};
use virtio_queue::{Queue, QueueT};
use vm_memory::{Bytes, GuestMemoryMmap};

use crate::memory::{Memory, View};
use crate::vring_chain::Segment;
use crate::vring_layout::{Layout, AVAIL_F_NO_INTERRUPT, DESC_F_WRITE, USED_ELEM_SIZE};
use crate::vring_mem::{Features, RingMem};
use crate::vring_reversed::{Chain, DeviceRing};

/// Chains of one ring, after which a new one of another size begins. More than 65,536, so that
/// the indices of every ring wrap.
const CHAINS_PER_RING: u64 = 100_000;

/// A difference between the two.
#[derive(Debug)]
pub struct Disagreement(String);

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The amount of the comparison.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Chains that both read and returned.
    pub chains: u64,
    /// Their segments.
    pub segments: u64,
    /// Rings.
    pub rings: u64,
    /// Decisions whether to notify the driver, and how many of them were "yes".
    pub decisions: u64,
    /// See `decisions`.
    pub notified: u64,
    /// Longest chain.
    pub longest: usize,
    /// Chains of all descriptors of a ring of more than one.
    pub whole: u64,
}

/// Compares at least `chains` chains.
pub fn run(chains: u64, event_idx: bool, seed: u64) -> Result<Totals, Disagreement> {
    let mut totals = Totals::default();
    let mut rng = Rng::with_seed(seed);
    while totals.chains < chains {
        let num = 1
            << rng
                .choice([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15])
                .unwrap_or(8);
        let align = 1 << rng.u32(2..=12);
        let layout = Layout::new(num, align).expect("both are powers of two in range");
        let memory = Memory::new(2 * layout.size() + 64);
        let until = (totals.chains + CHAINS_PER_RING).min(chains);
        let rng = rng.fork();
        let mut pair = Pair::new(&memory, layout, event_idx, rng, totals);
        while pair.totals.chains < until {
            pair.step()
                .map_err(|e| Disagreement(format!("ring of {num}: {}", e.0)))?;
        }
        totals = pair.totals;
        totals.rings += 1;
    }
    Ok(totals)
}

/// Fails with `what` unless both are equal.
fn agree<T: PartialEq + fmt::Debug>(what: &str, ours: T, theirs: T) -> Result<(), Disagreement> {
    if ours == theirs {
        return Ok(());
    }
    Err(Disagreement(format!(
        "{what}: {ours:?}, virtio-queue says {theirs:?}"
    )))
}

/// One ring and its two devices.
struct Pair<'a> {
    layout: Layout,
    event_idx: bool,
    rng: Rng,
    view: View<'a>,
    map: &'a GuestMemoryMmap,
    driver: Driver<View<'a>, Vec<Place>>,
    ours: DeviceRing<View<'a>, Vec<bool>>,
    theirs: Queue,
    segments: Vec<Segment>,
    buffers: Vec<Desc>,
    held: Vec<Chain>,
    no_interrupt: bool,
    totals: Totals,
}

impl<'a> Pair<'a> {
    fn new(
        memory: &'a Memory,
        layout: Layout,
        event_idx: bool,
        mut rng: Rng,
        totals: Totals,
    ) -> Self {
        let view = memory.view(layout.size());
        let num = layout.num();
        let theirs = memory.queue(&layout, event_idx, layout.size().next_multiple_of(16));
        let features = Features { event_idx };
        let places = vec![Place::default(); usize::from(num)];
        let mut driver =
            Driver::new(view.clone(), layout, features, places).expect("enough places");
        driver.shuffle(|below| rng.u16(..below));
        let storage = vec![true; usize::from(num)];
        Self {
            layout,
            event_idx,
            driver,
            ours: DeviceRing::new(view.clone(), layout, features, storage)
                .expect("the storage is large enough"),
            theirs,
            rng,
            view,
            map: memory.map(),
            segments: vec![Segment::default(); usize::from(num)],
            buffers: Vec::new(),
            held: Vec::new(),
            no_interrupt: false,
            totals,
        }
    }

    /// Returns the offset of `off`, which is in our used ring, in the memory of `virtio-queue`.
    fn theirs_at(&self, off: usize) -> vm_memory::GuestAddress {
        let used = self.theirs.used_ring() + (off - self.layout.used_flags()) as u64;
        vm_memory::GuestAddress(used)
    }

    /// Runs one round of driver, device and driver.
    fn step(&mut self) -> Result<(), Disagreement> {
        if self.rng.u8(..) == 0 {
            self.drain()?;
        }
        self.post();
        if self.rng.bool() {
            self.suppress();
        }
        self.toggle_notify()?;
        let most = self.rng.u8(1..24);
        self.fetch(most)?;
        let most = self.rng.usize(..=self.held.len());
        self.give_back(most)?;
        if self.rng.u8(..) < 192 {
            self.publish()?;
            self.reclaim();
        }
        Ok(())
    }

    /// Returns all buffers to the driver, so that a chain of all descriptors is possible.
    fn drain(&mut self) -> Result<(), Disagreement> {
        while self.ours.has_more() {
            self.fetch(u8::MAX)?;
        }
        self.give_back(self.held.len())?;
        self.publish()?;
        self.reclaim();
        self.driver.shuffle(|below| self.rng.u16(..below));
        agree("free", self.driver.free(), self.layout.num())
    }

    /// Posts chains of 1 to as many descriptors as are free.
    fn post(&mut self) {
        for _ in 0..self.rng.u8(..16) {
            let free = usize::from(self.driver.free());
            let longest = match self.rng.u8(..) {
                0..=127 => 1,
                128..=254 => 8,
                _ => free,
            };
            if free == 0 {
                break;
            }
            let count = if free == usize::from(self.layout.num()) && self.rng.u8(..) < 64 {
                free
            } else {
                self.rng.usize(1..=longest.min(free))
            };
            self.buffers.clear();
            for _ in 0..count {
                // `virtio-queue` ends a chain of more than 4 GiB early.
                let bits = self.rng.u32(0..=16);
                self.buffers.push(Desc {
                    addr: self.rng.u64(..),
                    len: self.rng.u32(..) & ((1 << bits) - 1),
                    flags: if self.rng.u8(..) < 16 {
                        DESC_F_WRITE
                    } else {
                        0
                    },
                    // Ignored in the last one.
                    next: self.rng.u16(..),
                });
            }
            self.driver.post(&self.buffers);
        }
        self.driver.expose();
    }

    /// Sets when the driver wants to be notified.
    fn suppress(&mut self) {
        if self.event_idx {
            let near = self.driver.next_used().wrapping_add(self.rng.u16(..8));
            let event = if self.rng.u8(..) < 224 {
                near
            } else {
                self.rng.u16(..)
            };
            self.view.store16(self.layout.used_event(), event);
        } else {
            self.no_interrupt = self.rng.bool();
            let flags = if self.no_interrupt {
                AVAIL_F_NO_INTERRUPT
            } else {
                0
            };
            self.view.store16(self.layout.avail_flags(), flags);
        }
    }

    /// Switches the driver's notifications on or off, on both devices.
    fn toggle_notify(&mut self) -> Result<(), Disagreement> {
        if self.rng.bool() {
            let more = self.theirs.enable_notification(self.map).map_err(broken)?;
            agree("more after enabling", self.ours.enable_notify(), more)?;
            agree("more at a look", self.ours.has_more(), more)?;
        } else {
            self.theirs.disable_notification(self.map).map_err(broken)?;
            self.ours.disable_notify();
        }
        for (what, off) in [
            ("used.flags", self.layout.used_flags()),
            ("avail_event", self.layout.avail_event()),
        ] {
            let theirs: u16 = self
                .map
                .load(self.theirs_at(off), Ordering::Relaxed)
                .map_err(broken)?;
            agree(what, self.view.load16(off), theirs)?;
        }
        Ok(())
    }

    /// Fetches at most `most` chains on both devices, which must be the same.
    fn fetch(&mut self, most: u8) -> Result<(), Disagreement> {
        for _ in 0..most {
            let theirs = self.theirs.pop_descriptor_chain(self.map);
            let ours = self.ours.fetch(&mut self.segments).map_err(broken)?;
            let (chain, mut descs) = match (ours, theirs) {
                (Some(ours), Some(theirs)) => (ours, theirs),
                (ours, theirs) => return agree("a chain", ours.is_some(), theirs.is_some()),
            };
            agree("head", chain.head(), descs.head_index())?;
            for segment in &self.segments[..chain.len()] {
                let ours = Some((segment.addr(), segment.len(), segment.flags()));
                let desc = descs.next();
                let theirs = desc.map(|d| (d.addr().0, d.len(), d.flags()));
                agree("segment", ours, theirs)?;
                let write = desc.is_some_and(|d| d.is_write_only());
                agree("write", segment.is_write(), write)?;
            }
            agree("further segment", false, descs.next().is_some())?;
            self.totals.chains += 1;
            self.totals.segments += chain.len() as u64;
            self.totals.longest = self.totals.longest.max(chain.len());
            if chain.len() > 1 && chain.len() == usize::from(self.layout.num()) {
                self.totals.whole += 1;
            }
            self.held.push(chain);
        }
        Ok(())
    }

    /// Gives `count` chains back on both devices, in any order.
    fn give_back(&mut self, count: usize) -> Result<(), Disagreement> {
        for _ in 0..count {
            let chain = self.held.swap_remove(self.rng.usize(..self.held.len()));
            let (head, written) = (chain.head(), self.rng.u32(..));
            self.ours.give_back(chain, written).map_err(broken)?;
            self.theirs
                .add_used(self.map, head, written)
                .map_err(broken)?;
        }
        agree("held", usize::from(self.ours.in_flight()), self.held.len())
    }

    /// Publishes on both devices, which must decide alike whether to notify, and have written the
    /// same.
    fn publish(&mut self) -> Result<(), Disagreement> {
        let pending = self.ours.pending();
        let before = self.view.load16(self.layout.used_idx());
        agree(
            "unpublished",
            before.wrapping_add(pending),
            self.theirs.next_used(),
        )?;

        let ours = self.ours.publish();
        let theirs = self.theirs.needs_notification(self.map).map_err(broken)?;
        // `virtio-queue` ignores the flag of the available ring and always notifies.
        let theirs = if self.event_idx {
            theirs
        } else {
            pending != 0 && !self.no_interrupt
        };
        agree("notify", ours, theirs)?;
        self.totals.decisions += 1;
        self.totals.notified += u64::from(ours);

        let idx = self.view.load16(self.layout.used_idx());
        let their_idx = self
            .theirs
            .used_idx(self.map, Ordering::Relaxed)
            .map_err(broken)?;
        agree("used.idx", idx, their_idx.0)?;
        for i in 0..pending {
            let off = self.layout.used_ring(before.wrapping_add(i));
            let mut theirs = [0; USED_ELEM_SIZE];
            self.map
                .read_slice(&mut theirs, self.theirs_at(off))
                .map_err(broken)?;
            let ours = self.view.bytes(off, USED_ELEM_SIZE);
            agree("used element", ours.as_slice(), &theirs[..])?;
        }
        Ok(())
    }

    /// Takes the published chains back on the driver's side.
    fn reclaim(&mut self) {
        while self.driver.reclaim().expect("it was lent").is_some() {}
    }
}

/// Returns an error of either side, which a valid ring must not cause.
fn broken(error: impl fmt::Display) -> Disagreement {
    Disagreement(format!("error on a valid ring: {error}"))
}
