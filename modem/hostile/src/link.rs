// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A link that passes the modem's own frames each way by the rules, and whose rings cases write to.

use crate::ring::{Desc, Ring};
use anyhow::{Context, ensure};
use hostile_frame::{self as frame, Frame};
use ivshmem::{
    control::{FIRMWARE, FIRMWARE_SIZE, HEAP},
    memory::{DA_BASE, SharedMemory},
};
use kernel_pure::link_config::Direction;
use link::table::{Table, Vdev};
use std::collections::VecDeque;

/// Mark in `avail.flags` of vring 0, which lasts until Linux clears the ring. Linux reads only the
/// lowest bit of the field.
const MARK: u16 = 0x5a00;
/// Device address of the first buffer of cases, distance of two buffers, and the modem's own one.
const BUFFERS: u64 = HEAP + 0x1_0000;
const BUFFER_STEP: u64 = 0x2000;
const OWN_BUFFER: u64 = HEAP + 0x60_0000;
/// Offset in the memory for firmware from which there are no segments.
const FIRMWARE_FREE: u64 = 0x8000;

/// A link that is up.
pub struct Link {
    memory: SharedMemory,
    vdev: u64,
    table: Table,
    /// The modem's side of vring 0.
    pub rx: Rx,
    /// The modem's side of vring 1.
    pub tx: Tx,
    /// Frames from Linux, in their order.
    pub inbox: VecDeque<Vec<u8>>,
    /// The announced frame, which is in no known format and which Linux must send back.
    pub announced: Option<Vec<u8>>,
    seq: u32,
}

/// The driver side of vring 0.
pub struct Rx {
    /// The ring.
    pub ring: Ring,
    /// Place of the next head on the available ring.
    pub avail_idx: u16,
}

/// The device side of vring 1.
pub struct Tx {
    /// The ring.
    pub ring: Ring,
    /// Place of the next head to take off the available ring.
    next: u16,
    /// Place of the next entry on the used ring.
    pub used_idx: u16,
    /// Heads that were taken and not returned, and the addresses of their buffers.
    pub taken: Vec<(u16, u64)>,
    /// Whether frames are left on the ring.
    pub held: bool,
}

impl Link {
    /// Takes rings that are unused yet, and fills all memory that may hold frames.
    pub fn open(memory: &SharedMemory, vdev: &Vdev, table: Table) -> anyhow::Result<Self> {
        let [down, up] = table.vrings;
        let this = Self {
            memory: memory.clone(),
            vdev: vdev.da(),
            rx: Rx {
                ring: Ring::new(memory.clone(), down),
                avail_idx: 0,
            },
            tx: Tx {
                ring: Ring::new(memory.clone(), up),
                next: 0,
                used_idx: 0,
                taken: Vec::new(),
                held: false,
            },
            table,
            inbox: VecDeque::new(),
            announced: None,
            seq: 0,
        };
        let ring = &this.rx.ring;
        ring.store16(ring.layout().avail_flags(), MARK)?;
        this.fill(HEAP, DA_BASE + memory.size() - HEAP)?;
        this.fill(FIRMWARE + FIRMWARE_FREE, FIRMWARE_SIZE - FIRMWARE_FREE)?;
        Ok(this)
    }

    /// Whether Linux has cleared the rings.
    pub fn was_reset(&self) -> anyhow::Result<bool> {
        let ring = &self.rx.ring;
        Ok(ring.load16(ring.layout().avail_flags())? == 0)
    }

    /// Returns the shared memory.
    pub fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// Returns the device address of the device's entry in the resource table.
    pub fn vdev(&self) -> u64 {
        self.vdev
    }

    /// Returns the config of the downlink.
    pub fn downlink(&self) -> Direction {
        self.table.downlink
    }

    /// Returns whether `EVENT_IDX` is used.
    pub fn event_idx(&self) -> bool {
        self.table.event_idx
    }

    /// Returns the device address of a buffer.
    pub fn buffer(&self, index: u16) -> u64 {
        BUFFERS + BUFFER_STEP * u64::from(index)
    }

