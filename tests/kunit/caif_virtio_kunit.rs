// SPDX-License-Identifier: GPL-2.0

//! KUnit suites for the whole driver.
//!
//! They test the driver from outside only: as the modem, by a fake remote processor, and as the
//! network stack; and the protocol stack by sockets and by fake links. Both modules must be loaded
//! first.
//!
//! Files that are mounted from elsewhere are public: no crate uses all of them.

#![deny(unsafe_code)]
#![cfg_attr(
    not(CONFIG_X86),
    allow(dead_code, reason = "the suites that use the rest are of x86")
)]

// A kernel module is one crate, so files that others use as well are built into each.
#[expect(unsafe_code)]
#[path = "../../abstractions"]
mod abstractions {
    //! Safe wrappers that the kernel crate lacks.

    pub(crate) mod bindings;
    pub(crate) mod compat;
    pub(crate) mod deferred;
    pub(crate) mod event;
    #[expect(dead_code, reason = "the boards use the rest")]
    pub(crate) mod memory;
    pub(crate) mod module;
    pub(crate) mod net {
        //! Abstractions of sockets, and of what the module forgets.

        #[expect(dead_code, reason = "the stack uses the rest")]
        pub(crate) mod netdev;
        pub(crate) mod notifier;
        pub(crate) mod proc;
        pub(crate) mod skbuff;
        #[expect(dead_code, reason = "the stack uses the rest")]
        pub(crate) mod socket;
    }
    #[expect(dead_code, reason = "the stack uses the rest")]
    pub(crate) mod rcu;
    #[expect(dead_code, reason = "the boards use the rest")]
    pub(crate) mod remoteproc;
    #[expect(unreachable_pub, reason = "crates of the host build this file, too")]
    mod slot;
}
#[expect(unsafe_code)]
mod bindings;
#[expect(unsafe_code)]
mod cells;
#[macro_use]
mod check;
#[expect(unsafe_code)]
mod control;
mod fake;
mod forgotten;
mod frames;
#[expect(unsafe_code)]
mod interfaces;
// The driver's own file: the tests write the config space that it reads.
#[path = "../../link_config.rs"]
pub mod link_config;
#[expect(unsafe_code)]
mod links;
// The modem's ends of the rings, of the crate that the modem has them of.
#[path = "../../modem/ring/src/ring/mod.rs"]
pub mod modem_ring;
mod modem_rx;
mod modem_tx;
#[expect(unsafe_code)]
mod netdev;
#[expect(unsafe_code)]
mod platform;
#[expect(unsafe_code)]
mod scope;
#[expect(unsafe_code)]
mod sink;
mod storm;
mod suite_attach;
mod suite_cells;
mod suite_doorbell;
#[cfg(CONFIG_X86)]
mod suite_doorbell_x86;
mod suite_events;
mod suite_files;
mod suite_frames;
mod suite_interfaces;
mod suite_link_ends;
mod suite_links;
mod suite_memory;
mod suite_moments;
#[cfg(CONFIG_X86)]
mod suite_order_x86;
mod suite_packets;
mod suite_platform;
mod suite_probe;
mod suite_recovery;
mod suite_removal;
mod suite_ring_faults;
mod suite_sleep;
#[cfg(CONFIG_X86)]
mod suite_sleep_x86;
mod suite_sockets;
#[cfg(CONFIG_X86)]
mod suite_traps_x86;
mod suite_wakeups;
mod suite_watchdog;
mod table;
mod toy;
#[expect(unsafe_code)]
mod toy_peer;
mod traffic;
#[cfg(CONFIG_X86)]
#[expect(unsafe_code)]
mod trap;
#[expect(unsafe_code)]
mod unsafe_memory;
mod vring;
// These two are the driver's, which the modem's ends refer to by these names.
#[path = "../../vring_layout.rs"]
pub mod vring_layout;
#[path = "../../vring_mem.rs"]
pub mod vring_mem;

use crate::{
    abstractions::{
        module::Contained,
        net::socket::WithSockets, //
    },
    toy::Toy,
    toy_peer::Ready, //
};
use kernel::prelude::*;

/// KUnit finds the suites in their section; the module itself only registers a family of sockets,
/// and what it forgets.
struct Suites {
    _sockets: Ready,
}

impl kernel::Module for Suites {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        forgotten::forget()?;
        Ok(Self {
            _sockets: Ready::new()?,
        })
    }
}

module! {
    type: WithSockets<Contained<Suites>, Toy>,
    name: "caif_virtio_kunit",
    authors: ["The caif_virtio developers"],
    description: "KUnit tests of caif_virtio",
    license: "GPL",
}
