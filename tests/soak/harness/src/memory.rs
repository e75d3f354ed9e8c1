// SPDX-License-Identifier: GPL-2.0

//! Whether the kernel's memory grows.

use anyhow::{Context, Result, ensure};
use vm_tests::vm::Vm;

/// KiB that the slabs of the whole kernel may grow by during a phase, whatever its length: caches
/// and a quarantine of freed memory breathe.
const BREATH_KIB: i64 = 3 * 1024;
/// And KiB for each cycle; what leaks once in a cycle is no smaller than a quarter of this.
const CYCLE_KIB: f64 = 0.25;

/// Memory at the beginning of a phase.
pub struct Watch {
    slab_kib: i64,
}

impl Watch {
    pub fn new(vm: &mut Vm) -> Result<Self> {
        Ok(Self {
            slab_kib: slab_kib(vm)?,
        })
    }

    /// How much the slabs grew since, in KiB. It is an error if that is more than they may.
    pub fn grown(&self, vm: &mut Vm, cycles: u32) -> Result<i64> {
        let grown = slab_kib(vm)? - self.slab_kib;
        let allowed = BREATH_KIB + (f64::from(cycles) * CYCLE_KIB) as i64;
        ensure!(
            grown <= allowed,
            "the kernel's slabs grew by {grown} KiB in {cycles} cycles, {allowed} are allowed"
        );
        Ok(grown)
    }
}

/// Memory of the slabs that cannot be taken back, after all that can be was.
fn slab_kib(vm: &mut Vm) -> Result<i64> {
    let out = vm.guest.ok("echo 3 >/proc/sys/vm/drop_caches; \
         sed -n 's/^SUnreclaim: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo")?;
    out.trim()
        .parse()
        .with_context(|| format!("SUnreclaim: {out:?}"))
}

/// Lets the kernel look for memory that nothing points to, where it can.
pub fn scan(vm: &mut Vm) -> Result<()> {
    let leaks = "/sys/kernel/debug/kmemleak";
    if vm.guest.run(&format!("[ -e {leaks} ]"))?.status != 0 {
        return Ok(());
    }
    // Memory counts as leaked when a scan finds no pointer to what an earlier one did not find
    // either, and is older than some seconds; the kernel crate's own needs five scans.
    let scans = "for i in 1 2 3 4 5 6; do echo scan >LEAKS || exit; done; cat LEAKS";
    let found = vm
        .guest
        .start_for(&scans.replace("LEAKS", leaks), 600)?
        .ok()?;
    ensure!(found.trim().is_empty(), "memory leaked:\n{found}");
    Ok(())
}
