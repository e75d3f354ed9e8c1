// SPDX-License-Identifier: GPL-2.0

//! The resource table of the fake modem: one virtio device. Its layout is written out here, and not
//! taken from the kernel's headers, whose readers it is for.

use crate::{
    abstractions::memory::Memory,
    fake::FakeOptions, //
};
use core::ops::Range;
use kernel::prelude::*;

/// Room for the table.
pub(crate) const SIZE: usize = 256;
/// Offset of the device's entry, behind the header with its single offset and the entry's type.
const ENTRY: usize = 20 + 4;
/// Where the features are that were negotiated.
pub(crate) const FEATURES: Range<usize> = ENTRY + 12..ENTRY + 16;
/// Offset of the number of vrings, behind the status.
pub(crate) const NUM_OF_VRINGS: usize = ENTRY + 21;
/// Offset of the first vring.
const VRINGS: usize = ENTRY + 24;
/// Bytes of a vring.
const VRING: usize = 20;
/// Offset of the config space.
pub(crate) const CONFIG: usize = VRINGS + 2 * VRING;
/// `RSC_VDEV`.
const TYPE_VDEV: u32 = 3;
/// An address that is for Linux to choose (`FW_RSC_ADDR_ANY`).
const ANYWHERE: u32 = u32::MAX;

/// Writes the table to `at`, and returns its length.
pub(crate) fn write(memory: &Memory, at: usize, options: &FakeOptions) -> Result<usize> {
    let config = options.config.as_deref().unwrap_or_default();
    let len = CONFIG + config.len();
    if len > SIZE {
        return Err(EINVAL);
    }
    // Version, number of entries, two reserved words, the offset of the entry.
    let header = [1, 1, 0, 0, 20];
    // Type, id, notifyid, features of the device, features of the driver, bytes of config.
    let entry = [
        TYPE_VDEV,
        options.virtio_id,
        0,
        options.features,
        0,
        config.len() as u32,
    ];
    let mut at_word = at;
    let mut put = |words: &[u32]| -> Result {
        for word in words {
            memory.write::<u32>(at_word, *word)?;
            at_word += 4;
        }
        Ok(())
    };
    put(&header)?;
    put(&entry)?;
    // Status, number of vrings, two reserved bytes.
    put(&[u32::from_ne_bytes([0, 2, 0, 0])])?;
    for num in options.num {
        put(&[ANYWHERE, options.align, num, 0, 0])?;
    }
    for (i, byte) in config.iter().enumerate() {
        memory.write::<u8>(at + CONFIG + i, *byte)?;
    }
    Ok(len)
}

/// Returns the features that were negotiated.
pub(crate) fn features(memory: &Memory, at: usize) -> Result<u32> {
    memory.read(at + FEATURES.start)
}

/// Returns the device address of a vring.
pub(crate) fn vring_da(memory: &Memory, at: usize, vring: usize) -> Result<u32> {
    memory.read(at + VRINGS + vring * VRING)
}

/// Returns the status of the virtio device.
pub(crate) fn status(memory: &Memory, at: usize) -> Result<u8> {
    memory.read(at + ENTRY + 20)
}
