// SPDX-License-Identifier: GPL-2.0

//! The driver's interface to remoteproc: the remote processor behind a virtio device, the geometry
//! of its vrings, its config space, its memory, kicks and interrupts, crash reports.
//!
//! C header: [`include/linux/remoteproc.h`](srctree/include/linux/remoteproc.h)

mod bindings;
mod carveout;
mod doorbell;
pub(crate) mod frames;
mod kick;
mod news;
mod platform;
mod queues;
mod ring_mem;
mod slots;
pub(crate) mod trace;
mod vring;
mod windows;

pub(crate) use self::{
    doorbell::free_doorbells,
    news::LastSeen,
    queues::Queues,
    ring_mem::VringMem,
    slots::Slots,
    vring::{
        PerVring,
        Vring, //
    },
    windows::{
        SharedFrame,
        Windows, //
    }, //
};

use self::doorbell::Lease;
use crate::{
    abstractions::{
        compat::barrier::{
            mb,
            Full, //
        },
        virtio, //
    },
    vring_layout::{
        Layout,
        LayoutError, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::{
        align_of,
        offset_of,
        size_of, //
    },
    ptr::{
        null_mut,
        NonNull, //
    }, //
};
use kernel::{
    device,
    prelude::*,
    sync::rcu, //
};

/// A virtio device of a remote processor.
///
/// # Invariants
///
/// `rproc` and `rvdev` are valid for `'bound`: remoteproc removes its virtio devices before it
/// frees either, and the driver of the device is unbound before that of its parent, to which
/// `rvdev` belongs.
#[derive(Clone, Copy)]
pub(crate) struct Link<'bound> {
    vdev: &'bound virtio::Device<device::Bound>,
    rproc: NonNull<bindings::rproc>,
    rvdev: NonNull<bindings::rproc_vdev>,
}

// SAFETY: The methods read fields of `rproc` and `rvdev` that do not change while the virtio device
// exists, or single fields by volatile loads, and call functions that lock by themselves.
unsafe impl Send for Link<'_> {}

// SAFETY: The methods can run at the same time: they read fields that do not change, or single
// fields by volatile loads, and call functions that lock by themselves.
unsafe impl Sync for Link<'_> {}

impl<'bound> Link<'bound> {
    /// Finds the remote processor behind a virtio device. `ENODEV` if there is none.
    pub(crate) fn new(vdev: &'bound virtio::Device<device::Bound>) -> Result<Self> {
        // SAFETY: By the invariant of `virtio::Device`, the virtio device is valid.
        let dev = unsafe { &raw mut (*vdev.as_raw()).dev };
        // SAFETY: `dev` is a part of the virtio device, and as valid.
        let rproc = unsafe { bindings::rproc_get_by_child(dev) };
        let rproc = NonNull::new(rproc).ok_or(ENODEV)?;
        // SAFETY: `dev` is a part of the virtio device, and as valid; such a device has a parent.
        let parent = unsafe { (*dev).parent };
        // SAFETY: The parent of a valid device is valid.
        let grandparent = unsafe { (*parent).parent };
        // SAFETY: `rproc_get_by_child()` found the processor among the ancestors of the device,
        // which outlive it.
        if grandparent != unsafe { &raw mut (*rproc.as_ptr()).dev } {
            // The virtio device belongs to another device between the two.
            return Err(ENODEV);
        }
        // SAFETY: The parent is the device by which remoteproc represents its virtio devices,
        // whose driver data is a `struct rproc_vdev`.
        let rvdev = unsafe { bindings::dev_get_drvdata(parent) };
        let rvdev = NonNull::new(rvdev.cast()).ok_or(ENODEV)?;
        // INVARIANT: Both belong to ancestors of the virtio device, which outlive it. The adapter
        // of the driver unbinds it before that of the parent is unbound.
        Ok(Self { vdev, rproc, rvdev })
    }

