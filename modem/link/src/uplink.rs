// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The uplink: the device side of an ordinary vring, by the crate `virtio-queue`.

use crate::{Error, table::Table, view::View};
use ivshmem::memory::SharedMemory;
use kernel_pure::{
    link_config::Direction,
    vring_layout::{AVAIL_F_NO_INTERRUPT, DESC_F_INDIRECT},
};
use modem_ring::Fields;
use std::sync::atomic::Ordering;
use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::GuestAddress;

/// The result of [`Uplink::receive`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Linux must be interrupted, since it has buffers back.
    pub interrupt: bool,
    /// Whether there may be more frames: the caller must call again without waiting for a kick.
    pub more: bool,
}

/// Counters of an uplink.
#[derive(Clone, Copy, Debug, Default)]
pub struct UplinkStats {
    /// Frames received.
    pub frames: u64,
    /// Bytes of the frames.
    pub bytes: u64,
    /// Buffers whose frame has a wrong length.
    pub bad_length: u64,
    /// Chains that were not a single readable buffer.
    pub bad_chain: u64,
}

/// Most frames that one call takes, so that a host that sends without end does not starve the
/// modem's other work.
const FRAMES_MAX: usize = 1024;

/// The uplink.
pub struct Uplink {
    memory: SharedMemory,
    fields: Fields<View>,
    event_idx: bool,
    queue: Queue,
    config: Direction,
    stats: UplinkStats,
}

fn ring_error(error: impl std::fmt::Display) -> Error {
    Error::Ring {
        vring: 1,
        what: error.to_string(),
    }
}

impl Uplink {
    /// Creates the device side of a ring that is not older than the driver's DRIVER_OK.
    pub fn new(memory: SharedMemory, table: &Table) -> Result<Self, Error> {
        let [_, vring] = table.vrings;
        let layout = vring.layout;
        let mut queue = Queue::new(layout.num()).map_err(ring_error)?;
        let at = |offset: usize| GuestAddress(vring.da + offset as u64);
        queue.try_set_size(layout.num()).map_err(ring_error)?;
        queue
            .try_set_desc_table_address(at(0))
            .and_then(|()| queue.try_set_avail_ring_address(at(layout.avail_flags())))
            .and_then(|()| queue.try_set_used_ring_address(at(layout.used_flags())))
            .map_err(ring_error)?;
        queue.set_event_idx(table.event_idx);
        queue.set_ready(true);
        if !queue.is_valid(memory.guest()) {
            return Err(ring_error(
                "virtio-queue does not accept its place in memory",
            ));
        }
        let fields = Fields::new(View::new(&memory, &vring)?, layout);
        // As for the other ring.
        fields.write_used_idx(0);
        Ok(Self {
            fields,
            memory,
            event_idx: table.event_idx,
            queue,
            config: table.uplink,
            stats: UplinkStats::default(),
        })
    }

    /// Returns the counters.
    pub fn stats(&self) -> UplinkStats {
        self.stats
    }

    /// Passes frames that Linux made available to `take`.
    pub fn receive(&mut self, mut take: impl FnMut(&[u8])) -> Result<Received, Error> {
        let mut left = FRAMES_MAX;
        loop {
            self.queue
                .disable_notification(self.memory.guest())
                .map_err(ring_error)?;
            while left > 0 {
                let Some((head, segment)) = self.pop()? else {
                    break;
                };
                let frame = match segment {
                    Some((da, len)) => self.frame(da, len)?,
                    None => {
                        self.stats.bad_chain += 1;
                        None
                    }
                };
                if let Some(frame) = frame {
                    self.stats.frames += 1;
                    self.stats.bytes += frame.len() as u64;
                    take(&frame);
                }
                self.queue
                    .add_used(self.memory.guest(), head, 0)
                    .map_err(ring_error)?;
                left -= 1;
            }
            if left == 0 {
                break;
            }
            let more = self
                .queue
                .enable_notification(self.memory.guest())
                .map_err(ring_error)?;
            if !more {
                break;
            }
        }
        Ok(Received {
            interrupt: left < FRAMES_MAX && self.needs_interrupt()?,
            more: left == 0,
        })
    }

    /// Returns whether Linux wants an interrupt for used buffers.
    fn needs_interrupt(&mut self) -> Result<bool, Error> {
        // The crate checks the event index only.
        let wanted = self
            .queue
            .needs_notification(self.memory.guest())
            .map_err(ring_error)?;
        if self.event_idx {
            // The flags are unused then.
            return Ok(wanted);
        }
        Ok(self.fields.avail_flags() & AVAIL_F_NO_INTERRUPT == 0)
    }

    /// Returns whether Linux has cleared the ring.
    pub fn was_reset(&self) -> Result<bool, Error> {
        let idx = self
            .queue
            .used_idx(self.memory.guest(), Ordering::Acquire)
            .map_err(ring_error)?;
        Ok(idx.0 != self.queue.next_used())
    }

    /// Takes the next chain: its head and, if it is a single readable buffer, that buffer.
    #[expect(clippy::type_complexity, reason = "used once")]
    fn pop(&mut self) -> Result<Option<(u16, Option<(u64, u32)>)>, Error> {
        let mut chains = self.queue.iter(self.memory.guest()).map_err(ring_error)?;
        let Some(mut chain) = chains.next() else {
            return Ok(None);
        };
        let head = chain.head_index();
        let first = chain.next();
        let segment = match (first, chain.next()) {
            (Some(desc), None) if !desc.is_write_only() && !desc.has_next() => {
                Some((desc.addr().0, desc.len()))
            }
            _ => None,
        };
        // The crate follows indirect descriptors even if they were not negotiated.
        let flags = self.fields.desc(head).flags;
        Ok(Some((
            head,
            segment.filter(|_| flags & DESC_F_INDIRECT == 0),
        )))
    }

    /// Copies the frame out of a buffer. Its length is that of its own length field, which must fit
    /// the buffer.
    fn frame(&mut self, da: u64, len: u32) -> Result<Option<Vec<u8>>, Error> {
        let Some(start) = da.checked_add(self.config.headroom.into()) else {
            self.stats.bad_length += 1;
            return Ok(None);
        };
        let room = len.saturating_sub(self.config.room());
        let mut field = [0; 2];
        if len > self.config.mtu || room < 2 || self.memory.read(start, &mut field).is_err() {
            self.stats.bad_length += 1;
            return Ok(None);
        }
        let total = u32::from(u16::from_le_bytes(field)) + 2;
        let mut frame = vec![0; total as usize];
        if total > room || self.memory.read(start, &mut frame).is_err() {
            self.stats.bad_length += 1;
            return Ok(None);
        }
        Ok(Some(frame))
    }
}
