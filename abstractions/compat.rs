// SPDX-License-Identifier: GPL-2.0

//! Differences between the releases of Linux that the modules are built for.
//!
//! All other files are written for the newest release, and take from here what an older one lacks
//! or has in another form.

pub(crate) use release::*;

// Of each older release a file in `compat/` has the items of the `release` below. Kbuild sets the
// condition by the kernel's version; `Documentation/kernels.md` lists what differs.
#[cfg(LINUX_7_2)]
#[path = "compat/linux_7_2.rs"]
#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each module uses some of these"
)]
mod release;

#[cfg(not(LINUX_7_2))]
mod release {
    use kernel::{
        dma::{
            Coherent,
            DmaAddress, //
        },
        module_param::ModuleParamAccess, //
    };
    #[allow(unused_imports, reason = "each module uses some of these")]
    pub(crate) use kernel::{
        io::mem::DevresIoMem,
        irq,
        module::this_module,
        new_spinlock_irq,
        prelude,
        sync::{
            barrier,
            rcu::{
                rcu_barrier,
                synchronize_rcu, //
            },
            SpinLockIrq, //
        }, //
    };

    /// Returns the value of a module's parameter.
    #[allow(dead_code, reason = "for modules that have parameters")]
    #[inline]
    pub(crate) fn parameter<T: Copy>(parameter: &ModuleParamAccess<T>) -> T {
        parameter.value()
    }

    /// Returns the address by which the device reaches the memory.
    #[allow(dead_code, reason = "for modules whose devices do DMA")]
    #[inline]
    pub(crate) fn dma_address(memory: &Coherent<[u8]>) -> DmaAddress {
        memory.dma_address()
    }

    /// Creates the table of a driver's device ids, without driver data, and exports it as aliases
    /// of the module.
    #[allow(unused_macros, reason = "for drivers of devices with numbers")]
    macro_rules! device_table {
        ($bus:literal, $id:ty, $table:ident, [$($entry:expr),* $(,)?]) => {
            kernel::module_device_table!($bus, $id, $table, @none, [$($entry),*]);
        };
    }
    #[allow(unused_imports, reason = "as the macro")]
    pub(crate) use device_table;

    /// Creates the table of a platform driver's device-tree ids, whose driver data is `$info`.
    #[allow(unused_macros, reason = "for drivers of platform devices")]
    macro_rules! of_device_table {
        ($table:ident, $info:ty, $entries:tt) => {
            kernel::of_device_table!($table, $info, $entries);
        };
    }
    #[allow(unused_imports, reason = "as the macro")]
    pub(crate) use of_device_table;

    #[cfg(CONFIG_PCI)]
    #[allow(
        dead_code,
        unused_imports,
        unused_macros,
        reason = "for drivers of PCI devices"
    )]
    pub(crate) mod pci {
        //! Drivers of PCI devices, their registers and interrupts.

        pub(crate) use kernel::pci::{
            DevresBar,
            IrqVectorRegistration, //
        };
        use kernel::{
            device::Bound,
            pci::{
                Device,
                IrqType,
                IrqTypes, //
            },
            prelude::*, //
        };

        /// The driver data of the matching device id, as probe gets it.
        pub(crate) type ProbeInfo<'a, T> = Option<&'a T>;

        /// Allocates `count` MSI-X vectors.
        pub(crate) fn alloc_irq_vectors(
            pdev: &Device<Bound>,
            count: u32,
        ) -> Result<IrqVectorRegistration<'_>> {
            let types = IrqTypes::default().with(IrqType::MsiX);
            pdev.alloc_irq_vectors(count, count, types)
        }

        /// Creates the table of a driver's device ids, whose driver data is `$info`.
        macro_rules! device_table {
            ($table:ident, $info:ty, $entries:tt) => {
                kernel::pci_device_table!($table, $info, $entries);
            };
        }
        pub(crate) use device_table;
    }
}
