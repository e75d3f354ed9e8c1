// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The resource table: one virtio device with two vrings and a config space.

/// Device address of the table.
pub const TABLE_DA: u32 = 0x8001_1000;
/// Type of the virtio device: CAIF.
pub const VIRTIO_ID_CAIF: u32 = 12;
/// Type of an entry that is a virtio device.
const RSC_VDEV: u32 = 3;
/// A vring that Linux may put anywhere.
const ADDR_ANY: u32 = u32::MAX;
/// Offset of the entry: header of the table, offset of the one entry.
const ENTRY: u32 = 16 + 4;

/// Headroom, tailroom and MTU of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// Bytes before each frame.
    pub headroom: u16,
    /// Bytes after it.
    pub tailroom: u16,
    /// Largest buffer.
    pub mtu: u32,
}

impl Direction {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.headroom.to_le_bytes());
        out.extend(self.tailroom.to_le_bytes());
        out.extend(self.mtu.to_le_bytes());
        out.extend([0; 4]);
    }
}

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
    /// Uplink and downlink config, unless the device shall have no config space.
    pub config: Option<[Direction; 2]>,
}

impl Default for ResourceTable {
    fn default() -> Self {
        let direction = Direction {
            headroom: 32,
            tailroom: 32,
            mtu: 4096,
        };
        let vring = Vring {
            num: 256,
            align: 4096,
        };
        Self {
            features: 1 << 29,
            vrings: [vring; 2],
            config: Some([direction; 2]),
        }
    }
}

impl ResourceTable {
    /// The table in memory.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut config = Vec::new();
        if let Some(directions) = &self.config {
            for direction in directions {
                direction.write(&mut config);
            }
            config.extend([0; 8]);
        }
        let mut out = Vec::new();
        // struct resource_table: version, number of entries, reserved, offsets.
        for word in [1, 1, 0, 0, ENTRY] {
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
