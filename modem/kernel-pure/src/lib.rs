// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The files of the kernel modules that do not use the kernel crate, built for user space.
//!
//! The files are those that the modules are built of, unchanged. The modem, tests and benches
//! depend on this crate instead of including the files.

#![no_std]
#![forbid(unsafe_code)]

// The kernel's build wants these files at the top of the checkout and in the folders of its
// modules: a module of the kernel is one crate.
#[cfg(feature = "firmware")]
#[path = "../../../abstractions/remoteproc/elf.rs"]
pub mod elf;
#[path = "../../../link_config.rs"]
pub mod link_config;
#[path = "../../../vring_chain.rs"]
pub mod vring_chain;
#[path = "../../../vring_driver.rs"]
pub mod vring_driver;
#[path = "../../../vring_half_stored.rs"]
pub mod vring_half_stored;
#[path = "../../../vring_layout.rs"]
pub mod vring_layout;
#[path = "../../../vring_mem.rs"]
pub mod vring_mem;
#[path = "../../../vring_news.rs"]
pub mod vring_news;
#[path = "../../../vring_reversed.rs"]
pub mod vring_reversed;
#[path = "../../../vring_watch.rs"]
pub mod vring_watch;

// Of this folder and the next one the kernel's modules build all files, and this crate these.
#[path = "../../../boards/ivshmem"]
pub mod ivshmem {
    //! The parts of the test board's driver that do not use the kernel crate.

    #[cfg(feature = "firmware")]
    pub mod firmware;
    pub mod map;
    pub mod rsc_table;
    #[cfg(feature = "firmware")]
    pub mod table;
}

#[path = "../../../caif"]
pub mod caif {
    //! The parts of the protocol stack that do not use the kernel crate.

    pub mod control;
    pub mod flow;
    pub mod owed;
    pub mod policy;
    pub mod rfm;
}
// Several parts of the kernel's code use it.
#[path = "../../../abstractions/slot.rs"]
pub mod slot;
pub use caif_wire;

use core::borrow::BorrowMut;

use link_config::{Direction, LinkConfig, CONFIG_SIZE};
use vring_chain::{DeviceRingError, Segment};
use vring_mem::RingMem;
use vring_reversed::{Chain, DeviceRing};

impl<M: RingMem, S: BorrowMut<[bool]>> DeviceRing<M, S> {
    /// Takes the next chain, if there is one. The driver peeks first, and fetches only chains of
    /// several buffers.
    pub fn fetch(&mut self, segments: &mut [Segment]) -> Result<Option<Chain>, DeviceRingError> {
        match self.peek()? {
            Some(next) => next.fetch(segments).map(Some),
            None => Ok(None),
        }
    }
}

impl LinkConfig {
    /// Returns the config space with these values. The modem writes it, the driver only reads it.
    pub fn to_bytes(&self) -> [u8; CONFIG_SIZE] {
        let mut raw = [0; CONFIG_SIZE];
        // The bytes after the last direction are reserved.
        for (raw, direction) in raw.chunks_exact_mut(12).zip([self.uplink, self.downlink]) {
            let Direction {
                headroom,
                tailroom,
                mtu,
            } = direction;
            let [m0, m1, m2, m3] = mtu.to_ne_bytes();
            let ([h0, h1], [t0, t1]) = (headroom.to_ne_bytes(), tailroom.to_ne_bytes());
            raw.copy_from_slice(&[h0, h1, t0, t1, m0, m1, m2, m3, 0, 0, 0, 0]);
        }
        raw
    }
}

#[cfg(test)]
mod tests {
    use crate::link_config::{ConfigError, Direction, LinkConfig};

    #[test]
    fn a_config_space_is_read_as_it_was_written() -> Result<(), ConfigError> {
        // All values are different, so that none can pass for another.
        let config = LinkConfig {
            uplink: Direction {
                headroom: 0x1234,
                tailroom: 0x0567,
                mtu: 0xfedc,
            },
            downlink: Direction {
                headroom: 0x089a,
                tailroom: 0x0bcd,
                mtu: 0xba98,
            },
        };
        let raw = config.to_bytes();
        assert_eq!(LinkConfig::read(&raw), config);
        assert_eq!(LinkConfig::parse(&raw)?, config);
        assert_eq!(raw[8..12], [0; 4]);
        assert_eq!(raw[20..], [0; 12]);
        Ok(())
    }
}
