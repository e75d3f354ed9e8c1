// SPDX-License-Identifier: GPL-2.0

//! Control of the machine by a test: contexts to run in, binding of drivers, recovery.

use crate::{
    abstractions::remoteproc::Rproc,
    bindings,
    fake::{
        Fake,
        TIMEOUT_MS, //
    }, //
};
use core::ptr::{
    from_ref,
    NonNull, //
};
use kernel::{
    device,
    error::to_result,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Runs `f` with interrupts off, as in the handler of one. `f` must not sleep.
pub(crate) fn with_irqs_off<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: They are restored below, on the same CPU.
    let flags = unsafe { bindings::caif_kunit_irq_save() };
    let ret = f();
    // SAFETY: They were saved above.
    unsafe { bindings::caif_kunit_irq_restore(flags) };
    ret
}

/// Runs `f` with bottom halves off. `f` must not sleep.
pub(crate) fn with_bh_off<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: They are switched on again below.
    unsafe { bindings::caif_kunit_bh_disable() };
    let ret = f();
    // SAFETY: They were switched off above.
    unsafe { bindings::caif_kunit_bh_enable() };
    ret
}

/// Yields the CPU in a task that runs for long. May sleep.
pub(crate) fn relax() {
    // SAFETY: Only called where a task may sleep.
    unsafe { bindings::caif_kunit_cond_resched() }
}

/// Waits for a while in which something must not happen. Sleeps.
pub(crate) fn pass_time(ms: u32) {
    fsleep(Delta::from_millis(ms.into()));
}

/// Waits busily until the condition holds, in contexts that cannot sleep. Returns whether it does.
/// Does not wait on a machine with one CPU, as no other could make it hold.
pub(crate) fn spin_until(condition: impl Fn() -> bool) -> bool {
    // SAFETY: The function may be called in any context.
    if unsafe { bindings::caif_kunit_cpus() } == 1 {
        return true;
    }
    spin_for(TIMEOUT_MS / 2, condition)
}

/// Waits busily until the condition holds, at most for `ms` milliseconds. Returns whether it does.
pub(crate) fn spin_for(ms: u32, condition: impl Fn() -> bool) -> bool {
    // SAFETY: The function may be called in any context.
    let now = || unsafe { bindings::caif_kunit_milliseconds() };
    let start = now();
    while !condition() {
        if now().wrapping_sub(start) > u64::from(ms) {
            return false;
        }
        core::hint::spin_loop();
    }
    true
}

/// Returns the device of the remote processor.
fn device(fake: &Fake) -> *mut bindings::device {
    let device: &device::Device = (**fake.rproc()).as_ref();
    from_ref(device).cast_mut().cast()
}

/// Attaches to the processor of a modem.
pub(crate) fn boot(fake: &Fake) -> Result {
    // SAFETY: A `Fake` has a registered remote processor.
    to_result(unsafe { bindings::rproc_boot(fake.rproc().as_raw()) })
}

/// Detaches from the processor of a modem.
pub(crate) fn detach(fake: &Fake) -> Result {
    detach_from(fake.rproc())
}

/// Unbinds the driver from the virtio device of a modem.
pub(crate) fn unbind(fake: &Fake) -> Result {
    // SAFETY: By the invariant of `Rproc`, it and its device are valid.
    to_result(unsafe { bindings::caif_kunit_unbind(device(fake)) })
}

/// Binds the driver to the virtio device of a modem. Returns the error of its probe, if it fails.
pub(crate) fn bind(fake: &Fake) -> Result {
    let name = c"caif_virtio";
    // SAFETY: By the invariant of `Rproc`, it and its device are valid; the name is a string.
    to_result(unsafe { bindings::caif_kunit_bind(device(fake), name.as_char_ptr()) })
}

/// Runs `f` while remoteproc finds no vring by this notify id.
pub(crate) fn without_notify_id(fake: &Fake, id: i32, f: impl FnOnce() -> Result) -> Result {
    let rproc = fake.rproc().as_raw();
    // SAFETY: By the invariant of `Rproc`, the processor is valid.
    let vring = unsafe { bindings::caif_kunit_take_notify_id(rproc, id) };
    check!(!vring.is_null(), "vring {id} has no notify id");
    let ret = f();
    // SAFETY: By the invariant of `Rproc`, the processor is valid; the vring was entered for the
    // id before.
    let put = to_result(unsafe { bindings::caif_kunit_put_notify_id(rproc, id, vring) });
    ret.and(put)
}

/// A virtqueue that remoteproc had for a vring, held by a caller of `rproc_vq_interrupt()` that was
/// preempted before its call of `vring_interrupt()`.
pub(crate) struct Preempted(NonNull<bindings::virtqueue>);

