// SPDX-License-Identifier: GPL-2.0

//! Suite: the ring files as the kernel compiles them, on memory of the kernel.

use crate::{
    abstractions::memory::Memory,
    vring_chain::{
        DeviceRingError,
        Segment, //
    },
    vring_layout::{
        Layout,
        LayoutError,
        AVAIL_F_NO_INTERRUPT,
        DESC_FLAGS,
        DESC_F_INDIRECT,
        DESC_F_NEXT,
        DESC_LEN,
        DESC_NEXT,
        USED_F_NO_NOTIFY, //
    },
    vring_mem::{
        Features,
        RingMem, //
    },
    vring_reversed::DeviceRing, //
};
use kernel::{
    prelude::*,
    sync::barrier::{
        dma_mb,
        mb,
        Full,
        Read, //
    }, //
};

/// A vring, seen from both sides.
struct Vring<'a> {
    memory: &'a Memory,
    layout: Layout,
    avail: u16,
}

impl RingMem for &Memory {
    fn load16(&self, off: usize) -> u16 {
        self.read(off).unwrap_or(u16::MAX)
    }

    fn load32(&self, off: usize) -> u32 {
        self.read(off).unwrap_or(u32::MAX)
    }

    fn load64(&self, off: usize) -> u64 {
        self.read(off).unwrap_or(u64::MAX)
    }

    fn store16(&self, off: usize, value: u16) {
        if self.write(off, value).is_err() {
            pr_err!("    # check failed: a ring stored outside of its memory\n");
        }
    }

    fn store32(&self, off: usize, value: u32) {
        if self.write(off, value).is_err() {
            pr_err!("    # check failed: a ring stored outside of its memory\n");
        }
    }

    fn store64(&self, off: usize, value: u64) {
        if self.write(off, value).is_err() {
            pr_err!("    # check failed: a ring stored outside of its memory\n");
        }
    }

    fn rmb(&self) {
        dma_mb(Read)
    }

    fn wmb(&self) {
        dma_mb(Full)
    }

    fn mb(&self) {
        mb(Full)
    }
}

/// The ring under test.
type TestRing<'a> = DeviceRing<&'a Memory, KVec<bool>>;

impl<'a> Vring<'a> {
    /// A vring of `num` descriptors, and its device side.
    fn new(memory: &'a Memory, num: u32, event_idx: bool) -> Result<(Self, TestRing<'a>)> {
        let layout = Layout::new(num, 64).map_err(|_| EINVAL)?;
        if layout.size() > memory.len() {
            return Err(ENOSPC);
        }
        let storage = KVec::from_elem(true, layout.num().into(), GFP_KERNEL)?;
        let ring =
            DeviceRing::new(memory, layout, Features { event_idx }, storage).map_err(|_| EINVAL)?;
        let vring = Self {
            memory,
            layout,
            avail: 0,
        };
        Ok((vring, ring))
    }

    /// Memory for a vring of `num` descriptors.
    fn memory(num: u32) -> Result<Memory> {
        let layout = Layout::new(num, 64).map_err(|_| EINVAL)?;
        Memory::alloc(layout.size())
    }

    /// Writes a descriptor.
    fn desc(&self, index: u16, addr: u64, len: u32, flags: u16, next: u16) -> Result {
        let at = self.layout.desc(index);
        self.memory.write(at, addr)?;
        self.memory.write(at + DESC_LEN, len)?;
        self.memory.write(at + DESC_FLAGS, flags)?;
        self.memory.write(at + DESC_NEXT, next)
    }

    /// Makes a chain available.
    fn post(&mut self, head: u16) -> Result {
        self.memory
            .write(self.layout.avail_ring(self.avail), head)?;
        self.avail = self.avail.wrapping_add(1);
        self.memory.write(self.layout.avail_idx(), self.avail)
    }

    /// The entry of the used ring before its end.
    fn last_used(&self) -> Result<(u16, u32, u32)> {
        let idx: u16 = self.memory.read(self.layout.used_idx())?;
        let at = self.layout.used_ring(idx.wrapping_sub(1));
        Ok((idx, self.memory.read(at)?, self.memory.read(at + 4)?))
    }
}

