// SPDX-License-Identifier: GPL-2.0

//! The test board: a modem behind QEMU's `ivshmem-doorbell` as a remote processor.
//!
//! BAR 2 is memory that the modem, a process beside QEMU, has mapped as well. Registers in BAR 0
//! interrupt the modem; the modem's interrupts arrive as MSI-X vectors.
//! `Documentation/board-ivshmem.md` is the contract with the modem.

#![deny(unsafe_code)]

// A kernel module is one crate, so files that others use as well are built into each.
#[expect(unsafe_code)]
#[path = "../abstractions"]
mod abstractions {
    //! Safe wrappers that the kernel crate lacks.

    pub(crate) mod bindings;
    pub(crate) mod compat;
    pub(crate) mod event;
    pub(crate) mod memory;
    pub(crate) mod pci;
    pub(crate) mod remoteproc;
}
mod ivshmem {
    //! The parts of the board.

    pub(super) mod boot;
    pub(super) mod control;
    #[expect(unreachable_pub, reason = "the host's tests build this file as well")]
    pub(super) mod firmware;
    pub(super) mod layout;
    #[expect(unreachable_pub, reason = "the modem builds this file as well")]
    pub(super) mod map;
    #[expect(
        dead_code,
        unreachable_pub,
        reason = "the modem builds this file as well, and writes its other fields"
    )]
    pub(super) mod rsc_table;
    #[expect(unreachable_pub, reason = "the host's tests build this file as well")]
    pub(super) mod table;
    pub(super) mod watchdog;
}
// The driver's file, which is at the top of the checkout.
#[path = "../vring_layout.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the board only checks whether a vring can have such a layout"
)]
mod vring_layout;

use crate::{
    abstractions::{
        compat::{
            self,
            irq::{
                Handler,
                IrqReturn, //
            }, //
        },
        memory::Physical,
        pci::{
            handle_msix,
            Region, //
        },
        remoteproc::{
            elf::{
                self,
                Checked, //
            },
            DeviceRange,
            Operations,
            Rproc,
            RprocOptions,
            Unregistered, //
        }, //
    },
    ivshmem::{
        boot,
        layout,
        map::{
            self,
            doorbell, //
        },
        watchdog::{
            Armed,
            Watchdog, //
        }, //
    }, //
};
use kernel::{
    device::Core,
    io::{
        register,
        Io, //
    },
    new_mutex,
    pci,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    }, //
};

/// Name of the driver and of the resources that it claims.
const NAME: &CStr = c"ivshmem-rproc";
/// The revision of the PCI device with the registers below.
const REVISION: u8 = 1;

register! {
    /// The board's own peer id; negative while there is no server.
    IV_POSITION(u32) @ 0x8 {
        31:0    peer;
    }

    /// Interrupts a peer.
    DOORBELL(u32) @ 0xc {
        31:16   peer;
        15:0    vector;
    }
}

/// BAR 0 up to the last register in use.
type Registers = compat::pci::DevresBar<0x10>;

/// The remote processor's driver.
#[pin_data]
struct Board {
    registers: Registers,
    host_peer: u16,
    watchdog: Arc<Watchdog>,
    #[pin]
    armed: Mutex<Option<Armed>>,
}

impl Board {
    /// Interrupts the modem. Does nothing if the modem has no valid peer id.
    fn ring(&self, vector: u16) {
        let Ok(peer) = self.watchdog.control().modem_peer() else {
            return;
        };
        if let Some(registers) = self.registers.try_access() {
            let doorbell = DOORBELL::zeroed().with_peer(peer).with_vector(vector);
            (&*registers).write_reg(doorbell);
        }
    }

    /// Tells the modem to leave its boot, and waits until it has, unless it crashed.
    fn end_boot(&self, rproc: &Rproc) -> Result {
        boot::end(&self.watchdog, rproc, || {
            self.ring(doorbell::CONTROL.into());
        })
    }
}

#[vtable]
impl Operations for Board {
    fn prepare(&self, rproc: &Rproc) -> Result {
        // The modem may still be in a boot of an earlier kernel that did not end it.
        self.end_boot(rproc)
    }

    fn check_firmware<'a>(
        &self,
        rproc: &Rproc,
        image: &'a [u8],
        in_use: Option<&[u8]>,
    ) -> Result<Checked<'a>> {
        boot::check_firmware(rproc, image, in_use)
    }

    fn start(&self, rproc: &Rproc, table: Option<DeviceRange>) -> Result {
        let armed = boot::start(&self.watchdog, rproc, table, self.host_peer)?;
        *self.armed.lock() = Some(armed);
        self.ring(doorbell::CONTROL.into());
        Ok(())
    }

    fn stop(&self, rproc: &Rproc) -> Result {
        let armed = self.armed.lock().take();
        self.watchdog.disarm(armed);
        self.end_boot(rproc)
    }

    fn kick(&self, _rproc: &Rproc, vqid: u32) {
        if let Ok(vector) = u16::try_from(vqid) {
            self.ring(vector);
        }
    }
}