// SAFETY: Any task may make the call.
unsafe impl Send for Preempted {}
// SAFETY: Several tasks may make the call at the same time, as several interrupts do.
unsafe impl Sync for Preempted {}

impl Preempted {
    /// Takes the virtqueue that remoteproc has for the vring of a notify id now, if there is one.
    pub(crate) fn new(fake: &Fake, id: i32) -> Option<Self> {
        // SAFETY: By the invariant of `Rproc`, the processor is valid.
        let vq = unsafe { bindings::caif_kunit_taken_vq(fake.rproc().as_raw(), id) };
        NonNull::new(vq).map(Self)
    }

    /// Continues the call. Returns whether the interrupt was handled.
    pub(crate) fn resume(&self) -> bool {
        // SAFETY: That the virtqueue is valid is what is tested.
        unsafe { bindings::caif_kunit_vring_interrupt(self.0.as_ptr()) }
    }

    /// Continues a call that had already seen a used buffer.
    pub(crate) fn resume_late(&self) {
        // SAFETY: That the virtqueue is valid is what is tested.
        unsafe { bindings::caif_kunit_vq_callback(self.0.as_ptr()) };
    }
}

/// All virtqueues that remoteproc had for a vring.
pub(crate) struct Entered {
    seen: [Atomic<*mut bindings::virtqueue>; 8],
    count: Atomic<usize>,
}

impl Entered {
    /// Makes an empty set.
    pub(crate) fn new() -> Self {
        Self {
            seen: [const { Atomic::new(core::ptr::null_mut()) }; 8],
            count: Atomic::new(0),
        }
    }

    /// Notes the virtqueue that remoteproc has for the vring of a notify id now. Any context.
    pub(crate) fn note(&self, fake: &Fake, id: i32) {
        let count = self.count.fetch_add(1, Relaxed);
        if let (Some(seen), Some(now)) = (self.seen.get(count), Preempted::new(fake, id)) {
            seen.store(now.0.as_ptr(), Relaxed);
        }
    }

    /// Returns the number of different addresses. `ERANGE` if there were too many.
    pub(crate) fn different(&self) -> Result<usize> {
        let count = self.count.load(Relaxed);
        let seen = self.seen.get(..count).ok_or(ERANGE)?;
        let is_first = |i: usize, vq: *mut bindings::virtqueue| {
            seen.iter()
                .take(i)
                .all(|earlier| earlier.load(Relaxed) != vq)
        };
        let first = seen
            .iter()
            .enumerate()
            .filter(|(i, vq)| is_first(*i, vq.load(Relaxed)));
        Ok(first.count())
    }

    /// Returns preempted interrupts of all of them. `ERANGE` if there were too many.
    pub(crate) fn preempted(&self) -> Result<KVec<Preempted>> {
        let mut all = KVec::new();
        let count = self.count.load(Relaxed);
        for seen in self.seen.get(..count).ok_or(ERANGE)? {
            if let Some(vq) = NonNull::new(seen.load(Relaxed)) {
                all.push(Preempted(vq), GFP_KERNEL)?;
            }
        }
        Ok(all)
    }
}

/// Unbinds remoteproc's driver of the parent of the virtio device.
pub(crate) fn unbind_transport(fake: &Fake) -> Result {
    // SAFETY: By the invariant of `Rproc`, it and its device are valid.
    to_result(unsafe { bindings::caif_kunit_unbind_transport(device(fake)) })
}

/// Runs `f`, in which the modem changes a byte of its memory between remoteproc's check of the
/// table and the probe of the device that was made by it.
pub(crate) fn changing_at_bind(
    fake: &Fake,
    offset: usize,
    value: u8,
    f: impl FnOnce() -> Result,
) -> Result {
    fake.memory().read::<u8>(offset)?;
    let place = fake.memory().as_ptr().wrapping_add(offset).cast();
    // SAFETY: By the invariant of `Rproc`, it and its device are valid; the byte was just found to
    // be inside of the memory. Both stay until the end below.
    to_result(unsafe { bindings::caif_kunit_change_at_bind(device(fake), place, value) })?;
    let ret = f();
    // SAFETY: It was begun above.
    let done = unsafe { bindings::caif_kunit_change_at_bind_end() };
    check!(done, "rproc-virtio was not bound");
    ret
}

/// Runs `f` while the processor's device has no name, and cannot be added.
pub(crate) fn without_name<R>(rproc: &Rproc, f: impl FnOnce() -> R) -> R {
    // SAFETY: By the invariant of `Rproc`, the processor is valid; it is not registered.
    let name = unsafe { bindings::caif_kunit_take_name(rproc.as_raw()) };
    let ret = f();
    // SAFETY: By the invariant of `Rproc`, the processor is valid; the name is its own.
    unsafe { bindings::caif_kunit_put_name(rproc.as_raw(), name) };
    ret
}

