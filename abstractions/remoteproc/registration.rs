// SPDX-License-Identifier: GPL-2.0

//! Abstractions for drivers of remote processors (remoteproc platform drivers).
//!
//! A driver implements [`Operations`], describes the processor by [`RprocOptions`], creates it as
//! [`Unregistered`], so that its interrupt handlers can refer to an [`Rproc`], and registers that
//! last. The device owns the registration, so that safe code cannot leak it and the operations
//! cannot outlive their module.
//!
//! C header: [`include/linux/remoteproc.h`](srctree/include/linux/remoteproc.h)

use super::{
    carveout::{
        Carveout,
        Carveouts,
        DeviceRange, //
    },
    elf::Checked,
    firmware::ElfLoader,
    handle::{
        Rproc,
        RprocPrivate, //
    },
    loaded::{
        LoadedTable,
        TableInUse, //
    },
    ops,
    recovery::Recovery,
    table::Shown, //
};
use crate::abstractions::{
    bindings,
    compat::synchronize_rcu, //
};
use core::ptr::{
    from_ref,
    NonNull, //
};
use kernel::{
    device,
    devres,
    error::{
        to_result,
        VTABLE_DEFAULT_ERROR, //
    },
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            ordering::Release,
            Atomic, //
        },
        Mutex, //
    }, //
};

/// The operations of a remoteproc platform driver on its remote processor.
///
/// All methods but [`kick`](Operations::kick) are called in process context with the lock of the
/// remote processor held, so that no two of them run at a time. They must not boot it, shut it down
/// or detach from it, which would deadlock on that lock.
#[vtable]
pub(crate) trait Operations: Send + Sync + 'static {
    /// Prepares the hardware, before any memory of the processor is accessed.
    fn prepare(&self, _rproc: &Rproc) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Undoes [`prepare`](Operations::prepare), after stop or detach and after every failure.
    fn unprepare(&self, _rproc: &Rproc) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Starts the processor; its firmware is loaded. Required unless the processor is only attached
    /// to.
    ///
    /// `table` is the place to which the firmware's resource table was loaded, if it was.
    fn start(&self, _rproc: &Rproc, _table: Option<DeviceRange>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Stops the processor, whether it was started or attached to. Its virtio devices are removed
    /// already.
    fn stop(&self, rproc: &Rproc) -> Result;

    /// Attaches to the running processor. Required for one that is registered detached.
    fn attach(&self, _rproc: &Rproc) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Detaches from the processor, which goes on running. Its virtio devices are removed already.
    fn detach(&self, _rproc: &Rproc) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Kicks the processor for the vring with this number.
    ///
    /// Called in any context, interrupts included, and concurrently with the other methods.
    fn kick(&self, rproc: &Rproc, vqid: u32);

    /// Reads the resource table of a processor that is being attached to, and checks what was read,
    /// which is what Linux uses from then on. `None` if it has none. Attaching fails unless the
    /// processor has it in a mapped carveout.
    fn loaded_table(&self, _rproc: &Rproc) -> Result<Option<LoadedTable>> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Checks that a firmware file is for this processor, and by [`super::elf::check`] that the
    /// ELF loader reads nothing beyond its end. A processor without it can only be attached to.
    ///
    /// Called before the processor is prepared, and again before anything is loaded. Then `in_use`
    /// is the resource table that Linux uses, to compare with that of the file: a recovery keeps it
    /// and its vrings, whatever the file has.
    fn check_firmware<'a>(
        &self,
        _rproc: &Rproc,
        _image: &'a [u8],
        _in_use: Option<&[u8]>,
    ) -> Result<Checked<'a>> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// Description of a remote processor.
pub(crate) struct RprocOptions<'a> {
    /// The name in sysfs and in messages.
    pub(crate) name: &'a CStr,
    /// The firmware file. If `None`, it is `rproc-<name>-fw`.
    pub(crate) firmware: Option<&'a CStr>,
    /// Whether to boot, or to attach, as soon as the processor is registered.
    pub(crate) auto_boot: bool,
    /// Whether the processor runs already, so that it is attached to and not booted.
    pub(crate) detached: bool,
    /// Whether a crashed processor is recovered by attaching to it again, not by a boot.
    pub(crate) attach_on_recovery: bool,
    /// The memory that the processor shares with Linux.
    pub(crate) carveouts: KVec<Carveout>,
}

/// The data that the callbacks of a remote processor use.
#[pin_data]
pub(super) struct CallbackData<T> {
    /// The driver's data.
    #[pin]
    pub(super) ops: T,
    /// The memory that is shared with the processor.
    pub(super) carveouts: Carveouts,
    /// The table of a processor that is attached to.
    #[pin]
    pub(super) table: Mutex<Option<TableInUse>>,
}

