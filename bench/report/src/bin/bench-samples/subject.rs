// SPDX-License-Identifier: GPL-2.0

//! The subject that a sample is counted under.

use std::fmt;

use bench_report::symbols::View;

use crate::register::Sample;

/// A subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Idle,
    Program,
    Copies,
    TcpIp,
    Network,
    Packets,
    Stack,
    Driver,
    Kicks,
    SpinLock,
    Rest,
}

/// The modules of both languages.
const DRIVER: [&str; 3] = ["caif_virtio", "caif_virtio_c", "vringh"];
const STACK: [&str; 3] = ["caif", "chnl_net", "caif_socket"];

/// Subjects by what the names of their functions begin with.
const BEGIN: &[(Subject, &[&str])] = &[
    (
        Subject::Copies,
        &[
            "memcpy",
            "__memcpy",
            "rep_movs",
            "copy_",
            "_copy",
            "csum_",
            "__csum",
            "clear_page",
            "skb_copy",
            "memset",
            "__memset",
        ],
    ),
    (
        Subject::TcpIp,
        &[
            "tcp_",
            "__tcp",
            "ip_",
            "__ip",
            "inet_",
            "ipv4_",
            "sk_stream",
            "bictcp",
            "cubictcp",
            "raw_",
        ],
    ),
];
/// Subjects by what the names of their functions have in them.
const PART: &[(Subject, &[&str])] = &[
    (
        Subject::Kicks,
        &[
            "virtqueue",
            "vring",
            "rproc",
            "ivshmem",
            "iowrite",
            "ioread",
            "writel",
            "native_apic",
            "send_IPI",
            "msix",
            "pci_msi",
        ],
    ),
    (
        Subject::Packets,
        &[
            "skb",
            "kmem_cache",
            "kmalloc",
            "kfree",
            "slab",
            "page",
            "folio",
        ],
    ),
];
/// What the names of the network's functions begin with.
const NETWORK: &[&str] = &[
    "net_", "__net", "netif", "napi", "__napi", "dev_", "__dev", "qdisc", "__qdisc", "pfifo",
    "sch_", "gro", "dql",
];

impl Subject {
    pub const ALL: [Self; 11] = [
        Self::Idle,
        Self::Program,
        Self::Copies,
        Self::TcpIp,
        Self::Network,
        Self::Packets,
        Self::Stack,
        Self::Driver,
        Self::Kicks,
        Self::SpinLock,
        Self::Rest,
    ];

    /// Returns what a sample is of.
    pub fn of(sample: &Sample, functions: &View<'_>) -> Self {
        if sample.idle {
            Self::Idle
        } else if sample.program {
            Self::Program
        } else {
            functions
                .find_module(sample.address)
                .map_or(Self::Rest, |(name, module)| Self::of_function(name, module))
        }
    }

    /// Returns the subject of a function, by its name and the name of its module.
    fn of_function(name: &str, module: Option<&str>) -> Self {
        let of = |modules: &[&str]| module.is_some_and(|module| modules.contains(&module));
        let begins = |with: &[&str]| with.iter().any(|with| name.starts_with(with));
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        // The first that fits.
        if name.contains("spin_lock_slowpath") {
            return Self::SpinLock;
        }
        if of(&DRIVER) {
            return Self::Driver;
        }
        if of(&STACK) {
            return Self::Stack;
        }
        if let Some((subject, _)) = BEGIN.iter().find(|(_, with)| begins(with)) {
            return *subject;
        }
        if let Some((subject, _)) = PART.iter().find(|(_, parts)| has(parts)) {
            return *subject;
        }
        if begins(NETWORK) {
            return Self::Network;
        }
        Self::Rest
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Program => "the program",
            Self::Copies => "copies and checksums",
            Self::TcpIp => "TCP and IP",
            Self::Network => "network core",
            Self::Packets => "packets: allocate and free",
            Self::Stack => "stack",
            Self::Driver => "driver",
            Self::Kicks => "kicks and interrupts",
            Self::SpinLock => "waiting for a spin lock",
            Self::Rest => "the rest of the kernel",
        })
    }
}

#[cfg(test)]
mod tests {
    use bench_report::symbols::Symbols;

    use super::*;

    #[test]
    fn functions_of_each_kind() {
        for (name, module, subject) in [
            ("native_queued_spin_lock_slowpath", None, Subject::SpinLock),
            ("poll", Some("caif_virtio"), Subject::Driver),
            ("vringh_iov_pull", Some("vringh"), Subject::Driver),
            ("skb_of_caif", Some("caif"), Subject::Stack),
            ("memcpy_orig", None, Subject::Copies),
            ("tcp_sendmsg", None, Subject::TcpIp),
            ("vring_interrupt", None, Subject::Kicks),
            ("poll", Some("ivshmem_rproc"), Subject::Rest),
            ("__alloc_skb", None, Subject::Packets),
            ("netif_receive", None, Subject::Network),
            ("schedule", None, Subject::Rest),
        ] {
            assert_eq!(Subject::of_function(name, module), subject, "{name}");
        }
    }

    #[test]
    fn a_processor_without_the_kernel() {
        let symbols = Symbols::parse("100 T kfree\n", "200 t poll\t[caif]\n").unwrap();
        let view = symbols.with("", &[]);
        let sample = Sample {
            cpu: 0,
            address: 0x108,
            program: false,
            idle: false,
        };
        let of = |sample| Subject::of(&sample, &view);
        assert_eq!(of(sample), Subject::Packets);
        assert_eq!(
            of(Sample {
                address: 0x208,
                ..sample
            }),
            Subject::Stack
        );
        assert_eq!(
            of(Sample {
                address: 0,
                ..sample
            }),
            Subject::Rest
        );
        assert_eq!(
            of(Sample {
                program: true,
                ..sample
            }),
            Subject::Program
        );
        assert_eq!(
            of(Sample {
                idle: true,
                ..sample
            }),
            Subject::Idle
        );
    }
}
