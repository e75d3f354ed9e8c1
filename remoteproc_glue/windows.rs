// SPDX-License-Identifier: GPL-2.0

//! Windows: the memory of the remote processor where its frames may be.

use super::{
    carveout,
    Link, //
};
use crate::{
    link_config::FramePlace, //
};
use core::{
    marker::PhantomData,
    ops::Range, //
};
use kernel::{
    error::code,
    prelude::*, //
};

/// A range of device addresses and its mapping.
///
/// # Invariants
///
/// `start + size` does not overflow, and `size` bytes from `va` on are mapped for as long as the
/// virtio device exists.
struct Window {
    start: u64,
    size: u64,
    /// CPU address of the first byte.
    va: *const u8,
    is_iomem: bool,
}

/// The windows to the remote processor's memory: its carveouts, less the vrings and the memory
/// that we send from, where no frame to receive may be.
///
/// # Invariants
///
/// The windows do not overlap with the device addresses that were left out.
pub(crate) struct Windows<'bound> {
    /// The largest window, where most frames are. A field of its own saves 12 to 15 instructions a
    /// frame (bench, all rows of RX, of 740 to 2970).
    first: Window,
    rest: KVec<Window>,
    _phantom: PhantomData<&'bound ()>,
}

// SAFETY: The pointers are to mappings, which have no ties to a thread.
unsafe impl Send for Windows<'_> {}

impl<'bound> Windows<'bound> {
    /// Creates windows of the carveouts of the remote processor, without the device addresses
    /// `reserved`. `ENOENT` if nothing remains. Process context: may sleep.
    pub(crate) fn new(link: &Link<'bound>, reserved: Range<u64>) -> Result<Self> {
        let mut windows = KVec::new();
        let mut excluded = KVec::new();
        excluded.push(reserved, GFP_KERNEL)?;
        carveout::for_each(link, |carveout| {
            let Some(da) = carveout.da() else {
                return Ok(());
            };
            if is_virtio_memory(carveout.name()) {
                excluded.push(da, GFP_KERNEL)?;
            } else if let Some(va) = carveout.va() {
                let va = va.as_ptr().cast_const();
                // INVARIANT: `start + (end - start)` is `end`, which is a u64. remoteproc keeps
                // carveouts mapped while there are virtio devices.
                let window = Window {
                    start: da.start,
                    size: da.end.saturating_sub(da.start),
                    va,
                    is_iomem: carveout.is_iomem(),
                };
                windows.push(window, GFP_KERNEL)?;
            }
            Ok(())
        })?;
        for range in &excluded {
            windows = exclude(windows, range)?;
        }
        windows.sort_unstable_by_key(|window| window.size);
        Ok(Self {
            first: windows.pop().ok_or(code::ENOENT)?,
            rest: windows,
            _phantom: PhantomData,
        })
    }

    /// Returns the frame in the buffer at device address `da`, if all of the buffer is in one
    /// window.
    #[inline]
    pub(crate) fn find(&self, da: u64, place: &FramePlace) -> Option<SharedFrame<'_>> {
        let (va, is_iomem) = match self.first.translate(da, place.total()) {
            Some(found) => found,
            None => self.translate_by_rest(da, place.total())?,
        };
        // INVARIANT: The buffer is in the window, and the frame in the buffer by the invariant of
        // `FramePlace`.
        Some(SharedFrame {
            va: va.wrapping_add(place.headroom().into()),
            len: place.frame_len(),
            is_iomem,
            _phantom: PhantomData,
        })
    }

    /// Translates like [`Window::translate`], by all windows but the largest. In line it takes from
    /// 1 instruction a frame less to 4 more (bench, all rows of RX).
    #[cold]
    #[inline(never)]
    fn translate_by_rest(&self, da: u64, len: u32) -> Option<(*const u8, bool)> {
        let mut windows = self.rest.iter();
        windows.find_map(|window| window.translate(da, len))
    }
}

/// Removes a range of device addresses from all windows.
fn exclude(windows: KVec<Window>, range: &Range<u64>) -> Result<KVec<Window>> {
    if range.is_empty() {
        return Ok(windows);
    }
    let mut rest = KVec::with_capacity(windows.len() + 1, GFP_KERNEL)?;
    for window in &windows {
        let da = window.da();
        let below = da.start..da.end.min(range.start);
        let above = da.start.max(range.end)..da.end;
        for part in [below, above] {
            if !part.is_empty() {
                rest.push(window.part(part), GFP_KERNEL)?;
            }
        }
    }
    Ok(rest)
}

impl Window {
    /// Returns the CPU address of device address `da`, and whether that is I/O memory, if the `len`
    /// bytes from there on are inside.
    #[inline]
    fn translate(&self, da: u64, len: u32) -> Option<(*const u8, bool)> {
        // If `da` is below `start`, the difference wraps to 2^64 - (start - da), which is more than
        // `size`, because `start + size` does not overflow.
        let offset = da.wrapping_sub(self.start);
        if offset > self.size || self.size - offset < len.into() {
            return None;
        }
        Some((self.va.wrapping_add(offset as usize), self.is_iomem))
    }

    /// Returns the device addresses of the window.
    fn da(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.size)
    }

    /// Returns the part of the window that has the device addresses `da`, which are inside it.
    fn part(&self, da: Range<u64>) -> Self {
        let va = self.va.wrapping_add((da.start - self.start) as usize);
        // INVARIANT: A part of a mapping is mapped as long as all of it.
        Self {
            start: da.start,
            size: da.end - da.start,
            va,
            ..*self
        }
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
    /// Returns the CPU address of the frame.
    #[inline]
    pub(super) fn as_ptr(&self) -> *const u8 {
        self.va
    }

    /// Returns the number of bytes of the frame.
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

/// Returns whether a carveout of that name is for vrings, or for the slots that Linux transmits
/// from.
fn is_virtio_memory(name: impl Iterator<Item = u8>) -> bool {
    /// Room for the longest name of a pool, `vdev4294967295buffer`, or the start of a vring's name.
    const LEN: usize = 32;

    let mut bytes = [0; LEN];
    let mut len = 0;
    for (to, from) in bytes.iter_mut().zip(name) {
        *to = from;
        len += 1;
    }
    let Some(rest) = bytes.get(..len).and_then(|name| name.strip_prefix(b"vdev")) else {
        return false;
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest.get(digits..).unwrap_or_default();
    digits > 0 && (rest == b"buffer" || rest.starts_with(b"vring"))
}
