// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Access to the memory of a split virtqueue, for both of its sides, and the negotiated features.
//!
//! Source: Virtio 1.2, section 2.7;
//! C header: [`include/uapi/linux/virtio_ring.h`](srctree/include/uapi/linux/virtio_ring.h).

/// The memory of a ring, and the barriers between its accesses.
///
/// Each access is done exactly once and with the width of the method's name (volatile), in the
/// machine's byte order, `off` bytes from the ring's start, which is aligned to 16 bytes. The rings
/// make only naturally aligned accesses inside [`Layout::size`](super::vring_layout::Layout::size).
/// A 64-bit access may be done in two halves.
///
/// The other side is another processor, which may not be coherent with the CPUs as they are with
/// each other. So the kernel's `smp_*` barriers, which vanish without `CONFIG_SMP`, are not enough.
pub trait RingMem {
    /// Loads 16 bits.
    fn load16(&self, off: usize) -> u16;

    /// Loads 32 bits.
    fn load32(&self, off: usize) -> u32;

    /// Loads 64 bits.
    fn load64(&self, off: usize) -> u64;

    /// Loads 64 bits and the 64 bits after them, each at once.
    // This and `store32x2()` check once for both: 7 instructions a frame fewer (bench, rx 8x1).
    #[inline]
    fn load64x2(&self, off: usize) -> [u64; 2] {
        [self.load64(off), self.load64(off + 8)]
    }

    /// Stores 16 bits.
    fn store16(&self, off: usize, value: u16);

    /// Stores 32 bits.
    fn store32(&self, off: usize, value: u32);

    /// Stores 64 bits.
    fn store64(&self, off: usize, value: u64);

    /// Stores 32 bits and 32 bits after them, each at once.
    #[inline]
    fn store32x2(&self, off: usize, [first, second]: [u32; 2]) {
        self.store32(off, first);
        self.store32(off + 4, second);
    }

    /// Orders earlier loads before later loads: the kernel's `dma_rmb()`, in Rust
    /// `dma_mb(Read)`.
    ///
    /// It goes between the load of the modem's index (`avail.idx` or `used.idx`) and those of the
    /// entries, descriptors and buffers that the index covers.
    fn rmb(&self);

    /// Orders earlier loads *and* stores before later stores: the kernel's `dma_mb()`, in Rust
    /// `dma_mb(Full)`.
    ///
    /// It goes before the store of our index. `used.idx` must come after the used elements, for
    /// which `dma_wmb()` would do, but also after all loads of the buffers that are given back,
    /// because the modem may reuse them at once; `dma_wmb()` does not order loads. `avail.idx` must
    /// come after the entries, the descriptors and the buffers.
    fn wmb(&self);

    /// Orders all earlier accesses before all later ones: the kernel's `mb()`, in Rust
    /// `mb(Full)`.
    ///
    /// It goes between a store that the modem loads and a load of what the modem stores (`used.idx`
    /// and then `used_event`; `avail_event` and then `avail.idx`; and the same on the other side of
    /// a ring). Each side stores first and loads second; without the barrier both could miss the
    /// other's store, and a notification would be lost for good.
    fn mb(&self);
}

/// The negotiated features of the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `VIRTIO_RING_F_EVENT_IDX`: notifications are requested by index instead of by flag.
    pub event_idx: bool,
}
