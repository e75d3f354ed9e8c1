// SPDX-License-Identifier: GPL-2.0

//! Memory that a remote processor shares with Linux, in the form that remoteproc uses.
//!
//! remoteproc drops its carveouts whenever the processor goes down, so that they are registered
//! again each time it is prepared. [`Carveouts`] are the descriptions they are made from.
//!
//! C header: [`include/linux/remoteproc.h`](srctree/include/linux/remoteproc.h)

use crate::abstractions::{
    bindings,
    memory::{
        Memory,
        Physical, //
    }, //
};
use kernel::{
    dma::DmaAddress,
    io::PhysAddr,
    prelude::*,
    sync::Arc, //
};

/// Length of a carveout's name with the NUL at its end.
const NAME_LEN: usize = 32;

/// A range of addresses as the remote processor sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRange {
    /// The first device address.
    pub(crate) da: u32,
    /// Number of bytes.
    pub(crate) len: usize,
}

impl DeviceRange {
    /// Returns the first device address after the range.
    fn end(&self) -> u64 {
        u64::from(self.da).saturating_add(self.len as u64)
    }

    /// Returns whether all of `other` lies in this range.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        other.da >= self.da && other.end() <= self.end()
    }
}

/// The memory behind a carveout.
enum Backing {
    /// A part of mapped memory that begins at this offset.
    Mapped(Arc<Memory>, usize),
    /// Memory that its user maps.
    Unmapped(Physical),
}

/// A piece of memory that the remote processor shares with Linux.
///
/// remoteproc finds some of them by name: `vdev<i>vring<j>` for a vring, and `vdev<i>buffer` for
/// the pool from which the DMA allocations of a virtio device are served.
///
/// # Invariants
///
/// The device addresses fit into 32 bits, mapped carveouts lie inside of their memory, and the
/// name is shorter than [`NAME_LEN`].
pub(crate) struct Carveout {
    name: &'static CStr,
    range: DeviceRange,
    backing: Backing,
}

impl Carveout {
    /// Creates a carveout. `ERANGE` if it is not all inside of its memory, `EINVAL` if its name or
    /// its addresses are too large for remoteproc.
    fn new(name: &'static CStr, range: DeviceRange, backing: Backing) -> Result<Self> {
        if let Backing::Mapped(memory, offset) = &backing {
            if offset
                .checked_add(range.len)
                .is_none_or(|end| end > memory.len())
            {
                return Err(ERANGE);
            }
        }
        let name_len = name.to_bytes_with_nul().len();
        if name_len > NAME_LEN || range.end() > 1 << 32 || range.len > i32::MAX as usize {
            return Err(EINVAL);
        }
        // INVARIANT: The bounds, the length of the name and the addresses were checked above.
        Ok(Self {
            name,
            range,
            backing,
        })
    }

    /// Creates a carveout of the bytes of `memory` at `offset`, which have the device addresses
    /// `range`.
    pub(crate) fn mapped(
        name: &'static CStr,
        memory: Arc<Memory>,
        offset: usize,
        range: DeviceRange,
    ) -> Result<Self> {
        Self::new(name, range, Backing::Mapped(memory, offset))
    }

    /// Creates a carveout that is not mapped, as a `vdev<i>buffer` must be: the DMA layer maps it
    /// itself.
    pub(crate) fn unmapped(name: &'static CStr, memory: Physical, da: u32) -> Result<Self> {
        let range = DeviceRange {
            da,
            len: memory.len(),
        };
        Self::new(name, range, Backing::Unmapped(memory))
    }

    /// Returns the address of the first byte, if it is mapped.
    fn va(&self) -> Option<*mut u8> {
        match &self.backing {
            // SAFETY: By the type invariant, the offset is inside of the memory.
            Backing::Mapped(memory, offset) => Some(unsafe { memory.as_ptr().add(*offset) }),
            Backing::Unmapped(_) => None,
        }
    }

    /// Returns whether it is mapped as I/O memory.
    fn is_io(&self) -> bool {
        match &self.backing {
            Backing::Mapped(memory, _) => memory.is_io(),
            Backing::Unmapped(_) => false,
        }
    }

    /// Returns the physical address, which remoteproc calls the DMA address as well. 0 if the
    /// memory has none; remoteproc does not use it for a mapped carveout.
    fn pa(&self) -> PhysAddr {
        match &self.backing {
            Backing::Mapped(memory, offset) => memory
                .physical()
                .map_or(0, |start| start.saturating_add(*offset as PhysAddr)),
            Backing::Unmapped(memory) => memory.start(),
        }
    }
}

/// All carveouts of a remote processor.
///
/// # Invariants
///
/// No two of them overlap in device addresses.
pub(super) struct Carveouts(KVec<Carveout>);

impl Carveouts {
    /// Checks that no two of `carveouts` overlap. `EINVAL` if two do.
    pub(super) fn new(carveouts: KVec<Carveout>) -> Result<Self> {
        for (i, a) in carveouts.iter().enumerate() {
            let apart = |b: &Carveout| {
                a.range.end() <= u64::from(b.range.da) || b.range.end() <= u64::from(a.range.da)
            };
            if !carveouts.iter().skip(i + 1).all(apart) {
                return Err(EINVAL);
            }
        }
        // INVARIANT: It was checked above that each two of them are apart.
        Ok(Self(carveouts))
    }

    /// Registers all of them with remoteproc.
    ///
    /// # Safety
    ///
    /// `rproc` must be valid, with no other access to its carveouts at the same time, and must
    /// release them before `self` is dropped.
    pub(super) unsafe fn register(&self, rproc: *mut bindings::rproc) -> Result {
        for carveout in &self.0 {
            let va = carveout.va().unwrap_or(core::ptr::null_mut());
            // SAFETY: By the safety requirements, the processor is valid; only the address of a
            // part of it is taken.
            let dev = unsafe { &raw mut (*rproc).dev };
            // SAFETY: The format takes one string, which is the argument behind it. The memory
            // stays until `self` is dropped, and needs no functions to allocate and release it.
            let entry = unsafe {
                bindings::rproc_mem_entry_init(
                    dev,
                    va.cast(),
                    carveout.pa() as DmaAddress,
                    carveout.range.len,
                    carveout.range.da,
                    None,
                    None,
                    c"%s".as_char_ptr(),
                    carveout.name.as_char_ptr(),
                )
            };
            if entry.is_null() {
                return Err(ENOMEM);
            }
            // SAFETY: The entry was just allocated, and nothing else refers to it.
            unsafe { (*entry).is_iomem = carveout.is_io() };
            // SAFETY: By the safety requirements, the processor is valid, and nothing else uses
            // its list of carveouts; the entry was just allocated.
            unsafe { bindings::rproc_add_carveout(rproc, entry) };
        }
        Ok(())
    }

    /// Returns the address at which a range of device addresses is mapped.
    pub(super) fn to_va(&self, range: DeviceRange) -> Option<*mut u8> {
        self.0.iter().find_map(|carveout| {
            if !carveout.range.contains(&range) {
                return None;
            }
            let offset = range.da - carveout.range.da;
            // SAFETY: The range lies inside of the carveout, and so does its offset.
            carveout.va().map(|va| unsafe { va.add(offset as usize) })
        })
    }

    /// Returns the device address of the mapped address `va`.
    pub(super) fn to_da(&self, va: *const u8) -> Option<u32> {
        self.0.iter().find_map(|carveout| {
            let offset = va.addr().checked_sub(carveout.va()?.addr())?;
            if offset >= carveout.range.len {
                return None;
            }
            carveout.range.da.checked_add(u32::try_from(offset).ok()?)
        })
    }
}