/// Makes a ring of 8 descriptors, lets `spoil` spoil it, and checks that it breaks as expected,
/// for good.
fn breaks(wanted: DeviceRingError, spoil: impl FnOnce(&mut Vring<'_>) -> Result) -> Result {
    let memory = Vring::memory(8)?;
    let (mut vring, mut ring) = Vring::new(&memory, 8, false)?;
    let mut segments = [Segment::default(); 8];
    spoil(&mut vring)?;
    check_eq!(ring.fetch(&mut segments), Err(wanted), "result of fetch");
    // Sound again, but too late.
    memory.write(vring.layout.avail_idx(), 0u16)?;
    check_eq!(
        ring.fetch(&mut segments),
        Err(wanted),
        "result of a later fetch"
    );
    check_eq!(ring.error(), Some(wanted), "kept error");
    memory.write(vring.layout.used_flags(), 0u16)?;
    ring.disable_notify();
    check!(
        !ring.enable_notify(),
        "a broken ring has something to fetch"
    );
    check!(!ring.publish(), "a broken ring wants a kick");
    check_eq!(
        memory.read::<u16>(vring.layout.used_flags())?,
        0,
        "used.flags"
    );
    check_eq!(memory.read::<u16>(vring.layout.used_idx())?, 0, "used.idx");
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_rings)]
mod tests {
    use super::*;

    #[test]
    fn chains_of_every_length() -> Result {
        for num in [1, 2, 16, 256] {
            let memory = Vring::memory(num)?;
            let (mut vring, mut ring) = Vring::new(&memory, num, false)?;
            let mut segments = KVec::from_elem(Segment::default(), num as usize, GFP_KERNEL)?;
            let num = vring.layout.num();
            for len in 1..=num {
                // Descriptors in an order of their own, with the head anywhere.
                let index = |i: u16| (len + i * 5) % num;
                for i in 0..len {
                    let more = i + 1 < len;
                    let flags = if more { DESC_F_NEXT } else { 0 };
                    let addr = 0x1000_0000 + u64::from(i);
                    vring.desc(index(i), addr, u32::from(i) + 1, flags, index(i + 1))?;
                }
                vring.post(index(0))?;
                let chain = ring.fetch(&mut segments).map_err(|_| EIO)?.ok_or(ENOENT)?;
                check_eq!(chain.len(), usize::from(len), "length of a chain");
                check_eq!(chain.head(), index(0), "head of a chain");
                for (i, segment) in segments.iter().take(chain.len()).enumerate() {
                    check_eq!(segment.addr(), 0x1000_0000 + i as u64, "address");
                    check_eq!(segment.len(), i as u32 + 1, "length");
                    check!(!segment.is_write(), "segment {i} is for writing");
                }
                check_eq!(
                    ring.fetch(&mut segments),
                    Ok(None),
                    "fetch with nothing there"
                );
                check!(ring.give_back(chain, 0).is_ok(), "a chain was refused");
                check!(ring.publish(), "no kick was wanted");
                let wanted = (vring.avail, u32::from(index(0)), 0);
                check_eq!(vring.last_used()?, wanted, "used.idx and last entry");
            }
        }
        Ok(())
    }

    #[test]
    fn indices_wrap() -> Result {
        let memory = Vring::memory(4)?;
        let (mut vring, mut ring) = Vring::new(&memory, 4, true)?;
        for i in 0..70_000u32 {
            let head = (i * 3 % 4) as u16;
            vring.desc(head, i.into(), i | 1, 0, 0)?;
            vring.post(head)?;
            // The modem wants to hear of each one.
            memory.write(vring.layout.used_event(), vring.avail.wrapping_sub(1))?;
            let next = ring.peek().map_err(|_| EIO)?.ok_or(ENOENT)?;
            let len = next.single().ok_or(EINVAL)?.len();
            next.give_back(len);
            check!(ring.publish(), "chain {i} wanted no kick");
            let wanted = (vring.avail, u32::from(head), i | 1);
            check_eq!(vring.last_used()?, wanted, "used.idx and last entry");
        }
        Ok(())
    }

