// SPDX-License-Identifier: GPL-2.0

//! Windows: the memory of the remote processor where its frames may be.

use super::{
    bindings,
    Link, //
};
use crate::{
    link_config::FramePlace, //
};
use core::{
    marker::PhantomData,
    ops::Range,
    ptr::NonNull, //
};
use kernel::{
    error::code,
    prelude::*, //
};

/// A range of device addresses and where the CPU has it.
///
/// # Invariants
///
/// `da` is not empty, and as many bytes from `va` on are mapped for as long as the virtio device
/// exists.
struct Window {
    da: Range<u64>,
    /// Where the CPU has the first of the addresses.
    va: *const u8,
    is_iomem: bool,
}

/// The windows to the remote processor's memory: its carveouts, less the vrings and the memory
/// that we send from, where no frame to receive may be.
///
/// # Invariants
///
/// The windows do not overlap in `da` with what was left out.
pub(crate) struct Windows<'bound> {
    /// The largest, where most frames are.
    first: Window,
    rest: KVec<Window>,
    _phantom: PhantomData<&'bound ()>,
}

// SAFETY: The pointers are to mappings, which have no ties to a thread.
unsafe impl Send for Windows<'_> {}

impl<'bound> Windows<'bound> {
    /// Makes windows of the carveouts of the remote processor, without the device addresses
    /// `reserved`. `ENOENT` if nothing remains. Process context: may sleep.
    pub(crate) fn new(link: &Link<'bound>, reserved: Range<u64>) -> Result<Self> {
        let mut windows = KVec::new();
        let mut excluded = KVec::new();
        excluded.push(reserved, GFP_KERNEL)?;
        for_each_carveout(link, |name, da, va, is_iomem| {
            if is_virtio_memory(name) {
                excluded.push(da, GFP_KERNEL)?;
            } else if let Some(va) = va {
                let va = va.as_ptr().cast_const();
                // INVARIANT: remoteproc keeps carveouts mapped while there are virtio devices.
                windows.push(Window { da, va, is_iomem }, GFP_KERNEL)?;
            }
            Ok(())
        })?;
        for range in &excluded {
            windows = exclude(windows, range)?;
        }
        let size = |window: &Window| window.da.end - window.da.start;
        windows.sort_unstable_by_key(size);
        Ok(Self {
            first: windows.pop().ok_or(code::ENOENT)?,
            rest: windows,
            _phantom: PhantomData,
        })
    }

    /// Returns the frame in the buffer at device address `da`, if all of the buffer is in one window.
    #[inline(always)]
    pub(crate) fn find(&self, da: u64, place: &FramePlace) -> Option<SharedFrame<'_>> {
        let end = da.checked_add(place.total().into())?;
        let (window, va) = match self.first.translate(da, end) {
            Some(va) => (&self.first, va),
            None => self
                .rest
                .iter()
                .find_map(|window| Some((window, window.translate(da, end)?)))?,
        };
        // INVARIANT: The buffer is in the window, and the frame in the buffer by the invariant of
        // `FramePlace`.
        Some(SharedFrame {
            va: va.wrapping_add(place.headroom().into()),
            len: place.frame_len(),
            is_iomem: window.is_iomem,
            _phantom: PhantomData,
        })
    }
}

/// Takes a range of device addresses out of all windows.
fn exclude(windows: KVec<Window>, range: &Range<u64>) -> Result<KVec<Window>> {
    if range.is_empty() {
        return Ok(windows);
    }
    let mut rest = KVec::with_capacity(windows.len() + 1, GFP_KERNEL)?;
    for window in &windows {
        let below = window.da.start..window.da.end.min(range.start);
        let above = window.da.start.max(range.end)..window.da.end;
        for part in [below, above] {
            if !part.is_empty() {
                rest.push(window.part(part), GFP_KERNEL)?;
            }
        }
    }
    Ok(rest)
}

impl Window {
    /// Returns where the CPU has device address `da`, if all from there up to `end` is inside.
    #[inline]
    fn translate(&self, da: u64, end: u64) -> Option<*const u8> {
        let offset = da.checked_sub(self.da.start)?;
        (end <= self.da.end).then(|| self.va.wrapping_add(offset as usize))
    }

    /// Returns the part of the window that has the device addresses `da`, which are inside it.
    fn part(&self, da: Range<u64>) -> Self {
        let va = self.va.wrapping_add((da.start - self.da.start) as usize);
        // INVARIANT: A part of a mapping is mapped as long as all of it.
        Self { da, va, ..*self }
    }
}

/// A frame in memory that the remote processor can write to at any time.
///
/// # Invariants
///
/// The `len` bytes from `va` on are mapped for `'a`.
pub(crate) struct SharedFrame<'a> {
    va: *const u8,
    len: u32,
    is_iomem: bool,
    _phantom: PhantomData<&'a ()>,
}

impl SharedFrame<'_> {
    /// Returns where the CPU has the frame.
    #[inline]
    pub(super) fn as_ptr(&self) -> *const u8 {
        self.va
    }

    /// Returns the bytes of the frame.
    #[inline]
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Returns whether the frame is in I/O memory.
    #[inline]
    pub(super) fn is_iomem(&self) -> bool {
        self.is_iomem
    }
}

/// Returns whether a carveout of that name is for vrings, or for what they carry from Linux to the remote
/// processor.
fn is_virtio_memory(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(b"vdev") else {
        return false;
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest.get(digits..).unwrap_or_default();
    digits > 0 && (rest == b"buffer" || rest.starts_with(b"vring"))
}

/// Calls `f` for each carveout with a known device address: its name, its device addresses, where
/// it is mapped, if it is, and whether as I/O memory.
fn for_each_carveout(
    link: &Link<'_>,
    mut f: impl FnMut(&[u8], Range<u64>, Option<NonNull<u8>>, bool) -> Result,
) -> Result {
    /// A carveout that the remote processor may have anywhere (`FW_RSC_ADDR_ANY`).
    const ANY: u32 = u32::MAX;

    // SAFETY: By the invariant of `Link`, the remote processor is valid.
    let head = unsafe { &raw mut (*link.rproc.as_ptr()).carveouts };
    // SAFETY: The list is valid. It changes only when the remote processor starts and stops, that
    // is while it has no virtio devices.
    let mut node = unsafe { (*head).next };
    while node != head {
        // SAFETY: All entries of the list are of this type.
        let entry: *mut bindings::rproc_mem_entry =
            unsafe { kernel::container_of!(node, bindings::rproc_mem_entry, node) };
        // SAFETY: The entry is valid, and it does not change, see above.
        let entry = unsafe { &*entry };
        if entry.da != ANY && entry.len > 0 {
            let start = u64::from(entry.da);
            let end = start.saturating_add(entry.len as u64);
            let mut name = [0; 32];
            let mut len = 0;
            for (to, from) in name.iter_mut().zip(&entry.name) {
                if *from == 0 {
                    break;
                }
                *to = *from;
                len += 1;
            }
            f(
                name.get(..len).unwrap_or_default(),
                start..end,
                NonNull::new(entry.va.cast()),
                entry.is_iomem,
            )?;
        }
        node = entry.node.next;
    }
    Ok(())
}
