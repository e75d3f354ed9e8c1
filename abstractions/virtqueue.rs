// SPDX-License-Identifier: GPL-2.0

//! The driver side of a virtqueue.
//!
//! C header: [`include/linux/virtio.h`](srctree/include/linux/virtio.h)

use super::{
    bindings,
    napi::Napi, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    dma::DmaAddress,
    error::to_result,
    prelude::*, //
};

/// What stands for a buffer while the device has it.
///
/// A virtqueue owns the tokens of the buffers in it, and gives each back once.
pub trait Token: Sized {
    /// Makes a number of the token, which is never `usize::MAX`.
    fn into_raw(self) -> usize;

    /// The token again.
    ///
    /// # Safety
    ///
    /// `raw` must come from [`into_raw`](Self::into_raw), and each of its results may be used
    /// once.
    unsafe fn from_raw(raw: usize) -> Self;
}

/// A virtqueue that carries buffers known by tokens of type `T`.
///
/// # Invariants
///
/// `vq` is valid for `'bound`, and nobody else adds buffers to it or takes any from it.
pub struct Virtqueue<'bound, T: Token> {
    vq: NonNull<bindings::virtqueue>,
    _phantom: PhantomData<(&'bound (), T)>,
}

// SAFETY: A virtqueue has no ties to a thread; calls are serialized by `&mut self`.
unsafe impl<T: Token + Send> Send for Virtqueue<'_, T> {}

impl<T: Token> Virtqueue<'_, T> {
    /// Wraps a virtqueue.
    ///
    /// # Safety
    ///
    /// `vq` must be valid for `'bound`, it must be empty, and nobody else may add buffers to it
    /// or take any from it.
    pub unsafe fn from_raw(vq: NonNull<bindings::virtqueue>) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            vq,
            _phantom: PhantomData,
        }
    }

    /// Number of descriptors.
    pub fn size(&self) -> u32 {
        // SAFETY: By the type invariant, the virtqueue is valid.
        unsafe { bindings::virtqueue_get_vring_size(self.vq.as_ptr()) }
    }

    /// Whether the queue is beyond use, for example because the device returned a buffer that it
    /// did not have.
    #[inline]
    pub fn is_broken(&self) -> bool {
        // SAFETY: By the type invariant, the virtqueue is valid.
        unsafe { bindings::virtqueue_is_broken(self.vq.as_ptr()) }
    }

    /// Adds a buffer of `len` bytes for the device to read, already mapped for it at `addr`.
    ///
    /// On an error the token comes back: `ENOSPC` when the queue is full, `EIO` when it is
    /// broken.
    #[inline]
    pub fn add_out(&mut self, addr: DmaAddress, len: u32, token: T) -> Result<(), (T, Error)> {
        let mut sg = bindings::scatterlist {
            page_link: 2, // The last one of the list (`SG_END`).
            ..Default::default()
        };
        sg.dma_address = addr;
        sg.length = len;
        #[cfg(CONFIG_NEED_SG_DMA_LENGTH)]
        {
            sg.dma_length = len;
        }
        let raw = token.into_raw();
        // The virtqueue takes NULL for an empty place. A token is never `usize::MAX`.
        let data = core::ptr::without_provenance_mut(raw.wrapping_add(1));
        // SAFETY: The virtqueue is valid and `&mut self` serializes the calls. The scatterlist
        // has one entry, of which a premapped queue takes address and length only. `data` is
        // not dereferenced by the virtqueue.
        let ret = unsafe {
            bindings::virtqueue_add_outbuf_premapped(
                self.vq.as_ptr(),
                &raw mut sg,
                1,
                data,
                bindings::GFP_ATOMIC,
            )
        };
        to_result(ret).map_err(|error| {
            // SAFETY: `raw` is from `into_raw()`, and the queue did not take it.
            (unsafe { T::from_raw(raw) }, error)
        })
    }

    /// Takes a buffer that the device is done with.
    #[inline]
    pub fn get_buf(&mut self) -> Option<T> {
        let mut len = 0;
        // SAFETY: The virtqueue is valid and `&mut self` serializes the calls.
        let data = unsafe { bindings::virtqueue_get_buf(self.vq.as_ptr(), &raw mut len) };
        if data.is_null() {
            return None;
        }
        // SAFETY: `add_out()` made `data` of a token, and the virtqueue gives each back once,
        // whatever the device claims: it forgets the data of a buffer that it gives back.
        Some(unsafe { T::from_raw(data.addr().wrapping_sub(1)) })
    }

    /// Makes all added buffers known to the device. Returns whether it must be notified.
    #[inline]
    pub fn kick_prepare(&mut self) -> bool {
        // SAFETY: The virtqueue is valid and `&mut self` serializes the calls.
        unsafe { bindings::virtqueue_kick_prepare(self.vq.as_ptr()) }
    }

    /// Notifies the device.
    #[inline]
    pub fn notify(&self) {
        // SAFETY: By the type invariant, the virtqueue is valid.
        unsafe { bindings::virtqueue_notify(self.vq.as_ptr()) };
    }

    /// Asks the device not to interrupt when it is done with buffers. It may still do so.
    #[inline]
    pub fn disable_cb(&mut self) {
        // SAFETY: The virtqueue is valid and `&mut self` serializes the calls.
        unsafe { bindings::virtqueue_disable_cb(self.vq.as_ptr()) }
    }

    /// Asks the device to interrupt when it is done with a buffer. Returns false if it already is
    /// with one, possibly without an interrupt.
    #[inline]
    #[must_use]
    pub fn enable_cb(&mut self) -> bool {
        // SAFETY: The virtqueue is valid and `&mut self` serializes the calls.
        unsafe { bindings::virtqueue_enable_cb(self.vq.as_ptr()) }
    }
}

/// The callback of a virtqueue whose device's `priv` is a NAPI instance: schedules it. Any
/// context.
///
/// # Safety
///
/// For the virtio core to call with a virtqueue whose device's `priv` points to a [`Napi`].
pub unsafe extern "C" fn schedule_napi(vq: *mut bindings::virtqueue) {
    // SAFETY: The virtio core calls with a valid virtqueue, whose device is valid too.
    let vdev = unsafe { (*vq).vdev };
    // SAFETY: As above.
    let napi = unsafe { (*vdev).priv_ };
    // SAFETY: By the safety requirements; the device's driver keeps the instance alive until no
    // callback can be under way.
    let napi = unsafe { Napi::from_raw(napi.cast()) };
    napi.schedule();
}

/// The callback of a virtqueue that nobody has to be told about.
pub extern "C" fn ignore(_vq: *mut bindings::virtqueue) {}