    #[test]
    fn chains_go_back_in_any_order() -> Result {
        let memory = Vring::memory(4)?;
        let (mut vring, mut ring) = Vring::new(&memory, 4, false)?;
        let mut segments = [Segment::default(); 4];
        let mut chains = KVec::new();
        for head in 0..4 {
            vring.desc(head, 0, 1, 0, 0)?;
            vring.post(head)?;
            let chain = ring.fetch(&mut segments).map_err(|_| EIO)?.ok_or(ENOENT)?;
            chains.push(chain, GFP_KERNEL)?;
        }
        check_eq!(ring.in_flight(), 4, "chains in flight");
        while let Some(chain) = chains.pop() {
            check!(ring.give_back(chain, 0).is_ok(), "a chain was refused");
        }
        check_eq!(vring.last_used()?.0, 0, "used.idx before it is published");
        check_eq!(ring.pending(), 4, "chains to be published");
        check!(ring.publish(), "no kick was wanted");
        check!(!ring.publish(), "a kick for nothing was wanted");
        for i in 0..4 {
            let id: u32 = memory.read(vring.layout.used_ring(i))?;
            check_eq!(id, u32::from(3 - i), "entry of the used ring");
        }
        check_eq!(vring.last_used()?.0, 4, "used.idx");
        Ok(())
    }

    #[test]
    fn notification_by_flags() -> Result {
        let memory = Vring::memory(4)?;
        let (mut vring, mut ring) = Vring::new(&memory, 4, false)?;
        ring.disable_notify();
        let flags = |memory: &Memory| memory.read::<u16>(vring.layout.used_flags());
        check_eq!(flags(&memory)?, USED_F_NO_NOTIFY, "used.flags, disabled");
        check!(!ring.enable_notify(), "there is something to fetch");
        check_eq!(flags(&memory)?, 0, "used.flags, enabled");
        vring.desc(0, 0, 1, 0, 0)?;
        vring.post(0)?;
        check!(ring.enable_notify(), "a chain that came before was missed");
        memory.write(vring.layout.avail_flags(), AVAIL_F_NO_INTERRUPT)?;
        ring.peek().map_err(|_| EIO)?.ok_or(ENOENT)?.give_back(0);
        check!(!ring.publish(), "a kick that is not wanted");
        Ok(())
    }

    #[test]
    fn notification_by_event_index() -> Result {
        let memory = Vring::memory(4)?;
        let (mut vring, mut ring) = Vring::new(&memory, 4, true)?;
        // The modem wants to hear of the third chain, and of no other.
        memory.write(vring.layout.used_event(), 2u16)?;
        for i in 0..4 {
            vring.desc(i, 0, 1, 0, 0)?;
            check!(!ring.enable_notify(), "there is something to fetch");
            let event: u16 = memory.read(vring.layout.avail_event())?;
            check_eq!(event, i, "avail_event");
            vring.post(i)?;
            ring.peek().map_err(|_| EIO)?.ok_or(ENOENT)?.give_back(0);
            check_eq!(ring.publish(), i == 2, "whether a kick is wanted");
        }
        check_eq!(
            memory.read::<u16>(vring.layout.used_flags())?,
            0,
            "used.flags"
        );
        Ok(())
    }

    #[test]
    fn avail_jump_breaks() -> Result {
        let wanted = DeviceRingError::AvailJump {
            delta: 9,
            allowed: 8,
        };
        breaks(wanted, |vring| {
            vring.memory.write(vring.layout.avail_idx(), 9u16)
        })
    }

    #[test]
    fn avail_backwards_breaks() -> Result {
        let wanted = DeviceRingError::AvailJump {
            delta: u16::MAX,
            allowed: 8,
        };
        breaks(wanted, |vring| {
            vring.memory.write(vring.layout.avail_idx(), u16::MAX)
        })
    }