/// Returns the number of references to a processor.
pub(crate) fn references(rproc: &Rproc) -> u32 {
    // SAFETY: By the invariant of `Rproc`, the processor is valid.
    unsafe { bindings::caif_kunit_references(rproc.as_raw()) }
}

/// Sets whether the modem is recovered when it is reported to have crashed.
pub(crate) fn set_recovery(fake: &Fake, enabled: bool) {
    let rproc = fake.rproc().as_raw();
    // SAFETY: By the invariant of `Rproc`, it is valid; only the address of a part of it is taken.
    let disabled = unsafe { &raw mut (*rproc).recovery_disabled };
    // SAFETY: The pointer is to a part of a valid structure. A user may change the setting at any
    // time, too.
    unsafe { disabled.write_volatile(!enabled) };
}

/// Returns the number of crashes that remoteproc has handled.
pub(crate) fn crashes(fake: &Fake) -> u32 {
    let rproc = fake.rproc().as_raw();
    // SAFETY: By the invariant of `Rproc`, it is valid; only the address of a part of it is taken.
    let count = unsafe { &raw const (*rproc).crash_cnt };
    // SAFETY: The pointer is to a part of a valid structure.
    unsafe { count.read_volatile() }
}

/// Waits until remoteproc has handled all crashes that were reported. Sleeps.
pub(crate) fn flush_crashes(fake: &Fake) {
    let rproc = fake.rproc().as_raw();
    // SAFETY: By the invariant of `Rproc`, it is valid; only the address of a part of it is taken.
    let work = unsafe { &raw mut (*rproc).crash_handler };
    // SAFETY: The work is initialized.
    unsafe { bindings::flush_work(work) };
}

/// Waits for work on the freezable queue, as a machine that goes to sleep does. Sleeps.
pub(crate) fn flush_freezable() {
    // SAFETY: The function may be called in process context.
    unsafe { bindings::caif_kunit_flush_freezable() };
}

/// Leaves a processor as remoteproc does when a boot fails before there is a resource table:
/// offline, prepared, and without a user.
pub(crate) fn fail_boot(fake: &Fake) -> Result {
    // SAFETY: A `Fake` has a registered remote processor.
    to_result(unsafe { bindings::caif_kunit_fail_boot(fake.rproc().as_raw()) })
}

/// Returns whether remoteproc has carveouts of a processor.
pub(crate) fn has_carveouts(rproc: &Rproc) -> bool {
    // SAFETY: By the invariant of `Rproc`, the processor is valid.
    unsafe { bindings::caif_kunit_has_carveouts(rproc.as_raw()) }
}

/// Gives a processor a user, as if it had been booted.
pub(crate) fn add_user(rproc: &Rproc) {
    // SAFETY: By the invariant of `Rproc`, the processor is valid.
    unsafe { bindings::caif_kunit_add_user(rproc.as_raw()) }
}

/// Shuts a processor down, as a program can by an open character device, even after the end of its
/// registration.
pub(crate) fn shut_down(rproc: &Rproc) -> Result {
    // SAFETY: By the invariant of `Rproc`, the processor is valid.
    to_result(unsafe { bindings::rproc_shutdown(rproc.as_raw()) })
}

/// Detaches from a processor in the same way.
pub(crate) fn detach_from(rproc: &Rproc) -> Result {
    // SAFETY: By the invariant of `Rproc`, the processor is valid.
    to_result(unsafe { bindings::rproc_detach(rproc.as_raw()) })
}

/// Holds a virtio device and its pool, as a process that binds or unbinds its driver does, until
/// this is dropped.
pub(crate) struct HeldPool(NonNull<bindings::device>);

// SAFETY: Any task may release it.
unsafe impl Sync for HeldPool {}

impl HeldPool {
    /// Holds the present device of a modem. Nothing can be allocated from its pool.
    pub(crate) fn new(fake: &Fake) -> Result<Self> {
        // SAFETY: By the invariant of `Rproc`, it and its device are valid.
        let dev = unsafe { bindings::caif_kunit_hold_pool(device(fake)) };
        NonNull::new(dev).map(Self).ok_or(ENODEV)
    }
}

impl Drop for HeldPool {
    fn drop(&mut self) {
        // SAFETY: The device was made to be kept by the counterpart of this function.
        unsafe { bindings::caif_kunit_release_pool(self.0.as_ptr()) }
    }
}
