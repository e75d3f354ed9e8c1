// SPDX-License-Identifier: GPL-2.0

//! The doorbell: a virtqueue that receives the remote processor's interrupts.
//!
//! remoteproc passes an interrupt on to the virtqueue that is entered for the vring, by way of
//! `vring_interrupt()`, which calls the virtqueue's callback if the virtqueue has used buffers. The
//! doorbell is the virtqueue that is entered there. It is in private memory and never used for
//! buffers; its `used.idx` says that there are used buffers until it is muted.
//!
//! Platforms pass interrupts on from contexts that can be preempted, in which no lock is held that
//! an unbind takes. Such an interrupt may have found the doorbell and go on with it long after the
//! link is gone. So no doorbell is freed before the module goes: a link takes one out of a pool, or
//! makes one, and gives it back. An interrupt that comes too late finds no target, or that of
//! another link, which then looks at its rings once too often.
//!
//! The target is protected by RCU, in a read-side section of the callback's own. See
//! `Documentation/security.md`.

use super::{
    bindings,
    news::State, //
};
use crate::{
    abstractions::compat::synchronize_rcu,
    vring_layout::Layout, //
};
use core::{
    cell::UnsafeCell,
    ptr::{
        from_ref,
        null_mut,
        NonNull, //
    }, //
};
use kernel::{
    alloc::flags::__GFP_ZERO,
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Relaxed,
                Release, //
            },
            Atomic, //
        },
        rcu, //
    },
    types::Opaque, //
};

/// Descriptors of the virtqueue, none of which is ever used.
const NUM: u32 = 2;
/// Alignment of its used ring.
const ALIGN: u32 = 64;
/// The layout of its ring.
const LAYOUT: Layout = match Layout::new(NUM, ALIGN) {
    Ok(layout) => layout,
    Err(_) => panic!("no such layout"),
};

/// The memory of the ring.
#[repr(C, align(64))]
struct Ring(UnsafeCell<[u8; 128]>);

const _: () = assert!(LAYOUT.size() <= size_of::<Ring>() && ALIGN as usize == align_of::<Ring>());

/// A virtqueue with a device of its own, which is not registered.
///
/// # Invariants
///
/// All zero until it is complete. Then `vq` is a virtqueue of `vdev` whose ring is `ring` and
/// whose `priv` points to this; none of it moves or is freed while an interrupt may use it.
///
/// `target` is null or valid in RCU read-side sections.
struct Doorbell {
    ring: Ring,
    vdev: Opaque<bindings::virtio_device>,
    vq: Atomic<*mut bindings::virtqueue>,
    target: Atomic<*mut State<'static>>,
    /// The next one in the pool.
    next: Atomic<*mut Doorbell>,
}

/// The doorbells that no link uses, a list by `next`. They are muted and have no target.
static POOL: Atomic<*mut Doorbell> = Atomic::new(null_mut());

impl Doorbell {
    /// Creates a doorbell. Process context: may sleep.
    fn new() -> Result<NonNull<Self>> {
        let memory = KBox::<Self>::new_uninit(GFP_KERNEL | __GFP_ZERO)?;
        // SAFETY: All zero is right for each of the fields.
        // INVARIANT: It is all zero.
        let this = unsafe { memory.assume_init() };
        let vdev = this.vdev.get();
        // SAFETY: The device is zeroed memory that nothing else refers to.
        unsafe { bindings::helper_virtio_init_unregistered(vdev) };
        // SAFETY: The device is initialized as far as virtqueues use it, and the ring is as long
        // and aligned as virtio needs it. Both live until the virtqueue is deleted.
        let vq = unsafe {
            bindings::vring_new_virtqueue(
                0,
                NUM,
                ALIGN,
                vdev,
                true,
                false,
                this.ring.0.get().cast(),
                Some(no_notify),
                Some(interrupt),
                c"doorbell".as_char_ptr(),
            )
        };
        let vq = NonNull::new(vq).ok_or(ENOMEM)?;
        // SAFETY: The virtqueue was just created.
        unsafe { (*vq.as_ptr()).priv_ = from_ref(&*this).cast_mut().cast() };
        // With CONFIG_VIRTIO_HARDEN_NOTIFICATION, a virtqueue ignores interrupts before this.
        // SAFETY: The device is initialized as far as this function uses it.
        unsafe { bindings::__virtio_unbreak_device(vdev) };
        this.vq.store(vq.as_ptr(), Relaxed);
        // INVARIANT: The virtqueue was created above for this device and this ring, its `priv`
        // points to this, and the target is null. The box becomes a pointer that only `free()`
        // frees.
        NonNull::new(KBox::into_raw(this)).ok_or(ENOMEM)
    }

