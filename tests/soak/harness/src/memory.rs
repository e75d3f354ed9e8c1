// SPDX-License-Identifier: GPL-2.0

//! Whether the kernel's memory grows.

use anyhow::{Context, Result, ensure};
use harness::vm::Vm;

/// KiB that the kernel's memory may grow by during a phase, whatever its length: caches breathe.
const BREATH_KIB: i64 = 3 * 1024;
/// The part of all memory where KASAN keeps what was freed; it fills up and stays full.
const QUARANTINE: i64 = 32;
/// And KiB for each cycle. So this sees a leak of some KiB in each of a thousand cycles; smaller ones,
/// and those of a short run, are for kmemleak to find.
const CYCLE_KIB: f64 = 0.25;

/// Memory at the beginning of a phase.
pub struct Watch {
    kib: i64,
    breath: i64,
}

impl Watch {
    pub fn new(vm: &mut Vm) -> Result<Self> {
        let mut breath = BREATH_KIB;
        let kasan = "grep -q ' kasan_quarantine_put$' /proc/kallsyms";
        if vm.guest.run(kasan)?.status == 0 {
            breath += meminfo(vm, "MemTotal")? / QUARANTINE;
        }
        Ok(Self {
            kib: kib(vm)?,
            breath,
        })
    }

    /// How much the kernel's memory grew since, in KiB. It is an error if that is more than it may.
    pub fn grown(&self, vm: &mut Vm, cycles: u32) -> Result<i64> {
        let grown = kib(vm)? - self.kib;
        let allowed = self.breath + (f64::from(cycles) * CYCLE_KIB) as i64;
        ensure!(
            grown <= allowed,
            "the kernel's memory grew by {grown} KiB in {cycles} cycles, {allowed} are allowed"
        );
        Ok(grown)
    }
}

/// What slabs that cannot be taken back, per-CPU memory and vmalloc have, after all that can be taken
/// back was.
fn kib(vm: &mut Vm) -> Result<i64> {
    vm.guest.ok("echo 3 >/proc/sys/vm/drop_caches")?;
    meminfo(vm, "SUnreclaim|Percpu|VmallocUsed")
}

/// The sum of some lines of `/proc/meminfo`, in KiB.
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