    /// Returns the virtio device.
    pub(crate) fn vdev(&self) -> &'bound virtio::Device<device::Bound> {
        self.vdev
    }

    /// Returns the device that memory shared with the remote processor is allocated for.
    ///
    /// It is the parent of the virtio device, with which remoteproc associates the pool or the
    /// reserved memory.
    pub(crate) fn dma_device(&self) -> &'bound device::Device<device::Bound> {
        let dev: &device::Device<device::Bound> = self.vdev.as_ref();
        let raw: *mut bindings::device = core::ptr::from_ref(dev).cast_mut().cast();
        // SAFETY: A virtio device has a parent that outlives it.
        let parent = unsafe { (*raw).parent };
        // SAFETY: The parent is bound to remoteproc's driver for as long as it has virtio devices,
        // hence for `'bound`.
        unsafe { device::Device::from_raw(parent) }
    }

    /// Returns the `struct rproc_vring` of a vring.
    fn vring(&self, vring: Vring) -> *mut bindings::rproc_vring {
        // SAFETY: By the type invariant, the device is valid.
        let vrings = unsafe { &raw mut (*self.rvdev.as_ptr()).vring };
        // The array has one entry for each vring, in the order of their numbers.
        vrings
            .cast::<bindings::rproc_vring>()
            .wrapping_add(vring.number())
    }

    /// Returns the notify id of a vring, its number for remoteproc and the platform's driver.
    fn notify_id(&self, vring: Vring) -> c_int {
        // SAFETY: By the type invariant, the vring is valid.
        unsafe { (*self.vring(vring)).notifyid }
    }

    /// Returns the alignment of a vring's used ring, at least one byte.
    fn align(&self, vring: Vring) -> usize {
        // SAFETY: By the type invariant, the vring is valid.
        let align = unsafe { (*self.vring(vring)).align };
        align.max(1) as usize
    }

    /// Returns the number of the virtio device in the resource table.
    fn index(&self) -> u32 {
        // SAFETY: By the type invariant, the device is valid.
        unsafe { (*self.rvdev.as_ptr()).index }
    }

    /// Enters the virtqueue of a doorbell for a vring, which then receives its interrupts.
    fn enter_doorbell(&self, vring: Vring, doorbell: &Lease<'_>) {
        // The virtqueue must be complete before it can be found.
        mb(Full);
        // SAFETY: The virtqueue of a doorbell is not freed while an interrupt may use it.
        unsafe { self.enter_vq(vring, doorbell.vq()) };
    }

    /// Removes the virtqueue that was entered for a vring, which then receives no interrupts.
    fn leave_doorbell(&self, vring: Vring) {
        // SAFETY: Interrupts are ignored without a virtqueue.
        unsafe { self.enter_vq(vring, null_mut()) };
    }

    /// Enters a virtqueue for a vring, or null.
    ///
    /// # Safety
    ///
    /// `vq` must be null, or a virtqueue that is complete, and not freed while an interrupt may use
    /// it that found it here, however late.
    unsafe fn enter_vq(&self, vring: Vring, vq: *mut bindings::virtqueue) {
        // SAFETY: By the type invariant, the vring is valid.
        let place = unsafe { &raw mut (*self.vring(vring)).vq };
        // SAFETY: The place is valid. Interrupt handlers read it without a lock, so that it is
        // stored in one piece.
        unsafe { place.write_volatile(vq) };
    }

    /// Enters the device address of a vring in the resource table.
    fn enter_da(&self, vring: Vring, da: u32) -> Result {
        type Entry = bindings::fw_rsc_vdev_vring;

        let table = self.table()?;
        let start = table.offset
            + size_of::<bindings::fw_rsc_vdev>()
            + vring.number() * size_of::<Entry>()
            + offset_of!(Entry, da);
        table.write(start, da)
    }

    /// Returns the resource table. `ENODEV` if there is none.
    fn table(&self) -> Result<Table<'bound>> {
        // SAFETY: By the type invariant, the device is valid.
        let offset = unsafe { (*self.rvdev.as_ptr()).rsc_offset } as usize;
        // SAFETY: By the type invariant, the remote processor is valid.
        let table = unsafe { (*self.rproc.as_ptr()).table_ptr };
        // SAFETY: By the type invariant, the remote processor is valid.
        let size = unsafe { (*self.rproc.as_ptr()).table_sz };
        // INVARIANT: `table_ptr` is a table of `table_sz` bytes, which remoteproc keeps while there
        // are virtio devices of it.
        Ok(Table {
            start: NonNull::new(table.cast()).ok_or(ENODEV)?,
            size,
            offset,
            _phantom: PhantomData,
        })
    }

    /// Returns whether remoteproc finds a vring by its notify id, as it must for an interrupt.
    ///
    /// It drops the id when virtio_find_vqs() fails for lack of memory, and assigns a new one only
    /// when the remote processor is started the next time; a recovery is not enough.
    pub(crate) fn has_notify_id(&self, vring: Vring) -> bool {
        let Ok(id) = usize::try_from(self.notify_id(vring)) else {
            return false;
        };
        let vring = self.vring(vring);
        // SAFETY: By the type invariant, the remote processor is valid.
        let ids = unsafe { &raw const (*self.rproc.as_ptr()).notifyids };
        let _guard = rcu::read_lock();
        // SAFETY: The ids are initialized, and the RCU read lock is held.
        let found = unsafe { bindings::idr_find(ids, id) };
        found.cast() == vring
    }

    /// Returns the layout of a vring. Fails if virtio does not allow its geometry: remoteproc
    /// accepts more.
    pub(crate) fn layout(&self, vring: Vring) -> Result<Layout, LayoutError> {
        let vring = self.vring(vring);
        // SAFETY: By the type invariant, the vring is valid.
        let num = unsafe { (*vring).num };
        // SAFETY: By the type invariant, the vring is valid.
        let align = unsafe { (*vring).align };
        Layout::new(u32::try_from(num).unwrap_or(0), align)
    }

    /// Returns a copy of the config space. `None` if the device has none, `EINVAL` if it has one
    /// of another size.
    pub(crate) fn config<const N: usize>(&self) -> Result<Option<[u8; N]>> {
        type Vdev = bindings::fw_rsc_vdev;

        let table = self.table()?;
        let mut header = [0; size_of::<Vdev>()];
        table.read(table.offset, &mut header)?;
        let field = |at: usize| header.get(at).copied().unwrap_or(0);
        let at = offset_of!(Vdev, config_len);
        let len = u32::from_ne_bytes([field(at), field(at + 1), field(at + 2), field(at + 3)]);
        if len == 0 {
            return Ok(None);
        }
        if len as usize != N {
            return Err(EINVAL);
        }
        // The config space follows the vrings.
        let vrings = usize::from(field(offset_of!(Vdev, num_of_vrings)));
        let start =
            table.offset + size_of::<Vdev>() + vrings * size_of::<bindings::fw_rsc_vdev_vring>();
        let mut config = [0; N];
        table.read(start, &mut config)?;
        Ok(Some(config))
    }

    /// Keeps the module loaded from now on, if the platform may pass interrupts on while it can be
    /// preempted, and this kernel offers no way to wait for their end. `ENODEV` if it is being
    /// unloaded. Process context: may sleep.
    fn keep_module(&self) -> Result {
        if self.platform().interrupts_in_rcu {
            return Ok(());
        }
        // SAFETY: This is process context, as documented for the function.
        let kept = unsafe { bindings::caif_virtio_keep_module() };
        kept.then_some(()).ok_or(ENODEV)
    }

    /// Returns the state of the remote processor, which can change at any time.
    fn state(&self) -> bindings::rproc_state {
        // SAFETY: By the type invariant, the remote processor is valid.
        let state = unsafe { &raw const (*self.rproc.as_ptr()).state };
        // SAFETY: The pointer is to a part of a valid structure. The state can change at any time,
        // so that the load is volatile.
        unsafe { state.read_volatile() }
    }

    /// Returns whether remoteproc can start the remote processor again. It cannot if Linux was
    /// attached to it, or is being attached, and cannot attach again: without firmware to boot, it
    /// would stay down.
    fn can_restart(&self) -> bool {
        // SAFETY: The features are set before the remote processor is registered.
        let features = unsafe { (*self.rproc.as_ptr()).features };
        let attach = 1 << bindings::rproc_features_RPROC_FEAT_ATTACH_ON_RECOVERY;
        // remoteproc enters the state only after the driver's probe: until then it is DETACHED.
        let is_attached = matches!(
            self.state(),
            bindings::rproc_state_RPROC_ATTACHED | bindings::rproc_state_RPROC_DETACHED
        );
        !is_attached || features.first().is_some_and(|word| word & attach != 0)
    }

    /// Reports a crash of the remote processor to remoteproc. Returns whether remoteproc will try
    /// to recover it; if not, nothing was reported. Any context.
    pub(crate) fn report_crash(&self) -> bool {
        let rproc = self.rproc.as_ptr();
        // SAFETY: By the type invariant, the remote processor is valid.
        let disabled = unsafe { &raw const (*rproc).recovery_disabled };
        // SAFETY: The pointer is to a part of a valid structure. The setting can change at any
        // time, so that the load is volatile.
        if unsafe { disabled.read_volatile() } {
            return false;
        }
        if self.state() == bindings::rproc_state_RPROC_CRASHED {
            // It is being recovered. A report from before the end of that would be handled after
            // it, as a crash of what was just started.
            return true;
        }
        if !self.can_restart() {
            return false;
        }
        // SAFETY: By the type invariant, the remote processor is valid.
        unsafe {
            bindings::rproc_report_crash(rproc, bindings::rproc_crash_type_RPROC_FATAL_ERROR)
        };
        true
    }
}

