// SPDX-License-Identifier: GPL-2.0

//! The second test board: a modem in the SoC, as QEMU's machine `virt` can play it.
//!
//! A part of the machine's RAM, reserved in the device tree, is the modem's, a process beside QEMU
//! that has mapped it as well. The machine's PL011 is the mailbox between the two.
//! `Documentation/board-soc.md` describes the machine, and is the contract with the modem together
//! with `Documentation/board-ivshmem.md`.

#![deny(unsafe_code)]

// A kernel module is one crate, so files that others use as well are built into each.
#[expect(unsafe_code)]
#[path = "../abstractions"]
mod abstractions {
    //! Safe wrappers that the kernel crate lacks.

    pub(crate) mod bindings;
    pub(crate) mod compat;
    pub(crate) mod event;
    #[expect(dead_code, reason = "this board maps all regions whole and as memory")]
    pub(crate) mod memory;
    pub(crate) mod platform;
    pub(crate) mod remoteproc;
}
// The ivshmem board's: both boards have the same contract with the modem.
#[path = "ivshmem"]
mod contract {
    //! The parts that are the same on the ivshmem board: the control page, the modem's addresses,
    //! its firmware and its heartbeat.

    pub(super) mod boot;
    #[expect(dead_code, reason = "this board's doorbells have no peers")]
    pub(super) mod control;
    #[expect(unreachable_pub, reason = "the host's tests build this file as well")]
    pub(super) mod firmware;
    #[expect(
        dead_code,
        unreachable_pub,
        reason = "the modem builds this file as well, and the size is the device tree's"
    )]
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
mod soc {
    //! The parts of the board.

    pub(super) mod mailbox;
    pub(super) mod memory;
    pub(super) mod running;
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
        compat::of_device_table,
        memory::Memory,
        remoteproc::{
            elf::{
                self,
                Checked, //
            },
            loaded::LoadedTable,
            DeviceRange,
            Operations,
            Rproc,
            RprocOptions,
            State,
            Unregistered, //
        }, //
    },
    contract::{
        boot,
        watchdog::{
            Armed,
            Watchdog, //
        }, //
    },
    soc::{
        mailbox::{
            Doorbell,
            Mailbox, //
        },
        memory,
        running::Running, //
    }, //
};
use kernel::{
    device::Core,
    new_mutex,
    of,
    platform,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// Name of the driver and of its interrupt.
const NAME: &CStr = c"soc-rproc";

/// The remote processor's driver.
#[pin_data]
struct Board {
    mailbox: Arc<Mailbox>,
    watchdog: Arc<Watchdog>,
    /// The memory for the resource table.
    table: Arc<Memory>,
    #[pin]
    armed: Mutex<Option<Armed>>,
}

impl Board {
    /// Tells the modem to leave its boot, and waits until it has, unless it crashed.
    fn end_boot(&self, rproc: &Rproc) -> Result {
        boot::end(&self.watchdog, rproc, || {
            self.mailbox.ring(Doorbell::CONTROL)
        })
    }

    /// Returns the boot that the modem runs and Linux did not begin. `ENODEV` if there is none.
    fn running(&self, rproc: &Rproc) -> Result<Running> {
        let running = Running::find(self.watchdog.control())?;
        running.ok_or(ENODEV).inspect_err(|_| {
            dev_err!(rproc, "the modem does not run any more\n");
        })
    }

    /// Ends the watch on a boot.
    fn disarm(&self) {
        let armed = self.armed.lock().take();
        self.watchdog.disarm(armed);
    }
}

#[vtable]
impl Operations for Board {
    fn prepare(&self, rproc: &Rproc) -> Result {
        if rproc.state() == State::Detached {
            return Ok(());
        }
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
        let armed = boot::start(&self.watchdog, rproc, table, 0)?;
        *self.armed.lock() = Some(armed);
        self.mailbox.ring(Doorbell::CONTROL);
        Ok(())
    }

    fn stop(&self, rproc: &Rproc) -> Result {
        self.disarm();
        self.end_boot(rproc)
    }

    fn loaded_table(&self, rproc: &Rproc) -> Result<Option<LoadedTable>> {
        let running = self.running(rproc)?;
        let control = self.watchdog.control();
        let table = running.table(rproc.as_ref(), control, &self.table)?;
        table.map(Some).ok_or(ENODEV)
    }

    fn attach(&self, rproc: &Rproc) -> Result {
        let running = self.running(rproc)?;
        let before = self.watchdog.control().modem()?;
        let armed = self.watchdog.arm(rproc, running.boot_id, &before);
        *self.armed.lock() = Some(armed);
        Ok(())
    }

    fn detach(&self, _rproc: &Rproc) -> Result {
        self.disarm();
        Ok(())
    }

    fn kick(&self, _rproc: &Rproc, vqid: u32) {
        if let Some(doorbell) = Doorbell::of_vring(vqid) {
            self.mailbox.ring(doorbell);
        }
    }
}

of_device_table!(
    OF_TABLE,
    <SocRproc as platform::Driver>::IdInfo,
    [(of::DeviceId::new(c"linux,caif-virt-modem"), ())]
);

/// The platform driver.
struct SocRproc;

impl platform::Driver for SocRproc {
    type IdInfo = ();
    type Data<'bound> = ();
    const OF_ID_TABLE: Option<of::IdTable<Self::IdInfo>> = Some(&OF_TABLE);

    fn probe<'bound>(
        pdev: &'bound platform::Device<Core<'_>>,
        _info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        // The DMA mask stays at the platform's 32 bits, as far as the modem's addresses go.
        let dev = pdev.as_ref();
        let shared = memory::map(dev)?;
        let control = shared.control;
        if let Err((magic, version)) = control.check()? {
            dev_err!(
                dev,
                "no modem's memory: magic {magic:#x}, version {version}\n"
            );
            return Err(ENODEV);
        }
        // Attaching reads and checks the table once more.
        let detached = match Running::find(&control)? {
            Some(running) => running.table(dev, &control, &shared.table)?.is_some(),
            None => false,
        };
        let node = dev.fwnode().ok_or(ENODEV)?;
        let firmware = node.property_read::<CString>(c"firmware-name").optional();
        let mailbox = Mailbox::new(pdev)?;
        let watchdog = Watchdog::new(control)?;
        let (of_board, board_mailbox) = (watchdog.clone(), mailbox.clone());
        let table = shared.table;

        let unregistered = Unregistered::new(
            dev,
            RprocOptions {
                name: c"caif-modem",
                firmware: Some(firmware.as_deref().unwrap_or(c"caif-modem.elf")),
                auto_boot: true,
                detached,
                // After a crash, Linux boots the processor, even if it had attached to it.
                attach_on_recovery: false,
                carveouts: shared.carveouts,
            },
            try_pin_init!(Board {
                mailbox: board_mailbox,
                watchdog: of_board,
                table,
                armed <- new_mutex!(None),
            }? Error),
        )?;
        mailbox.listen(pdev, NAME, unregistered.rproc(), watchdog)?;
        unregistered.register(dev)
    }
}

kernel::module_platform_driver! {
    type: SocRproc,
    name: "soc_rproc",
    authors: ["The caif_virtio developers"],
    description: "Remote processor driver for a CAIF modem in the memory of QEMU's machine virt",
    license: "GPL",
    firmware: ["caif-modem.elf"],
}