    /// Puts a doorbell into the pool.
    ///
    /// # Safety
    ///
    /// The doorbell must be valid and not be in the pool; it belongs to the pool afterwards.
    unsafe fn put(this: NonNull<Self>) {
        // SAFETY: By the safety requirements, the doorbell is valid.
        let doorbell = unsafe { this.as_ref() };
        loop {
            let first = POOL.load(Relaxed);
            doorbell.next.store(first, Relaxed);
            if POOL.cmpxchg(first, this.as_ptr(), Full).is_ok() {
                return;
            }
        }
    }

    /// Takes a doorbell out of the pool, if there is one. It belongs to the caller.
    fn take() -> Option<NonNull<Self>> {
        // Takes all of them, so that none can be taken and put back by others meanwhile.
        let first = NonNull::new(POOL.xchg(null_mut(), Full))?;
        // SAFETY: What is in the pool is valid, and all of it is ours now.
        let mut rest = unsafe { first.as_ref() }.next.load(Relaxed);
        while let Some(other) = NonNull::new(rest) {
            // SAFETY: What was in the pool is valid, and all of it is ours now.
            rest = unsafe { other.as_ref() }.next.load(Relaxed);
            // SAFETY: The doorbell is valid, and not in the pool any more.
            unsafe { Self::put(other) };
        }
        Some(first)
    }

    /// Frees a doorbell.
    ///
    /// # Safety
    ///
    /// The doorbell must belong to the caller, and no interrupt may use it any more.
    unsafe fn free(this: NonNull<Self>) {
        // SAFETY: By the safety requirements, the doorbell belongs to the caller.
        let vq = unsafe { this.as_ref() }.vq.load(Relaxed);
        // SAFETY: By the type invariant, this is the virtqueue, which nothing uses any more.
        unsafe { bindings::vring_del_virtqueue(vq) };
        // SAFETY: The pointer was made from a box by `new()`.
        drop(unsafe { KBox::from_raw(this.as_ptr()) });
    }
}

/// A doorbell that a link uses.
///
/// # Invariants
///
/// The doorbell is valid, complete and not in the pool.
pub(super) struct Lease<'bound> {
    doorbell: NonNull<Doorbell>,
    /// The target of the doorbell.
    state: KBox<State<'bound>>,
}

// SAFETY: Doorbells have no ties to a thread.
unsafe impl Send for Lease<'_> {}
// SAFETY: The methods for shared references do single accesses to the doorbell, or use the state,
// which is `Sync`.
unsafe impl Sync for Lease<'_> {}

impl<'bound> Lease<'bound> {
    /// Takes a doorbell from the pool, or creates one. It is muted, and its interrupts go to
    /// `state`. Process context: may sleep.
    ///
    /// # Safety
    ///
    /// [`end`](Self::end) must be called before `'bound` ends, or what `state` uses.
    pub(super) unsafe fn new(state: KBox<State<'bound>>) -> Result<Self> {
        let doorbell = match Doorbell::take() {
            Some(doorbell) => doorbell,
            None => Doorbell::new()?,
        };
        // INVARIANT: What `take()` and `new()` return is complete, and not in the pool.
        let this = Self { doorbell, state };
        let target: *const State<'bound> = &*this.state;
        // INVARIANT: The state is valid until `end()` has returned.
        this.doorbell()
            .target
            .store(target.cast_mut().cast(), Release);
        Ok(this)
    }

