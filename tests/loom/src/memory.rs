// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The memory that both sides share, and its view for the ring under test.

#![expect(unsafe_code, reason = "loom gives out raw pointers")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::{Arc as StdArc, Mutex as StdMutex};

use loom::cell::UnsafeCell;
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use loom::sync::atomic::{fence, AtomicU16, AtomicU32, AtomicU64};
use loom::sync::Arc;

use crate::vring_layout::{Layout, DESC_SIZE, USED_ELEM_SIZE};
use crate::vring_mem::RingMem;

/// A buffer: loom fails the model if both sides access it without ordering.
#[derive(Debug, Default)]
pub struct Buffer(UnsafeCell<()>);

// SAFETY: Only loom's bookkeeping is reached through it, which loom serializes. Nothing is read
// or written behind the pointers that it hands out.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Reads it.
    pub fn read(&self) {
        self.0.with(|_| ());
    }

    /// Writes to it.
    pub fn write(&self) {
        self.0.with_mut(|_| ());
    }
}

/// A ring's memory, one atomic for each of its fields, and a buffer for each descriptor.
#[derive(Debug)]
pub struct Shared {
    /// The ring's geometry.
    pub layout: Layout,
    /// Address, and length, flags and next, of each descriptor.
    pub descs: Vec<[AtomicU64; 2]>,
    /// `avail.flags`.
    pub avail_flags: AtomicU16,
    /// `avail.idx`.
    pub avail_idx: AtomicU16,
    /// `avail.ring`.
    pub avail_ring: Vec<AtomicU16>,
    /// `used_event`.
    pub used_event: AtomicU16,
    /// `used.flags`.
    pub used_flags: AtomicU16,
    /// `used.idx`.
    pub used_idx: AtomicU16,
    /// Id and length of each used element.
    pub used_ring: Vec<[AtomicU32; 2]>,
    /// `avail_event`.
    pub avail_event: AtomicU16,
    /// The buffers.
    pub buffers: Vec<Buffer>,
}

impl Shared {
    /// Makes a ring of `num` descriptors, all zero.
    pub fn new(num: u16) -> Arc<Self> {
        let layout = Layout::new(num.into(), 4).expect("num is a power of two");
        Arc::new(Self {
            layout,
            descs: (0..num).map(|_| Default::default()).collect(),
            avail_flags: AtomicU16::new(0),
            avail_idx: AtomicU16::new(0),
            avail_ring: (0..num).map(|_| AtomicU16::new(0)).collect(),
            used_event: AtomicU16::new(0),
            used_flags: AtomicU16::new(0),
            used_idx: AtomicU16::new(0),
            used_ring: (0..num).map(|_| Default::default()).collect(),
            avail_event: AtomicU16::new(0),
            buffers: (0..num).map(|_| Buffer::default()).collect(),
        })
    }

    fn at16(&self, off: usize) -> &AtomicU16 {
        let layout = &self.layout;
        match off {
            _ if off == layout.avail_flags() => &self.avail_flags,
            _ if off == layout.avail_idx() => &self.avail_idx,
            _ if off == layout.used_event() => &self.used_event,
            _ if off == layout.used_flags() => &self.used_flags,
            _ if off == layout.used_idx() => &self.used_idx,
            _ if off == layout.avail_event() => &self.avail_event,
            _ => (0..layout.num())
                .find(|&i| off == layout.avail_ring(i))
                .and_then(|i| self.avail_ring.get(usize::from(i)))
                .unwrap_or_else(|| panic!("no 16 bits are at {off}")),
        }
    }

    fn at32(&self, off: usize) -> &AtomicU32 {
        off.checked_sub(self.layout.used_ring(0))
            .filter(|rest| rest % 4 == 0)
            .and_then(|rest| {
                self.used_ring
                    .get(rest / USED_ELEM_SIZE)?
                    .get(rest % USED_ELEM_SIZE / 4)
            })
            .unwrap_or_else(|| panic!("no 32 bits are at {off}"))
    }

    fn at64(&self, off: usize) -> &AtomicU64 {
        Some(off)
            .filter(|off| off % 8 == 0)
            .and_then(|off| self.descs.get(off / DESC_SIZE)?.get(off % DESC_SIZE / 8))
            .unwrap_or_else(|| panic!("no 64 bits are at {off}"))
    }
}

/// The barriers of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// [`RingMem::rmb`].
    Rmb,
    /// [`RingMem::wmb`].
    Wmb,
    /// [`RingMem::mb`].
    Mb,
}

/// A place in a ring file that has a barrier: the method that was called, and the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Barrier {
    /// The ring's method, as given to [`Probe::during`].
    pub method: &'static str,
    /// The kind of barrier.
    pub kind: Kind,
}

/// The barrier that is left out of a run, and those that the run has reached.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The barrier that is left out.
    pub omit: Option<Barrier>,
    /// All barriers that were reached. Not loom's type: it is no part of the model.
    pub met: StdArc<StdMutex<BTreeSet<Barrier>>>,
}

/// Tells the ring's memory which of the ring's methods runs.
#[derive(Clone, Debug, Default)]
pub struct Probe(Rc<Cell<&'static str>>);

impl Probe {
    /// Calls a method of the ring.
    pub fn during<T>(&self, method: &'static str, call: impl FnOnce() -> T) -> T {
        self.0.set(method);
        call()
    }
}

/// The memory as one side has it: relaxed accesses, and barriers that the ring under test can lack.
pub struct Memory {
    shared: Arc<Shared>,
    tested: Option<(Plan, Probe)>,
}

impl Memory {
    /// Returns the memory of the ring under test, whose methods are announced to `probe`.
    pub fn tested(shared: &Arc<Shared>, plan: &Plan, probe: &Probe) -> Self {
        Self {
            shared: shared.clone(),
            tested: Some((plan.clone(), probe.clone())),
        }
    }

    /// Returns the memory of the modem, which has all its barriers.
    pub fn sound(shared: &Arc<Shared>) -> Self {
        Self {
            shared: shared.clone(),
            tested: None,
        }
    }

    /// Returns whether a side has the barrier.
    fn has(&self, kind: Kind) -> bool {
        let Some((plan, probe)) = &self.tested else {
            return true;
        };
        let method = probe.0.get();
        let barrier = Barrier { method, kind };
        plan.met
            .lock()
            .expect("nothing panics while it is locked")
            .insert(barrier);
        plan.omit != Some(barrier)
    }
}

impl RingMem for Memory {
    fn load16(&self, off: usize) -> u16 {
        self.shared.at16(off).load(Relaxed)
    }

    fn load32(&self, off: usize) -> u32 {
        self.shared.at32(off).load(Relaxed)
    }

    fn load64(&self, off: usize) -> u64 {
        self.shared.at64(off).load(Relaxed)
    }

    fn store16(&self, off: usize, value: u16) {
        self.shared.at16(off).store(value, Relaxed);
    }

    fn store32(&self, off: usize, value: u32) {
        self.shared.at32(off).store(value, Relaxed);
    }

    fn store64(&self, off: usize, value: u64) {
        self.shared.at64(off).store(value, Relaxed);
    }

    fn rmb(&self) {
        if self.has(Kind::Rmb) {
            fence(Acquire);
        }
    }

    fn wmb(&self) {
        if self.has(Kind::Wmb) {
            fence(AcqRel);
        }
    }

    fn mb(&self) {
        if self.has(Kind::Mb) {
            fence(SeqCst);
        }
    }
}