    /// Returns the number for the next frame.
    pub fn next_seq(&mut self) -> u32 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }

    /// Fills memory with the bytes that frames consist of.
    pub fn fill(&self, da: u64, len: u64) -> anyhow::Result<()> {
        let bytes: Vec<u8> = (da..da.saturating_add(len)).map(frame::fill).collect();
        Ok(self.memory.write(da, &bytes)?)
    }

    /// Makes a frame available in the modem's own buffer, by the last descriptor.
    pub fn send(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        let config = self.downlink();
        let head = self.rx.ring.num() - 1;
        let at = OWN_BUFFER;
        self.memory.write(at + u64::from(config.headroom), frame)?;
        let desc = Desc {
            addr: at,
            len: config.room() + u32::try_from(frame.len())?,
            flags: 0,
            next: 0,
        };
        self.rx.ring.write_desc(head, desc)?;
        self.rx.put(head)?;
        self.rx.publish(0)
    }

    /// Whether Linux has returned all that was made available. It will tell when it returns more.
    pub fn all_returned(&self) -> anyhow::Result<bool> {
        let ring = &self.rx.ring;
        let used = ring.load16(ring.layout().used_idx())?;
        if self.event_idx() {
            ring.store16(ring.layout().used_event(), used)?;
        }
        Ok(ring.load16(ring.layout().used_idx())? == self.rx.avail_idx)
    }

    /// Moves frames from Linux to the inbox and returns their buffers, unless they are held.
    /// Returns whether Linux must be interrupted.
    pub fn serve(&mut self) -> anyhow::Result<bool> {
        if self.tx.held {
            return Ok(false);
        }
        let old = self.tx.used_idx;
        while self.tx.pending()? > 0 {
            let (head, addr) = self.take()?;
            self.tx.used(head.into(), 0)?;
            self.tx.taken.retain(|taken| *taken != (head, addr));
        }
        if self.tx.used_idx == old {
            return Ok(false);
        }
        self.tx.publish(0)?;
        Ok(true)
    }

    /// Moves a frame from the ring to the inbox.
    pub fn take(&mut self) -> anyhow::Result<(u16, u64)> {
        ensure!(self.tx.pending()? > 0, "Linux has sent nothing more");
        let (head, desc) = self.tx.pop()?;
        let bytes = self
            .read_slot(desc)
            .with_context(|| format!("descriptor {head} of vring 1"))?;
        ensure!(
            Frame::decode(&bytes).is_some() || self.announced.as_ref() == Some(&bytes),
            "Linux sent what nobody asked for: {bytes:02x?}"
        );
        self.inbox.push_back(bytes);
        self.tx.taken.push((head, desc.addr));
        Ok((head, desc.addr))
    }

    /// Returns the frame in a slot. The bytes around it must be zero or the modem's own.
    fn read_slot(&self, desc: Desc) -> anyhow::Result<Vec<u8>> {
        let config = self.table.uplink;
        ensure!(
            desc.flags == 0 && desc.len > config.room() && desc.len <= config.mtu,
            "is {desc:x?}"
        );
        let mut bytes = vec![0; desc.len as usize];
        self.memory.read(desc.addr, &mut bytes)?;
        let tail = bytes.split_off(bytes.len() - usize::from(config.tailroom));
        let frame = bytes.split_off(config.headroom.into());
        for room in [&bytes, &tail] {
            ensure!(
                frame::is_tame(room) || room.iter().all(|byte| *byte == 0),
                "the bytes around the frame are {room:02x?}"
            );
        }
        Ok(frame)
    }
}

impl Rx {
    /// Puts a head on the available ring.
    pub fn put(&mut self, head: u16) -> anyhow::Result<()> {
        let at = self.ring.layout().avail_ring(self.avail_idx);
        self.ring.store16(at, head)?;
        self.avail_idx = self.avail_idx.wrapping_add(1);
        Ok(())
    }

    /// Stores the index, moved by so much more.
    pub fn publish(&mut self, by: u16) -> anyhow::Result<()> {
        self.avail_idx = self.avail_idx.wrapping_add(by);
        let at = self.ring.layout().avail_idx();
        Ok(self.ring.store16(at, self.avail_idx)?)
    }
}

impl Tx {
    /// Returns the number of frames on the ring, and asks Linux to kick when there are more.
    pub fn pending(&self) -> anyhow::Result<u16> {
        let layout = self.ring.layout();
        self.ring.store16(layout.avail_event(), self.next)?;
        let idx = self.ring.load16(layout.avail_idx())?;
        let count = idx.wrapping_sub(self.next);
        ensure!(
            count <= self.ring.num(),
            "Linux moved avail.idx of vring 1 by {count}"
        );
        // All of them are seen: the next one to tell of is the one behind.
        self.ring.store16(layout.avail_event(), idx)?;
        Ok(count)
    }

    fn pop(&mut self) -> anyhow::Result<(u16, Desc)> {
        let head = self.ring.load16(self.ring.layout().avail_ring(self.next))?;
        ensure!(
            head < self.ring.num(),
            "Linux sent descriptor {head} of vring 1"
        );
        self.next = self.next.wrapping_add(1);
        Ok((head, self.ring.read_desc(head)?))
    }

    /// Puts an entry on the used ring.
    pub fn used(&mut self, id: u32, len: u32) -> anyhow::Result<()> {
        self.ring.write_used(self.used_idx, id, len)?;
        self.used_idx = self.used_idx.wrapping_add(1);
        Ok(())
    }

    /// Stores the index, moved by so much more.
    pub fn publish(&mut self, by: u16) -> anyhow::Result<()> {
        self.used_idx = self.used_idx.wrapping_add(by);
        let at = self.ring.layout().used_idx();
        Ok(self.ring.store16(at, self.used_idx)?)
    }
}
