// SPDX-License-Identifier: GPL-2.0

//! Memory fails at every allocation, one at a time, and what was asked for fails in an orderly way or
//! works all the same.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{
    Soak,
    crash::{COME_BACK, STORM},
    report::Outcome,
};

/// What `guest-tool fail-nth` says.
#[derive(Deserialize)]
struct Sweep {
    /// Allocations that failed, one in each run.
    points: u32,
    /// Runs in which the whole failed.
    refused: u32,
}

/// Lets allocations of all kinds fail, without a word for each.
const INJECT: &str = "cd /sys/kernel/debug && echo N >failslab/ignore-gfp-wait && \
    echo N >fail_page_alloc/ignore-gfp-wait && echo N >fail_page_alloc/ignore-gfp-highmem && \
    echo 0 >fail_page_alloc/min-order && \
    echo 0 >failslab/verbose && echo 0 >fail_page_alloc/verbose";

fn sweep(soak: &mut Soak, what: &str) -> Result<Outcome> {
    let vm = &mut soak.vm;
    vm.guest
        .ok(INJECT)
        .context("the kernel has no fault injection: use --kernel san")?;
    let out = vm
        .guest
        .start_for(&format!("guest-tool fail-nth {what}"), 600)?
        .ok()?;
    let sweep: Sweep = serde_json::from_str(out.trim()).with_context(|| out.clone())?;
    ensure!(
        sweep.points > 0,
        "no allocation failed, which shows nothing"
    );
    vm.guest.ok(COME_BACK).context("after the sweep")?;
    let mut outcome = Outcome::new(sweep.points);
    outcome.note = format!(
        "{} allocations failed, {} times the whole",
        sweep.points, sweep.refused
    );
    Ok(outcome)
}

pub fn probe(soak: &mut Soak, _cycles: u32) -> Result<Outcome> {
    sweep(soak, "bind caif_virtio")
}

pub fn open(soak: &mut Soak, _cycles: u32) -> Result<Outcome> {
    sweep(soak, "up cfvrt0")
}

pub fn xmit(soak: &mut Soak, _cycles: u32) -> Result<Outcome> {
    sweep(soak, "send cfvrt0")
}

/// In the poll function, which runs in no task of ours: every other allocation that the module
/// asks for fails, for some seconds.
pub fn poll(soak: &mut Soak, _cycles: u32) -> Result<Outcome> {
    let vm = &mut soak.vm;
    vm.guest
        .ok(INJECT)
        .context("the kernel has no fault injection: use --kernel san")?;
    let dropped = "cat /sys/class/net/cfvrt0/statistics/rx_dropped";
    let before: u64 = vm.guest.ok(dropped)?.trim().parse()?;
    // Only what has the module's code in its stack.
    vm.guest.ok("cd /sys/kernel/debug/failslab && \
        read -r name size uses by state start rest <<MODULE\n$(grep '^caif_virtio ' /proc/modules)\nMODULE\n\
        echo $start >require-start && printf '0x%x\\n' $((start + size)) >require-end && \
        echo 32 >stacktrace-depth && echo -1 >times && echo 50 >probability")?;
    let storm = vm.start_flowing(&format!("ping 10.9.1.1 {STORM} --seconds 4"), 60);
    let out = storm.and_then(|storm| storm.ok());
    vm.guest.ok(
        "cd /sys/kernel/debug/failslab && echo 0 >probability && echo 0 >stacktrace-depth && \
         echo 0 >require-start && echo 0xffffffffffffffff >require-end",
    )?;
    out?;
    let after: u64 = vm.guest.ok(dropped)?.trim().parse()?;
    ensure!(
        after > before,
        "no frame was dropped for want of memory, which shows nothing"
    );
    let failed = u32::try_from(after - before)?;
    let mut outcome = Outcome::new(failed);
    outcome.note = format!("{failed} frames dropped and counted");
    Ok(outcome)
}