/// The handler of an MSI-X vector.
enum Vector {
    /// The modem rang for the vring of this number.
    Vring(ARef<Rproc>, u32),
    /// The modem or the server changed the control page.
    Control(Arc<Watchdog>),
}

impl Handler for Vector {
    fn handle(&self) -> IrqReturn {
        match self {
            Self::Vring(rproc, number) => {
                // `IRQ_HANDLED` even without news: no other device shares the vector.
                rproc.vq_interrupt(*number);
            }
            Self::Control(watchdog) => watchdog.look(false),
        }
        IrqReturn::Handled
    }
}

compat::pci::device_table!(
    PCI_TABLE,
    <IvshmemRproc as pci::Driver>::IdInfo,
    [(
        pci::DeviceId::from_id(pci::Vendor::REDHAT_QUMRANET, 0x1110),
        ()
    )]
);

/// The PCI driver.
struct IvshmemRproc;

impl IvshmemRproc {
    /// Claims the shared memory, and checks its size.
    fn memory(pdev: &pci::Device<Core<'_>>) -> Result<Physical> {
        let memory = Region::claim(pdev, 2, NAME)
            .inspect_err(|e| dev_err!(pdev, "BAR 2 cannot be claimed ({e:?})\n"))?;
        let len = memory.len();
        if !len.is_power_of_two() || !(map::MIN_SIZE..=map::MAX_SIZE).contains(&len) {
            dev_err!(
                pdev,
                "BAR 2 has {len:#x} bytes, allowed is a power of two from {:#x} to {:#x}\n",
                map::MIN_SIZE,
                map::MAX_SIZE
            );
            return Err(ENODEV);
        }
        Ok(memory)
    }

    /// Maps BAR 0 and reads the board's peer id.
    fn registers(pdev: &pci::Device<Core<'_>>) -> Result<(Registers, u16)> {
        let registers = pdev.iomap_region_sized(0, NAME)?;
        let position = (&registers).read(IV_POSITION).peer();
        let peer = u16::try_from(u32::from(position)).map_err(|_| {
            dev_err!(
                pdev,
                "peer id {position:#x}, must be from 0 to 0xffff: is the ivshmem server running?\n"
            );
            ENODEV
        })?;
        Ok((registers.into_devres()?, peer))
    }
}

impl pci::Driver for IvshmemRproc {
    type IdInfo = ();
    type Data<'bound> = ();
    const ID_TABLE: pci::IdTable<Self::IdInfo> = &PCI_TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: compat::pci::ProbeInfo<'bound, Self::IdInfo>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        let revision = pdev.revision_id();
        if revision != REVISION {
            dev_err!(pdev, "revision {revision} is not {REVISION}\n");
            return Err(ENODEV);
        }
        // The DMA mask stays at PCI's 32 bits, which is as far as the modem's addresses go.
        pdev.enable_device_mem()?;
        pdev.set_master();

        let memory = Self::memory(pdev)?;
        let (control, carveouts) = layout::map(
            &memory,
            compat::parameter(&module_parameters::heap_is_io) != 0,
        )?;
        if let Err((magic, version)) = control.check()? {
            dev_err!(
                pdev,
                "BAR 2 is not a modem's memory: magic {magic:#x}, version {version}\n"
            );
            return Err(ENODEV);
        }
        let (registers, host_peer) = Self::registers(pdev)?;
        let watchdog = Watchdog::new(control)?;
        let of_board = watchdog.clone();

        let unregistered = Unregistered::new(
            pdev.as_ref(),
            RprocOptions {
                name: c"caif-modem",
                firmware: Some(c"caif-modem.elf"),
                auto_boot: true,
                detached: false,
                attach_on_recovery: false,
                carveouts,
            },
            try_pin_init!(Board {
                registers,
                host_peer,
                watchdog: of_board,
                armed <- new_mutex!(None),
            }? Error),
        )?;
        let rproc = unregistered.rproc();
        // Each handler is at the place that is its vector's number.
        const { assert!(matches!([doorbell::DOWNLINK, doorbell::UPLINK], [0, 1])) };
        const { assert!(doorbell::CONTROL == 2) };
        let vectors = [
            Vector::Vring(rproc.clone(), doorbell::DOWNLINK.into()),
            Vector::Vring(rproc.clone(), doorbell::UPLINK.into()),
            Vector::Control(watchdog),
        ];
        handle_msix(pdev, NAME, vectors).inspect_err(|e| {
            dev_err!(
                pdev,
                "does not have the three MSI-X vectors of an ivshmem-doorbell ({e:?})\n"
            );
        })?;
        unregistered.register(pdev.as_ref())
    }
}

kernel::module_pci_driver! {
    type: IvshmemRproc,
    name: "ivshmem_rproc",
    authors: ["The caif_virtio developers"],
    description: "Remote processor driver for a CAIF modem behind QEMU's ivshmem-doorbell",
    license: "GPL",
    firmware: ["caif-modem.elf"],
    params: {
        heap_is_io: u8 {
            default: 0,
            description: "Map the modem's buffers as I/O memory, as some platforms do",
        },
    },
}
