// SPDX-License-Identifier: GPL-2.0

//! The parts of the tests.

use anyhow::{Result, bail};

/// A script of the checkout and its arguments.
pub type Line = &'static [&'static str];

/// A part of the tests, or a preparation for several of them.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub name: &'static str,
    pub what: &'static str,
    /// Its command in `make test`.
    pub short: Option<Line>,
    /// Its command in `make test-all`.
    pub full: Option<Line>,
    /// The architecture of its machine, if it is not that of the environment.
    pub arch: Option<&'static str>,
    /// Preparations.
    pub needs: &'static [&'static str],
    /// Whether it must run alone in `make test-all`.
    pub alone: bool,
    /// Whether it has cases, or only prepares.
    pub cases: bool,
    /// Whether it runs on a machine of any architecture.
    pub any_arch: bool,
    /// The files that its result depends on, as pathspecs of git which narrow them down.
    pub reads: &'static [&'static str],
}

/// All files but these, and but the pages for people that no test reads.
macro_rules! all_but {
    ($($path:literal),* $(,)?) => {
        &[
            ":!CONTRIBUTING.md",
            ":!Documentation/board-ivshmem.md",
            ":!Documentation/board-soc.md",
            ":!Documentation/boards.md",
            ":!Documentation/caif-logic.md",
            ":!Documentation/caif-modeminit.md",
            ":!Documentation/caifctl.md",
            ":!Documentation/clients.md",
            ":!Documentation/coherence.md",
            ":!Documentation/frame-path.md",
            ":!Documentation/modem-side.md",
            ":!Documentation/performance.md",
            ":!Documentation/security.md",
            ":!Documentation/wireshark.md",
            ":!LICENSES",
            ":!README.md",
            $($path),*
        ]
    };
}

/// All files but those that no test of code reads.
const CODE: &[&str] = all_but![
    ":!bench/end-to-end",
    ":!bench/kernel",
    ":!bench/profile",
    ":!tests/mutants",
    ":!tests/scripts",
];
/// The same without what only parts read that boot no machine with a modem's process. `tests/uapi` has
/// the numbers that `scripts/caif-stack` compares those of the C stack with.
const MACHINES: &[&str] = all_but![
    ":!bench",
    ":!tests/compilers",
    ":!tests/distro",
    ":!tests/firmware",
    ":!tests/fuzz",
    ":!tests/host",
    ":!tests/interop",
    ":!tests/intree",
    ":!tests/kernels",
    ":!tests/kunit",
    ":!tests/loom",
    ":!tests/misuse",
    ":!tests/modem",
    ":!tests/mutants",
    ":!tests/scripts",
    ":!tests/wireshark",
];
/// All files that tests of code read, without those for the kernel alone or for other tests. This is
/// of a whole part, after whose changes it is run again; which folders of tests and programs a mutant
/// is tried again for is in `mutants/suites.rs`.
const PURE: &[&str] = &[
    ":!*.md",
    ":!*.c",
    ":!*.h",
    ":!LICENSES",
    ":!Documentation",
    ":!Kbuild",
    ":!Kconfig",
    ":!Makefile",
    ":!abstractions/net",
    ":!abstractions/virtio",
    ":!bench",
    ":!caif/caif.rs",
    ":!caif/channel.rs",
    ":!caif/errno.rs",
    ":!caif/interface",
    ":!caif/interface.rs",
    ":!caif/link.rs",
    ":!caif/links.rs",
    ":!caif/listing.rs",
    ":!caif/pressure.rs",
    ":!caif/reassembly.rs",
    ":!caif/receive.rs",
    ":!caif/socket",
    ":!caif/socket.rs",
    ":!caif/transmit.rs",
    ":!caif/uapi",
    ":!packaging",
    ":!remoteproc_glue",
    ":!scripts",
    ":!tests/clients",
    ":!tests/compilers",
    ":!tests/distro",
    ":!tests/harness",
    ":!tests/hostile",
    ":!tests/intree",
    ":!tests/kernels",
    ":!tests/kunit",
    ":!tests/misuse",
    ":!tests/modem",
    ":!tests/mutants",
    ":!tests/scripts",
    ":!tests/soak",
    ":!tests/soc",
    ":!tests/vm",
    ":!tests/wireshark",
    ":!tools",
];

const PART: Part = Part {
    name: "",
    what: "",
    short: None,
    full: None,
    arch: None,
    needs: &[],
    alone: false,
    cases: true,
    any_arch: false,
    reads: CODE,
};

