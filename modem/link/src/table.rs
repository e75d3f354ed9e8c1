// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The resource table, after remoteproc has filled it in.
//!
//! The kernel has a reader of its own, for the table in the firmware file. They share the layout
//! and no code, since a fuzz target compares both on the same table.

use crate::Error;
use firmware::{MARK, MARK_DA};
use ivshmem::{control, memory::SharedMemory};
use kernel_pure::{
    ivshmem::rsc_table::{
        ADDR_ANY, OFFSET_LEN, RSC_VDEV, TYPE_LEN, VERSION, VIRTIO_ID_CAIF, header, vdev, vring,
    },
    link_config::{CONFIG_SIZE, Direction, LinkConfig},
    vring_layout::{F_EVENT_IDX, Layout},
};

/// `status` of a virtio device whose driver is ready.
const DRIVER_OK: u8 = 4;
/// Bytes of the config space.
const CONFIG_LEN: u32 = CONFIG_SIZE as u32;

/// The virtio device of a resource table in memory.
#[derive(Clone, Copy, Debug)]
pub struct Vdev {
    da: u64,
    /// Bytes from there to the end of the table.
    len: u64,
}

/// A vring: where it is, and its layout.
#[derive(Clone, Copy, Debug)]
pub struct Vring {
    /// Device address.
    pub da: u64,
    /// Offsets of its parts.
    pub layout: Layout,
}

/// The negotiated vrings and features, once the driver is ready.
#[derive(Clone, Debug)]
pub struct Table {
    /// Downlink and uplink.
    pub vrings: [Vring; 2],
    /// Whether `EVENT_IDX` was negotiated.
    pub event_idx: bool,
    /// From Linux.
    pub uplink: Direction,
    /// To Linux.
    pub downlink: Direction,
}

impl Vdev {
    /// Finds the CAIF device in the table of `len` bytes at `da`, which must lie in the memory for
    /// firmware, behind firmware of ours.
    pub fn find(memory: &SharedMemory, da: u32, len: u32) -> Result<Self, Error> {
        let mut mark = [0; MARK.len()];
        memory.read(MARK_DA.into(), &mut mark)?;
        if mark != MARK {
            return Err(Error::Table(format!(
                "the firmware begins with {mark:02x?}, not with {MARK:02x?}: it is for another modem"
            )));
        }
        let (start, end) = (u64::from(da), u64::from(da) + u64::from(len));
        if start < control::FIRMWARE || end > control::FIRMWARE + control::FIRMWARE_SIZE {
            return Err(Error::Table(format!(
                "{len} bytes at {da:#x} are not inside the memory for firmware"
            )));
        }
        let word = |offset: u64| -> Result<u32, Error> {
            if (start + offset) % 4 != 0 {
                return Err(Error::Table(format!(
                    "a word of it is at {:#x}, must be at a multiple of 4",
                    start + offset
                )));
            }
            if offset + 4 > u64::from(len) {
                return Err(Error::Table(format!("it ends before its byte {offset}")));
            }
            Ok(memory.load(start + offset)?)
        };
        let version = word(header::VERSION as u64)?;
        if version != VERSION {
            return Err(Error::Table(format!(
                "version {version}, must be {VERSION}"
            )));
        }
        let entries = word(header::NUM as u64)?;
        for entry in 0..u64::from(entries) {
            let place = header::OFFSETS as u64 + OFFSET_LEN as u64 * entry;
            let offset = u64::from(word(place)?);
            let device = offset + TYPE_LEN as u64;
            let id = device + vdev::ID as u64;
            if word(offset)? == RSC_VDEV && word(id)? == VIRTIO_ID_CAIF {
                let size = vdev::CONFIG as u64;
                let rest = u64::from(len).saturating_sub(device);
                if rest < size {
                    return Err(Error::Table(format!(
                        "no room for the {size} bytes of its device and vrings"
                    )));
                }
                return Ok(Self {
                    da: start + device,
                    len: rest,
                });
            }
        }
        Err(Error::Table(format!(
            "no CAIF device among {entries} entries"
        )))
    }

    /// Returns the device address of its entry, behind the entry's type.
    pub fn da(&self) -> u64 {
        self.da
    }

    /// Returns what was negotiated, or `None` if the driver is not ready.
    pub fn ready(&self, memory: &SharedMemory) -> Result<Option<Table>, Error> {
        let word = |offset: usize| memory.load::<u32>(self.da + offset as u64);
        if memory.load::<u8>(self.da + vdev::STATUS as u64)? & DRIVER_OK == 0 {
            return Ok(None);
        }
        let count = memory.load::<u8>(self.da + vdev::NUM_OF_VRINGS as u64)?;
        if count != 2 {
            return Err(Error::Table(format!("{count} vrings, must be 2")));
        }
        let vring = |index: usize| -> Result<Option<Vring>, Error> {
            let at = vdev::VRINGS[index];
            let (da, num) = (word(at + vring::DA)?, word(at + vring::NUM)?);
            let align = word(at + vring::ALIGN)?;
            if da == ADDR_ANY {
                return Ok(None);
            }
            let layout = Layout::new(num, align)
                .map_err(|error| Error::Table(format!("vring {index}: {error}")))?;
            let da = u64::from(da);
            if !memory.contains(da, layout.size() as u64) {
                return Err(Error::Table(format!(
                    "vring {index} at {da:#x} is not inside the shared memory"
                )));
            }
            if da % 16 != 0 {
                return Err(Error::Table(format!(
                    "vring {index} at {da:#x}, must be a multiple of 16"
                )));
            }
            Ok(Some(Vring { da, layout }))
        };
        let (Some(down), Some(up)) = (vring(0)?, vring(1)?) else {
            return Ok(None);
        };
        let (uplink, downlink) = match word(vdev::CONFIG_LEN)? {
            0 => (Direction::DEFAULT, Direction::DEFAULT),
            CONFIG_LEN => {
                if vdev::CONFIG as u64 + u64::from(CONFIG_LEN) > self.len {
                    return Err(Error::Table("no room for its config space".into()));
                }
                let mut raw = [0; CONFIG_SIZE];
                memory.read(self.da + vdev::CONFIG as u64, &mut raw)?;
                let LinkConfig { uplink, downlink } = LinkConfig::read(&raw);
                (with_room(uplink)?, with_room(downlink)?)
            }
            other => {
                return Err(Error::Table(format!(
                    "config space of {other} bytes, must be 0 or {CONFIG_LEN}"
                )));
            }
        };
        Ok(Some(Table {
            vrings: [down, up],
            event_idx: word(vdev::GFEATURES)? & (1 << F_EVENT_IDX) != 0,
            uplink,
            downlink,
        }))
    }

    /// Returns whether the driver is ready.
    pub fn is_ready(&self, memory: &SharedMemory) -> Result<bool, Error> {
        Ok(memory.load::<u8>(self.da + vdev::STATUS as u64)? & DRIVER_OK != 0)
    }
}

/// Checks that a direction has room for a frame. The modem needs less room than Linux asks for.
fn with_room(direction: Direction) -> Result<Direction, Error> {
    if direction.mtu <= direction.room() {
        return Err(Error::Table(format!(
            "an mtu of {} has no room for a frame behind {} bytes of headroom and tailroom",
            direction.mtu,
            direction.room()
        )));
    }
    Ok(direction)
}
