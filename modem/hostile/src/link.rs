// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A link that passes the modem's own frames each way by the rules, and whose rings cases write to.

use crate::stack::Stack;
use anyhow::{Context, ensure};
use hostile_frame::{self as frame, Frame};
use ivshmem::{
    control::{FIRMWARE, FIRMWARE_SIZE, HEAP, RSC_TABLE},
    memory::{DA_BASE, SharedMemory},
};
use kernel_pure::{
    link_config::Direction,
    vring_mem::{Features, RingMem},
};
use link::{
    table::{Table, Vdev, Vring},
    view::View,
};
use modem_ring::{Desc, Device, Driver, Place};
use std::collections::VecDeque;

/// Mark in `avail.flags` of vring 0, which lasts until Linux clears the ring. Linux reads only the
/// lowest bit of the field.
const MARK: u16 = 0x5a00;
/// Device address of the first buffer of cases, distance of two buffers, and the modem's own one.
const BUFFERS: u64 = HEAP + 0x1_0000;
const BUFFER_STEP: u64 = 0x2000;
const OWN_BUFFER: u64 = HEAP + 0x60_0000;
/// Offset in the memory for segments of the firmware, and in that for its table, from which there
/// is nothing of a file.
const FREE: u64 = 0x8000;

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
    /// CAIF, if Linux uses it on the link.
    pub stack: Option<Stack>,
    seq: u32,
}

/// The driver side of vring 0. Cases choose their descriptors themselves.
pub type Rx = Driver<View, Vec<Place>>;

/// The device side of vring 1.
pub struct Tx {
    /// The ring.
    pub ring: Device<View>,
    /// Heads that were taken and not returned, and the addresses of their buffers.
    pub taken: Vec<(u16, u64)>,
    /// Whether frames are left on the ring.
    pub held: bool,
}

/// Returns the device address of a field of a vring, by its name in the catalogue.
pub fn field(vring: &Vring, name: &str) -> Option<u64> {
    let layout = &vring.layout;
    let offset = match name {
        "num" => return Some(layout.num().into()),
        "desc" => 0,
        "avail_flags" => layout.avail_flags(),
        "avail_idx" => layout.avail_idx(),
        "avail_ring" => layout.avail_ring(0),
        "used_event" => layout.used_event(),
        "used_flags" => layout.used_flags(),
        "used_idx" => layout.used_idx(),
        "used_ring" => layout.used_ring(0),
        "avail_event" => layout.avail_event(),
        "end" => layout.size(),
        _ => return None,
    };
    Some(vring.da + offset as u64)
}

impl Link {
    /// Opens rings that are unused yet, and fills all memory that may hold frames.
    pub fn open(memory: &SharedMemory, vdev: &Vdev, table: Table) -> anyhow::Result<Self> {
        let [down, up] = table.vrings;
        let features = Features {
            event_idx: table.event_idx,
        };
        let places = vec![Place::default(); down.layout.num().into()];
        let this = Self {
            memory: memory.clone(),
            vdev: vdev.da(),
            rx: Driver::new(View::new(memory, &down)?, down.layout, features, places)
                .context("a place for each descriptor")?,
            tx: Tx {
                ring: Device::new(View::new(memory, &up)?, up.layout, features),
                taken: Vec::new(),
                held: false,
            },
            table,
            inbox: VecDeque::new(),
            announced: None,
            stack: None,
            seq: 0,
        };
        this.rx.fields().write_avail_flags(MARK);
        this.fill(HEAP, DA_BASE + memory.size() - HEAP)?;
        for (start, end) in [(FIRMWARE, RSC_TABLE), (RSC_TABLE, FIRMWARE + FIRMWARE_SIZE)] {
            this.fill(start + FREE, end - start - FREE)?;
        }
        Ok(this)
    }

    /// Returns whether Linux has cleared the rings.
    pub fn was_reset(&self) -> bool {
        self.rx.fields().avail_flags() == 0
    }

    /// Returns the vring to Linux (0) or from it (1).
    pub fn vring(&self, index: usize) -> Option<&Vring> {
        self.table.vrings.get(index)
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

    /// Makes a frame available in the modem's own buffer, with the last descriptor.
    pub fn send(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        let head = self.write(0, frame)?;
        self.rx.put(head);
        self.rx.expose();
        Ok(())
    }

    /// Writes a frame to one of the modem's own buffers. Returns its descriptor.
    pub fn write(&mut self, place: u16, frame: &[u8]) -> anyhow::Result<u16> {
        let config = self.downlink();
        let head = self.rx.fields().num() - 1 - place;
        let at = OWN_BUFFER + BUFFER_STEP * u64::from(place);
        self.memory.write(at + u64::from(config.headroom), frame)?;
        let desc = Desc {
            addr: at,
            len: config.room() + u32::try_from(frame.len())?,
            flags: 0,
            next: 0,
        };
        self.rx.fields().write_desc(head, desc);
        Ok(head)
    }

    /// Returns whether Linux has returned all that was made available. Asks for a kick when it
    /// returns more.
    pub fn all_returned(&self) -> bool {
        let ring = self.rx.fields();
        if self.event_idx() {
            ring.write_used_event(ring.used_idx());
            ring.mem().mb();
        }
        ring.used_idx() == self.rx.next_avail()
    }

    /// Moves frames from Linux to the inbox and returns their buffers, unless they are held.
    /// Returns whether Linux must be interrupted.
    pub fn serve(&mut self) -> anyhow::Result<bool> {
        if self.tx.held {
            return Ok(false);
        }
        let old = self.tx.ring.next_used();
        while self.tx.pending()? > 0 {
            let (head, addr) = self.take()?;
            self.tx.ring.put_used(head.into(), 0);
            self.tx.taken.retain(|taken| *taken != (head, addr));
        }
        if self.tx.ring.next_used() == old {
            return Ok(false);
        }
        self.tx.ring.expose();
        Ok(true)
    }

    /// Moves a frame from the ring to the inbox.
    pub fn take(&mut self) -> anyhow::Result<(u16, u64)> {
        self.tx.pending()?;
        let (head, desc) = self
            .tx
            .ring
            .fetch()?
            .context("Linux has sent nothing more")?;
        let bytes = self
            .read_slot(desc)
            .with_context(|| format!("descriptor {head} of vring 1"))?;
        if let Some(stack) = &mut self.stack {
            stack.take(&bytes);
            self.tx.taken.push((head, desc.addr));
            return Ok((head, desc.addr));
        }
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

impl Tx {
    /// Returns the number of frames on the ring, and asks Linux to kick when there are more.
    pub fn pending(&self) -> anyhow::Result<u16> {
        let ring = self.ring.fields();
        ring.write_avail_event(self.ring.next_avail());
        ring.mem().mb();
        let count = self.ring.waiting();
        ensure!(
            count <= ring.num(),
            "Linux moved avail.idx of vring 1 by {count}"
        );
        // All of them were seen: asks for a kick at the next one.
        ring.write_avail_event(self.ring.next_avail().wrapping_add(count));
        Ok(count)
    }
}