/// In the order in which they are started.
const PARTS: &[Part] = &[
    Part {
        name: "kernel",
        what: "fetches and builds the kernel that all tests boot",
        short: Some(&["scripts/kernel"]),
        full: Some(&["scripts/kernel"]),
        cases: false,
        any_arch: true,
        ..PART
    },
    Part {
        name: "kernel-test",
        what: "the same without sanitizers",
        full: Some(&["scripts/kernel", "test"]),
        needs: &["kernel"],
        cases: false,
        ..PART
    },
    Part {
        name: "kernel-arm64",
        what: "the one of arm64",
        full: Some(&["scripts/kernel"]),
        arch: Some("arm64"),
        needs: &["kernel"],
        cases: false,
        ..PART
    },
    // The long ones first, so that both lanes end at about the same time.
    Part {
        name: "hostile",
        what: "a modem that does single things wrong; each case with one way of notification, in test-all with both",
        short: Some(&["tests/hostile/run", "--one-flavour"]),
        full: Some(&["tests/hostile/run"]),
        needs: &["kernel"],
        reads: MACHINES,
        ..PART
    },
    Part {
        name: "host",
        what: "rings, stack logic and codec on the host: units, properties, the memory model, chains against the crate virtio-queue",
        short: Some(&["tests/host/run"]),
        full: Some(&["tests/host/run", "--chains", "10000000"]),
        ..PART
    },
    Part {
        name: "modem",
        what: "the modem's own tests, those of caifctl and caif-modeminit, and of the header for programs",
        short: Some(&["tests/modem/run"]),
        full: Some(&["tests/modem/run"]),
        ..PART
    },
    Part {
        name: "fuzz",
        what: "rings, codec and resource tables: the corpus, and in test-all a hunt of ten minutes each",
        short: Some(&["tests/fuzz/run", "--corpus"]),
        full: Some(&["tests/fuzz/run", "--long"]),
        reads: PURE,
        ..PART
    },
    Part {
        name: "compilers",
        what: "the modules compiled by the oldest rustc and gcc's cross compiler, in test-all for 32-bit machines, too",
        short: Some(&["tests/compilers/run", "gcc-cross"]),
        full: Some(&["tests/compilers/run"]),
        ..PART
    },
    Part {
        name: "interop",
        what: "the rings against the kernel's own, in user space",
        short: Some(&["tests/interop/run"]),
        full: Some(&["tests/interop/run"]),
        needs: &["kernel"],
        ..PART
    },
    Part {
        name: "vm",
        what: "the driver and the modem process in QEMU, end to end",
        short: Some(&["tests/vm/run"]),
        full: Some(&["tests/vm/run", "--long"]),
        needs: &["kernel"],
        any_arch: true,
        reads: MACHINES,
        ..PART
    },
    Part {
        name: "clients",
        what: "Debian's oFono and ConnMan, unmodified, online through the modem, on the kernel with IPv6",
        short: Some(&["tests/clients/run"]),
        full: Some(&["tests/clients/run", "--long"]),
        needs: &["kernel"],
        reads: MACHINES,
        ..PART
    },
    Part {
        name: "soak",
        what: "crashes, recoveries and rebinds under traffic: as many as fit, in test-all a thousand",
        short: Some(&["tests/soak/run", "--short"]),
        full: Some(&["tests/soak/run", "--without", "user"]),
        needs: &["kernel"],
        // It measures how long a thousand recoveries take.
        alone: true,
        reads: MACHINES,
        ..PART
    },
    Part {
        name: "soak-user",
        what: "a hostile user's random calls for an hour: with soak, make soak",
        full: Some(&["tests/soak/run", "--phase", "user"]),
        needs: &["kernel"],
        reads: MACHINES,
        ..PART
    },
    Part {
        name: "intree",
        what: "the driver as part of the kernel's source: the series of patches, and in test-all kunit.py, DKMS, a device tree",
        short: Some(&["tests/intree/run"]),
        full: Some(&["tests/intree/run", "--cold"]),
        // Documents are part of the series.
        reads: &[],
        needs: &["kernel"],
        ..PART
    },
    Part {
        name: "kunit",
        what: "KUnit suites in QEMU: the rings, the driver against a fake modem",
        short: Some(&["tests/kunit/run"]),
        full: Some(&["tests/kunit/run"]),
        needs: &["kernel"],
        any_arch: true,
        ..PART
    },
    Part {
        name: "hostile-self-test",
        what: "that the harness of the hostile modem notices what it must",
        short: Some(&["tests/hostile/run", "--self-test"]),
        full: Some(&["tests/hostile/run", "--self-test"]),
        needs: &["kernel"],
        reads: MACHINES,
        ..PART
    },
    Part {
        name: "misuse",
        what: "safe code that misuses the abstractions, none of which may compile",
        short: Some(&["tests/misuse/run"]),
        full: Some(&["tests/misuse/run"]),
        needs: &["kernel"],
        ..PART
    },
    Part {
        name: "firmware",
        what: "the examples of firmware, compiled for the host and for modems, and their resource tables",
        short: Some(&["tests/firmware/run"]),
        full: Some(&["tests/firmware/run"]),
        ..PART
    },
    Part {
        name: "scripts",
        what: "the scripts' help and answers to bad input",
        short: Some(&["tests/scripts/run"]),
        full: Some(&["tests/scripts/run"]),
        reads: &[],
        ..PART
    },
    Part {
        name: "kernels",
        what: "KUnit and the demo on kernels of other compilers, pages, scheduling and machines: make test-kernels",
        full: Some(&["tests/kernels/run"]),
        needs: &["kernel"],
        ..PART
    },
    Part {
        name: "soc",
        what: "the VM tests on a machine of arm64 whose modem is in the SoC",
        full: Some(&["tests/soc/run"]),
        needs: &["kernel"],
        reads: MACHINES,
        ..PART
    },
    Part {
        name: "soc-machine",
        what: "the demo on that machine, and twenty faults of a hostile modem",
        full: Some(&["tests/soc/machine"]),
        needs: &["kernel"],
        reads: MACHINES,
        ..PART
    },
    Part {
        name: "soc-devicetree",
        what: "the binding and the device tree of that machine, by dt-schema",
        full: Some(&["tests/soc/devicetree"]),
        needs: &["kernel"],
        ..PART
    },
    Part {
        name: "distro",
        what: "packaged kernels of Debian 13 for arm64, DKMS and packages; with the four below make test-distro",
        full: Some(&["tests/distro/run"]),
        // The table of kernels in Documentation/kernels.md is compared, which CODE leaves out.
        reads: &[],
        needs: &["kernel"],
        ..PART
    },
    Part {
        name: "debian",
        what: "a packaged kernel of arm64 in QEMU: the demo, interfaces of other kinds, twenty faults of a hostile modem",
        full: Some(&["tests/distro/machine", "debian"]),
        needs: &["kernel"],
        ..PART
    },
    Part {
        name: "debian-rt",
        what: "the same of the one with PREEMPT_RT",
        full: Some(&["tests/distro/machine", "debian-rt"]),
        needs: &["kernel"],
        ..PART
    },
    Part {
        name: "debian-16k",
        what: "the same of the one with pages of 16 KiB",
        full: Some(&["tests/distro/machine", "debian-16k"]),
        needs: &["kernel"],
        ..PART
    },
    Part {
        name: "debian-7.2",
        what: "the same of Linux 7.2",
        full: Some(&["tests/distro/machine", "debian-7.2"]),
        needs: &["kernel"],
        ..PART
    },
    Part {
        name: "wireshark",
        what: "the dissector, by Debian's tshark: make test-wireshark",
        full: Some(&["tests/wireshark/run"]),
        ..PART
    },
    Part {
        name: "check",
        what: "formatting, lints, unsafe code and so on: make check",
        full: Some(&["scripts/check"]),
        reads: &[],
        needs: &["kernel"],
        ..PART
    },
    Part {
        name: "kunit-test",
        what: "kunit on the kernel without sanitizers",
        full: Some(&["tests/kunit/run", "--kernel", "test"]),
        needs: &["kernel-test"],
        ..PART
    },
    Part {
        name: "vm-test",
        what: "vm on the kernel without sanitizers",
        full: Some(&["tests/vm/run", "--long", "--kernel", "test"]),
        needs: &["kernel-test"],
        reads: MACHINES,
        ..PART
    },
    Part {
        name: "hostile-test",
        what: "hostile on the kernel without sanitizers",
        full: Some(&["tests/hostile/run", "--kernel", "test", "--one-flavour"]),
        needs: &["kernel-test"],
        reads: MACHINES,
        ..PART
    },
    Part {
        name: "kunit-arm64",
        what: "kunit on a machine of arm64",
        full: Some(&["tests/kunit/run"]),
        arch: Some("arm64"),
        needs: &["kernel-arm64"],
        ..PART
    },
    Part {
        name: "vm-arm64",
        what: "vm on a machine of arm64",
        full: Some(&["tests/vm/run", "--long"]),
        arch: Some("arm64"),
        needs: &["kernel-arm64"],
        reads: MACHINES,
        ..PART
    },
    Part {
        name: "intree-arm64",
        what: "the driver in the kernel's source, and kunit.py, on a machine of arm64",
        full: Some(&["tests/intree/run"]),
        reads: &[],
        arch: Some("arm64"),
        needs: &["kernel-arm64"],
        ..PART
    },
];

