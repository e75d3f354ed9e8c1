// SPDX-License-Identifier: GPL-2.0

//! Transmit slots: fixed buffers in memory that the remote processor can read.

use crate::{
    abstractions::{
        compat,
        net::SkBuff, //
    },
    link_config::{
        FRAME_FCS,
        FRAME_HEADER, //
    },
    vring_driver::Slot, //
};
use core::ops::Range;
use kernel::{
    device,
    dma::{
        self,
        DmaAddress, //
    },
    prelude::*, //
};

/// The most memory that slots take, in bytes, whatever the firmware says of MTU and vring.
const BYTES_MAX: usize = 4 << 20;

/// Slots begin at multiples of this, in bytes, so that no two share a cache line.
const CACHE_LINE: usize = 64;

/// Slots of equal size in one coherent allocation.
///
/// # Invariants
///
/// `count * stride` is at most the size of `mem`, and `size` at most `stride`.
pub(crate) struct Slots {
    mem: dma::Coherent<[u8]>,
    size: usize,
    stride: usize,
    count: u16,
    want: u16,
}

impl Slots {
    /// Allocates up to `want` slots of `size` bytes, but at least `least`, for `dev` to send
    /// from. `ENOMEM` if there is no room for as many. Process context: may sleep.
    pub(crate) fn new(
        dev: &device::Device<device::Bound>,
        size: usize,
        want: u16,
        least: u16,
    ) -> Result<Self> {
        let most = u16::try_from(BYTES_MAX / size.max(1)).unwrap_or(u16::MAX);
        let want = want.min(most.max(least));
        let stride = size.checked_next_multiple_of(CACHE_LINE).ok_or(EINVAL)?;
        let mut count = want;
        let mem = loop {
            let bytes = stride.checked_mul(count.into()).ok_or(EINVAL)?;
            match dma::Coherent::zeroed_slice_with_attrs(
                dev,
                bytes,
                GFP_KERNEL,
                dma::attrs::DMA_ATTR_NO_WARN,
            ) {
                Ok(mem) => break mem,
                Err(error) if count / 2 < least => return Err(error),
                Err(_) => count /= 2,
            }
        };
        // INVARIANT: `stride * count` bytes were allocated, and the stride is the size rounded up.
        Ok(Self {
            mem,
            size,
            stride,
            count,
            want,
        })
    }

    /// Returns the number of slots that were wanted, and the bytes that they would take of a pool,
    /// which allocates powers of two. `None` if all were allocated.
    pub(crate) fn shortage(&self) -> Option<(u16, usize)> {
        let all = usize::from(self.want).saturating_mul(self.stride);
        let bytes = all.checked_next_power_of_two().unwrap_or(all);
        (self.count < self.want).then_some((self.want, bytes))
    }

    /// Returns the number of slots.
    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    /// Returns the device addresses of all slots.
    pub(crate) fn dma_range(&self) -> Range<u64> {
        let start = widened(compat::dma_address(&self.mem));
        start..start.saturating_add(self.mem.size() as u64)
    }

    /// Returns the device address of a slot.
    #[inline]
    pub(crate) fn dma_address(&self, slot: &Slot) -> u64 {
        widened(compat::dma_address(&self.mem)) + (usize::from(slot.index()) * self.stride) as u64
    }

    /// Writes a packet to a slot, after `head` bytes that stay as they are and followed by `tail`
    /// zeroes. Returns the total number of bytes, or `EMSGSIZE` if they do not fit.
    ///
    /// If the CAIF length field counts two check bytes that the packet lacks (`IFF_SUPP_NOFCS`),
    /// two zero bytes are appended.
    #[inline]
    pub(crate) fn fill(&mut self, slot: &Slot, head: u16, skb: &SkBuff, tail: u16) -> Result<u32> {
        let len = skb.len();
        let lacks_fcs = len >= FRAME_HEADER
            && skb
                .first()
                .is_some_and(|length| u32::from(u16::from_le_bytes(length)) == len);
        let zeroes = u32::from(tail) + if lacks_fcs { FRAME_FCS } else { 0 };
        let total = u32::from(head)
            .checked_add(len)
            .and_then(|sum| sum.checked_add(zeroes))
            .filter(|total| *total as usize <= self.size && slot.index() < self.count)
            .ok_or(EMSGSIZE)?;
        let start = self.mem.as_mut_ptr().cast::<u8>();
        let frame = start.wrapping_add(usize::from(slot.index()) * self.stride + usize::from(head));
        // SAFETY: By the type invariant and the check above, the slot is inside the memory, and
        // what is written is inside the slot. No reference to it exists.
        unsafe { skb.copy_to(frame) }?;
        let end = frame.wrapping_add(len as usize);
        // SAFETY: `head + len + zeroes` is at most the size of the slot. No reference to it exists.
        unsafe { end.write_bytes(0, zeroes as usize) };
        Ok(total)
    }
}

/// Returns a DMA address, which has only 32 bits on some machines, with 64 bits.
#[inline]
#[allow(clippy::useless_conversion, reason = "the same type on other machines")]
fn widened(address: DmaAddress) -> u64 {
    address.into()
}