/// The resource table of a remote processor. On platforms whose drivers give remoteproc the one in
/// shared memory, the remote processor can read and write to it.
///
/// # Invariants
///
/// The `size` bytes from `start` on are valid for volatile reads and writes for `'bound`.
struct Table<'bound> {
    start: NonNull<u8>,
    size: usize,
    /// Offset of the virtio device's entry.
    offset: usize,
    _phantom: PhantomData<&'bound ()>,
}

impl Table<'_> {
    /// Returns a pointer to the `len` bytes at `offset`. `EINVAL` if they are not all inside.
    fn at(&self, offset: usize, len: usize) -> Result<*mut u8> {
        let end = offset.checked_add(len).ok_or(EINVAL)?;
        if end > self.size {
            return Err(EINVAL);
        }
        Ok(self.start.as_ptr().wrapping_add(offset))
    }

    /// Writes a value at `offset`.
    fn write(&self, offset: usize, value: u32) -> Result {
        let place = self.at(offset, size_of::<u32>())?;
        if place.addr() % align_of::<u32>() == 0 {
            // SAFETY: `at()` returned the place of as many bytes in the table, which are valid by
            // the type invariant, and it is aligned.
            unsafe { place.cast::<u32>().write_volatile(value) };
        } else {
            for (i, byte) in value.to_ne_bytes().into_iter().enumerate() {
                // SAFETY: `at()` returned the place of as many bytes in the table, which are valid
                // by the type invariant; bytes need no alignment.
                unsafe { place.wrapping_add(i).write_volatile(byte) };
            }
        }
        Ok(())
    }

    /// Copies `out.len()` bytes at `offset`.
    fn read(&self, offset: usize, out: &mut [u8]) -> Result {
        let place = self.at(offset, out.len())?;
        for (i, byte) in out.iter_mut().enumerate() {
            // SAFETY: `at()` returned the place of as many bytes in the table, which are valid by
            // the type invariant.
            *byte = unsafe { place.wrapping_add(i).read_volatile() };
        }
        Ok(())
    }
}