/// Which set of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// `make test`.
    Short,
    /// `make test-all`.
    Full,
}

impl Part {
    /// Returns the command line of the part in a set.
    pub fn line(&self, set: Set) -> Option<Line> {
        match set {
            Set::Short => self.short,
            Set::Full => self.full,
        }
    }
}

/// Returns all parts of a set for an architecture.
pub fn all(set: Set, arch: &str) -> Vec<Part> {
    let here = |part: &&Part| arch == "x86_64" || part.any_arch;
    let parts = PARTS.iter().filter(here);
    parts
        .filter(|part| part.line(set).is_some())
        .copied()
        .collect()
}

/// Returns the parts of these names, or all, with what they need before them.
pub fn select(set: Set, arch: &str, names: &[String]) -> Result<Vec<Part>> {
    let all = all(set, arch);
    for name in names {
        if all.iter().any(|part| part.name == name) {
            continue;
        }
        let there: Vec<_> = all.iter().map(|part| part.name).collect();
        let set = if set == Set::Full { "test-all" } else { "test" };
        bail!(
            "there is no part {name} in make {set} on {arch}, there are: {}",
            there.join(", ")
        );
    }
    let mut wanted: Vec<bool> = all
        .iter()
        .map(|part| names.is_empty() && part.cases || names.iter().any(|name| name == part.name))
        .collect();
    // Preparations come before their parts.
    for at in (0..all.len()).rev() {
        if !wanted[at] {
            continue;
        }
        for (other, part) in all.iter().enumerate() {
            wanted[other] |= all[at].needs.contains(&part.name);
        }
    }
    let both = all.into_iter().zip(wanted);
    Ok(both
        .filter_map(|(part, wanted)| wanted.then_some(part))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::{PARTS, Set, all, select};

    fn names(set: Set, arch: &str, wanted: &[&str]) -> Vec<&'static str> {
        let wanted: Vec<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let parts = select(set, arch, &wanted).unwrap();
        parts.iter().map(|part| part.name).collect()
    }

    #[test]
    fn names_are_unique_and_needs_come_first() {
        for (at, part) in PARTS.iter().enumerate() {
            let before = &PARTS[..at];
            assert!(
                before.iter().all(|other| other.name != part.name),
                "{part:?}"
            );
            for need in part.needs {
                let found = before.iter().find(|other| other.name == *need).unwrap();
                assert!(!found.cases, "{part:?}");
                // Each set with a part has its preparations.
                assert!(part.short.is_none() || found.short.is_some(), "{part:?}");
                assert!(!part.any_arch || found.any_arch, "{part:?}");
            }
        }
    }

    #[test]
    fn the_full_set_has_all_parts_of_the_short_one() {
        assert!(PARTS.iter().all(|part| part.full.is_some()));
        assert_eq!(names(Set::Full, "x86_64", &[]).len(), PARTS.len());
    }

    #[test]
    fn what_a_part_needs_is_run_before_it() {
        assert_eq!(names(Set::Short, "x86_64", &["kunit"]), ["kernel", "kunit"]);
        assert_eq!(
            names(Set::Short, "x86_64", &["scripts", "host"]),
            ["host", "scripts"]
        );
        assert_eq!(
            names(Set::Full, "x86_64", &["vm-arm64"]),
            ["kernel", "kernel-arm64", "vm-arm64"]
        );
        assert_eq!(names(Set::Short, "x86_64", &["vm", "vm"]), ["kernel", "vm"]);
    }

    #[test]
    fn another_architecture_has_what_differs_there() {
        assert_eq!(names(Set::Short, "arm64", &[]), ["kernel", "vm", "kunit"]);
    }

    #[test]
    fn unknown_names_are_refused_in_one_line() {
        for (set, arch, name) in [
            (Set::Short, "x86_64", "nonesuch"),
            (Set::Short, "x86_64", ""),
            (Set::Short, "x86_64", "vm-arm64"),
            (Set::Short, "arm64", "host"),
        ] {
            let error = select(set, arch, &["vm".into(), name.into()]).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(&format!("no part {name} ")) && text.lines().count() == 1);
        }
        assert!(all(Set::Short, "arm64").iter().all(|part| part.any_arch));
    }
}
