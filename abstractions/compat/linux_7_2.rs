// SPDX-License-Identifier: GPL-2.0

//! Linux 7.2: the parts of 7.3's kernel crate that 7.2 lacks, built on the kernel crate of 7.2.

use crate::abstractions::bindings;
use kernel::{
    devres::Devres,
    dma::{
        Coherent,
        DmaAddress, //
    },
    io::mem::IoMem,
    module_param::ModuleParamAccess,
    prelude::*,
    sync::lock::{
        Backend,
        Lock, //
    }, //
};

extern "C" {
    fn compat_mb();
    fn compat_dma_mb();
    fn compat_dma_rmb();
    fn compat_dma_wmb();
    fn compat_spin_lock_irqsave(lock: *mut kernel::bindings::spinlock_t) -> c_ulong;
    fn compat_spin_trylock_irqsave(
        lock: *mut kernel::bindings::spinlock_t,
        flags: *mut c_ulong,
    ) -> bool;
    fn compat_spin_unlock_irqrestore(lock: *mut kernel::bindings::spinlock_t, flags: c_ulong);
}

pub(crate) mod barrier {
    //! Barriers for memory that devices access.

    /// The accesses that a barrier orders.
    #[derive(Clone, Copy)]
    pub(crate) enum Order {
        /// All accesses.
        Full,
        /// Loads.
        Read,
        /// Stores.
        Write,
    }
    pub(crate) use Order::*;

    /// Full barrier, for the memory of devices as well.
    #[inline]
    pub(crate) fn mb(_: Order) {
        // SAFETY: A barrier can be executed anywhere.
        unsafe { super::compat_mb() }
    }

    /// Barrier between a CPU and devices that access memory.
    #[inline]
    pub(crate) fn dma_mb(order: Order) {
        match order {
            // SAFETY: A barrier can be executed anywhere.
            Full => unsafe { super::compat_dma_mb() },
            // SAFETY: A barrier can be executed anywhere.
            Read => unsafe { super::compat_dma_rmb() },
            // SAFETY: A barrier can be executed anywhere.
            Write => unsafe { super::compat_dma_wmb() },
        }
    }
}

/// Waits for a grace period of RCU. Sleeps.
#[inline]
pub(crate) fn synchronize_rcu() {
    // SAFETY: `synchronize_rcu()` requires only that the context may sleep.
    unsafe { bindings::synchronize_rcu() };
}

/// Waits until all callbacks of RCU that are due were called. Sleeps.
#[inline]
pub(crate) fn rcu_barrier() {
    // SAFETY: `rcu_barrier()` requires only that the context may sleep.
    unsafe { bindings::rcu_barrier() };
}

/// Returns the module that this is a part of, whose type is `M`.
#[inline]
pub(crate) const fn this_module<M: kernel::ModuleMetadata>() -> &'static ThisModule {
    &crate::THIS_MODULE
}

pub(crate) mod prelude {
    //! The kernel crate's prelude, with the error codes that it lacks.

    use core::num::NonZero;
    pub(crate) use kernel::prelude::*;

    const _: () = assert!(size_of::<Error>() == size_of::<NonZero<c_int>>());

    macro_rules! error_codes {
        ($($code:ident),* $(,)?) => {
            $(pub(crate) const $code: Error = {
                // The compiler evaluates it, and refuses a code of 0.
                const CODE: NonZero<c_int> =
                    NonZero::new(-(kernel::bindings::$code as c_int)).unwrap();
                // SAFETY: An error consists of its code and nothing else, as their equal sizes
                // show. The code is that of an error.
                unsafe { core::mem::transmute::<NonZero<c_int>, Error>(CODE) }
            };)*
        };
    }

    error_codes!(
        EAFNOSUPPORT,
        EALREADY,
        ECONNREFUSED,
        ECONNRESET,
        EINPROGRESS,
        EISCONN,
        ENOBUFS,
        ENOPROTOOPT,
        ENOTCONN,
        EOPNOTSUPP,
        EPROTO,
        EPROTONOSUPPORT,
        ESOCKTNOSUPPORT
    );
}

/// Returns the value of a module's parameter.
#[inline]
pub(crate) fn parameter<T: Copy>(parameter: &ModuleParamAccess<T>) -> T {
    *parameter.value()
}

/// Returns the address by which the device reaches the memory.
#[inline]
pub(crate) fn dma_address(memory: &Coherent<[u8]>) -> DmaAddress {
    memory.dma_handle()
}

/// I/O memory that is unmapped when its device is unbound.
pub(crate) type DevresIoMem<const SIZE: usize> = Devres<IoMem<'static, SIZE>>;

/// Creates the table of a driver's device ids, without driver data, and exports it as aliases of
/// the module.
macro_rules! device_table {
    ($bus:literal, $id:ty, $table:ident, [$($entry:expr),* $(,)?]) => {
        const $table: kernel::device_id::IdArray<$id, (), { <[$id]>::len(&[$($entry),*]) }> =
            kernel::device_id::IdArray::new_without_index([$(($entry, ())),*]);
        kernel::module_device_table!($bus, MODULE_TABLE, $table);
    };
}
pub(crate) use device_table;

