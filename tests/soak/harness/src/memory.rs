// SPDX-License-Identifier: GPL-2.0

//! Checks that the kernel's memory does not grow.

use anyhow::{Context, Result, ensure};
use harness::vm::Vm;

/// KiB that the kernel's memory may grow by in a phase of any length: the size of caches varies.
const SLACK_KIB: i64 = 3 * 1024;
/// The fraction of memory that KASAN's quarantine of freed memory takes; once full it stays so.
const QUARANTINE: i64 = 32;
/// KiB that it may grow by in each cycle. This detects leaks of some KiB in each of a thousand
/// cycles; kmemleak finds smaller ones, and those of a short run.
const CYCLE_KIB: f64 = 0.25;

/// Memory at the beginning of a phase.
pub struct Watch {
    kib: i64,
    slack: i64,
}

impl Watch {
    pub fn new(vm: &mut Vm) -> Result<Self> {
        let mut slack = SLACK_KIB;
        let kasan = "grep -q ' kasan_quarantine_put$' /proc/kallsyms";
        if vm.guest.run(kasan)?.status == 0 {
            slack += meminfo(vm, "MemTotal")? / QUARANTINE;
        }
        Ok(Self {
            kib: kib(vm)?,
            slack,
        })
    }

    /// Returns how much the kernel's memory grew since, in KiB. More than is allowed is an error.
    pub fn grown(&self, vm: &mut Vm, cycles: u32) -> Result<i64> {
        let grown = kib(vm)? - self.kib;
        let allowed = self.slack + (f64::from(cycles) * CYCLE_KIB) as i64;
        ensure!(
            grown <= allowed,
            "the kernel's memory grew by {grown} KiB in {cycles} cycles, {allowed} are allowed"
        );
        Ok(grown)
    }
}

/// Returns the memory in unreclaimable slabs, per-CPU areas and vmalloc, after the reclaimable
/// caches were dropped.
fn kib(vm: &mut Vm) -> Result<i64> {
    vm.guest.ok("echo 3 >/proc/sys/vm/drop_caches")?;
    meminfo(vm, "SUnreclaim|Percpu|VmallocUsed")
}

/// Returns the sum of some lines of `/proc/meminfo`, in KiB.
fn meminfo(vm: &mut Vm, names: &str) -> Result<i64> {
    let out = vm
        .guest
        .ok(&format!("grep -E '^({names}):' /proc/meminfo"))?;
    let mut sum = 0;
    for line in out.lines() {
        let kib: i64 = line
            .split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse().ok())
            .with_context(|| format!("/proc/meminfo: {line:?}"))?;
        sum += kib;
    }
    Ok(sum)
}