    fn doorbell(&self) -> &Doorbell {
        // SAFETY: By the type invariant, the doorbell is valid.
        unsafe { self.doorbell.as_ref() }
    }

    /// Returns the virtqueue, to be entered for the vrings.
    pub(super) fn vq(&self) -> *mut bindings::virtqueue {
        self.doorbell().vq.load(Relaxed)
    }

    /// Returns the state that the interrupts go to.
    #[inline]
    pub(super) fn state(&self) -> &State<'bound> {
        &self.state
    }

    /// Unmutes the doorbell: interrupts reach the callback. Any context.
    pub(super) fn unmute(&self) {
        self.set_used_idx(1);
    }

    /// Mutes the doorbell: interrupts do not reach the callback. Any context.
    pub(super) fn mute(&self) {
        self.set_used_idx(0);
    }

    /// Sets `used.idx`, by which virtio takes the virtqueue to have so many used buffers. None of
    /// them is ever taken back.
    fn set_used_idx(&self, value: u16) {
        let ring = self.doorbell().ring.0.get().cast::<u8>();
        let idx = ring.wrapping_add(LAYOUT.used_idx()).cast::<u16>();
        // SAFETY: The index is inside the ring, which is private memory, and aligned. Only this
        // function writes to it.
        unsafe { idx.write_volatile(value) };
    }

    /// Removes the target from the doorbell and waits until no interrupt uses it, in whatever
    /// context. Process context: sleeps.
    pub(super) fn end(&self) {
        self.mute();
        if !self.doorbell().target.xchg(null_mut(), Full).is_null() {
            // The callback uses the target in a read-side section of its own.
            synchronize_rcu();
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.end();
        // SAFETY: By the type invariant, the doorbell is valid and ours; it has no target.
        unsafe { Doorbell::put(self.doorbell) };
    }
}

/// Frees the doorbells in the pool once no interrupt can use them any more; none if there is no way
/// to wait for that, see [`Link::keep_module`]. Process context: sleeps.
///
/// Called at the end of the module: after this, no CPU is in the callbacks of the doorbells.
///
/// [`Link::keep_module`]: super::Link::keep_module
pub(crate) fn free_doorbells() {
    // SAFETY: The function reads one variable of the module, in any context.
    if unsafe { bindings::caif_virtio_keeps_module() } {
        return;
    }
    let first = POOL.xchg(null_mut(), Full);
    if first.is_null() {
        return;
    }
    // SAFETY: Process context.
    unsafe { bindings::caif_virtio_wait_for_interrupts() };
    let mut rest = first;
    while let Some(doorbell) = NonNull::new(rest) {
        // SAFETY: What was in the pool is valid and ours now.
        rest = unsafe { doorbell.as_ref() }.next.load(Relaxed);
        // SAFETY: No vring refers to it, and the interrupts that found it there have ended: those
        // that could not be waited for would have kept the module before the link took the
        // doorbell.
        unsafe { Doorbell::free(doorbell) };
    }
}

/// The callback of the doorbell. Any context.
///
/// # Safety
///
/// Must be called by the virtio core with the virtqueue of a [`Doorbell`].
unsafe extern "C" fn interrupt(vq: *mut bindings::virtqueue) {
    // SAFETY: The virtio core calls with a valid virtqueue.
    let doorbell = unsafe { (*vq).priv_ }.cast::<Doorbell>();
    // SAFETY: By the invariant of `Doorbell`, `priv` points to the doorbell; only shared
    // references to it are ever made.
    let doorbell = unsafe { &*doorbell };
    let _guard = rcu::read_lock();
    let Some(state) = NonNull::new(doorbell.target.load(Acquire)) else {
        return;
    };
    // SAFETY: By the invariant of `Doorbell`, this is valid until the guard is dropped; it is
    // `Sync`, so that any CPU may use it.
    unsafe { state.as_ref() }.interrupt();
}

/// The notify function of the virtqueue, which has no device to notify.
extern "C" fn no_notify(_vq: *mut bindings::virtqueue) -> bool {
    true
}