/// Creates the table of a platform driver's device-tree ids, whose driver data is `$info`.
macro_rules! of_device_table {
    ($table:ident, $info:ty, $entries:tt) => {
        kernel::of_device_table!($table, MODULE_TABLE, $info, $entries);
    };
}
pub(crate) use of_device_table;

/// A spin lock that keeps interrupts off while it is held.
pub(crate) type SpinLockIrq<T> = Lock<T, SpinLockIrqBackend>;

/// The backend of [`SpinLockIrq`].
pub(crate) struct SpinLockIrqBackend;

// SAFETY: The kernel's spin lock excludes others. `relock` locks again in the same way.
unsafe impl Backend for SpinLockIrqBackend {
    type State = kernel::bindings::spinlock_t;
    /// The state of interrupts before.
    type GuardState = c_ulong;

    unsafe fn init(
        ptr: *mut Self::State,
        name: *const c_char,
        key: *mut kernel::bindings::lock_class_key,
    ) {
        // SAFETY: By the safety requirements, `ptr` is valid for writes, and `name` and `key` stay
        // valid.
        unsafe { bindings::__spin_lock_init(ptr, name, key) }
    }

    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: By the safety requirements, the lock is initialized.
        unsafe { compat_spin_lock_irqsave(ptr) }
    }

    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        let mut flags = 0;
        // SAFETY: By the safety requirements, the lock is initialized.
        unsafe { compat_spin_trylock_irqsave(ptr, &mut flags) }.then_some(flags)
    }

    unsafe fn unlock(ptr: *mut Self::State, flags: &Self::GuardState) {
        // SAFETY: By the safety requirements, the caller has the lock, and these are its flags.
        unsafe { compat_spin_unlock_irqrestore(ptr, *flags) }
    }

    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: By the safety requirements, the lock is initialized.
        unsafe { bindings::spin_assert_is_held(ptr) }
    }
}

/// Creates a [`SpinLockIrq`].
macro_rules! new_spinlock_irq {
    ($inner:expr) => {
        $crate::abstractions::compat::SpinLockIrq::new(
            $inner,
            kernel::optional_name!(),
            kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_spinlock_irq;

pub(crate) mod irq {
    //! Interrupt handlers, which do not get the device as an argument.

    use crate::abstractions::bindings;
    use core::{
        marker::{
            PhantomData,
            PhantomPinned, //
        },
        ptr::from_ref, //
    };
    pub(crate) use kernel::irq::IrqReturn;
    use kernel::{
        error::to_result,
        prelude::*, //
    };

    /// A handler of an interrupt. Its context is that of the interrupt.
    pub(crate) trait Handler: Sync {
        /// Handles the interrupt.
        fn handle(&self) -> IrqReturn;
    }

    /// Flags for requesting an interrupt.
    pub(crate) struct Flags;

    impl Flags {
        /// The trigger that the interrupt is configured with.
        pub(crate) const TRIGGER_NONE: Self = Self;
    }

    /// An interrupt of a device that is bound for `'a`.
    ///
    /// # Invariants
    ///
    /// `irq` is the number of such an interrupt.
    pub(crate) struct IrqRequest<'a> {
        irq: c_uint,
        _device: PhantomData<&'a ()>,
    }

    impl IrqRequest<'_> {
        /// Describes an interrupt.
        ///
        /// # Safety
        ///
        /// `irq` must be the number of an interrupt of a device that is bound for the lifetime.
        pub(super) unsafe fn new(irq: c_uint) -> Self {
            // INVARIANT: By the safety requirements, `irq` is an interrupt of a device that is
            // bound.
            Self {
                irq,
                _device: PhantomData,
            }
        }
    }

    impl<'a> From<kernel::irq::IrqRequest<'a>> for IrqRequest<'a> {
        fn from(request: kernel::irq::IrqRequest<'a>) -> Self {
            // SAFETY: By the invariants of the request, it is an interrupt of a device that is
            // bound.
            unsafe { Self::new(request.irq()) }
        }
    }

    /// A handler that is called until this is dropped.
    ///
    /// # Invariants
    ///
    /// The interrupt `irq` calls `handler`.
    #[pin_data(PinnedDrop)]
    pub(crate) struct Registration<'a, H: Handler + 'a> {
        irq: c_uint,
        #[pin]
        handler: H,
        #[pin]
        _pin: PhantomPinned,
        _device: PhantomData<&'a ()>,
    }

    impl<'a, H: Handler + 'a> Registration<'a, H> {
        /// Requests the interrupt for `handler`. Process context: may sleep.
        ///
        /// # Safety
        ///
        /// The registration must not be forgotten.
        pub(crate) unsafe fn new(
            request: impl Into<IrqRequest<'a>> + 'a,
            _flags: Flags,
            name: &'static CStr,
            handler: impl PinInit<H, Error> + 'a,
        ) -> impl PinInit<Self, Error> + 'a {
            let number = request.into().irq;
            try_pin_init!(&this in Self {
                irq: number,
                handler <- handler,
                _pin: PhantomPinned,
                _device: PhantomData,
                // INVARIANT: All fields are initialized when the first interrupt can come.
                _: {
                    // SAFETY: `this` is the registration; only an address is taken.
                    let cookie = unsafe { &raw mut (*this.as_ptr()).handler };
                    // SAFETY: The interrupt is one of a bound device, and the handler is valid
                    // until the interrupt is freed.
                    to_result(unsafe {
                        bindings::request_irq(
                            number,
                            Some(handle::<H>),
                            0,
                            name.as_char_ptr(),
                            cookie.cast(),
                        )
                    })?;
                },
            }? Error)
        }
    }

    #[pinned_drop]
    impl<'a, H: Handler + 'a> PinnedDrop for Registration<'a, H> {
        fn drop(self: Pin<&mut Self>) {
            let cookie = from_ref(&self.handler).cast_mut();
            // SAFETY: By the type invariant, the interrupt was requested with this handler.
            unsafe { bindings::free_irq(self.irq, cookie.cast()) };
        }
    }

    unsafe extern "C" fn handle<H: Handler>(_irq: c_int, cookie: *mut c_void) -> c_uint {
        // SAFETY: Interrupts were requested with a handler of this type, which is valid until they
        // are freed.
        let handler = unsafe { &*cookie.cast::<H>() };
        handler.handle() as c_uint
    }
}

