// SPDX-License-Identifier: GPL-2.0

//! The readers of a firmware file in the board's remoteproc driver, built outside of the kernel.

#[path = "../../../boards/ivshmem/firmware.rs"]
#[allow(unused_imports, reason = "the kernel's prelude is empty here")]
pub mod firmware;
#[path = "../../../boards/ivshmem/table.rs"]
pub mod table;

pub mod layout {
    //! The memory map of the board's contract, of which the modem has a statement of its own.

    use crate::abstractions::remoteproc::DeviceRange;
    use ivshmem::control;

    /// Where segments of the firmware may be.
    pub const FIRMWARE_DA: DeviceRange = DeviceRange {
        da: control::FIRMWARE as u32,
        len: control::FIRMWARE_SIZE as usize,
    };
    /// Room for a vring.
    pub const VRING_LEN: usize = 1 << 20;
}
