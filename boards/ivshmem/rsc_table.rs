// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Layout of a resource table: its numbers, and the offsets of its fields. Both ends of the test
//! boards are built with this file.
//!
//! C headers: `include/linux/rsc_table.h` and `include/linux/remoteproc.h`

/// `ver` of a table.
pub const VERSION: u32 = 1;
/// Type of an entry that is a virtio device (`RSC_VDEV`).
pub const RSC_VDEV: u32 = 3;
/// Virtio id of a CAIF device (`VIRTIO_ID_CAIF`).
pub const VIRTIO_ID_CAIF: u32 = 12;
/// `da` of a vring whose place Linux chooses (`FW_RSC_ADDR_ANY`).
pub const ADDR_ANY: u32 = u32::MAX;

/// Bytes of an offset of an entry.
pub const OFFSET_LEN: usize = 4;
/// Bytes of an entry's type, which is in front of the entry (`struct fw_rsc_hdr`).
pub const TYPE_LEN: usize = 4;

pub mod header {
    //! Offsets in a table (`struct resource_table`).

    /// Version of the table.
    pub const VERSION: usize = 0;
    /// Number of entries.
    pub const NUM: usize = 4;
    /// Two reserved words.
    pub const RESERVED: [usize; 2] = [8, 12];
    /// The offsets of the entries, a word each.
    pub const OFFSETS: usize = 16;
}

pub mod vdev {
    //! Offsets in an entry of a CAIF device (`struct fw_rsc_vdev`).

    use super::vring;

    /// Virtio id.
    pub const ID: usize = 0;
    /// Features that the driver took.
    pub const GFEATURES: usize = 12;
    /// Bytes of the config space.
    pub const CONFIG_LEN: usize = 16;
    /// Status of the device, a byte. The number of vrings and two reserved bytes follow.
    pub const STATUS: usize = 20;
    /// Number of vrings, a byte.
    pub const NUM_OF_VRINGS: usize = STATUS + 1;
    /// The vrings: downlink, uplink.
    pub const VRINGS: [usize; 2] = [24, 24 + vring::LEN];
    /// The config space.
    pub const CONFIG: usize = VRINGS[0] + VRINGS.len() * vring::LEN;
}

pub mod vring {
    //! Offsets in the description of a vring (`struct fw_rsc_vdev_vring`).

    /// Device address.
    pub const DA: usize = 0;
    /// Alignment of the used ring.
    pub const ALIGN: usize = 4;
    /// Number of descriptors.
    pub const NUM: usize = 8;
    /// Notify id.
    pub const NOTIFYID: usize = 12;
    /// Bytes of the description.
    pub const LEN: usize = 20;
}
