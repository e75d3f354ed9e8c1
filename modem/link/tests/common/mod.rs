// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A small host: writes to the shared memory like Linux.
//!
//! It loads the firmware, fills in the resource table as remoteproc does, and has its ends of
//! both rings by the source that the kernel's driver is built of.

#![allow(dead_code, reason = "each test uses a part of it")]

pub mod frame;
pub mod rx;
pub mod tx;

use firmware::{
    Firmware,
    table::{ENTRY, ResourceTable, TABLE_DA, Vring},
};
use ivshmem::{
    control,
    memory::{self, SharedMemory},
};
use kernel_pure::{
    ivshmem::rsc_table::{TYPE_LEN, vdev, vring},
    link_config::{Direction, LinkConfig},
    vring_layout::{F_EVENT_IDX, Layout},
    vring_mem::Features,
};
use link::{
    Link,
    table::{self, Table, Vdev},
    view::View,
};
use modem_ring::Fields;
use object::{
    Endianness, elf,
    read::elf::{FileHeader, ProgramHeader},
};

/// Device address of the `struct fw_rsc_vdev`, behind the entry's type.
pub const VDEV: u64 = TABLE_DA as u64 + (ENTRY + TYPE_LEN) as u64;
/// Where remoteproc puts the vrings.
pub const VRING_DA: [u32; 2] = [control::VRINGS[0] as u32, control::VRINGS[1] as u32];
/// The pool that Linux allocates its TX slots from.
pub use control::{POOL, POOL_SIZE};
/// Bit of `VIRTIO_RING_F_EVENT_IDX` in a word of features.
pub const EVENT_IDX: u32 = 1 << F_EVENT_IDX;
/// ACKNOWLEDGE, DRIVER, DRIVER_OK.
pub const STATUS_READY: u8 = 7;

/// The host, and the memory it shares with a modem.
pub struct Host {
    pub memory: SharedMemory,
    pub table: ResourceTable,
}

/// Returns a resource table of two rings of those sizes, whose buffers have `mtu` bytes.
pub fn table(rx_num: u32, tx_num: u32, mtu: u32, event_idx: bool) -> ResourceTable {
    let vring = |num| Vring { num, align: 4096 };
    let direction = |headroom, tailroom| Direction {
        headroom,
        tailroom,
        mtu,
    };
    ResourceTable {
        features: if event_idx { EVENT_IDX } else { 0 },
        vrings: [vring(rx_num), vring(tx_num)],
        // All four are different, so that a mix-up is found.
        config: Some(LinkConfig {
            uplink: direction(32, 16),
            downlink: direction(24, 8),
        }),
    }
}

impl Host {
    /// Makes the memory and loads the firmware.
    pub fn load(table: ResourceTable) -> Self {
        let fd = memory::create(memory::MIN_SIZE).unwrap();
        let memory = SharedMemory::map(&fd).unwrap();
        let firmware = Firmware {
            table: Some(table.clone()),
            ..Firmware::default()
        };
        let file = firmware.to_bytes();
        let header = elf::FileHeader32::<Endianness>::parse(&*file).unwrap();
        let endian = header.endian().unwrap();
        for segment in header.program_headers(endian, &*file).unwrap() {
            let bytes = segment.data(endian, &*file).unwrap();
            memory.write(segment.p_paddr(endian).into(), bytes).unwrap();
        }
        Self { memory, table }
    }

    /// Loads the firmware, places the rings, and makes the driver ready.
    pub fn ready(table: ResourceTable) -> Self {
        let this = Self::load(table);
        this.place_rings();
        this.set_features(this.table.features);
        this.set_status(STATUS_READY);
        this
    }

    /// Returns the size of the table.
    pub fn table_len(&self) -> u32 {
        self.table.to_bytes().len() as u32
    }

    pub fn place_rings(&self) {
        for (at, da) in vdev::VRINGS.into_iter().zip(VRING_DA) {
            let at = VDEV + (at + vring::DA) as u64;
            self.memory.store(at, da).unwrap();
        }
    }

    pub fn set_features(&self, features: u32) {
        self.memory
            .store(VDEV + vdev::GFEATURES as u64, features)
            .unwrap();
    }

    pub fn set_status(&self, status: u8) {
        self.memory
            .store(VDEV + vdev::STATUS as u64, status)
            .unwrap();
    }

    /// Zeroes the rings, as remoteproc does before a driver gets them.
    pub fn clear_rings(&self) {
        for da in VRING_DA {
            self.memory.write(da.into(), &vec![0; 1 << 20]).unwrap();
        }
    }

    /// Returns the modem's view of the device.
    pub fn find(&self) -> Result<Vdev, link::Error> {
        Vdev::find(&self.memory, TABLE_DA, self.table_len())
    }

    /// Returns what was negotiated, as the modem reads it.
    pub fn agreed(&self) -> Table {
        self.find().unwrap().ready(&self.memory).unwrap().unwrap()
    }

    /// Returns the modem's end of the link.
    pub fn open(&self, chain_max: u16, seed: u64) -> Link {
        Link::open(&self.memory, &self.agreed(), chain_max, seed).unwrap()
    }

    pub fn features(&self) -> Features {
        Features {
            event_idx: self.table.features & EVENT_IDX != 0,
        }
    }

    pub fn layout(&self, vring: usize) -> Layout {
        let vring = self.table.vrings[vring];
        Layout::new(vring.num, vring.align).unwrap()
    }

    /// Returns the memory of a vring.
    pub fn view(&self, vring: usize) -> View {
        let place = table::Vring {
            da: VRING_DA[vring].into(),
            layout: self.layout(vring),
        };
        View::new(&self.memory, &place).unwrap()
    }

    /// Returns the fields of a vring, for a host without rules.
    pub fn fields(&self, vring: usize) -> Fields<View> {
        Fields::new(self.view(vring), self.layout(vring))
    }

    /// Returns the host's end of the downlink.
    pub fn rx(&self) -> rx::Rx {
        rx::Rx::new(self)
    }

    /// Returns the host's end of the uplink.
    pub fn tx(&self) -> tx::Tx {
        tx::Tx::new(self)
    }
}
