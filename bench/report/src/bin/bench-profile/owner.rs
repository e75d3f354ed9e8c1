// SPDX-License-Identifier: GPL-2.0

//! The subject that a function's instructions are counted under.

use std::fmt;

/// A subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    Driver,
    Interrupt,
    Kick,
    Packet,
    Copy,
    Delivery,
    Softirq,
}

impl Owner {
    pub const ALL: [Self; 7] = [
        Self::Driver,
        Self::Interrupt,
        Self::Kick,
        Self::Packet,
        Self::Copy,
        Self::Delivery,
        Self::Softirq,
    ];

    /// Returns the subject of a function, by its name.
    pub fn of(name: &str) -> Self {
        let begins = |with: &[&str]| with.iter().any(|with| name.starts_with(with));
        if begins(&[
            "_R",
            "helper_",
            "caif_virtio_",
            "rust_helper_",
            "cfv_",
            "vringh_",
        ]) {
            Self::Driver
        } else if begins(&[
            "bench_modem_interrupt",
            "rproc_vq_interrupt",
            "vring_interrupt",
            "idr_find",
            "radix_tree",
            "call_driver",
        ]) {
            Self::Interrupt
        } else if begins(&["virtqueue_", "rproc_virtio", "kick"]) {
            Self::Kick
        } else if begins(&["memcpy"]) {
            Self::Copy
        } else if begins(&["netif_receive", "__netif_receive", "receive", "packet_"]) {
            Self::Delivery
        } else if is_packet(name) {
            Self::Packet
        } else {
            Self::Softirq
        }
    }
}

/// Returns whether a function allocates or frees packets.
fn is_packet(name: &str) -> bool {
    [
        "skb",
        "kmem_cache",
        "kmalloc",
        "kfree",
        "page_frag",
        "free_frag",
        "alloc_page",
        "free_page",
        "free_unref",
        "slab",
        "rmqueue",
        "get_page_from",
        "prep_new",
        "put_page",
        "folio",
    ]
    .iter()
    .any(|part| name.contains(part))
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Driver => "driver",
            Self::Interrupt => "finding the vring",
            Self::Kick => "kick",
            Self::Packet => "packets: allocate and free",
            Self::Copy => "copy",
            Self::Delivery => "delivery to the packet handler",
            Self::Softirq => "NAPI and softirq",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_each_kind() {
        for (name, owner) in [
            ("_RNvMNtCsdpg7EmQMvAq_11caif_virtio7receive", Owner::Driver),
            ("cfv_rx_poll", Owner::Driver),
            ("vring_interrupt", Owner::Interrupt),
            ("virtqueue_notify", Owner::Kick),
            ("__alloc_skb", Owner::Packet),
            ("kmem_cache_alloc_node_noprof", Owner::Packet),
            ("memcpy_orig", Owner::Copy),
            ("__netif_receive_skb_core", Owner::Delivery),
            ("net_rx_action", Owner::Softirq),
        ] {
            assert_eq!(Owner::of(name), owner, "{name}");
        }
    }
}
