// SPDX-License-Identifier: GPL-2.0

//! The kernel's code for both sides of a ring, behind `c/shim.c`.

#![expect(unsafe_code, reason = "calls C code")]

use std::ffi::{c_int, c_uint, c_ushort, c_void};
use std::marker::PhantomData;
use std::ptr::{null_mut, NonNull};

use crate::arena::Arena;

/// A buffer, by its address in the process.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Buffer {
    addr: *mut c_void,
    len: c_uint,
}

impl Buffer {
    /// Returns a buffer of `len` bytes at `addr`.
    pub fn new(addr: u64, len: u32) -> Self {
        let addr = addr as *mut c_void;
        Self { addr, len }
    }

    /// Its address.
    pub fn addr(&self) -> u64 {
        self.addr as u64
    }

    /// Its bytes.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Returns whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

extern "C" {
    fn interop_driver_new(
        ring: *mut c_void,
        num: c_uint,
        align: c_uint,
        event_idx: bool,
    ) -> *mut c_void;
    fn interop_driver_free(driver: *mut c_void);
    fn interop_driver_add(
        driver: *mut c_void,
        bufs: *const Buffer,
        count: c_uint,
        token: usize,
    ) -> c_int;
    fn interop_driver_publish(driver: *mut c_void) -> bool;
    fn interop_driver_get(driver: *mut c_void, token: *mut usize, len: *mut c_uint) -> bool;
    fn interop_driver_enable(driver: *mut c_void) -> bool;
    fn interop_driver_disable(driver: *mut c_void);
    fn interop_driver_broken(driver: *mut c_void) -> bool;
    fn interop_device_new(
        ring: *mut c_void,
        num: c_uint,
        align: c_uint,
        event_idx: bool,
    ) -> *mut c_void;
    fn interop_device_free(device: *mut c_void);
    fn interop_device_get(device: *mut c_void, head: *mut c_ushort, buf: *mut Buffer) -> c_int;
    fn interop_device_complete(device: *mut c_void, head: c_ushort) -> c_int;
    fn interop_device_need_notify(device: *mut c_void) -> c_int;
    fn interop_device_round(device: *mut c_void, notify_each: bool) -> c_int;
    fn interop_device_enable(device: *mut c_void) -> bool;
    fn interop_device_disable(device: *mut c_void);
}

/// `virtio_ring.c` as the driver of a ring.
///
/// # Invariants
///
/// The pointer is what `interop_driver_new()` returned, and was not freed.
pub struct Driver<'a> {
    ptr: NonNull<c_void>,
    num: usize,
    _ring: PhantomData<&'a Arena>,
}

// SAFETY: Nothing in the object is tied to a thread.
unsafe impl Send for Driver<'_> {}

impl<'a> Driver<'a> {
    /// Takes the driver side of the ring in `arena`, which must be all zero.
    pub fn new(arena: &'a Arena, event_idx: bool) -> Self {
        let (ring, num, align) = (arena.ring(), arena.num(), arena.align());
        // SAFETY: The ring has so many descriptors, and its memory outlives the object by the
        // lifetime.
        let ptr = unsafe { interop_driver_new(ring.cast(), num.into(), align, event_idx) };
        // INVARIANT: Just made.
        Self {
            ptr: NonNull::new(ptr).expect("a virtqueue can be made"),
            num: num.into(),
            _ring: PhantomData,
        }
    }

    /// Posts a chain. `false` if there are too few descriptors.
    pub fn add(&mut self, bufs: &[Buffer], token: usize) -> bool {
        assert!((1..=self.num).contains(&bufs.len()));
        let count = bufs.len() as c_uint;
        // SAFETY: By the invariant; the slice has `count` elements, for which there is room.
        let err = unsafe { interop_driver_add(self.ptr.as_ptr(), bufs.as_ptr(), count, token) };
        assert!(err == 0 || err == -28, "virtqueue_add_outbuf: {err}");
        err == 0
    }

    /// Publishes the posted chains. Returns whether the other side must be notified.
    pub fn publish(&mut self) -> bool {
        // SAFETY: By the invariant.
        unsafe { interop_driver_publish(self.ptr.as_ptr()) }
    }

