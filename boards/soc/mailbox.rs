// SPDX-License-Identifier: GPL-2.0

//! The mailbox between Linux and the modem: a PL011, each byte of which is a set of doorbells.
//!
//! Doorbells that wait for room in the transmit FIFO are merged into one byte, so that none is
//! lost.

use crate::{
    abstractions::{
        compat::{
            irq::{
                Handler,
                IrqReturn, //
            },
            new_spinlock_irq,
            DevresIoMem,
            SpinLockIrq, //
        },
        platform::handle_irq,
        remoteproc::Rproc, //
    },
    contract::{
        map::doorbell,
        watchdog::Watchdog, //
    }, //
};
use kernel::{
    device::Core,
    io::{
        mem::IoMem,
        register,
        Io, //
    },
    platform,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

register! {
    /// A byte from or to a FIFO.
    DATA(u32) @ 0x000 {
        /// Errors of a received byte.
        11:8    errors;
        7:0     doorbells;
    }

    /// State of the FIFOs.
    FLAGS(u32) @ 0x018 {
        5:5     transmit_full;
        4:4     receive_empty;
    }

    /// Format of the line; the FIFOs are emptied when they are enabled.
    LINE(u32) @ 0x02c {
        6:5     word_length;
        4:4     fifos;
    }

    /// Parts of the PL011 that are enabled.
    CONTROL(u32) @ 0x030 {
        9:9     receiver;
        8:8     transmitter;
        0:0     all;
    }

    /// Interrupts that are enabled.
    MASK(u32) @ 0x038 {
        5:5     transmit;
        4:4     receive;
    }

    /// Clears interrupts. That of the receiver is cleared when its FIFO is empty.
    CLEAR(u32) @ 0x044 {
        5:5     transmit;
    }
}

/// Bytes up to the last register in use.
const LEN: usize = 0x48;

/// A doorbell, by its number.
#[derive(Clone, Copy)]
pub(crate) struct Doorbell(u8);

impl Doorbell {
    /// Rung by each side after it changed the control page.
    pub(crate) const CONTROL: Self = Self(1 << doorbell::CONTROL);

    /// Returns the doorbell of a vring: `None` if no vring has this number.
    pub(crate) fn of_vring(number: u32) -> Option<Self> {
        (number < doorbell::CONTROL.into()).then_some(Self(1 << number))
    }
}

/// The most bytes that are read from the FIFO in an interrupt: its size. With more, the interrupt
/// comes again.
const FIFO: usize = 16;

/// Linux's side of the mailbox.
#[pin_data]
pub(crate) struct Mailbox {
    registers: DevresIoMem<LEN>,
    /// Doorbells that were not sent yet.
    #[pin]
    unsent: SpinLockIrq<u8>,
}

impl Mailbox {
    /// Maps the mailbox and empties it, with its interrupt off.
    pub(crate) fn new(pdev: &platform::Device<Core<'_>>) -> Result<Arc<Self>> {
        // Not exclusively: the kernel crate (7.3) requests a region below the device's resource.
        // For a device of the device tree that is in no list of resources, and is never released.
        let request = pdev.io_request_by_index(0).ok_or(ENODEV)?;
        let registers = request.iomap_sized::<LEN>()?;
        let io = &registers;
        io.write_reg(MASK::zeroed());
        io.write_reg(CONTROL::zeroed());
        io.write_reg(LINE::zeroed().with_const_word_length::<3>());
        io.write_reg(
            LINE::zeroed()
                .with_const_word_length::<3>()
                .with_const_fifos::<1>(),
        );
        io.write_reg(
            CONTROL::zeroed()
                .with_const_receiver::<1>()
                .with_const_transmitter::<1>()
                .with_const_all::<1>(),
        );
        let registers = registers.into_devres()?;
        Arc::pin_init(
            pin_init!(Self {
                registers,
                unsent <- new_spinlock_irq!(0),
            }),
            GFP_KERNEL,
        )
    }

    /// Handles the interrupt of the modem's doorbells until the device is unbound.
    pub(crate) fn listen(
        self: &Arc<Self>,
        pdev: &platform::Device<Core<'_>>,
        name: &'static CStr,
        rproc: &ARef<Rproc>,
        watchdog: Arc<Watchdog>,
    ) -> Result {
        let receiver = Receiver {
            mailbox: self.clone(),
            rproc: rproc.clone(),
            watchdog,
        };
        handle_irq(pdev, 0, name, receiver)?;
        self.send(0);
        Ok(())
    }

    /// Rings one of the modem's doorbells. Any context.
    pub(crate) fn ring(&self, doorbell: Doorbell) {
        self.send(doorbell.0);
    }

    /// Sends these doorbells and those that wait. If there is no room, an interrupt comes when
    /// there is.
    fn send(&self, doorbells: u8) {
        let Some(io) = self.registers.try_access() else {
            return;
        };
        let io = &*io;
        let mut unsent = self.unsent.lock();
        *unsent |= doorbells;
        let mut mask = MASK::zeroed().with_const_receive::<1>();
        if *unsent != 0 && is_full(io) {
            io.write_reg(CLEAR::zeroed().with_const_transmit::<1>());
            mask = mask.with_const_transmit::<1>();
        }
        // Checked again, since there may have been room before the interrupt was cleared.
        if *unsent != 0 && !is_full(io) {
            io.write_reg(DATA::zeroed().with_doorbells(*unsent));
            *unsent = 0;
        }
        io.write_reg(mask);
    }

    /// Reads the modem's doorbells from the FIFO.
    fn receive(&self) -> u8 {
        let mut rung = 0;
        if let Some(io) = self.registers.try_access() {
            let io = &*io;
            for _ in 0..FIFO {
                if io.read(FLAGS).receive_empty().get() != 0 {
                    break;
                }
                let data = io.read(DATA);
                if data.errors().get() == 0 {
                    rung |= u8::from(data.doorbells());
                }
            }
        }
        rung
    }
}

/// Returns whether the transmit FIFO has no room.
fn is_full(io: &IoMem<'_, LEN>) -> bool {
    io.read(FLAGS).transmit_full().get() != 0
}

/// The handler of the mailbox's interrupt.
struct Receiver {
    mailbox: Arc<Mailbox>,
    rproc: ARef<Rproc>,
    watchdog: Arc<Watchdog>,
}

impl Handler for Receiver {
    fn handle(&self) -> IrqReturn {
        let rung = self.mailbox.receive();
        for number in 0..doorbell::CONTROL.into() {
            if Doorbell::of_vring(number).is_some_and(|bell| rung & bell.0 != 0) {
                self.rproc.vq_interrupt(number);
            }
        }
        if rung & Doorbell::CONTROL.0 != 0 {
            self.watchdog.look(false);
        }
        self.mailbox.send(0);
        IrqReturn::Handled
    }
}
