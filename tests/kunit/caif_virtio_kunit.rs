// SPDX-License-Identifier: GPL-2.0

//! KUnit suites for the rings and for the whole driver.
//!
//! The driver is looked at from outside only: from the side of the modem, which is played by a
//! remote processor made here, and from the side of the network stack. It must be loaded first.

#![deny(unsafe_code)]

#[expect(unsafe_code)]
#[path = "../../abstractions"]
pub mod abstractions {
    //! Safe wrappers that the kernel crate lacks.

    pub mod bindings;
    pub mod event;
    pub mod memory;
    pub mod remoteproc;
}
#[macro_use]
pub mod check;
#[expect(unsafe_code)]
pub mod control;
pub mod fake;
pub mod frames;
pub mod modem_rx;
pub mod modem_tx;
#[expect(unsafe_code)]
pub mod netdev;
#[expect(unsafe_code)]
pub mod platform;
pub mod rival;
#[expect(unsafe_code)]
pub mod scope;
#[expect(unsafe_code)]
pub mod sink;
pub mod storm;
pub mod suite_cycles;
pub mod suite_frame_faults;
pub mod suite_moments;
#[cfg(CONFIG_X86)]
pub mod suite_order_x86;
pub mod suite_platform;
pub mod suite_probe;
pub mod suite_receive;
pub mod suite_removal;
pub mod suite_rewrites;
pub mod suite_ring_faults;
pub mod suite_rings;
pub mod suite_transmit;
#[cfg(CONFIG_X86)]
pub mod suite_traps_x86;
pub mod suite_wakeups;
pub mod table;
pub mod traffic;
#[cfg(CONFIG_X86)]
#[expect(unsafe_code)]
pub mod trap;
#[expect(unsafe_code)]
pub mod unsafe_memory;
#[cfg(CONFIG_X86)]
pub mod vring;
#[path = "../../vring_layout.rs"]
pub mod vring_layout;
#[path = "../../vring_mem.rs"]
pub mod vring_mem;
#[path = "../../vring_reversed.rs"]
pub mod vring_reversed;
#[expect(unsafe_code)]
pub mod watch;

use kernel::prelude::*;

/// The suites are found by KUnit in their section; the module itself does nothing.
struct Suites;

impl kernel::Module for Suites {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

module! {
    type: Suites,
    name: "caif_virtio_kunit",
    authors: ["The caif_virtio developers"],
    description: "KUnit tests of caif_virtio",
    license: "GPL",
}