/// A remote processor that is not registered yet.
pub(crate) struct Unregistered<T: Operations> {
    rproc: ARef<Rproc>,
    /// `None` only while it is being dropped.
    context: Option<Pin<KBox<CallbackData<T>>>>,
    parent: ARef<device::Device>,
}

impl<T: Operations> Unregistered<T> {
    /// Allocates a remote processor of the device `parent`.
    pub(crate) fn new(
        parent: &device::Device<device::Bound>,
        options: RprocOptions<'_>,
        ops: impl PinInit<T, Error>,
    ) -> Result<Self> {
        // remoteproc cannot check this, since its operations always have both.
        let boots = T::HAS_START && T::HAS_CHECK_FIRMWARE;
        let works = if options.detached {
            T::HAS_ATTACH
        } else {
            boots
        };
        if !works {
            return Err(EINVAL);
        }
        let carveouts = Carveouts::new(options.carveouts)?;
        let context = KBox::try_pin_init(
            try_pin_init!(CallbackData {
                ops <- ops,
                carveouts,
                table <- new_mutex!(None, "rproc_table"),
            }? Error),
            GFP_KERNEL,
        )?;
        let table = ops::table::<T>();
        let firmware = options
            .firmware
            .map_or(core::ptr::null(), CStr::as_char_ptr);
        // SAFETY: `device::Device` stands for a valid device, the strings and the operations are
        // copied.
        let rproc = unsafe {
            bindings::rproc_alloc(
                from_ref(parent).cast_mut().cast(),
                options.name.as_char_ptr(),
                &table,
                firmware,
                size_of::<RprocPrivate>() as c_int,
            )
        };
        let rproc = NonNull::new(rproc).ok_or(ENOMEM)?;
        let raw = rproc.as_ptr();

        // SAFETY: The processor was allocated above and is not registered, so that nothing else
        // accesses it.
        let ops = unsafe { (*raw).ops };
        // SAFETY: The processor is not registered, so nothing else accesses it; `ops` is a copy of
        // its own.
        let elf = ElfLoader::replace::<T>(unsafe { &mut *ops });
        // SAFETY: `rproc_alloc()` just returned the processor, to which we have the reference.
        let private = unsafe { (*raw).priv_ }.cast::<RprocPrivate>();
        let value = RprocPrivate {
            context: from_ref(&*context).cast(),
            interrupts: Atomic::new(false),
            is_registered: Atomic::new(false),
            elf,
            shown: Shown::new(),
            recovery: Recovery::new(raw),
        };
        // SAFETY: The private data was allocated with the size of `RprocPrivate`, whose alignment
        // is checked at its definition.
        unsafe { private.write(value) };
        // SAFETY: The private data was just written; only the address of a part of it is taken.
        let recovery = unsafe { &raw mut (*private).recovery };
        // SAFETY: The private data stays where it is, and nothing else uses it yet.
        unsafe { Recovery::init_work(recovery) };
        // INVARIANT: `value` was written to the private data above, which does not change after
        // that.
        // SAFETY: `rproc_alloc()` gave a reference to us.
        let rproc = unsafe { ARef::from_raw(rproc.cast::<Rproc>()) };

        // SAFETY: The processor is not registered, so that nothing else accesses it.
        unsafe { (*raw).auto_boot = options.auto_boot };
        if options.detached {
            // SAFETY: The processor is not registered, so that nothing else accesses it.
            unsafe { (*raw).state = bindings::rproc_state_RPROC_DETACHED };
        }
        if options.attach_on_recovery {
            // SAFETY: The processor is not registered, so that nothing else accesses it.
            let features = unsafe { &mut (*raw).features };
            features[0] |= 1 << bindings::rproc_features_RPROC_FEAT_ATTACH_ON_RECOVERY;
        }
        Ok(Self {
            rproc,
            context: Some(context),
            parent: parent.into(),
        })
    }

    /// Returns the remote processor, for the interrupt handlers.
    pub(crate) fn rproc(&self) -> &ARef<Rproc> {
        &self.rproc
    }