    #[test]
    fn bad_head_breaks() -> Result {
        breaks(DeviceRingError::Head { head: 8, num: 8 }, |vring| {
            vring.post(8)
        })
    }

    #[test]
    fn bad_next_breaks() -> Result {
        let wanted = DeviceRingError::Next {
            desc: 3,
            next: 8,
            num: 8,
        };
        breaks(wanted, |vring| {
            vring.desc(2, 0, 1, DESC_F_NEXT, 3)?;
            vring.desc(3, 0, 1, DESC_F_NEXT, 8)?;
            vring.post(2)
        })
    }

    #[test]
    fn loop_breaks() -> Result {
        breaks(DeviceRingError::Loop { head: 1, num: 8 }, |vring| {
            vring.desc(1, 0, 1, DESC_F_NEXT, 2)?;
            vring.desc(2, 0, 1, DESC_F_NEXT, 1)?;
            vring.post(1)
        })
    }

    #[test]
    fn indirect_breaks() -> Result {
        breaks(DeviceRingError::Indirect { desc: 5 }, |vring| {
            vring.desc(5, 0, 16, DESC_F_INDIRECT, 0)?;
            vring.post(5)
        })
    }

    #[test]
    fn head_in_flight_breaks() -> Result {
        let memory = Vring::memory(4)?;
        let (mut vring, mut ring) = Vring::new(&memory, 4, false)?;
        let mut segments = [Segment::default(); 4];
        vring.desc(1, 0, 1, 0, 0)?;
        vring.post(1)?;
        let chain = ring.fetch(&mut segments).map_err(|_| EIO)?.ok_or(ENOENT)?;
        vring.post(1)?;
        let wanted = DeviceRingError::HeadInFlight { head: 1 };
        check_eq!(ring.fetch(&mut segments), Err(wanted), "result of fetch");
        check_eq!(ring.give_back(chain, 0), Err(wanted), "result of give_back");
        Ok(())
    }

    #[test]
    fn foreign_chain_breaks() -> Result {
        let memory = Vring::memory(4)?;
        let (mut vring, mut ring) = Vring::new(&memory, 4, false)?;
        let other_memory = Vring::memory(4)?;
        let (_, mut other) = Vring::new(&other_memory, 4, false)?;
        let mut segments = [Segment::default(); 4];
        vring.desc(2, 0, 1, 0, 0)?;
        vring.post(2)?;
        let chain = ring.fetch(&mut segments).map_err(|_| EIO)?.ok_or(ENOENT)?;
        let wanted = DeviceRingError::NotInFlight { head: 2 };
        check_eq!(
            other.give_back(chain, 0),
            Err(wanted),
            "result of give_back"
        );
        Ok(())
    }

    #[test]
    fn own_storage_is_checked() -> Result {
        let memory = Vring::memory(64)?;
        let layout = Layout::new(64, 64).map_err(|_| EINVAL)?;
        let wanted = DeviceRingError::Storage { len: 63, num: 64 };
        let ring = DeviceRing::new(&memory, layout, Features::default(), [false; 63]);
        check_eq!(ring.err(), Some(wanted), "with little storage");
        let (_, mut ring) = Vring::new(&memory, 64, false)?;
        let wanted = DeviceRingError::Segments { len: 63, num: 64 };
        let mut segments = KVec::from_elem(Segment::default(), 63, GFP_KERNEL)?;
        check_eq!(ring.fetch(&mut segments), Err(wanted), "with few segments");
        check_eq!(ring.error(), None, "error kept of our own fault");
        Ok(())
    }

    #[test]
    fn impossible_layouts() -> Result {
        for num in [0, 3, 100, 65_536, u32::MAX] {
            check_eq!(Layout::new(num, 64), Err(LayoutError::Num(num)), "num");
        }
        for align in [0, 1, 2, 3, 100, 1 << 17] {
            let wanted = Err(LayoutError::Align(align));
            check_eq!(Layout::new(64, align), wanted, "align");
        }
        Ok(())
    }
}
