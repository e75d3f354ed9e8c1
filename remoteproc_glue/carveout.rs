// SPDX-License-Identifier: GPL-2.0

//! The carveouts of a remote processor: the memory that it shares with Linux.

use super::{
    bindings,
    Link,
    Vring,
    VringMem, //
};
use crate::vring_layout::Layout;
use core::{
    marker::PhantomData,
    ops::Range,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    str::CString, //
};

/// A carveout.
pub(super) struct Carveout<'a>(&'a bindings::rproc_mem_entry);

impl Carveout<'_> {
    /// Returns whether it has this name.
    fn is(&self, name: &[u8]) -> bool {
        self.name().eq(name.iter().copied())
    }

    /// Returns the bytes of its name, without the NUL.
    pub(super) fn name(&self) -> impl Iterator<Item = u8> + '_ {
        let bytes = self.0.name.iter().copied();
        bytes.take_while(|byte| *byte != 0)
    }

    /// Returns its device addresses. `None` if they are not known, or if it has none.
    pub(super) fn da(&self) -> Option<Range<u64>> {
        /// A carveout that the remote processor may have anywhere.
        const ANY: u32 = bindings::FW_RSC_ADDR_ANY as u32;

        let start = u64::from(self.0.da);
        let end = start.saturating_add(self.0.len as u64);
        (self.0.da != ANY && start != end).then_some(start..end)
    }

    /// Returns the CPU address of its first byte, if it is mapped. As many bytes as there are
    /// device addresses are mapped for as long as the virtio device exists.
    pub(super) fn va(&self) -> Option<NonNull<u8>> {
        NonNull::new(self.0.va.cast())
    }

    /// Returns whether it is mapped as I/O memory.
    pub(super) fn is_iomem(&self) -> bool {
        self.0.is_iomem
    }
}

/// Calls `f` for each carveout.
pub(super) fn for_each(link: &Link<'_>, mut f: impl FnMut(Carveout<'_>) -> Result) -> Result {
    // SAFETY: By the invariant of `Link`, the remote processor is valid.
    let head = unsafe { &raw mut (*link.rproc.as_ptr()).carveouts };
    // SAFETY: remoteproc initialized the list. It changes only when the remote processor starts
    // and stops, that is while it has no virtio devices.
    let mut node = unsafe { (*head).next };
    while node != head {
        // SAFETY: All entries of the list are of this type.
        let entry: *mut bindings::rproc_mem_entry =
            unsafe { kernel::container_of!(node, bindings::rproc_mem_entry, node) };
        // SAFETY: The entry is in the list, which does not change while there are virtio devices.
        let entry = unsafe { &*entry };
        f(Carveout(entry))?;
        node = entry.node.next;
    }
    Ok(())
}

/// The memory of a vring.
///
/// # Invariants
///
/// As many bytes from `base` on as `layout` has are mapped for `'bound`.
pub(super) struct VringMemory<'bound> {
    base: NonNull<u8>,
    layout: Layout,
    da: u32,
    _phantom: PhantomData<&'bound ()>,
}

impl<'bound> VringMemory<'bound> {
    /// Finds the memory that remoteproc has for a vring of this layout. `ENOMEM` if there is none,
    /// or not enough, and `EINVAL` if it is not aligned as the layout needs it.
    pub(super) fn find(link: &Link<'bound>, vring: Vring, layout: Layout) -> Result<Self> {
        let name = CString::try_from_fmt(fmt!("vdev{}vring{}", link.index(), vring.number()))?;
        let mut found = None;
        for_each(link, |carveout| {
            // The first of that name, which is the one that remoteproc uses.
            if found.is_none() && carveout.is(name.to_bytes()) {
                found = Some((carveout.va(), carveout.0.len, carveout.0.da));
            }
            Ok(())
        })?;
        let (base, len, da) = found.ok_or(ENOMEM)?;
        let base = base.ok_or(ENOMEM)?;
        if len < layout.size() {
            return Err(ENOMEM);
        }
        // The used ring is aligned by its address.
        if base.addr().get() % link.align(vring) != 0 {
            return Err(EINVAL);
        }
        // INVARIANT: It was just checked that the carveout is as long, and remoteproc keeps
        // carveouts mapped while there are virtio devices.
        Ok(Self {
            base,
            layout,
            da,
            _phantom: PhantomData,
        })
    }

    /// Returns the memory for the ring code to access.
    pub(super) fn mem(&self) -> Result<VringMem<'bound>> {
        // SAFETY: By the type invariant, as many bytes from `base` on are mapped for `'bound`.
        unsafe { VringMem::new(self.base, self.layout.size()) }.ok_or(EINVAL)
    }

    /// Returns the layout of the ring.
    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns the device address of the memory.
    pub(super) fn da(&self) -> u32 {
        self.da
    }
}