    /// Returns the token of the next chain that came back, and how many bytes were written to it.
    pub fn get(&mut self) -> Option<(usize, u32)> {
        let (mut token, mut len) = (0, 0);
        // SAFETY: By the invariant; both places can be written to.
        let there = unsafe { interop_driver_get(self.ptr.as_ptr(), &mut token, &mut len) };
        there.then_some((token, len))
    }

    /// Enables notifications. Returns whether no chain has come back so far.
    pub fn enable(&mut self) -> bool {
        // SAFETY: By the invariant.
        unsafe { interop_driver_enable(self.ptr.as_ptr()) }
    }

    /// Asks not to be notified.
    pub fn disable(&mut self) {
        // SAFETY: By the invariant.
        unsafe { interop_driver_disable(self.ptr.as_ptr()) }
    }

    /// Returns whether the kernel has marked the ring as broken.
    pub fn is_broken(&self) -> bool {
        // SAFETY: By the invariant.
        unsafe { interop_driver_broken(self.ptr.as_ptr()) }
    }
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        // SAFETY: By the invariant, and it is not used again.
        unsafe { interop_driver_free(self.ptr.as_ptr()) }
    }
}

/// `vringh.c` as the device of a ring.
///
/// # Invariants
///
/// The pointer is what `interop_device_new()` returned, and was not freed.
pub struct Device<'a> {
    ptr: NonNull<c_void>,
    _ring: PhantomData<&'a Arena>,
}

// SAFETY: Nothing in the object is tied to a thread.
unsafe impl Send for Device<'_> {}

impl<'a> Device<'a> {
    /// Takes the device side of the ring in `arena`, which must be all zero.
    pub fn new(arena: &'a Arena, event_idx: bool) -> Self {
        let (ring, num, align) = (arena.ring(), arena.num(), arena.align());
        // SAFETY: The ring has so many descriptors, and its memory outlives the object by the
        // lifetime.
        let ptr = unsafe { interop_device_new(ring.cast(), num.into(), align, event_idx) };
        // INVARIANT: Just made.
        Self {
            ptr: NonNull::new(ptr).expect("a vringh can be made"),
            _ring: PhantomData,
        }
    }

    /// Takes the next buffer, which must be a chain of its own.
    pub fn get(&mut self) -> Option<(u16, Buffer)> {
        let mut head = 0;
        let mut buf = Buffer {
            addr: null_mut(),
            len: 0,
        };
        // SAFETY: By the invariant; both places can be written to.
        let got = unsafe { interop_device_get(self.ptr.as_ptr(), &mut head, &mut buf) };
        assert!(got >= 0, "vringh_getdesc_kern: {got}");
        (got == 1).then_some((head, buf))
    }

    /// Returns a buffer, and publishes that at once.
    pub fn complete(&mut self, head: u16) {
        // SAFETY: By the invariant.
        let err = unsafe { interop_device_complete(self.ptr.as_ptr(), head) };
        assert_eq!(err, 0, "vringh_complete_kern");
    }

    /// Returns whether the other side must be notified of what came back since the last call.
    pub fn need_notify(&mut self) -> bool {
        // SAFETY: By the invariant.
        let need = unsafe { interop_device_need_notify(self.ptr.as_ptr()) };
        assert!(need >= 0, "vringh_need_notify_kern: {need}");
        need != 0
    }

    /// Takes all chains and returns them; checks whether the other side must be notified after each
    /// one, or after the last one. Returns the number of chains.
    pub fn round(&mut self, notify_each: bool) -> u32 {
        // SAFETY: By the invariant.
        let count = unsafe { interop_device_round(self.ptr.as_ptr(), notify_each) };
        u32::try_from(count).unwrap_or_else(|_| panic!("vringh: {count}"))
    }

    /// Enables notifications. Returns whether nothing was made available so far.
    pub fn enable(&mut self) -> bool {
        // SAFETY: By the invariant.
        unsafe { interop_device_enable(self.ptr.as_ptr()) }
    }

    /// Asks not to be notified.
    pub fn disable(&mut self) {
        // SAFETY: By the invariant.
        unsafe { interop_device_disable(self.ptr.as_ptr()) }
    }
}

impl Drop for Device<'_> {
    fn drop(&mut self) {
        // SAFETY: By the invariant, and it is not used again.
        unsafe { interop_device_free(self.ptr.as_ptr()) }
    }
}
