// SPDX-License-Identifier: GPL-2.0

//! Makes each allocation of an operation fail, one in each run. The operation must fail in an
//! orderly way or succeed.

use anyhow::{Context, Result, bail, ensure};
use harness::{
    link::{CRASH, DRIVER},
    vm::Vm,
};
use serde::Deserialize;

use crate::{
    Soak,
    crash::{COME_BACK, STORM},
    report::Outcome,
};

/// The output of `guest-tool fail-nth`.
#[derive(Deserialize)]
struct Sweep {
    /// Allocations that failed, one in each run.
    points: u32,
    /// Runs in which the operation failed.
    refused: u32,
}

/// Lets allocations of all kinds fail, without a log line for each.
const INJECT: &str = "cd /sys/kernel/debug && for i in failslab fail_page_alloc; do \
        echo N >$i/ignore-gfp-wait && echo 0 >$i/verbose && echo 32 >$i/stacktrace-depth || exit; \
    done; \
    echo N >fail_page_alloc/ignore-gfp-highmem && echo 0 >fail_page_alloc/min-order";

/// Returns the address range of a module's functions, with a page for the last one. The size that
/// the kernel reports for a module is that of code and data, which are not contiguous.
fn code(vm: &mut Vm, module: &str) -> Result<(u64, u64)> {
    let out = vm.guest.ok(&format!(
        "sed -n 's/^\\([0-9a-f]*\\) [tT] .*\\[{module}\\]$/\\1/p' /proc/kallsyms"
    ))?;
    let addresses = out
        .lines()
        .map(|line| u64::from_str_radix(line.trim(), 16))
        .collect::<Result<Vec<_>, _>>()?;
    match (addresses.iter().min(), addresses.iter().max()) {
        (Some(start), Some(last)) if *start > 0 => Ok((*start, last + 4096)),
        _ => bail!("/proc/kallsyms does not tell where {module} is"),
    }
}

/// Prepares fault injection.
fn inject(vm: &mut Vm) -> Result<()> {
    vm.guest
        .ok(INJECT)
        .context("the kernel has no fault injection: use --kernel san")
        .map(|_| ())
}

fn sweep(soak: &mut Soak, what: &str) -> Result<Outcome> {
    let vm = &mut soak.vm;
    inject(vm)?;
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

pub fn interface(soak: &mut Soak, _cycles: u32) -> Result<Outcome> {
    sweep(soak, "interface caifs")
}

pub fn ifup(soak: &mut Soak, _cycles: u32) -> Result<Outcome> {
    sweep(soak, "up caif0")
}

pub fn ip(soak: &mut Soak, _cycles: u32) -> Result<Outcome> {
    sweep(soak, "send caif0")
}

pub fn socket(soak: &mut Soak, _cycles: u32) -> Result<Outcome> {
    sweep(soak, "socket")
}

/// Number of frames that are to be dropped for lack of memory.
const DROPS: u64 = 100;

/// Where the kernel shows its trace.
const TRACING: &str = "/sys/kernel/tracing";
/// The driver's event of a dropped frame, in there.
const DROP: &str = "events/caif_virtio/caif_virtio_drop";

/// Lets every other allocation of the module fail until enough frames were dropped. The poll
/// function runs in no task for which `fail-nth` could be set.
pub fn poll(soak: &mut Soak, _cycles: u32) -> Result<Outcome> {
    let vm = &mut soak.vm;
    inject(vm)?;
    let dropped = "cat /sys/class/net/cfvrt0/statistics/rx_dropped";
    let before: u64 = vm.guest.ok(dropped)?.trim().parse()?;
    // Only allocations with the module's code on the stack.
    let (start, end) = code(vm, DRIVER)?;
    vm.guest.ok(&format!(
        "{{ grep -q ' {TRACING} tracefs' /proc/mounts || mount -t tracefs trace {TRACING}; }} && \
         cd {TRACING} && echo >trace && echo 1 >{DROP}/enable && \
         cd /sys/kernel/debug/failslab && echo {start:#x} >require-start && \
         echo {end:#x} >require-end && echo -1 >times && echo 50 >probability"
    ))?;
    let out = vm
        .start_storm(&format!("10.9.1.1 {STORM}"))
        .and_then(|storm| {
            // A line for each.
            let wait = format!("head -n {DROPS} {TRACING}/trace_pipe >/dev/null");
            let waited = vm.guest.start_for(&wait, 120)?.ok();
            vm.end_storm(storm).and(waited)
        });
    vm.guest.ok(&format!(
        "cd /sys/kernel/debug/failslab && echo 0 >probability && \
         echo 0 >require-start && echo 0xffffffffffffffff >require-end && \
         echo 0 >{TRACING}/{DROP}/enable"
    ))?;
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

/// The function that makes the virtio device when a processor was started.
const MAKES_DEVICE: &str = "rproc_vdev_do_start";

/// Lets a recovery fail after the firmware was loaded and the modem started. The board shuts the
/// processor down and boots it again, once, which brings the link back.
pub fn recovery(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    inject(&mut soak.vm)?;
    let out = soak.vm.guest.ok(&format!(
        "grep -A1 ' {MAKES_DEVICE}$' /proc/kallsyms | cut -d' ' -f1"
    ))?;
    let [start, end] = out.lines().collect::<Vec<_>>()[..] else {
        bail!("/proc/kallsyms does not tell where {MAKES_DEVICE} is: {out}")
    };
    let mut outcome = Outcome::default();
    for cycle in 0..cycles {
        let vm = &mut soak.vm;
        let mark = vm.kernel.mark();
        vm.guest.ok(&format!(
            "cd /sys/kernel/debug/failslab && echo 0x{start} >require-start && \
             echo 0x{end} >require-end && echo 1 >times && echo 100 >probability && \
             echo 1 >$(echo {CRASH})"
        ))?;
        let came = vm
            .kernel_says(mark, "the recovery failed, it is booted again")
            .and_then(|_| vm.kernel_says(mark, "is now up"));
        vm.guest
            .ok("cd /sys/kernel/debug/failslab && echo 0 >probability && \
             echo 0 >require-start && echo 0xffffffffffffffff >require-end")?;
        came.with_context(|| format!("crash {cycle}"))?;
        vm.guest.ok(COME_BACK).context("after the second boot")?;
        outcome.cycles += 1;
    }
    outcome.note = "as many second boots".to_owned();
    Ok(outcome)
}