    /// Shuts the processor down, whatever its use count. Its operations are not called any more.
    fn shut_down_all(&mut self) {
        let raw = self.rproc.as_raw();
        // SAFETY: By the invariant of `Rproc`, the structure is valid; only the address of a part
        // of it is taken.
        let deleting = unsafe { &raw mut (*raw).deleting };
        // From here on it cannot be booted, and no recovery begins.
        // SAFETY: The pointer is to a part of a valid structure; `rproc_del()` writes the same.
        unsafe { deleting.write_volatile(true) };
        let recovery = &self.rproc.private().recovery;
        recovery.cancel();
        self.rproc.end_recovery();
        if self.rproc.shut_down().is_err() {
            // The processor runs on, and may use its memory.
            core::mem::forget(self.context.take());
            self.rproc.locked(|_| {
                // A process that has its character device open can ask for a shutdown for as long
                // as that is open, when this module may be unloaded; a module reference would come
                // too late if the module is already ending. Without these operations remoteproc
                // refuses, and it calls no others of a processor that cannot be booted.
                // SAFETY: By the invariant of `Rproc`, the structure is valid.
                let ops = unsafe { (*raw).ops };
                // SAFETY: The operations are a copy of the processor's own, and these are used with
                // its lock held.
                let ops = unsafe { &mut *ops };
                ops.stop = None;
                ops.detach = None;
            });
        }
        self.rproc.private().recovery.cancel();
    }
}

/// The registration of a remote processor.
///
/// When it is dropped, the processor is shut down, which removes its virtio devices and calls
/// [`Operations::stop`], and unregistered; then the driver's data is dropped. That may sleep. An
/// [`Rproc`] may outlive it.
struct Registration<T: Operations>(Unregistered<T>);

impl<T: Operations> Unregistered<T> {
    /// Registers the remote processor until `parent`, the device that it was created for, is
    /// unbound: after the data of its driver was dropped, and before earlier resources of the
    /// device are released. With `auto_boot`, it is booted or attached to soon, maybe before this
    /// returns.
    pub(crate) fn register(mut self, parent: &device::Device<device::Bound>) -> Result {
        let own: *const device::Device = &*self.parent;
        let given: &device::Device = parent;
        if !core::ptr::eq(own, given) {
            return Err(EINVAL);
        }
        let raw = self.rproc.as_raw();
        self.rproc.private().is_registered.store(true, Release);
        // One that `rproc_add()` may drop, although it is not its own.
        let spare = self.rproc.clone();
        // SAFETY: The processor is not registered, since an `Unregistered` is consumed here.
        let ret = to_result(unsafe { bindings::rproc_add(raw) });
        if let Err(e) = ret {
            // SAFETY: `rproc_add()` has just failed.
            if unsafe { took_reference(raw) } {
                core::mem::forget(spare);
            }
            // A user might have started it before the registration failed.
            self.shut_down_all();
            // Reports of a crash check with a spin lock held whether the processor is being
            // deleted.
            synchronize_rcu();
            // SAFETY: By the invariant of `Rproc`, the structure is valid; only the address of a
            // part of it is taken.
            let crash = unsafe { &raw mut (*raw).crash_handler };
            // SAFETY: `rproc_alloc()` and `rproc_add()` initialize the works of a processor.
            unsafe { bindings::flush_work(crash) };
            return Err(e);
        }
        devres::register(parent, Registration(self), GFP_KERNEL)
    }
}

/// Returns whether a `rproc_add()` that failed dropped a reference. It does if `device_add()`
/// failed, and not if it failed before, or after.
///
/// # Safety
///
/// `rproc` must be valid, and its `rproc_add()` must have failed.
unsafe fn took_reference(rproc: *mut bindings::rproc) -> bool {
    // SAFETY: By the safety requirements, the processor is valid.
    let is_added = !unsafe { (*rproc).dev.p }.is_null();
    // Of what `rproc_add()` does before `device_add()`, only adding the character device can fail,
    // as `new` sees to what `rproc_validate()` checks. That leaves the count of the character
    // device at 1; after all later failures `cdev_del()` has dropped it. Only root could hold
    // another, by opening the device with a node of its own before `device_add()` has made the
    // file.
    // SAFETY: `rproc` is valid by the safety requirements, and only the address of a part of it is
    // taken.
    let count = unsafe { &raw const (*rproc).cdev.kobj.kref.refcount.refs.counter };
    // SAFETY: The pointer is to a part of a valid structure.
    let has_cdev_failed = unsafe { count.read_volatile() } == 1;
    !is_added && !has_cdev_failed
}

impl<T: Operations> Drop for Registration<T> {
    fn drop(&mut self) {
        let raw = self.0.rproc.as_raw();
        // `rproc_del()` shuts it down as well, but not if a signal is pending.
        self.0.shut_down_all();
        // SAFETY: The processor is registered, and this is the only place that ends that.
        unsafe { bindings::rproc_del(raw) };
        // SAFETY: By the invariant of `Rproc`, the structure is valid; only the address of a part
        // of it is taken.
        let attach = unsafe { &raw mut (*raw).attach_work };
        // `rproc_del()` does not wait for this work. It does nothing by now, but accesses the
        // processor.
        // SAFETY: `rproc_alloc()` and `rproc_add()` initialize the works of a processor.
        unsafe { bindings::cancel_work_sync(attach) };
    }
}