#[cfg(CONFIG_PCI)]
pub(crate) mod pci {
    //! Drivers of PCI devices, their registers and interrupts.

    use super::irq::IrqRequest;
    use crate::abstractions::bindings;
    use core::{
        marker::PhantomData,
        ptr::from_ref, //
    };
    use kernel::{
        device::Bound,
        devres::Devres,
        error::to_result,
        pci::{
            Bar,
            Device, //
        },
        prelude::*, //
    };

    /// A BAR that is unmapped when its device is unbound.
    pub(crate) type DevresBar<const SIZE: usize> = Devres<Bar<'static, SIZE>>;

    /// The driver data of the matching device id, as probe gets it.
    pub(crate) type ProbeInfo<'a, T> = &'a T;

    /// Returns the C structure of a device.
    fn as_raw(pdev: &Device<Bound>) -> *mut bindings::pci_dev {
        // CAST: The type is a transparent wrapper.
        from_ref(pdev).cast_mut().cast()
    }

    /// Interrupt vectors, which are freed when this is dropped.
    ///
    /// # Invariants
    ///
    /// Vectors of the device are allocated.
    pub(crate) struct IrqVectorRegistration<'a> {
        pdev: &'a Device<Bound>,
    }

    impl IrqVectorRegistration<'_> {
        /// Returns the vector of this index.
        pub(crate) fn index(&self, index: usize) -> Result<IrqVector<'_>> {
            let index = c_uint::try_from(index)?;
            // SAFETY: `pci::Device` stands for a valid device.
            let irq = unsafe { bindings::pci_irq_vector(as_raw(self.pdev), index) };
            to_result(irq.min(0))?;
            Ok(IrqVector {
                irq: c_uint::try_from(irq)?,
                _device: PhantomData,
            })
        }
    }

    impl Drop for IrqVectorRegistration<'_> {
        fn drop(&mut self) {
            // SAFETY: By the type invariant, the device has vectors, and they are freed only here.
            unsafe { bindings::pci_free_irq_vectors(as_raw(self.pdev)) };
        }
    }

    /// A vector of a device that is bound for `'a`.
    pub(crate) struct IrqVector<'a> {
        irq: c_uint,
        _device: PhantomData<&'a ()>,
    }

    impl<'a> From<IrqVector<'a>> for IrqRequest<'a> {
        fn from(vector: IrqVector<'a>) -> Self {
            // SAFETY: It is the number of a vector of a device that is bound for the lifetime.
            unsafe { Self::new(vector.irq) }
        }
    }

    /// Allocates `count` MSI-X vectors.
    pub(crate) fn alloc_irq_vectors(
        pdev: &Device<Bound>,
        count: u32,
    ) -> Result<IrqVectorRegistration<'_>> {
        // SAFETY: `pci::Device` stands for a valid device, and bound.
        let ret = unsafe {
            bindings::pci_alloc_irq_vectors(as_raw(pdev), count, count, bindings::PCI_IRQ_MSIX)
        };
        to_result(ret.min(0))?;
        // INVARIANT: They were just allocated.
        Ok(IrqVectorRegistration { pdev })
    }

    /// Creates the table of a driver's device ids, whose driver data is `$info`.
    macro_rules! device_table {
        ($table:ident, $info:ty, $entries:tt) => {
            kernel::pci_device_table!($table, MODULE_TABLE, $info, $entries);
        };
    }
    pub(crate) use device_table;
}
