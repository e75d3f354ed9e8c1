// SPDX-License-Identifier: GPL-2.0

//! CAIF: the protocol that Linux talks with a modem, over any network device that carries its
//! frames.
//!
//! See `Documentation/caif-stack.md`.

#![deny(unsafe_code)]

// A kernel module is one crate, so files that others use as well are built into each.
#[expect(unsafe_code)]
#[path = "../abstractions"]
mod abstractions {
    //! Safe wrappers that the kernel crate lacks.

    pub(crate) mod bh_lock;
    pub(crate) mod bindings;
    pub(crate) mod compat;
    pub(crate) mod deferred;
    pub(crate) mod module;
    pub(crate) mod net {
        //! Network devices of any driver, and virtual ones above them.

        pub(crate) mod burst;
        mod log;
        pub(crate) mod netdev;
        pub(crate) mod notifier;
        pub(crate) mod packet_type;
        pub(crate) mod proc;
        pub(crate) mod rtnl_kind;
        pub(crate) mod skb_edit;
        pub(crate) mod skbuff;
        pub(crate) mod socket;
        pub(crate) mod unregistering;

        pub(crate) use log::may_log;
    }
    pub(crate) mod rcu;
    #[expect(unreachable_pub, reason = "crates of the host build this file, too")]
    mod slot;
}
// The modem builds the codec, too, as a crate of its own.
#[path = "../caif-wire/src/codec/mod.rs"]
#[expect(unreachable_pub, reason = "the modem sees what is `pub` there")]
mod caif_wire;
mod channel;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod control;
mod errno;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod flow;
mod interface;
mod link;
mod links;
mod listing;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod owed;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod policy;
mod pressure;
mod reassembly;
mod receive;
#[expect(unreachable_pub, reason = "crates of the host build this file, too")]
mod rfm;
mod socket;
mod transmit;

use crate::{
    abstractions::{
        module::Contained,
        net::{
            notifier::Notifier,
            proc::NetFiles,
            rtnl_kind::RtnlKind,
            socket::WithSockets, //
        },
        rcu::RcuArc, //
    },
    interface::{
        turns,
        Interface, //
    },
    links::{
        Links,
        Published, //
    },
    listing::Listing,
    socket::CaifSocket, //
};
use kernel::prelude::*;

/// The module. Its fields are dropped in this order: users of links first.
struct Caif {
    _listing: NetFiles<Listing>,
    _interfaces: RtnlKind<Interface>,
    _turns: turns::OpenTurns,
    _notifier: Notifier<RcuArc<Links>>,
    _links: Published,
}

impl kernel::Module for Caif {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let (published, links) = Links::publish()?;
        // Adds the devices that are links already, so that the first interface finds them.
        let notifier = Notifier::new(links)?;
        let turns = turns::open()?;
        let interfaces = RtnlKind::new()?;
        Ok(Self {
            _listing: NetFiles::new()?,
            _interfaces: interfaces,
            _turns: turns,
            _notifier: notifier,
            _links: published,
        })
    }
}

module! {
    type: WithSockets<Contained<Caif>, CaifSocket>,
    name: "caif",
    authors: ["The caif_virtio developers"],
    description: "CAIF protocol stack",
    license: "GPL",
    alias: ["net-pf-37", "caif_socket", "rtnl-link-caif", "chnl_net"],
    params: {
        connect_timeout_ms: u32 {
            default: 30000,
            description: "How many milliseconds connect() of a socket waits for the modem at most",
        },
    },
}
