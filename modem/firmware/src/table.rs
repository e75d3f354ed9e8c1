// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The resource table: one virtio device with two vrings and a config space.

use kernel_pure::{
    ivshmem::{
        map,
        rsc_table::{ADDR_ANY, OFFSET_LEN, RSC_VDEV, VERSION, VIRTIO_ID_CAIF, header},
    },
    link_config::LinkConfig,
    vring_layout::F_EVENT_IDX,
};

/// Device address of the table, which is the same on both boards.
pub const TABLE_DA: u32 = map::DA_BASE + map::RSC_TABLE.0 as u32;
/// Offset of the entry, which begins with its type: behind the header and the one offset.
pub const ENTRY: usize = header::OFFSETS + OFFSET_LEN;

/// The geometry of a vring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vring {
    /// Number of descriptors.
    pub num: u32,
    /// Alignment of the used ring.
    pub align: u32,
}

/// A resource table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceTable {
    /// Features that the modem offers, a bit each.
    pub features: u32,
    /// The vrings: downlink, uplink.
    pub vrings: [Vring; 2],
    /// The config space; `None` for a device without one.
    pub config: Option<LinkConfig>,
}

impl Default for ResourceTable {
    fn default() -> Self {
        let vring = Vring {
            num: 256,
            align: 4096,
        };
        Self {
            features: 1 << F_EVENT_IDX,
            vrings: [vring; 2],
            config: Some(LinkConfig::DEFAULT),
        }
    }
}

impl ResourceTable {
    /// Returns the bytes of the table.
    pub fn to_bytes(&self) -> Vec<u8> {
        let config = self.config.map(|config| config.to_bytes());
        let config = config.as_ref().map_or(&[][..], |bytes| bytes);
        let mut out = Vec::new();
        // struct resource_table: version, number of entries, reserved, offsets.
        for word in [VERSION, 1, 0, 0, ENTRY as u32] {
            out.extend(u32::to_le_bytes(word));
        }
        // struct fw_rsc_hdr and struct fw_rsc_vdev.
        let config_len = config.len() as u32;
        for word in [RSC_VDEV, VIRTIO_ID_CAIF, 0, self.features, 0, config_len] {
            out.extend(u32::to_le_bytes(word));
        }
        // Status, number of vrings, reserved.
        out.extend([0, self.vrings.len() as u8, 0, 0]);
        for (id, vring) in (0..).zip(&self.vrings) {
            for word in [ADDR_ANY, vring.align, vring.num, id, 0] {
                out.extend(u32::to_le_bytes(word));
            }
        }
        out.extend(config);
        out
    }
}
